package productapplication

import (
	"fmt"
	"slices"
	"strings"

	mv1alpha1 "github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/functions/internal/pipeline"
	"github.com/mainstay-dev/mainstay/internal/oam"
)

const (
	// maxVariants is how many variants a Rollout can have.
	maxVariants = 64
	// maxBundleBytes is how many compressed bytes the Bundles of one application may
	// have together. Crossplane takes responses of 4 MiB, which have to hold, in
	// base64, what is wanted now and what clusters still have.
	maxBundleBytes = 5 << 18
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
	w.rollout.Spec.ForProvider = mv1alpha1.RolloutParameters{Application: claim.Name, Placement: app.Placement()}
	bytes := 0
	for _, overrides := range variants[:min(maxVariants, len(variants))] {
		b, err := app.Bundle(overrides)
		if err != nil {
			return wanted{}, err
		}
		b.SetNamespace(claim.Namespace)
		w.rollout.Spec.ForProvider.Variants = append(w.rollout.Spec.ForProvider.Variants, mv1alpha1.Variant{Overrides: overrides, Bundle: b.GetName()})
		if !w.has(b.GetName()) {
			bytes += len(b.Spec.Data)
			w.add(b.GetName(), b, seen)
		}
	}
	if bytes > maxBundleBytes {
		return wanted{}, &oam.InvalidError{Problems: []oam.Problem{{
			Path: "spec.policies",
			Message: fmt.Sprintf("the %d variants of this application come to %d bytes, compressed, and at most %d fit: move large data out of the manifests, or split the application",
				len(variants), bytes, maxBundleBytes),
		}}}
	}
	if seen.rollout != nil {
		for _, name := range seen.rollout.Status.AtProvider.BundlesInUse {
			if _, exists := seen.bundles[name]; exists && !w.has(name) {
				w.add(name, nil, seen)
			}
		}
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
