package apiserver

import (
	"fmt"
	"mime"
	"net/http"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
)

func (c *Cluster) servePatch(w http.ResponseWriter, req *request) error {
	body, err := readBody(req.http)
	if err != nil {
		return err
	}
	t := targetOf(req)
	media, _, _ := mime.ParseMediaType(req.http.Header.Get("Content-Type"))
	fn, err := c.editOf(t, types.PatchType(media), body, req)
	if err != nil {
		return err
	}
	o, made, err := c.write(t, fn)
	if err != nil {
		return err
	}
	code := http.StatusOK
	if made {
		code = http.StatusCreated
	}
	c.answer(w, req, o, code)
	return nil
}

// editOf a patch.
func (c *Cluster) editOf(t target, kind types.PatchType, body []byte, req *request) (edit, error) {
	switch kind {
	case types.ApplyPatchType:
		return c.apply(t, body, req)
	case types.MergePatchType, types.JSONPatchType, types.StrategicMergePatchType:
	default:
		return nil, &apierrors.StatusError{ErrStatus: *unsupported(kind)}
	}
	if kind == types.StrategicMergePatchType && (t.kind.custom || !c.machinery.scheme.Recognizes(t.kind.gvk)) {
		return nil, &apierrors.StatusError{ErrStatus: *unsupported(kind)}
	}
	return func(live *unstructured.Unstructured) (*unstructured.Unstructured, bool, error) {
		if live == nil {
			return nil, false, apierrors.NewNotFound(t.kind.groupResource(), t.name)
		}
		of := live
		if t.subresource == "scale" {
			of = scaleOf(live)
		}
		next, err := c.patched(t, kind, of, body)
		if err != nil {
			return nil, false, err
		}
		if err := preconditions(t, live, "", next.GetResourceVersion()); err != nil {
			return nil, false, err
		}
		if t.subresource == "scale" {
			return scaled(live, next)
		}
		return next, false, c.checkTypes(req, next)
	}, nil
}

func (c *Cluster) patched(t target, kind types.PatchType, live *unstructured.Unstructured, body []byte) (*unstructured.Unstructured, error) {
	from := encode(live.Object)
	var to []byte
	var err error
	switch kind {
	case types.JSONPatchType:
		var p jsonpatch.Patch
		if p, err = jsonpatch.DecodePatch(body); err != nil {
			return nil, apierrors.NewBadRequest(fmt.Sprintf("error decoding patch: %v", err))
		}
		if to, err = p.Apply(from); err != nil {
			return nil, apierrors.NewGenericServerResponse(http.StatusUnprocessableEntity, "", t.kind.groupResource(), t.name, err.Error(), 0, false)
		}
	case types.StrategicMergePatchType:
		var typed any
		if typed, err = c.machinery.scheme.New(t.kind.gvk); err == nil {
			to, err = strategicpatch.StrategicMergePatch(from, body, typed)
		}
	default:
		to, err = jsonpatch.MergePatch(from, body)
	}
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	return decodeText(to)
}

// apply is the edit of a server-side apply.
func (c *Cluster) apply(t target, body []byte, req *request) (edit, error) {
	q := req.http.URL.Query()
	if q.Get("fieldManager") == "" {
		return nil, apierrors.NewInvalid(t.kind.gvk.GroupKind(), t.name, required("fieldManager", "is required for apply patch"))
	}
	fm, err := c.machinery.manager(t.kind, t.subresource)
	if err != nil {
		return nil, err
	}
	u, err := decodeText(body)
	if err != nil {
		return nil, err
	}
	force := q.Get("force") == "true"
	return func(live *unstructured.Unstructured) (*unstructured.Unstructured, bool, error) {
		if live == nil {
			if t.subresource != "" || u.GetUID() != "" {
				return nil, false, apierrors.NewNotFound(t.kind.groupResource(), t.name)
			}
			live = &unstructured.Unstructured{}
			live.SetGroupVersionKind(t.kind.gvk)
		} else if err := preconditions(t, live, string(u.GetUID()), u.GetResourceVersion()); err != nil {
			return nil, false, err
		}
		if t.kind.custom {
			live.SetAPIVersion(t.kind.gvk.GroupVersion().String())
		}
		out, err := fm.Apply(live, u, q.Get("fieldManager"), force)
		if err != nil {
			return nil, false, err
		}
		next, ok := out.(*unstructured.Unstructured)
		if !ok {
			return nil, false, fmt.Errorf("cannot apply %s: it became %T", t.kind.gvk.Kind, out)
		}
		return next, true, nil
	}, nil
}
