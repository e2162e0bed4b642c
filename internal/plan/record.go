package plan

import (
	"fmt"
	"strings"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// maxReasons for the risk that a Change shows.
const maxReasons = 5

// A Record is what a Change keeps of a plan.
type Record struct {
	Plan     v1alpha1.ChangePlan
	Claims   []v1alpha1.ChangeClaim
	Findings []v1alpha1.ChangeFinding
}

// Record of a plan, for the Change of this name. What the Change knows better stays empty: head,
// base, tree, content, epoch and times. It has only claims that are written: those that are
// moved because of others come with these.
func (p Plan) Record(change string) Record {
	r := Record{Findings: p.Findings, Plan: v1alpha1.ChangePlan{
		Digest: p.Digest, Name: Name(change, p.Digest), Summary: p.Summary, Risk: p.Risk.Level, Blocked: p.Blocked, Locks: p.Locks,
		Clusters: int32(p.Blast.Clusters), //nolint:gosec // There are not that many clusters.
		Actions: v1alpha1.PlanActions{
			Create: int32(p.Count.Create), Update: int32(p.Count.Update + p.Count.Restart + p.Count.Scale), //nolint:gosec // Actions times clusters.
			Replace: int32(p.Count.Replace), Delete: int32(p.Count.Delete), //nolint:gosec // Actions times clusters.
		},
	}}
	for _, f := range p.Risk.Factors[:min(len(p.Risk.Factors), maxReasons)] {
		r.Plan.Reasons = append(r.Plan.Reasons, f.Message)
	}
	if p.Reverse.Class == Irreversible {
		r.Plan.Irreversible = p.Reverse.Why
	}
	if p.TokenNeeded() && r.Plan.Actions.Delete == 0 && r.Plan.Actions.Replace == 0 {
		// A guard asks for the token although no object is deleted, such as where nodes go.
		r.Plan.Actions.Delete = 1
	}
	for i := range p.Claims {
		c := &p.Claims[i]
		r.Plan.Waves = max(r.Plan.Waves, int32(len(c.Waves))) //nolint:gosec // Waves are bounded by the API.
		if c.Verb == Noop && !c.Carried {
			continue
		}
		out := v1alpha1.ChangeClaim{
			ClaimReference: c.ClaimReference, Digest: c.After, Before: c.Before, Step: c.Step,
			Clusters: int32(c.Clusters), Removes: int32(c.Removes), //nolint:gosec // There are not that many clusters.
		}
		if c.Reverse.Class == Irreversible {
			out.Irreversible = c.Reverse.Why
		}
		r.Claims = append(r.Claims, out)
	}
	return r
}

// summary of a plan in one line.
func summary(p Plan) string {
	if len(p.Claims) == 0 {
		return "nothing to do"
	}
	var parts []string
	for _, v := range []struct {
		n    int
		what string
	}{
		{p.Count.Create, "to create"}, {p.Count.Update, "to update"}, {p.Count.Scale, "to scale"},
		{p.Count.Restart, "to restart"}, {p.Count.Replace, "to replace"}, {p.Count.Delete, "to delete"},
	} {
		if v.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", v.n, v.what))
		}
	}
	what := strings.Join(parts, ", ")
	if what == "" {
		what = "nothing changes on clusters"
	}
	out := fmt.Sprintf("%s, for %s on %s", what, count(len(p.Claims), "claim"), count(p.Blast.Clusters, "cluster"))
	if p.Effects.Restarts > 0 {
		out += fmt.Sprintf(", %s to restart", count(p.Effects.Restarts, "pod"))
	}
	return out
}
