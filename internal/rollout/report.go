package rollout

import (
	"fmt"
	"slices"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// maxProblems is how many problems a status spells out.
const maxProblems = 10

// report how things stand, once what is started now has begun.
func (n *plan) report() Decision {
	known := n.observed.Blocked == "" && !n.spec.Leaving
	n.decision.Done = known && n.done()
	if known && n.complete() {
		n.remember()
	}
	n.is.Clusters = n.count()
	n.is.Variants = n.variants()
	n.is.BundlesInUse = n.bundlesInUse()
	n.is.Components = componentsOf(n.members)
	n.is.Problems = n.problems()
	for i := range n.is.Waves {
		if j := slices.IndexFunc(n.waves, func(w *wave) bool { return w.name == n.is.Waves[i].Name }); j >= 0 {
			n.is.Waves[i].Clusters = countOf(n.waves[j].members)
		}
	}
	if c := n.observed.Checks; c != nil && c.Status != nil {
		n.is.Preflight = c.Status.DeepCopy()
	}
	n.is.Phase = n.phase()
	n.is.Message = n.message()

	d := n.decision
	d.Epoch, d.Status, d.PersistFirst = n.is.Epoch, n.is, n.persistFirst()
	return d
}

// done is true where all is as it should be everywhere.
func (n *plan) done() bool {
	return n.forward() && !n.withheld() && len(n.leaving) == 0 && n.allOver() && !slices.ContainsFunc(n.members, func(m *member) bool {
		return !m.stays && (!m.healthy() || m.retries || m.images.held)
	})
}

// complete is true where all is as it should be wherever that can be told. Something
// must be: where no cluster can be reached, nothing is.
func (n *plan) complete() bool {
	if !n.forward() || n.withheld() || !n.allOver() || n.left() > 0 {
		return false
	}
	healthy := 0
	for _, m := range n.members {
		switch {
		case m.stays, m.parked():
		case m.healthy() && !m.retries && !m.images.held:
			healthy++
		default:
			return false
		}
	}
	return healthy > 0 || len(n.members) == 0
}

// phase in one word.
func (n *plan) phase() v1alpha1.RolloutPhase {
	moving := n.decision.Acts() || n.is.Clusters.InMotion > 0
	switch f := n.is.Failed; {
	case n.spec.Leaving:
		return v1alpha1.RolloutProgressing
	case n.observed.Blocked != "" || n.flaw != "":
		return v1alpha1.RolloutBlocked
	case f != nil && f.To == "":
		return v1alpha1.RolloutHalted
	case f != nil && n.backed():
		return v1alpha1.RolloutRolledBack
	case n.complete():
		return v1alpha1.RolloutCompleted
	case n.paused():
		return v1alpha1.RolloutPaused
	case f != nil:
		return v1alpha1.RolloutRollingBack
	case n.aborted():
		return v1alpha1.RolloutAborted
	case n.checking() && len(n.decision.Check)+len(n.decision.Resolve) > 0:
		return v1alpha1.RolloutPreflight
	case moving:
		return v1alpha1.RolloutProgressing
	case n.withheld(), n.preflightHolds() != "":
		return v1alpha1.RolloutBlocked
	}
	return v1alpha1.RolloutWaiting
}

// backed is true where every cluster that goes back, and can, is back.
func (n *plan) backed() bool {
	return !slices.ContainsFunc(n.members, func(m *member) bool {
		return !m.stays && !m.healthy() && !m.parked() && (m.outdated() || m.inMotion())
	})
}

// count the placed clusters. Where the placement is not known, those that have a
// Release count as placed: they still run what they have.
func (n *plan) count() v1alpha1.RolloutCount {
	c := countOf(n.members)
	for _, r := range n.leaving {
		if n.observed.Blocked != "" {
			c.Total++
			c.Updated += one(r.updated())
			c.Ready += one(r.healthy())
		}
		c.InMotion += one(r.inMotion())
		c.Failed += one(r.failed() && !r.Unreachable)
		c.Parked += one(r.failed() && r.Unreachable)
	}
	// What is started now is in motion from now on, and has not failed yet.
	for _, m := range n.members {
		if n.begun[m.Name] {
			c.InMotion += one(!m.inMotion())
			c.Failed -= one(m.failed())
			c.Parked -= one(m.parked())
		}
	}
	for _, r := range n.leaving {
		if n.begun[r.Name] {
			c.InMotion += one(!r.inMotion())
			c.Failed -= one(r.failed() && !r.Unreachable)
			c.Parked -= one(r.failed() && r.Unreachable)
		}
	}
	return c
}

func countOf(members []*member) v1alpha1.RolloutCount {
	c := v1alpha1.RolloutCount{}
	for _, m := range members {
		c.Total++
		if m.wanted() {
			c.Updated++
			c.Ready += one(m.release.healthy())
		}
		c.InMotion += one(m.inMotion())
		c.Failed += one(m.failed())
		c.Parked += one(m.parked())
	}
	return c
}

// variants that the placed clusters need, the simplest first.
func (n *plan) variants() []v1alpha1.VariantNeed {
	var out []v1alpha1.VariantNeed
	for _, m := range n.members {
		i := slices.IndexFunc(out, func(v v1alpha1.VariantNeed) bool { return slices.Equal(v.Overrides, m.Target.Overrides) })
		if i < 0 {
			out = append(out, v1alpha1.VariantNeed{Overrides: m.Target.Overrides})
			i = len(out) - 1
		}
		out[i].Clusters++
	}
	slices.SortFunc(out, func(a, b v1alpha1.VariantNeed) int {
		if d := len(a.Overrides) - len(b.Overrides); d != 0 {
			return d
		}
		return slices.Compare(a.Overrides, b.Overrides)
	})
	return out
}

// bundlesInUse by any Release, those that it is about to want included, and by the
// revisions that a rollback may go back to.
func (n *plan) bundlesInUse() []string {
	var out []string
	for _, r := range n.observed.Releases {
		out = append(out, r.Wanted.Bundle, r.Applied.Bundle)
	}
	for _, p := range slices.Concat(n.decision.Create, n.decision.Update) {
		out = append(out, p.Payload.Bundle)
	}
	for _, r := range Rollbacks(n.is) {
		for _, v := range r.Variants {
			out = append(out, v.Bundle)
		}
	}
	out = slices.DeleteFunc(out, func(b string) bool { return b == "" })
	slices.Sort(out)
	return slices.Compact(out)
}

// Rollbacks are the revisions that a rollback may go back to: the one that was reached
// last, and the one before it.
func Rollbacks(s v1alpha1.RolloutObservation) []v1alpha1.RolloutRevision {
	var out []v1alpha1.RolloutRevision
	if s.Reached != nil {
		out = append(out, *s.Reached)
	}
	if len(s.History) > 0 {
		out = append(out, s.History[0])
	}
	return out
}

// componentsOf members, and on how many of them they are healthy. A cluster that has
// not reported yet counts for every component.
func componentsOf(members []*member) []v1alpha1.ComponentCount {
	var out []v1alpha1.ComponentCount
	silent := int32(0)
	for _, m := range members {
		if m.release == nil || len(m.release.Components) == 0 {
			silent++
			continue
		}
		for _, c := range m.release.Components {
			i := slices.IndexFunc(out, func(cc v1alpha1.ComponentCount) bool { return cc.Name == c.Name })
			if i < 0 {
				out = append(out, v1alpha1.ComponentCount{Name: c.Name})
				i = len(out) - 1
			}
			out[i].Total++
			if c.Health == v1alpha1.Healthy {
				out[i].Healthy++
				continue
			}
			if out[i].Message == "" && c.Message != "" {
				out[i].Message = m.label() + ": " + c.Message
			}
		}
	}
	for i := range out {
		out[i].Total += silent
	}
	return out
}

// problems of clusters, those that failed first. What is wrong with one that is
// started now is about to be mended.
func (n *plan) problems() []v1alpha1.ReleaseProblem {
	var failed, others []v1alpha1.ReleaseProblem
	for _, m := range n.members {
		p := v1alpha1.ReleaseProblem{Cluster: m.label(), Message: m.problem()}
		switch {
		case p.Message == "", n.begun[m.Name]:
		case m.failed():
			failed = append(failed, p)
		default:
			others = append(others, p)
		}
	}
	for _, r := range n.leaving {
		if m := r.problem(); m != "" && r.failed() && !n.begun[r.Name] {
			failed = append(failed, v1alpha1.ReleaseProblem{Cluster: r.Cluster.Name, Message: m})
		}
	}
	all := slices.Concat(failed, others)
	return all[:min(len(all), maxProblems)]
}

// problem of a placed cluster, if it has one.
func (m *member) problem() string {
	switch {
	case m.waits == waitTaken:
		return fmt.Sprintf("Release %q exists and belongs to somebody else: delete it", m.Name)
	case m.waits == waitCluster && m.outdated():
		return "waits for the cluster to become ready"
	case m.release != nil:
		return m.release.problem()
	}
	return ""
}
