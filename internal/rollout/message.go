package rollout

import (
	"fmt"
	"slices"
	"strings"
)

// message in one line: what is done, or what is waited for.
func (n *plan) message() string {
	c := n.is.Clusters
	switch {
	case n.spec.Leaving:
		return joined(fmt.Sprintf("being removed from %s", clusters(len(n.leaving))), n.firstProblem())
	case n.withheld() && n.target() == nil && (n.observed.Blocked != "" || n.flaw != ""):
		// What is wrong with it does not matter before it may begin.
		return n.observed.Hold.Message
	case n.observed.Blocked != "":
		return n.observed.Blocked
	case n.flaw != "":
		return n.flaw
	case n.decision.Done && c.Total == 0:
		return "no cluster is placed"
	case n.decision.Done:
		return fmt.Sprintf("healthy on %s", clusters(int(c.Total)))
	}

	parts := append([]string{fmt.Sprintf("updated on %d of %s, healthy on %d", c.Updated, clusters(int(c.Total)), c.Ready)}, n.course()...)
	if n.is.Failed != nil || n.withheld() || n.preflightHolds() != "" {
		// Why it does not go on is what matters then, and lines are cut at their end.
		parts = append(parts[1:], parts[0])
	}
	add := func(count int, format string, args ...any) {
		if count > 0 {
			parts = append(parts, fmt.Sprintf(format, args...))
		}
	}
	bundle := n.waiting(waitBundle)
	cluster := n.waiting(waitCluster)
	held := n.held()
	add(int(c.InMotion), "%d in motion", c.InMotion)
	add(bundle, "%s wait for a Bundle", clusters(bundle))
	if why := n.imagesHold(); why != "" && n.forward() && n.underway() {
		parts = append(parts, why)
	}
	if written := n.asWritten(); !n.checking() {
		add(written, "%s left as written: a registry gave no digest", plural(written, "image"))
	}
	add(cluster, "%s not ready", clusters(cluster))
	add(len(n.leaving), "%d to be removed", len(n.leaving))
	add(held, "%d of them kept because their Cluster is not in the inventory", held)
	if n.outOfSpare() {
		parts = append(parts, fmt.Sprintf("stopped by maxUnavailable %d", *n.budget.maxUnavailable))
	}
	add(int(c.Failed), "%d failed", c.Failed)
	parked := int(c.Parked) - cluster
	add(parked, "%d parked", parked)
	return joined(strings.Join(parts, "; "), n.firstProblem())
}

// course that the revision is on, where it is not the plain one, and what it waits for.
func (n *plan) course() []string {
	var out []string
	if f := n.is.Failed; f != nil {
		switch {
		case f.To == "":
			out = append(out, "halted: "+f.Message)
		case n.backed():
			out = append(out, fmt.Sprintf("rolled back to revision %s: %s", short(f.To), f.Message))
		default:
			out = append(out, fmt.Sprintf("rolling back to revision %s: %s", short(f.To), f.Message))
		}
		if n.kept() > 0 && f.To != "" {
			out = append(out, fmt.Sprintf("%s left as it is for want of an earlier revision", are(n.kept())))
		}
	}
	if n.withheld() {
		out = append(out, n.observed.Hold.Message)
	}
	if n.paused() {
		return append(out, "paused")
	}
	if n.withheld() {
		return out
	}
	if n.is.Failed != nil {
		return out
	}
	if n.aborted() {
		return append(out, "aborted")
	}
	if why := n.preflightHolds(); why != "" {
		out = append(out, why)
	}
	pending := slices.ContainsFunc(n.members, func(m *member) bool { return m.pending() && !n.begun[m.Name] })
	if w := n.frozen(); w != nil && pending {
		until := ""
		if !w.Until.IsZero() {
			until = " until " + instant(w.Until)
		}
		out = append(out, fmt.Sprintf("frozen by %q%s", w.Name, until))
	}
	out = append(out, n.waits...)
	if why := n.shrinks(); why != "" {
		out = append(out, why)
	}
	return out
}

// kept counts the clusters that a rollback leaves as they are although they have what
// failed.
func (n *plan) kept() int {
	to := n.target()
	if to == nil {
		return 0
	}
	count := 0
	for _, m := range n.members {
		count += int(one(m.stays && m.begun && bundleFor(to.Variants, m.Target.Overrides) == ""))
	}
	return count
}

// waiting counts the clusters that wait for something before they can be started.
func (n *plan) waiting(w wait) int {
	count := 0
	for _, m := range n.members {
		count += int(one(m.waits == w && m.outdated()))
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

// outOfSpare is true where it is only for maxUnavailable that a cluster is not started.
func (n *plan) outOfSpare() bool {
	if n.stopped() || n.budget.spare != 0 || n.budget.slots == 0 {
		return false
	}
	front := n.front()
	return slices.ContainsFunc(n.members, func(m *member) bool {
		return m.pending() && n.turn(m, front) && !n.begun[m.Name]
	})
}

func (n *plan) firstProblem() string {
	if len(n.is.Problems) == 0 {
		return ""
	}
	p := n.is.Problems[0]
	return p.Cluster + ": " + p.Message
}

func joined(said, problem string) string {
	if problem == "" || strings.Contains(said, problem) {
		return said
	}
	return said + "; " + problem
}

// short form of a digest, for people.
func short(digest string) string { return digest[:min(len(digest), 12)] }

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
