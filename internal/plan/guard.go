package plan

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/intstr"
)

// deletions that the strategy of an application allows: more clusters than that lose it
// only with the token.
func (b *builder) deletions(d *draft, is *Rendered, had int) {
	if is == nil || is.Rollout == nil || len(d.removes) == 0 {
		return
	}
	most := is.Rollout.Spec.ForProvider.Strategy.MaxDeletions
	if most == nil {
		return
	}
	allowed, err := intstr.GetScaledValueFromIntOrPercent(most, had, true)
	d.budget = fmt.Sprintf("%d of %d clusters lose it, and maxDeletions is %s", len(d.removes), had, most.String())
	// What cannot be read allows nothing.
	d.over = err != nil || len(d.removes) > allowed
}

// guard the plan against what is rarely meant.
func (b *builder) guard(p *Plan) {
	for _, d := range b.claims {
		if d.budget != "" {
			p.Guards = append(p.Guards, Guard{Name: "deletions", Passed: !d.over, Token: true, Message: d.String() + ": " + d.budget})
		}
		if left := len(d.removes); d.Verb == Update && left > 0 && d.Kind != fleetKind && b.everywhere(d) {
			p.Guards = append(p.Guards, Guard{Name: "empty", Token: true, Message: fmt.Sprintf("%s: all %d clusters lose it, and the claim stays: is the placement what is meant?", d, left)})
		}
		if d.Kind == fleetKind && len(d.removes) > 0 {
			p.Guards = append(p.Guards, Guard{Name: "clusters", Token: true, Message: fmt.Sprintf("%s: %s", d, "it loses "+count(len(d.removes), "cluster"))})
		}
	}
	if less := b.nodesBefore - b.nodesAfter; less > 0 {
		share := (less*100 + b.nodesBefore - 1) / b.nodesBefore
		p.Guards = append(p.Guards, Guard{
			Name: "shrink", Passed: share <= b.options.Limits.Shrink, Token: true,
			Message: fmt.Sprintf("%d of %d nodes go, which is %d %%, and %d %% are the most", less, b.nodesBefore, share, b.options.Limits.Shrink),
		})
	}
}

// everywhere is true where a claim is taken away from all clusters that have it.
func (b *builder) everywhere(d *draft) bool {
	is := b.after[d.ClaimReference]
	return is != nil && len(is.Targets) == 0
}

// TokenNeeded is true where a plan takes something away, so that somebody other than the
// author has to repeat its token.
func (p Plan) TokenNeeded() bool {
	if p.Count.Delete > 0 || p.Count.Replace > 0 {
		return true
	}
	for _, g := range p.Guards {
		if !g.Passed && g.Token {
			return true
		}
	}
	for _, c := range p.Claims {
		if c.Removes > 0 || c.Verb == Delete {
			return true
		}
	}
	return false
}
