package apiserver

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
)

func asStatus(err error, into *apierrors.APIStatus) bool { return errors.As(err, into) }

func (c *Cluster) serveGet(w http.ResponseWriter, req *request) error {
	c.mu.RLock()
	o := c.find(req.kind, req.namespace, req.name)
	c.mu.RUnlock()
	if o == nil {
		return apierrors.NewNotFound(req.kind.groupResource(), req.name)
	}
	if req.subresource == "scale" {
		write(w, http.StatusOK, encode(scaleOf(o.decode()).Object))
		return nil
	}
	write(w, http.StatusOK, present(req, o.raw))
	return nil
}

// present an object the way it was asked for: whole, or its metadata only; and in the
// version that was asked for.
func present(req *request, raw []byte) []byte {
	if !wantsMetadata(req.http) && !req.kind.custom {
		return raw
	}
	u := (&object{raw: raw}).decode()
	if req.kind.custom {
		u.SetAPIVersion(req.kind.gvk.GroupVersion().String())
	}
	if !wantsMetadata(req.http) {
		return encode(u.Object)
	}
	return encode(map[string]any{"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": u.Object["metadata"]})
}

func wantsMetadata(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "as=PartialObjectMetadata")
}

// serveList sends the objects that selectors choose, in order of their names, a page
// at a time where a limit was set. What changes between pages shows.
func (c *Cluster) serveList(w http.ResponseWriter, req *request) error {
	sel, err := selectionOf(req)
	if err != nil {
		return err
	}
	q := req.http.URL.Query()
	limit, _ := strconv.Atoi(q.Get("limit"))
	after := q.Get("continue")

	c.mu.RLock()
	revision := c.revision
	var found []*object
	next, lastKey := "", ""
	for _, at := range c.sorted(req.kind, req.namespace) {
		o := c.objects[req.kind.groupResource()][at]
		if after != "" && at <= after || !sel.matches(at, o) {
			continue
		}
		if limit > 0 && len(found) == limit {
			next = lastKey
			break
		}
		found, lastKey = append(found, o), at
	}
	c.mu.RUnlock()

	kind, version := req.kind.gvk.Kind+"List", req.kind.gvk.GroupVersion().String()
	if wantsMetadata(req.http) {
		kind, version = "PartialObjectMetadataList", "meta.k8s.io/v1"
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"kind":%q,"apiVersion":%q,"metadata":{"resourceVersion":"%d","continue":%q},"items":[`, kind, version, revision, next)
	for i, o := range found {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(present(req, o.raw))
	}
	b.WriteString("]}")
	write(w, http.StatusOK, b.Bytes())
	return nil
}

// A selection of objects of a kind.
type selection struct {
	namespace, name string
	labels          labels.Selector
	fields          fields.Selector
}

func selectionOf(req *request) (*selection, error) {
	s := &selection{namespace: req.namespace, name: req.name, labels: labels.Everything(), fields: fields.Everything()}
	q := req.http.URL.Query()
	var err error
	if v := q.Get("labelSelector"); v != "" {
		if s.labels, err = labels.Parse(v); err != nil {
			return nil, apierrors.NewBadRequest(fmt.Sprintf("unable to parse requirement: %v", err))
		}
	}
	if v := q.Get("fieldSelector"); v != "" {
		if s.fields, err = fields.ParseSelector(v); err != nil {
			return nil, apierrors.NewBadRequest(fmt.Sprintf("unable to parse field selector: %v", err))
		}
	}
	return s, nil
}

// matches is true where an object is selected. Its key is namespace/name.
func (s *selection) matches(at string, o *object) bool {
	namespace, name, _ := strings.Cut(at, "/")
	if s.namespace != "" && namespace != s.namespace || s.name != "" && name != s.name {
		return false
	}
	if !s.labels.Empty() && !s.labels.Matches(labels.Set(o.labels)) {
		return false
	}
	if s.fields.Empty() {
		return true
	}
	set := fields.Set{"metadata.name": name, "metadata.namespace": namespace}
	var u *unstructured.Unstructured
	for _, r := range s.fields.Requirements() {
		if _, ok := set[r.Field]; ok {
			continue
		}
		if u == nil {
			u = o.decode()
		}
		v, _, _ := unstructured.NestedFieldNoCopy(u.Object, strings.Split(r.Field, ".")...)
		if v != nil {
			set[r.Field] = fmt.Sprint(v)
		}
	}
	return s.fields.Matches(set)
}

// scaleOf an object that has one.
func scaleOf(u *unstructured.Unstructured) *unstructured.Unstructured {
	replicas, found, _ := unstructured.NestedInt64(u.Object, "spec", "replicas")
	if !found {
		replicas = 1
	}
	observed, _, _ := unstructured.NestedInt64(u.Object, "status", "replicas")
	selector := ""
	if m, ok, _ := unstructured.NestedMap(u.Object, "spec", "selector"); ok {
		ls := &metav1.LabelSelector{}
		if convert(m, ls) == nil {
			selector = metav1.FormatLabelSelector(ls)
		}
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"kind": "Scale", "apiVersion": "autoscaling/v1",
		"metadata": map[string]any{
			"name": u.GetName(), "namespace": u.GetNamespace(), "uid": string(u.GetUID()), "resourceVersion": u.GetResourceVersion(),
		},
		"spec":   map[string]any{"replicas": replicas},
		"status": map[string]any{"replicas": observed, "selector": selector},
	}}
}
