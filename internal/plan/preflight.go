package plan

import (
	"maps"
	"slices"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/fleet"
	"github.com/mainstay-dev/mainstay/internal/preflight"
)

// check what an application is going to put on clusters, without looking at any of them:
// what contradicts itself does so everywhere. What depends on clusters is handed in.
func (b *builder) check(d *draft, is *Rendered) {
	if is == nil || is.Rollout == nil {
		return
	}
	s := is.Rollout.Spec.ForProvider.Strategy
	if s.Preflight == v1alpha1.PreflightOff {
		return
	}
	on := map[want][]string{}
	for ref, w := range wanted(is) {
		on[w] = append(on[w], b.clusters.labels[ref])
	}
	for _, name := range slices.Sorted(maps.Keys(is.Contents)) {
		seen := false
		for w, clusters := range on {
			if w.Bundle == name {
				seen = true
				slices.Sort(clusters)
				b.found(d, preflight.Waive(clusters[0], preflight.Check(preflight.Input{Content: is.Contents[name], Namespace: w.Namespace}), s.Waivers, b.options.Now), len(clusters))
			}
		}
		if !seen && is.Unknown {
			b.found(d, preflight.Check(preflight.Input{Content: is.Contents[name], Namespace: d.Namespace}), 0)
		}
	}
}

// found by the preflight. The same finding for another variant is one.
func (b *builder) found(d *draft, findings []v1alpha1.Finding, clusters int) {
	for _, f := range findings {
		out := Finding(d.ClaimReference, f, clusters)
		if i := alikeIn(b.findings, out); i >= 0 {
			b.findings[i].Clusters += out.Clusters
			continue
		}
		b.findings = append(b.findings, out)
	}
}

// Finding of the preflight of a claim on so many clusters, as plans say it.
func Finding(claim v1alpha1.ClaimReference, f v1alpha1.Finding, clusters int) v1alpha1.ChangeFinding {
	message := f.Message
	if f.Object != "" {
		message = f.Object + ": " + message
	}
	if f.Fix != "" {
		message += ": " + f.Fix
	}
	return v1alpha1.ChangeFinding{
		Cause: f.Cause, Claim: claim.String(), Message: clean(message), Clusters: int32(clusters), //nolint:gosec // There are not that many clusters.
		Blocking: preflight.Blocks([]v1alpha1.Finding{f}),
	}
}

// alikeIn is where a finding says the same, or -1.
func alikeIn(all []v1alpha1.ChangeFinding, f v1alpha1.ChangeFinding) int {
	return slices.IndexFunc(all, func(o v1alpha1.ChangeFinding) bool {
		return o.Cause == f.Cause && o.Claim == f.Claim && o.Message == f.Message
	})
}

// versions that clusters cannot take.
func (b *builder) version(d *draft, had, want *v1alpha1.Cluster) {
	c := want.DeepCopy()
	c.Status = had.Status
	if c.Status.AtProvider.Version == "" {
		c.Status.AtProvider.Version = had.Spec.ForProvider.KubernetesVersion
	}
	if problem := fleet.VersionProblem(c); problem != "" {
		b.found(d, []v1alpha1.Finding{{Cause: "Version", Severity: v1alpha1.Blocking, Message: problem}}, 1)
	}
}
