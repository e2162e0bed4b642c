package apiserver

import (
	"fmt"
	"net/http"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// serveReview answers a question, and stores nothing.
func (c *Cluster) serveReview(w http.ResponseWriter, req *request, u *unstructured.Unstructured) error {
	var status any
	switch req.kind.gvk.Kind {
	case "SubjectAccessReview", "LocalSubjectAccessReview":
		r := &authorizationv1.SubjectAccessReview{}
		if err := convert(u.Object, r); err != nil {
			return apierrors.NewBadRequest(err.Error())
		}
		status = c.review(user{name: r.Spec.User, groups: r.Spec.Groups}, r.Spec.ResourceAttributes)
	case "SelfSubjectAccessReview":
		r := &authorizationv1.SelfSubjectAccessReview{}
		if err := convert(u.Object, r); err != nil {
			return apierrors.NewBadRequest(err.Error())
		}
		status = c.review(req.who, r.Spec.ResourceAttributes)
	case "SelfSubjectReview":
		u.Object["status"] = map[string]any{"userInfo": map[string]any{"username": req.who.name}}
		write(w, http.StatusCreated, encode(u.Object))
		return nil
	default:
		return apierrors.NewMethodNotSupported(req.kind.groupResource(), "create")
	}
	m, err := runtime.DefaultUnstructuredConverter.ToUnstructured(status)
	if err != nil {
		return fmt.Errorf("cannot convert answer: %w", err)
	}
	u.Object["status"] = m
	write(w, http.StatusCreated, encode(u.Object))
	return nil
}

func (c *Cluster) review(who user, a *authorizationv1.ResourceAttributes) *authorizationv1.SubjectAccessReviewStatus {
	if a == nil {
		return &authorizationv1.SubjectAccessReviewStatus{Reason: "only resources are decided about"}
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	return &authorizationv1.SubjectAccessReviewStatus{Allowed: c.allows(who, access{
		verb: a.Verb, group: a.Group, resource: a.Resource, subresource: a.Subresource, namespace: a.Namespace, name: a.Name,
	})}
}
