package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/freeze"
)

// aim each member at what it should have: where the revision failed and goes back,
// that is what the revision before it wanted.
func (n *plan) aim() {
	to, then := n.target(), (*record)(nil)
	if to != nil && len(to.Images) > 0 {
		then = recorded(to.Images, false)
	}
	for _, m := range n.members {
		if m.step != nil && m.step.status.Phase == v1alpha1.StepSkipped {
			m.stays = true
		}
		if n.is.Failed == nil {
			continue
		}
		m.retries = false
		if to != nil {
			n.goesBack(m, to, then)
		}
	}
	n.budget = newBudget(n.spec.Strategy, n.members, n.leaving, to != nil)
}

// goesBack says where a member goes back to. A rollback brings nothing to a cluster
// that has nothing, and takes nothing away. Images are pinned to what they meant then, and
// no registry is asked.
func (n *plan) goesBack(m *member, to *v1alpha1.RolloutRevision, then *record) {
	bundle := bundleFor(to.Variants, m.Target.Overrides)
	other := n.is.Failed.Action == v1alpha1.FailureRollbackWave && m.waveName() != n.is.Failed.Wave
	if other || bundle == "" || m.release == nil {
		m.stays = true
		return
	}
	m.Payload.Bundle = bundle
	n.pin(m, then)
	m.images.held = false
	m.Wave = m.release.Wave
	n.bind(m)
}

// frozen is the freeze that is in force, if there is one.
func (n *plan) frozen() *freeze.Window {
	w := freeze.Active(n.spec.Strategy.Freezes, n.now)
	if w != nil {
		n.wakeAt(w.Until)
	}
	return w
}

// stopped is true where nothing is started that has not begun.
func (n *plan) stopped() bool {
	switch {
	case n.paused(), n.observed.Blocked != "", n.spec.Leaving:
		return true
	case n.target() != nil:
		return false
	case n.withheld(), !n.forward(), n.preflightHolds() != "":
		return true
	}
	return n.frozen() != nil
}

// move starts members that do not want yet what they should. Those that are unhealthy
// go first: they have the least to lose.
func (n *plan) move() {
	if !n.withheld() {
		n.resolve()
		n.check()
	}
	if n.stopped() {
		return
	}
	members := slices.Clone(n.members)
	slices.SortStableFunc(members, func(a, b *member) int { return cmp.Compare(n.position(a), n.position(b)) })
	front := n.front()
	for _, mend := range []bool{true, false} {
		for _, m := range members {
			if m.ailing() == mend && m.outdated() && m.waits == waitNone && n.turn(m, front) && n.budget.starts(m) {
				n.start(m)
			}
		}
	}
	byName := func(a, b Placed) int { return cmp.Compare(a.Target.Cluster.Name, b.Target.Cluster.Name) }
	slices.SortStableFunc(n.decision.Create, byName)
	slices.SortStableFunc(n.decision.Update, byName)
}

// turn returns whether it is a member's turn. Forward that is where its wave is open
// and nothing was found on its cluster, and back where its wave is the last that has
// not gone back yet.
func (n *plan) turn(m *member, front int) bool {
	if n.target() != nil {
		return n.position(m) == front
	}
	return m.wave != nil && m.wave.open && m.check == Clean
}

// front is the last wave with a cluster that goes back, or is about to.
func (n *plan) front() int {
	front := -1
	if n.target() == nil {
		return front
	}
	for _, m := range n.members {
		if !m.stays && (m.inMotion() || (m.outdated() && m.waits == waitNone)) {
			front = max(front, n.position(m))
		}
	}
	return front
}

func (n *plan) start(m *member) {
	n.begun[m.Name] = true
	if m.release == nil {
		n.decision.Create = append(n.decision.Create, m.Placed)
	} else {
		n.decision.Update = append(n.decision.Update, m.Placed)
	}
	i := slices.IndexFunc(n.is.Waves, func(w v1alpha1.WaveStatus) bool { return w.Name == m.waveName() })
	if i >= 0 && n.is.Waves[i].Started == nil {
		n.is.Waves[i].Started = n.stamp()
	}
}

// checkAgain is when clusters are looked at again that could not be, or would not start.
// Whoever mends them should not have to wait long.
const checkAgain = 5 * time.Second

// check lists the clusters that the preflight has to look at.
func (n *plan) check() {
	if !n.forward() || n.paused() {
		return
	}
	for _, m := range n.members {
		if !m.pending() || m.check == Clean {
			continue
		}
		if m.check == Unchecked {
			n.decision.Check = append(n.decision.Check, m.Placed)
		}
		n.wakeAt(n.now.Add(checkAgain))
	}
}

// pending is true where a member could be started, as far as it is concerned.
func (m *member) pending() bool { return m.outdated() && m.waits == waitNone }

// checking is true where nothing has begun and the preflight is not through.
func (n *plan) checking() bool { return !n.underway() && n.preflightHolds() != "" }

// preflightHolds says why the preflight lets nothing start. It is empty where it does.
func (n *plan) preflightHolds() string {
	if n.target() != nil || n.withheld() {
		return ""
	}
	unchecked, blocked := 0, 0
	for _, m := range n.members {
		unchecked += int(one(m.pending() && m.check == Unchecked))
		blocked += int(one(m.pending() && m.check == Blocking))
	}
	images := ""
	if !n.underway() {
		images = n.imagesHold()
	}
	switch {
	case images != "":
		return images
	case blocked > 0 && !n.skips():
		return fmt.Sprintf("preflight found what would not start on %s%s", clusters(blocked), n.worst())
	case unchecked > 0 && !n.underway():
		return fmt.Sprintf("preflight of %s is under way", clusters(unchecked))
	}
	return ""
}

// worst of what the preflight found, as part of a sentence.
func (n *plan) worst() string {
	if n.observed.Checks == nil || n.observed.Checks.Status == nil {
		return ""
	}
	for _, f := range n.observed.Checks.Status.Findings {
		if f.Severity == v1alpha1.Blocking && f.Waived == "" {
			out := ": " + f.Cause + ": "
			if f.Object != "" {
				out += f.Object + ": "
			}
			return out + f.Message
		}
	}
	return ""
}
