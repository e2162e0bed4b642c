package fleet

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	mv1alpha1 "github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/names"
	"github.com/mainstay-dev/mainstay/internal/placement"
	"github.com/mainstay-dev/mainstay/internal/rollout"
)

// Rolling returns the Rollout of a fleet in the terms of package rollout, which moves
// applications and clusters by the same rules: a shape is what a Bundle is to an
// application, and to be admitted is what a Release is.
func Rolling(r *mv1alpha1.Rollout, clusters []mv1alpha1.Cluster) (rollout.Spec, rollout.Observed) {
	spec := rollout.Spec{RolloutParameters: *r.Spec.ForProvider.DeepCopy()}
	o := rollout.Observed{
		Status:   r.Status.AtProvider,
		Clusters: map[mv1alpha1.ClusterReference]rollout.ClusterState{},
		Bundles:  map[string]bool{},
	}
	for i := range clusters {
		c := &clusters[i]
		shape := c.Spec.ForProvider.Shape
		if shape == "" {
			continue // It takes at once whatever is asked for.
		}
		ref := mv1alpha1.ClusterReference{Namespace: c.GetNamespace(), Name: c.GetName()}
		o.Clusters[ref] = stateOf(c)
		if c.GetDeletionTimestamp() != nil {
			continue // It is drained, and nobody's to move.
		}
		o.Bundles[shape] = true
		o.Targets = append(o.Targets, placement.Target{
			Cluster: ref, Fleet: c.Spec.ForProvider.Fleet, Name: c.Spec.ForProvider.Name,
			Overrides: []string{shape}, Labels: c.Spec.ForProvider.Labels,
		})
		o.Releases = append(o.Releases, admission(c))
	}
	for shape := range o.Bundles {
		spec.Variants = append(spec.Variants, mv1alpha1.Variant{Overrides: []string{shape}, Bundle: shape})
	}
	slices.SortFunc(spec.Variants, func(a, b mv1alpha1.Variant) int { return slices.Compare(a.Overrides, b.Overrides) })
	return spec, o
}

// Untold says how many clusters have not been told yet of what the Rollout of their fleet
// is about. Empty where all have.
func Untold(r *mv1alpha1.Rollout, clusters []mv1alpha1.Cluster) string {
	n := 0
	for i := range clusters {
		if c := &clusters[i]; c.GetDeletionTimestamp() == nil && c.Spec.ForProvider.Revision != r.Spec.ForProvider.Revision {
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("waits for %d of %d clusters to be told of the change", n, len(clusters))
}

func stateOf(c *mv1alpha1.Cluster) rollout.ClusterState {
	switch {
	case c.GetDeletionTimestamp() != nil:
		return rollout.ClusterDeleting
	case c.Status.GetCondition(xpv2.TypeReady).Status == corev1.ConditionTrue:
		return rollout.ClusterReady
	}
	return rollout.ClusterNotReady
}

// admission of a cluster, as a Release: what it was told to have, and what it has.
func admission(c *mv1alpha1.Cluster) rollout.Release {
	f, o := &c.Spec.ForProvider, &c.Status.AtProvider
	out := rollout.Release{
		Name:    names.Release("", c.GetNamespace(), c.GetName()),
		Cluster: mv1alpha1.ClusterReference{Namespace: c.GetNamespace(), Name: c.GetName()},
		Wanted:  rollout.Payload{Bundle: o.Shape},
		Health:  mv1alpha1.Progressing,
		Message: o.Message,
	}
	if !unborn(c) {
		out.Applied.Bundle = o.Shape
	}
	if a := f.Admitted; a != nil {
		out.Wanted.Bundle, out.Epoch, out.Wave, out.Since = a.Shape, a.Epoch, a.Wave, a.At
	}
	if Admitted(c) {
		out.Wanted.Bundle = f.Shape
	}
	if out.Wanted == out.Applied {
		out.Since = c.Status.GetCondition(xpv2.TypeReady).LastTransitionTime
	}

	ready, synced := c.Status.GetCondition(xpv2.TypeReady), c.Status.GetCondition(xpv2.TypeSynced)
	if ready.Status == corev1.ConditionTrue {
		out.Health = mv1alpha1.Healthy
	} else if out.Wanted == out.Applied && out.Applied.Bundle != "" {
		out.Failed, out.Unreachable, out.Failure = true, true, ready.Message
	}
	if p := VersionProblem(c); p != "" && Admitted(c) {
		out.Failed, out.Failure = true, p
	}
	if synced.Status == corev1.ConditionFalse && (synced.ObservedGeneration == 0 || synced.ObservedGeneration == c.GetGeneration()) {
		out.Failed, out.Failure = true, synced.Message
	}
	return out
}
