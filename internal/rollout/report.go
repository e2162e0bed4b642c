package rollout

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// maxProblems is how many problems a status spells out.
const maxProblems = 10

// report how things stand, once what is started now has begun.
func (n *plan) report() Decision {
	d := n.decision
	d.Status = v1alpha1.RolloutObservation{
		Clusters:     n.count(),
		Variants:     n.variants(),
		BundlesInUse: n.bundlesInUse(),
		Components:   n.components(),
		Problems:     n.problems(),
	}
	d.Done = n.observed.Blocked == "" && !n.spec.Leaving && len(n.leaving) == 0 && !slices.ContainsFunc(n.steps, func(s *step) bool {
		return !s.updated() || !s.release.healthy()
	})
	d.Status.Message = n.message(d)
	return d
}

// count the placed clusters. Where the placement is not known, those that have a
// Release count as placed: they still run what they have.
func (n *plan) count() v1alpha1.RolloutCount {
	c := v1alpha1.RolloutCount{}
	for _, s := range n.steps {
		c.Total++
		if s.updated() {
			c.Updated++
			c.Ready += one(s.release.healthy())
		}
		if s.release != nil {
			c.InMotion += one(s.release.inMotion())
			c.Failed += one(s.release.failed())
		}
		c.Failed += one(s.waits == waitTaken)
	}
	for _, r := range n.leaving {
		if n.observed.Blocked != "" {
			c.Total++
			c.Updated += one(r.updated())
			c.Ready += one(r.healthy())
		}
		c.InMotion += one(r.inMotion())
		c.Failed += one(r.failed())
	}
	// What is started now is in motion from now on, and has not failed yet.
	for name := range n.begun {
		r, exists := n.releases[name]
		c.InMotion += one(!exists || !r.inMotion())
		c.Failed -= one(exists && r.failed())
	}
	return c
}

// variants that the placed clusters need, the simplest first.
func (n *plan) variants() []v1alpha1.VariantNeed {
	var out []v1alpha1.VariantNeed
	for _, s := range n.steps {
		i := slices.IndexFunc(out, func(v v1alpha1.VariantNeed) bool { return slices.Equal(v.Overrides, s.Target.Overrides) })
		if i < 0 {
			out = append(out, v1alpha1.VariantNeed{Overrides: s.Target.Overrides})
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

// bundlesInUse by any Release, those that it is about to want included.
func (n *plan) bundlesInUse() []string {
	var out []string
	for _, r := range n.observed.Releases {
		out = append(out, r.Wanted.Bundle, r.Applied.Bundle)
	}
	for _, p := range slices.Concat(n.decision.Create, n.decision.Update) {
		out = append(out, p.Payload.Bundle)
	}
	out = slices.DeleteFunc(out, func(b string) bool { return b == "" })
	slices.Sort(out)
	return slices.Compact(out)
}

// components and on how many of the placed clusters they are healthy. A cluster that
// has not reported yet counts for every component.
func (n *plan) components() []v1alpha1.ComponentCount {
	var out []v1alpha1.ComponentCount
	silent := int32(0)
	for _, s := range n.steps {
		if s.release == nil || len(s.release.Components) == 0 {
			silent++
			continue
		}
		for _, c := range s.release.Components {
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
				out[i].Message = s.Target.Label() + ": " + c.Message
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
	for _, s := range n.steps {
		p := v1alpha1.ReleaseProblem{Cluster: s.Target.Label(), Message: s.problem()}
		switch {
		case p.Message == "", n.begun[s.Name]:
		case s.waits == waitTaken, s.release != nil && s.release.failed():
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
func (s *step) problem() string {
	switch {
	case s.waits == waitTaken:
		return fmt.Sprintf("Release %q exists and belongs to somebody else: delete it", s.Name)
	case s.waits == waitCluster && s.outdated():
		return "waits for the cluster to become ready"
	case s.release != nil:
		return s.release.problem()
	}
	return ""
}

// message in one line.
func (n *plan) message(d Decision) string {
	c := d.Status.Clusters
	switch {
	case n.spec.Leaving:
		return joined(fmt.Sprintf("being removed from %s", clusters(len(n.leaving))), firstProblem(d))
	case n.observed.Blocked != "":
		return n.observed.Blocked
	case d.Done && c.Total == 0:
		return "no cluster is placed"
	case d.Done:
		return fmt.Sprintf("healthy on %s", clusters(int(c.Total)))
	}

	parts := []string{fmt.Sprintf("updated on %d of %s, healthy on %d", c.Updated, clusters(int(c.Total)), c.Ready)}
	add := func(count int, format string, args ...any) {
		if count > 0 {
			parts = append(parts, fmt.Sprintf(format, args...))
		}
	}
	if n.spec.Strategy.Paused {
		parts = append(parts, "paused")
	}
	bundle := n.waiting(waitBundle)
	cluster := n.waiting(waitCluster)
	held := n.held()
	add(int(c.InMotion), "%d in motion", c.InMotion)
	add(bundle, "%s wait for a Bundle", clusters(bundle))
	add(cluster, "%s not ready", clusters(cluster))
	add(len(n.leaving), "%d to be removed", len(n.leaving))
	add(held, "%d of them kept because their Cluster is not in the inventory", held)
	if n.stopped() {
		parts = append(parts, fmt.Sprintf("stopped by maxUnavailable %d", *n.budget.maxUnavailable))
	}
	add(int(c.Failed), "%d failed", c.Failed)
	return joined(strings.Join(parts, "; "), firstProblem(d))
}

// waiting counts the clusters that wait for something before they can be started.
func (n *plan) waiting(w wait) int {
	count := 0
	for _, s := range n.steps {
		count += int(one(s.waits == w && s.outdated()))
	}
	return count
}

// held counts the Releases that are not placed and that nothing is done about,
// because what became of their Cluster is not known.
func (n *plan) held() int {
	count := 0
	for _, r := range n.leaving {
		count += int(one(!r.Deleting && n.observed.Clusters[r.Cluster] == ClusterUnknown))
	}
	return count
}

// stopped is true where it is only for maxUnavailable that a cluster is not started.
func (n *plan) stopped() bool {
	if n.spec.Strategy.Paused || n.budget.spare != 0 || n.budget.slots == 0 {
		return false
	}
	return slices.ContainsFunc(n.steps, func(s *step) bool {
		return s.outdated() && s.waits == waitNone && !n.begun[s.Name]
	})
}

func firstProblem(d Decision) string {
	if len(d.Status.Problems) == 0 {
		return ""
	}
	p := d.Status.Problems[0]
	return p.Cluster + ": " + p.Message
}

func joined(said, problem string) string {
	if problem == "" {
		return said
	}
	return said + "; " + problem
}

func clusters(n int) string {
	if n == 1 {
		return "1 cluster"
	}
	return fmt.Sprintf("%d clusters", n)
}

func one(b bool) int32 {
	if b {
		return 1
	}
	return 0
}
