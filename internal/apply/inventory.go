package apply

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

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

// Prune says of the objects that a Release has on a cluster and does not want any more
// which go, and which stay on record. Keeping legacy, all stay until it is said otherwise,
// or until the application is deleted.
func Prune(dropped []v1alpha1.ObjectReference, keepLegacy bool) (going, staying []v1alpha1.ObjectReference) {
	for _, ref := range dropped {
		if keepLegacy || ref.Keep != "" {
			staying = append(staying, ref)
			continue
		}
		going = append(going, ref)
	}
	return going, staying
}

// Removal returns, in the order of removal, what goes when the application is deleted.
func Removal(inventory []v1alpha1.ObjectReference) []v1alpha1.ObjectReference {
	return slices.DeleteFunc(Backwards(inventory), func(ref v1alpha1.ObjectReference) bool { return ref.Keep == v1alpha1.KeepAlways })
}

// Recorded returns true where an inventory holds all of the wanted objects, and says
// of each when it is kept.
func Recorded(inventory, wanted []v1alpha1.ObjectReference) bool {
	keep := make(map[key]v1alpha1.Keep, len(inventory))
	for _, ref := range inventory {
		keep[keyOf(ref)] = ref.Keep
	}
	for _, w := range wanted {
		if k, there := keep[keyOf(w)]; !there || k != w.Keep {
			return false
		}
	}
	return true
}

// Carry returns the wanted objects with the traces that an inventory has of them.
func Carry(wanted, inventory []v1alpha1.ObjectReference) []v1alpha1.ObjectReference {
	traces := make(map[key]string, len(inventory))
	for _, ref := range inventory {
		traces[keyOf(ref)] = ref.Trace
	}
	out := slices.Clone(wanted)
	for i := range out {
		out[i].Trace = traces[keyOf(out[i])]
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

// Written is how an object on a cluster says in which epoch of a Release it was last
// written. The Release's UID is part of it: another of the same name counts anew.
func Written(release types.UID, epoch int64) string { return fmt.Sprintf("%s.%d", release, epoch) }

// WrittenIn returns the epoch of a Release that an object was last written in. It is 0
// where that is not known, or was another Release's.
func WrittenIn(u *unstructured.Unstructured, release types.UID) int64 {
	n, ok := strings.CutPrefix(u.GetAnnotations()[v1alpha1.AnnotationEpoch], string(release)+".")
	if !ok {
		return 0
	}
	epoch, err := strconv.ParseInt(n, 10, 64)
	if err != nil {
		return 0
	}
	return epoch
}

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
