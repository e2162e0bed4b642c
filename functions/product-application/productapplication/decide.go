package productapplication

import (
	"fmt"
	"slices"
	"strings"

	mv1alpha1 "github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/functions/internal/pipeline"
	"github.com/mainstay-dev/mainstay/internal/names"
	"github.com/mainstay-dev/mainstay/internal/oam"
)

const (
	// maxVariants is how many variants a Rollout can have.
	maxVariants = 64
	// maxBundleBytes is how many compressed bytes the Bundles of one application may
	// have together. Crossplane takes responses of 4 MiB, which have to hold, in
	// base64, what is wanted now and what clusters still have.
	maxBundleBytes = 5 << 18
	// maxKeptBytes is how many they may have together with those that are kept to go
	// back to. What clusters have is kept whatever it comes to, and then there is no room
	// for a new revision.
	maxKeptBytes = 2 * maxBundleBytes
)

// wanted is what should be composed.
type wanted struct {
	rollout *mv1alpha1.Rollout
	// bundles by name: those of the variants, and those that are still in use.
	bundles []wantedBundle
	// variants is how many variants clusters need.
	variants int
}

type wantedBundle struct {
	name     string
	resource any
	exists   bool
}

// decide what should be composed. The error is an oam.InvalidError where overrides
// that clusters need together do not fit together, or where it is all too much.
func decide(claim pipeline.Claim, app *oam.Application, seen observed) (wanted, error) {
	w := wanted{rollout: &mv1alpha1.Rollout{}}
	w.rollout.SetGroupVersionKind(mv1alpha1.RolloutGVK)
	w.rollout.SetNamespace(claim.Namespace)
	w.rollout.SetName(claim.Name)

	variants := app.Variants(needs(seen))
	w.variants = len(variants)
	w.rollout.Spec.ForProvider = mv1alpha1.RolloutParameters{
		Application: claim.Name, Placement: app.Placement(), Steps: app.Steps(), Strategy: app.Strategy(), ClaimDigest: claim.Digest,
	}
	bytes := 0
	for _, overrides := range variants[:min(maxVariants, len(variants))] {
		b, err := app.Bundle(overrides)
		if err != nil {
			return wanted{}, err
		}
		parts, err := app.BundleParts(overrides)
		if err != nil {
			return wanted{}, err
		}
		w.rollout.Spec.ForProvider.Variants = append(w.rollout.Spec.ForProvider.Variants, mv1alpha1.Variant{Overrides: overrides, Bundle: b.GetName()})
		for _, b := range append(parts, b) {
			if !w.has(b.GetName()) {
				bytes += len(b.Spec.Data)
				b.SetNamespace(claim.Namespace)
				w.add(b.GetName(), b, seen)
			}
		}
	}
	if bytes > maxBundleBytes {
		return wanted{}, &oam.InvalidError{Problems: []oam.Problem{{
			Path: "spec.policies",
			Message: fmt.Sprintf("the %d variants of this application come to %d bytes, compressed, and at most %d fit: move large data out of the manifests, or split the application",
				len(variants), bytes, maxBundleBytes),
		}}}
	}
	if used := w.keep(seen, bytes); used > maxKeptBytes && w.hasNew() {
		return wanted{}, &oam.InvalidError{Problems: []oam.Problem{{
			Path: "spec.components",
			Message: fmt.Sprintf("this revision and those that clusters still have come to %d bytes together, compressed, and at most %d fit: wait until clusters have moved on, or move large data out of the manifests",
				used, maxKeptBytes),
		}}}
	}
	slices.SortFunc(w.bundles, func(a, b wantedBundle) int { return strings.Compare(a.name, b.name) })
	return w, nil
}

// needs returns the combinations of overrides that clusters need. While that is not
// known, such as where the placement cannot be resolved, it is what they needed.
func needs(seen observed) []mv1alpha1.VariantNeed {
	if seen.rollout == nil {
		return nil
	}
	if n := seen.rollout.Status.AtProvider.Variants; len(n) > 0 {
		return n
	}
	var out []mv1alpha1.VariantNeed
	for _, v := range seen.rollout.Spec.ForProvider.Variants {
		out = append(out, mv1alpha1.VariantNeed{Overrides: v.Overrides})
	}
	return out
}

func (w *wanted) has(name string) bool {
	return slices.ContainsFunc(w.bundles, func(b wantedBundle) bool { return b.name == name })
}

// keep the Bundles, with their parts, that clusters have or want, and then those of
// earlier revisions, the latest first, for as long as all fits into a message. It returns
// how many bytes there are without those.
func (w *wanted) keep(seen observed, bytes int) int {
	if seen.rollout == nil {
		return bytes
	}
	at := &seen.rollout.Status.AtProvider
	for _, name := range at.BundlesInUse {
		for _, n := range seen.withParts(name) {
			if !w.has(n) {
				bytes += seen.size(n)
				w.add(n, nil, seen)
			}
		}
	}
	used, history := bytes, at.History
	if at.Reached != nil {
		history = append([]mv1alpha1.RolloutRevision{*at.Reached}, history...)
	}
	for _, revision := range history {
		for _, v := range revision.Variants {
			missing := slices.DeleteFunc(seen.withParts(v.Bundle), w.has)
			for _, n := range missing {
				bytes += seen.size(n)
			}
			if bytes > maxKeptBytes {
				return used
			}
			for _, n := range missing {
				w.add(n, nil, seen)
			}
		}
	}
	return used
}

// hasNew is true where a Bundle is wanted that there is none of yet.
func (w *wanted) hasNew() bool {
	return slices.ContainsFunc(w.bundles, func(b wantedBundle) bool { return !b.exists })
}

// withParts names a Bundle that exists, and the parts that it is cut into.
func (o observed) withParts(name string) []string {
	b, exists := o.bundles[name]
	if !exists {
		return nil
	}
	out := []string{name}
	spec, _ := b["spec"].(map[string]any)
	parts, _ := spec["parts"].([]any)
	application, _ := spec["application"].(string)
	for _, p := range parts {
		part, _ := p.(map[string]any)
		digest, _ := part["digest"].(string)
		if n := names.Bundle(application, digest); o.bundles[n] != nil {
			out = append(out, n)
		}
	}
	return out
}

// size of a Bundle's data, in bytes.
func (o observed) size(name string) int {
	spec, _ := o.bundles[name]["spec"].(map[string]any)
	data, _ := spec["data"].(string)
	return len(data) / 4 * 3
}

// add a Bundle: as it is, where there is one of this name, else as it was rendered.
func (w *wanted) add(name string, rendered *mv1alpha1.Bundle, seen observed) {
	is, exists := seen.bundles[name]
	if !exists {
		w.bundles = append(w.bundles, wantedBundle{name: name, resource: rendered})
		return
	}
	w.bundles = append(w.bundles, wantedBundle{name: name, exists: true, resource: map[string]any{
		"apiVersion": is["apiVersion"],
		"kind":       is["kind"],
		"metadata":   map[string]any{"name": name, "namespace": w.rollout.GetNamespace()},
		"spec":       is["spec"],
	}})
}

// digestOf returns the part of a Bundle's name that says what is in it.
func digestOf(bundle string) string { return bundle[strings.LastIndex(bundle, ".")+1:] }
