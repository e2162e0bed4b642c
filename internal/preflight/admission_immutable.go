package preflight

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// immutable fields of kinds, as paths. Of a field that is a map or a list, what is
// wanted must be there as it is wanted; what a server filled in beside it does not count.
var immutable = map[schema.GroupKind][]string{
	{Group: "apps", Kind: "Deployment"}:                               {"spec.selector"},
	{Group: "apps", Kind: "ReplicaSet"}:                               {"spec.selector"},
	{Group: "apps", Kind: "DaemonSet"}:                                {"spec.selector"},
	{Group: "apps", Kind: "StatefulSet"}:                              {"spec.selector", "spec.serviceName", "spec.podManagementPolicy", "spec.volumeClaimTemplates"},
	{Group: "batch", Kind: "Job"}:                                     {"spec.selector", "spec.completionMode", "spec.template"},
	{Kind: "PersistentVolumeClaim"}:                                   {"spec.storageClassName", "spec.accessModes", "spec.volumeName", "spec.volumeMode", "spec.selector"},
	{Kind: "Secret"}:                                                  {"type"},
	{Group: "storage.k8s.io", Kind: "StorageClass"}:                   {"provisioner", "parameters", "reclaimPolicy", "volumeBindingMode"},
	{Group: "scheduling.k8s.io", Kind: "PriorityClass"}:               {"value", "preemptionPolicy"},
	{Group: "rbac.authorization.k8s.io", Kind: "RoleBinding"}:         {"roleRef"},
	{Group: "rbac.authorization.k8s.io", Kind: "ClusterRoleBinding"}:  {"roleRef"},
	{Group: "node.k8s.io", Kind: "RuntimeClass"}:                      {"handler"},
	{Group: "networking.k8s.io", Kind: "IngressClass"}:                {"spec.controller"},
	{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}: {"spec.scope", "spec.group", "spec.names.kind", "spec.names.plural"},
	{Kind: "Service"}:                                                 {},
	{Kind: "ConfigMap"}:                                               {},
}

// hasImmutable is true for an object that is compared with what is on the cluster.
// The values of Secrets are not, and are not read for it.
func hasImmutable(o *object) bool {
	_, ok := immutable[o.gvk.GroupKind()]
	return ok && !late(o.GetName()) && !late(o.namespace)
}

const fixImmutable = "give the object another name, or delete it first"

// checkImmutable is A4.
func checkImmutable(r *run) {
	for _, o := range r.objects {
		live := r.snap.Objects[o.key()]
		if live == nil {
			continue
		}
		for _, p := range immutable[o.gvk.GroupKind()] {
			fields := strings.Split(p, ".")
			want, wanted, err := unstructured.NestedFieldNoCopy(o.Object, fields...)
			if err != nil || !wanted || Late(want) {
				continue
			}
			have, _, _ := unstructured.NestedFieldNoCopy(live.Object, fields...)
			switch {
			case p == "spec.template":
				// Others may have added to it, as queues do.
				r.different(o, p, differs(want, have, true))
			case p == "spec.selector" && ours(live) && o.gvk.Group == "apps":
				// A selector has no defaults: what is there beside what is wanted is dropped.
				r.different(o, p, differs(want, have, false) || differs(have, want, false))
			default:
				r.different(o, p, differs(want, have, false))
			}
		}
		switch o.gvk.GroupKind() {
		case schema.GroupKind{Kind: "Service"}:
			r.clusterIP(o, live)
		case schema.GroupKind{Kind: "PersistentVolumeClaim"}:
			r.shrinks(o, live)
		case schema.GroupKind{Kind: "ConfigMap"}:
			r.frozen(o, live)
		}
	}
}

func (r *run) different(o *object, field string, yes bool) {
	if yes {
		r.find(o, field, fixImmutable, "%s is there and has another %s, which cannot be changed", o.GetKind(), field)
	}
}

// clusterIP of a Service can be set or given up, but not be changed.
func (r *run) clusterIP(o *object, live *unstructured.Unstructured) {
	want, wanted, _ := unstructured.NestedString(o.Object, "spec", "clusterIP")
	have, _, _ := unstructured.NestedString(live.Object, "spec", "clusterIP")
	kind, _, _ := unstructured.NestedString(o.Object, "spec", "type")
	r.different(o, "spec.clusterIP", wanted && kind != "ExternalName" && want != "" && have != "" && !late(want) && want != have)
}

// shrinks reports a claim that asks for less than it has.
func (r *run) shrinks(o *object, live *unstructured.Unstructured) {
	want, ok := quantity(o.Object, "spec", "resources", "requests", "storage")
	have, there := quantity(live.Object, "spec", "resources", "requests", "storage")
	if ok && there && want.Cmp(have) < 0 {
		r.find(o, "spec.resources.requests.storage", "ask for at least "+have.String(), "claim has %s and cannot shrink to %s", have.String(), want.String())
	}
}

// frozen reports a ConfigMap that is marked as immutable, and is to be changed.
func (r *run) frozen(o *object, live *unstructured.Unstructured) {
	if frozen, _, _ := unstructured.NestedBool(live.Object, "immutable"); !frozen {
		return
	}
	for _, f := range []string{"data", "binaryData"} {
		want, _, _ := unstructured.NestedFieldNoCopy(o.Object, f)
		have, _, _ := unstructured.NestedFieldNoCopy(live.Object, f)
		if !Late(want) {
			r.different(o, f, differs(want, have, false) || ours(live) && differs(have, want, false))
		}
	}
}

// ours is true for an object that an application put there. Of another's, what is there
// beside what is wanted stays as it is.
func ours(live *unstructured.Unstructured) bool {
	return live.GetLabels()[v1alpha1.LabelApplication] != ""
}

// differs is true where something wanted is not there as it is wanted. Lists must be as
// long as is wanted, unless others may have added to them.
func differs(want, have any, added bool) bool {
	switch w := want.(type) {
	case map[string]any:
		h, ok := have.(map[string]any)
		if !ok {
			return len(w) > 0
		}
		for _, k := range slices.Sorted(maps.Keys(w)) {
			if differs(w[k], h[k], added) {
				return true
			}
		}
		return false
	case []any:
		h, _ := have.([]any)
		if added && (len(w) == 0 || isObject(w[0])) {
			return slices.ContainsFunc(w, func(e any) bool {
				return !slices.ContainsFunc(h, func(f any) bool { return !differs(e, f, true) })
			})
		}
		if len(h) != len(w) {
			return true
		}
		for i := range w {
			if differs(w[i], h[i], added) {
				return true
			}
		}
		return false
	case nil:
		return false
	}
	return !equal(want, have)
}

func isObject(v any) bool {
	_, ok := v.(map[string]any)
	return ok
}

// equal compares values as the server does that stored one of them: quantities and
// numbers may be written in several ways, and what is empty may be left out.
func equal(a, b any) bool {
	if a == b || (b == nil && (a == "" || a == false || a == int64(0))) {
		return true
	}
	x, errx := resource.ParseQuantity(fmt.Sprint(a))
	y, erry := resource.ParseQuantity(fmt.Sprint(b))
	if errx == nil && erry == nil {
		return x.Cmp(y) == 0
	}
	return fmt.Sprint(a) == fmt.Sprint(b)
}

func quantity(o map[string]any, fields ...string) (resource.Quantity, bool) {
	v, ok, err := unstructured.NestedFieldNoCopy(o, fields...)
	if err != nil || !ok {
		return resource.Quantity{}, false
	}
	q, err := resource.ParseQuantity(fmt.Sprint(v))
	return q, err == nil
}

// Immutable returns the paths of the fields of a kind that cannot change once it is made.
func Immutable(kind schema.GroupKind) []string { return slices.Clone(immutable[kind]) }
