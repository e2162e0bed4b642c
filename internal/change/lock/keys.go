package lock

import (
	"cmp"
	"slices"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// Limits of what one change locks.
const (
	// MaxClusters is how many clusters the keys of a change name. Beyond, they widen.
	MaxClusters = 200
	// MaxKeys is how many keys a change has. Beyond, they widen.
	MaxKeys = 64
)

// A Target is a claim, and the clusters on which a change touches it. Without clusters
// it is all, also those that the claim comes to have.
type Target struct {
	Claim    v1alpha1.ClaimReference
	Clusters []string
}

// Keys for targets: sorted, without repetition, and within the limits.
func Keys(targets []Target) []v1alpha1.LockKey {
	keys := make([]v1alpha1.LockKey, 0, len(targets))
	for _, t := range targets {
		c := slices.Clone(t.Clusters)
		slices.Sort(c)
		keys = append(keys, v1alpha1.LockKey{Namespace: t.Claim.Namespace, Claim: t.Claim.Kind + "/" + t.Claim.Name, Clusters: slices.Compact(c)})
	}
	return Tidy(keys)
}

// Tidy sorts keys, merges those of one claim, and widens them where they are too many.
func Tidy(keys []v1alpha1.LockKey) []v1alpha1.LockKey {
	keys = merged(keys)
	clusters := 0
	for _, k := range keys {
		clusters += len(k.Clusters)
	}
	if clusters > MaxClusters {
		for i := range keys {
			keys[i].Clusters = nil
		}
	}
	if len(keys) > MaxKeys {
		for i := range keys {
			keys[i].Claim, keys[i].Clusters = "", nil
		}
		keys = merged(keys)
	}
	return keys
}

// merged keys: one for each claim, none for a claim whose namespace is locked as a whole.
func merged(keys []v1alpha1.LockKey) []v1alpha1.LockKey {
	keys = slices.Clone(keys)
	slices.SortFunc(keys, func(a, b v1alpha1.LockKey) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Claim, b.Claim), cmp.Compare(len(a.Clusters), len(b.Clusters)), slices.Compare(a.Clusters, b.Clusters))
	})
	var out []v1alpha1.LockKey
	for _, k := range keys {
		if len(out) > 0 {
			last := &out[len(out)-1]
			if last.Namespace == k.Namespace && last.Claim == "" {
				continue
			}
			if last.Namespace == k.Namespace && last.Claim == k.Claim {
				if len(last.Clusters) > 0 {
					both := append(slices.Clone(last.Clusters), k.Clusters...)
					slices.Sort(both)
					last.Clusters = slices.Compact(both)
				}
				continue
			}
		}
		out = append(out, k)
	}
	return out
}

// Overlap is true where two sets of keys have something in common.
func Overlap(a, b []v1alpha1.LockKey) bool {
	for i := range a {
		for j := range b {
			if overlap(&a[i], &b[j]) {
				return true
			}
		}
	}
	return false
}

func overlap(a, b *v1alpha1.LockKey) bool {
	if a.Namespace != b.Namespace || a.Claim != "" && b.Claim != "" && a.Claim != b.Claim {
		return false
	}
	if a.Claim == "" || b.Claim == "" || len(a.Clusters) == 0 || len(b.Clusters) == 0 {
		return true
	}
	return slices.ContainsFunc(a.Clusters, func(c string) bool { return slices.Contains(b.Clusters, c) })
}

// Covers is true where a set of keys has all of another.
func Covers(has, wants []v1alpha1.LockKey) bool {
	for i := range wants {
		if !slices.ContainsFunc(has, func(h v1alpha1.LockKey) bool { return covers(&h, &wants[i]) }) {
			return false
		}
	}
	return true
}

func covers(h, w *v1alpha1.LockKey) bool {
	if h.Namespace != w.Namespace || h.Claim != "" && h.Claim != w.Claim {
		return false
	}
	if h.Claim == "" || len(h.Clusters) == 0 {
		return true
	}
	return len(w.Clusters) > 0 && !slices.ContainsFunc(w.Clusters, func(c string) bool { return !slices.Contains(h.Clusters, c) })
}
