package apiserver

import (
	"encoding/base64"
	"fmt"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	namespaces = schema.GroupResource{Resource: "namespaces"}
	quotas     = schema.GroupResource{Resource: "resourcequotas"}
	pdbs       = schema.GroupResource{Group: "policy", Resource: "poddisruptionbudgets"}
)

func (m *Machinery) namespaces() *kind {
	return m.byPath[schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}]
}

// admitNew refuses an object where there is no place for it.
func (c *Cluster) admitNew(t target, u *unstructured.Unstructured) error {
	if !t.kind.namespaced {
		return nil
	}
	ns := c.objects[namespaces][key("", t.namespace)]
	if ns == nil {
		return apierrors.NewNotFound(namespaces, t.namespace)
	}
	if ns.leaving {
		err := apierrors.NewForbidden(t.kind.groupResource(), t.name, fmt.Errorf("unable to create new content in namespace %s because it is being terminated", t.namespace))
		err.ErrStatus.Details.Causes = append(err.ErrStatus.Details.Causes, metav1.StatusCause{
			Type: "NamespaceTerminating", Message: fmt.Sprintf("namespace %s is being terminated", t.namespace), Field: "metadata.namespace",
		})
		return err
	}
	return c.admitCount(t, u)
}

// admitCount holds a namespace to the number of objects that its quotas allow.
func (c *Cluster) admitCount(t target, u *unstructured.Unstructured) error {
	names := []string{"count/" + t.kind.groupResource().String()}
	if t.kind.gvk.Group == "" {
		names = append(names, t.kind.resource)
	}
	for at, o := range c.objects[quotas] {
		if ns, _, _ := cut(at); ns != t.namespace {
			continue
		}
		quota := o.decode()
		hard, _, _ := unstructured.NestedMap(quota.Object, "spec", "hard")
		for _, name := range names {
			v, ok := hard[name]
			if !ok {
				continue
			}
			limit, err := resource.ParseQuantity(fmt.Sprint(v))
			if used := int64(len(c.sorted(t.kind, t.namespace))); err == nil && used+1 > limit.Value() {
				return &apierrors.StatusError{ErrStatus: metav1.Status{
					Status: metav1.StatusFailure, Code: http.StatusForbidden, Reason: metav1.StatusReasonForbidden,
					Details: &metav1.StatusDetails{Name: u.GetName(), Kind: t.kind.resource, Group: t.kind.gvk.Group},
					Message: fmt.Sprintf("%s %q is forbidden: exceeded quota: %s, requested: %s=1, used: %s=%d, limited: %s=%d",
						t.kind.groupResource(), u.GetName(), quota.GetName(), name, name, used, name, limit.Value()),
				}}
			}
		}
	}
	return nil
}

// complete an object with what a server fills in and somebody relies on.
func (c *Cluster) complete(k *kind, live, u *unstructured.Unstructured) {
	switch k.gvk.GroupKind().String() {
	case "Namespace":
		c.completeNamespace(live, u)
	case "Deployment.apps", "StatefulSet.apps", "ReplicaSet.apps", "ReplicationController":
		fill(u, int64(1), "spec", "replicas")
		if k.gvk.Kind == "Deployment" {
			fill(u, int64(600), "spec", "progressDeadlineSeconds")
		}
	case "Job.batch":
		fill(u, int64(6), "spec", "backoffLimit")
		if _, ok, _ := unstructured.NestedFieldNoCopy(u.Object, "spec", "parallelism"); !ok {
			fill(u, int64(1), "spec", "completions")
		}
		fill(u, int64(1), "spec", "parallelism")
	case "Service":
		fill(u, "ClusterIP", "spec", "type")
		c.assignAddress(live, u)
	case "Secret":
		fill(u, "Opaque", "type")
		mergeStringData(u)
	case "Pod":
		if live == nil {
			_ = unstructured.SetNestedField(u.Object, "Pending", "status", "phase")
		}
	case "PersistentVolumeClaim":
		if live == nil {
			_ = unstructured.SetNestedField(u.Object, "Pending", "status", "phase")
			fill(u, defaultClass, "spec", "storageClassName")
		}
	}
}

func (c *Cluster) completeNamespace(live, u *unstructured.Unstructured) {
	l := u.GetLabels()
	if l == nil {
		l = map[string]string{}
	}
	l["kubernetes.io/metadata.name"] = u.GetName()
	u.SetLabels(l)
	if live == nil {
		_ = unstructured.SetNestedField(u.Object, "Active", "status", "phase")
	}
}

// assignAddress to a Service, for as long as it lives.
func (c *Cluster) assignAddress(live, u *unstructured.Unstructured) {
	if t, _, _ := unstructured.NestedString(u.Object, "spec", "type"); t == "ExternalName" {
		return
	}
	ip := ""
	if live != nil {
		ip, _, _ = unstructured.NestedString(live.Object, "spec", "clusterIP")
	}
	if ip == "" {
		ip = fmt.Sprintf("10.%d.%d.%d", 96+c.revision>>16&15, c.revision>>8&255, c.revision&255)
	}
	fill(u, ip, "spec", "clusterIP")
}

func mergeStringData(u *unstructured.Unstructured) {
	text, ok, _ := unstructured.NestedStringMap(u.Object, "stringData")
	if !ok {
		return
	}
	delete(u.Object, "stringData")
	for k, v := range text {
		_ = unstructured.SetNestedField(u.Object, base64.StdEncoding.EncodeToString([]byte(v)), "data", k)
	}
}

// fill a field that is not set.
func fill(u *unstructured.Unstructured, v any, path ...string) {
	if _, ok, err := unstructured.NestedFieldNoCopy(u.Object, path...); !ok && err == nil {
		_ = unstructured.SetNestedField(u.Object, v, path...)
	}
}

// after an object was written: what follows from it at once.
func (c *Cluster) after(k *kind, u *unstructured.Unstructured) error {
	switch {
	case isKind(k, "", "Namespace"):
		return c.furnish(u.GetName())
	case isKind(k, "apiextensions.k8s.io", "CustomResourceDefinition"):
		return c.define(u)
	}
	return nil
}

// selects is true where the selector of an object chooses labels.
func selects(u *unstructured.Unstructured, set map[string]string) bool {
	m, ok, _ := unstructured.NestedMap(u.Object, "spec", "selector")
	ls := &metav1.LabelSelector{}
	if !ok || convert(m, ls) != nil {
		return false
	}
	s, err := metav1.LabelSelectorAsSelector(ls)
	return err == nil && s.Matches(labels.Set(set))
}
