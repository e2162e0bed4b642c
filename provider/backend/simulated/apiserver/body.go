package apiserver

import (
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"
)

// maxBody is the size of the largest request, in bytes.
const maxBody = 3 << 20

func readBody(r *http.Request) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read request: %w", err)
	}
	if len(b) > maxBody {
		return nil, apierrors.NewRequestEntityTooLargeError(fmt.Sprintf("limit is %d", maxBody))
	}
	return b, nil
}

// decodeBody of a request into an object. Clients send JSON, YAML or, where they know
// the kind, protobuf.
func (c *Cluster) decodeBody(req *request) (*unstructured.Unstructured, error) {
	b, err := readBody(req.http)
	if err != nil {
		return nil, err
	}
	if isProtobuf(req.http) {
		o, _, err := c.machinery.codecs.UniversalDeserializer().Decode(b, nil, nil)
		if err != nil {
			return nil, apierrors.NewBadRequest(fmt.Sprintf("cannot decode request: %v", err))
		}
		m, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
		if err != nil {
			return nil, apierrors.NewBadRequest(fmt.Sprintf("cannot convert request: %v", err))
		}
		u := &unstructured.Unstructured{Object: m}
		withoutEmpty(u)
		u.SetGroupVersionKind(req.kind.gvk)
		return u, nil
	}
	u, err := decodeText(b)
	if err != nil {
		return nil, err
	}
	return u, c.checkTypes(req, u)
}

func decodeText(b []byte) (*unstructured.Unstructured, error) {
	if len(b) > 0 && b[0] != '{' {
		var err error
		if b, err = yaml.YAMLToJSON(b); err != nil {
			return nil, apierrors.NewBadRequest(fmt.Sprintf("cannot decode request: %v", err))
		}
	}
	m := map[string]any{}
	if err := json.Unmarshal(b, &m); err != nil {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("cannot decode request: %v", err))
	}
	return &unstructured.Unstructured{Object: m}, nil
}

// checkTypes of a builtin kind: a number where there should be text is refused, and
// where the client asked for it a field that does not exist is too.
func (c *Cluster) checkTypes(req *request, u *unstructured.Unstructured) error {
	if req.subresource == "scale" || req.subresource == "eviction" || !c.machinery.scheme.Recognizes(req.kind.gvk) || req.kind.custom {
		return nil
	}
	o, err := c.machinery.scheme.New(req.kind.gvk)
	if err != nil {
		return fmt.Errorf("cannot make %s: %w", req.kind.gvk.Kind, err)
	}
	strict := req.http.URL.Query().Get("fieldValidation") == metav1.FieldValidationStrict
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(u.Object, o, strict); err != nil {
		return apierrors.NewBadRequest(fmt.Sprintf("%s in version %q cannot be handled as a %s: %v", req.kind.gvk.Kind, req.kind.gvk.Version, req.kind.gvk.Kind, err))
	}
	return nil
}

// deleteOptions of a request, which are in its body, or nowhere.
func (c *Cluster) deleteOptions(req *request) (*metav1.DeleteOptions, error) {
	out := &metav1.DeleteOptions{}
	b, err := readBody(req.http)
	if err != nil {
		return nil, err
	}
	switch {
	case len(b) == 0:
	case isProtobuf(req.http):
		if _, _, err := c.machinery.codecs.UniversalDeserializer().Decode(b, nil, out); err != nil {
			return nil, apierrors.NewBadRequest(fmt.Sprintf("cannot decode options: %v", err))
		}
	default:
		if err := json.Unmarshal(b, out); err != nil {
			return nil, apierrors.NewBadRequest(fmt.Sprintf("cannot decode options: %v", err))
		}
	}
	q := req.http.URL.Query()
	if p := q.Get("propagationPolicy"); p != "" {
		policy := metav1.DeletionPropagation(p)
		out.PropagationPolicy = &policy
	}
	if q.Get("gracePeriodSeconds") == "0" {
		out.GracePeriodSeconds = new(int64)
	}
	if q.Has("dryRun") {
		out.DryRun = []string{metav1.DryRunAll}
	}
	return out, nil
}

func isProtobuf(r *http.Request) bool {
	t, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return t == runtime.ContentTypeProtobuf
}

// withoutEmpty takes away what a typed object says though nobody said it.
func withoutEmpty(u *unstructured.Unstructured) {
	for _, path := range [][]string{{"metadata"}, {"spec", "template", "metadata"}, {"spec", "jobTemplate", "metadata"}} {
		if m, ok, _ := unstructured.NestedFieldNoCopy(u.Object, path...); ok {
			if m, ok := m.(map[string]any); ok && m["creationTimestamp"] == nil {
				delete(m, "creationTimestamp")
			}
		}
	}
	if s, ok := u.Object["status"].(map[string]any); ok && len(s) == 0 {
		delete(u.Object, "status")
	}
}

// managerOf the fields that a request writes.
func managerOf(r *http.Request) string {
	if m := r.URL.Query().Get("fieldManager"); m != "" {
		return m
	}
	name, _, _ := strings.Cut(r.UserAgent(), "/")
	if name == "" {
		return "unknown"
	}
	return name
}

// convert between an object as a map and as a type of Go.
func convert(m map[string]any, into any) error {
	return runtime.DefaultUnstructuredConverter.FromUnstructured(m, into)
}

func cut(at string) (namespace, name string, ok bool) { return strings.Cut(at, "/") }
