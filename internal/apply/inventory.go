package apply

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// Refs of objects, in their order.
func Refs(objects []Object) []v1alpha1.ObjectReference {
	out := make([]v1alpha1.ObjectReference, 0, len(objects))
	for _, o := range objects {
		out = append(out, o.Ref())
	}
	return out
}

// Union returns the wanted objects, in the order of application, followed by what
// else an inventory holds. Removal goes backwards: what is not wanted any more goes first.
func Union(wanted, inventory []v1alpha1.ObjectReference) []v1alpha1.ObjectReference {
	return append(slices.Clone(wanted), Dropped(inventory, wanted)...)
}

// Covers returns true where an inventory holds all of the wanted objects.
func Covers(inventory, wanted []v1alpha1.ObjectReference) bool {
	return len(Dropped(wanted, inventory)) == 0
}

// Dropped returns what an inventory holds and is not wanted, in its order. Versions
// of a kind and components do not tell objects apart.
func Dropped(inventory, wanted []v1alpha1.ObjectReference) []v1alpha1.ObjectReference {
	keep := make(map[key]bool, len(wanted))
	for _, w := range wanted {
		keep[keyOf(w)] = true
	}
	var out []v1alpha1.ObjectReference
	for _, ref := range inventory {
		if !keep[keyOf(ref)] {
			out = append(out, ref)
		}
	}
	return out
}

// Backwards returns an inventory in the order of removal.
func Backwards(inventory []v1alpha1.ObjectReference) []v1alpha1.ObjectReference {
	out := slices.Clone(inventory)
	slices.Reverse(out)
	return out
}

// Same returns true where two references name one object.
func Same(a, b v1alpha1.ObjectReference) bool { return keyOf(a) == keyOf(b) }

// Mark is how an object on a cluster says which Release owns it.
func Mark(release types.NamespacedName) string { return release.Namespace + "/" + release.Name }

// Owner returns the mark that an object carries. Empty means nobody's.
func Owner(u *unstructured.Unstructured) string {
	return u.GetAnnotations()[v1alpha1.AnnotationRelease]
}

// A key tells objects on one cluster apart.
type key struct{ group, kind, namespace, name string }

func keyOf(ref v1alpha1.ObjectReference) key {
	gv, err := schema.ParseGroupVersion(ref.APIVersion)
	if err != nil {
		gv.Group = ref.APIVersion
	}
	return key{group: gv.Group, kind: ref.Kind, namespace: ref.Namespace, name: ref.Name}
}
