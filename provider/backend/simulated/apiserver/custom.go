package apiserver

import (
	"fmt"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// define the kinds of a CustomResourceDefinition. They are served at once.
func (c *Cluster) define(u *unstructured.Unstructured) error {
	crd := &apiextensionsv1.CustomResourceDefinition{}
	if err := convert(u.Object, crd); err != nil {
		return fmt.Errorf("cannot read definition: %w", err)
	}
	for gvr := range c.custom {
		if gvr.GroupResource() == groupResourceOf(crd) {
			delete(c.custom, gvr)
		}
	}
	for _, v := range crd.Spec.Versions {
		if !v.Served {
			continue
		}
		gvk := schema.GroupVersionKind{Group: crd.Spec.Group, Version: v.Name, Kind: crd.Spec.Names.Kind}
		c.custom[gvk.GroupVersion().WithResource(crd.Spec.Names.Plural)] = &kind{
			gvk: gvk, resource: crd.Spec.Names.Plural, short: crd.Spec.Names.ShortNames,
			namespaced: crd.Spec.Scope == apiextensionsv1.NamespaceScoped,
			status:     v.Subresources != nil && v.Subresources.Status != nil,
			scale:      v.Subresources != nil && v.Subresources.Scale != nil,
			custom:     true,
		}
	}
	c.discovery = nil
	return c.establish(u, crd)
}

// establish a definition: say that its kinds are served.
func (c *Cluster) establish(u *unstructured.Unstructured, crd *apiextensionsv1.CustomResourceDefinition) error {
	if len(crd.Status.Conditions) > 0 {
		return nil
	}
	now := metav1.NewTime(c.clock.Now())
	crd.Status.AcceptedNames = crd.Spec.Names
	for _, v := range crd.Spec.Versions {
		if v.Storage {
			crd.Status.StoredVersions = []string{v.Name}
		}
	}
	for _, cond := range []struct {
		kind   apiextensionsv1.CustomResourceDefinitionConditionType
		reason string
	}{{apiextensionsv1.NamesAccepted, "NoConflicts"}, {apiextensionsv1.Established, "InitialNamesAccepted"}} {
		crd.Status.Conditions = append(crd.Status.Conditions, apiextensionsv1.CustomResourceDefinitionCondition{
			Type: cond.kind, Status: apiextensionsv1.ConditionTrue, Reason: cond.reason, LastTransitionTime: now,
		})
	}
	status, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&crd.Status)
	if err != nil {
		return fmt.Errorf("cannot convert status of definition: %w", err)
	}
	u.Object["status"] = status
	c.put(c.machinery.byPath[apiextensionsv1.SchemeGroupVersion.WithResource("customresourcedefinitions")], u)
	return nil
}

// undefine the kinds of a definition that is gone. Their objects go with them.
func (c *Cluster) undefine(u *unstructured.Unstructured) {
	crd := &apiextensionsv1.CustomResourceDefinition{}
	if convert(u.Object, crd) != nil {
		return
	}
	gr := groupResourceOf(crd)
	for _, p := range c.places(func(_ string, o *object) bool { return o.kind.groupResource() == gr }) {
		c.drop(p.object, p.object.decode())
	}
	for gvr := range c.custom {
		if gvr.GroupResource() == gr {
			delete(c.custom, gvr)
		}
	}
	c.discovery = nil
}

func groupResourceOf(crd *apiextensionsv1.CustomResourceDefinition) schema.GroupResource {
	return schema.GroupResource{Group: crd.Spec.Group, Resource: crd.Spec.Names.Plural}
}
