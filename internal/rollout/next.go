package rollout

import (
	"cmp"
	"slices"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/names"
	"github.com/mainstay-dev/mainstay/internal/placement"
)

// A Decision says what to start now, and how things stand.
type Decision struct {
	// Create and Update these Releases, in order.
	Create, Update []Placed
	// Delete these Releases, by name, in order.
	Delete []string
	// Status to report.
	Status v1alpha1.RolloutObservation
	// Done is true where every placed cluster has what is wanted and is healthy, and
	// nothing else is left.
	Done bool
}

// Acts returns true where there is something to start.
func (d Decision) Acts() bool { return len(d.Create)+len(d.Update)+len(d.Delete) > 0 }

// A Placed is a Release as it should be.
type Placed struct {
	// Name of the Release.
	Name string
	// Target it is for.
	Target placement.Target
	// Payload it should want.
	Payload Payload
}

// Next decides what to start, for a specification and what is observed.
func Next(spec Spec, o Observed) Decision {
	n := newPlan(spec, o)
	n.drain()
	n.move()
	return n.report()
}

// A plan is a Decision in the making.
type plan struct {
	spec     Spec
	observed Observed
	releases map[string]Release
	// steps are the placed clusters, and leaving the Releases without one.
	steps   []*step
	leaving []Release

	budget   budget
	decision Decision
	// begun are the Releases that the decision starts, by name.
	begun map[string]bool
}

// A step is one placed cluster: what it has and what it should have.
type step struct {
	Placed

	release *Release
	// waits says why it cannot be started, if it should be and cannot.
	waits wait
}

// A wait says why a cluster is not started.
type wait string

const (
	waitNone    wait = ""
	waitBundle  wait = "Bundle"
	waitCluster wait = "Cluster"
	waitTaken   wait = "Taken"
	waitLeaving wait = "Leaving"
)

func newPlan(spec Spec, o Observed) *plan {
	n := &plan{spec: spec, observed: o, releases: map[string]Release{}, begun: map[string]bool{}}
	for _, r := range o.Releases {
		n.releases[r.Name] = r
	}

	placed := map[string]bool{}
	if o.Blocked == "" && !spec.Leaving {
		for _, t := range o.Targets {
			s := n.step(t)
			placed[s.Name] = true
			n.steps = append(n.steps, s)
		}
	}
	for _, r := range o.Releases {
		if !placed[r.Name] {
			n.leaving = append(n.leaving, r)
		}
	}
	slices.SortFunc(n.steps, func(a, b *step) int {
		return cmp.Or(cmp.Compare(a.Target.Cluster.Name, b.Target.Cluster.Name), cmp.Compare(a.Name, b.Name))
	})
	slices.SortFunc(n.leaving, func(a, b Release) int {
		return cmp.Or(cmp.Compare(a.Cluster.Name, b.Cluster.Name), cmp.Compare(a.Name, b.Name))
	})
	n.budget = newBudget(spec.Strategy, n.steps, n.leaving)
	return n
}

// step for a target.
func (n *plan) step(t placement.Target) *step {
	s := &step{Placed: Placed{
		Name:    names.Release(n.spec.Application, t.Cluster.Namespace, t.Cluster.Name),
		Target:  t,
		Payload: Payload{Bundle: bundleFor(n.spec.Variants, t.Overrides), Namespace: t.Namespace},
	}}
	if r, ok := n.releases[s.Name]; ok {
		s.release = &r
	}
	switch {
	case n.observed.Taken[s.Name]:
		s.waits = waitTaken
	case s.Payload.Bundle == "" || !n.observed.Bundles[s.Payload.Bundle]:
		s.waits = waitBundle
	case s.release != nil && s.release.Deleting:
		s.waits = waitLeaving
	case n.observed.Clusters[t.Cluster] != ClusterReady:
		s.waits = waitCluster
	}
	return s
}

// drain starts the removal of Releases that should not be.
func (n *plan) drain() {
	for _, r := range n.leaving {
		if r.Deleting || !n.mayRemove(r) || !n.budget.removes(r) {
			continue
		}
		n.begun[r.Name] = true
		n.decision.Delete = append(n.decision.Delete, r.Name)
	}
}

// mayRemove a Release. That it is not placed is reason enough only where the
// placement is known.
func (n *plan) mayRemove(r Release) bool {
	switch n.observed.Clusters[r.Cluster] {
	case ClusterDeleting, ClusterGone:
		return true
	case ClusterUnknown:
		return n.spec.Leaving
	case ClusterReady, ClusterNotReady:
	}
	return n.spec.Leaving || (n.observed.Blocked == "" && !n.spec.Strategy.Paused)
}

// move starts placed clusters that do not want yet what they should. Those that are
// unhealthy go first: they have the least to lose.
func (n *plan) move() {
	if n.spec.Strategy.Paused {
		return
	}
	for _, mend := range []bool{true, false} {
		for _, s := range n.steps {
			if s.ailing() == mend && s.outdated() && s.waits == waitNone && n.budget.starts(s) {
				n.start(s)
			}
		}
	}
	byName := func(a, b Placed) int { return cmp.Compare(a.Target.Cluster.Name, b.Target.Cluster.Name) }
	slices.SortStableFunc(n.decision.Create, byName)
	slices.SortStableFunc(n.decision.Update, byName)
}

func (n *plan) start(s *step) {
	n.begun[s.Name] = true
	if s.release == nil {
		n.decision.Create = append(n.decision.Create, s.Placed)
		return
	}
	n.decision.Update = append(n.decision.Update, s.Placed)
}

// outdated is true where a Release does not want what it should.
func (s *step) outdated() bool { return s.release == nil || s.release.Wanted != s.Payload }

// ailing is true where a Release is in motion or unhealthy, so that to start it takes
// nothing away.
func (s *step) ailing() bool { return s.release != nil && !s.release.healthy() }

// updated is true where a placed cluster has what it should.
func (s *step) updated() bool {
	return s.release != nil && s.release.updated() && s.release.Wanted == s.Payload
}

// bundleFor a combination of overrides. Empty where there is none yet.
func bundleFor(variants []v1alpha1.Variant, overrides []string) string {
	for _, v := range variants {
		if slices.Equal(v.Overrides, overrides) {
			return v.Bundle
		}
	}
	return ""
}
