package claims

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// A Difference between two sets in one claim.
type Difference struct {
	Ref v1alpha1.ClaimReference
	// Before and After are what the claim says. Nil where it is not there.
	Before, After *Claim
	// Moved names the other claim where one moves between namespaces: the claim of the old
	// namespace is deleted, that of the new one is created, and what runs is not carried over.
	Moved *v1alpha1.ClaimReference
}

// Message says what happens, in one line.
func (d Difference) Message() string {
	switch {
	case d.Moved != nil && d.After == nil:
		return fmt.Sprintf("%s is deleted: it moves to namespace %s, where it is created anew", d.Ref, d.Moved.Namespace)
	case d.Moved != nil:
		return fmt.Sprintf("%s is created: it moves here from namespace %s, where it is deleted", d.Ref, d.Moved.Namespace)
	case d.After == nil:
		return fmt.Sprintf("%s is deleted", d.Ref)
	case d.Before == nil:
		return fmt.Sprintf("%s is created", d.Ref)
	}
	return fmt.Sprintf("%s changes", d.Ref)
}

// Differences between two sets, by claim.
func Differences(before, after Set) []Difference {
	var out []Difference
	for ref, b := range before {
		a, ok := after[ref]
		switch {
		case !ok:
			out = append(out, Difference{Ref: ref, Before: &b})
		case a.Digest != b.Digest:
			out = append(out, Difference{Ref: ref, Before: &b, After: &a})
		}
	}
	for ref, a := range after {
		if _, ok := before[ref]; !ok {
			out = append(out, Difference{Ref: ref, After: &a})
		}
	}
	slices.SortFunc(out, func(a, b Difference) int { return order(a.Ref, b.Ref) })
	moves(out)
	return out
}

// moves finds claims of one kind and name that go from one namespace and come to another. Where
// several could be meant, none is.
func moves(ds []Difference) {
	type key struct{ kind, name string }
	gone, come := map[key][]int{}, map[key][]int{}
	for i, d := range ds {
		k := key{d.Ref.Kind + "." + group(d.Ref.APIVersion), d.Ref.Name}
		switch {
		case d.After == nil:
			gone[k] = append(gone[k], i)
		case d.Before == nil:
			come[k] = append(come[k], i)
		}
	}
	for k, from := range gone {
		to := come[k]
		if len(from) != 1 || len(to) != 1 || ds[from[0]].Ref.Namespace == ds[to[0]].Ref.Namespace {
			continue
		}
		ds[from[0]].Moved, ds[to[0]].Moved = &ds[to[0]].Ref, &ds[from[0]].Ref
	}
}

// Touched are the claims of a merge request: those in which its head differs from what it stems
// from, and those in which the base branch differs once it is merged. The latter may be more, where
// a build with Kustomize puts together what both sides changed.
func Touched(mergeBase, head, base, merged Set) []v1alpha1.ClaimReference {
	all := map[v1alpha1.ClaimReference]bool{}
	for _, d := range Differences(mergeBase, head) {
		all[d.Ref] = true
	}
	for _, d := range Differences(base, merged) {
		all[d.Ref] = true
	}
	return slices.SortedFunc(maps.Keys(all), order)
}

// Content identifies what some claims say in a set, also that one is not there. It does not depend
// on the order they are named in, on files, or on any other claim.
func Content(refs []v1alpha1.ClaimReference, set Set) string {
	refs = slices.Clone(refs)
	slices.SortFunc(refs, order)
	h := sha256.New()
	for _, ref := range slices.Compact(refs) {
		said := "absent"
		if c, ok := set[ref]; ok {
			said = c.Digest
		}
		h.Write(fmt.Appendf(nil, "%q %q %q %q %s\n", ref.APIVersion, ref.Kind, ref.Namespace, ref.Name, said))
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

func order(a, b v1alpha1.ClaimReference) int {
	for _, c := range []int{
		strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Kind, b.Kind),
		strings.Compare(a.Name, b.Name), strings.Compare(a.APIVersion, b.APIVersion),
	} {
		if c != 0 {
			return c
		}
	}
	return 0
}
