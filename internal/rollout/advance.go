package rollout

import (
	"fmt"
	"slices"
	"time"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// advanceWaves of a Deploy step. It returns true once all of them are over. Those that
// are over, and the current one, are open.
func (n *plan) advanceWaves(s *step) bool {
	for i, w := range s.waves {
		if w.status.Phase != v1alpha1.WaveOver && !n.advanceWave(w, s.waves[:i]) {
			return false
		}
		w.status.Phase, w.status.Message, w.open = v1alpha1.WaveOver, "", true
		if w.idle() && len(w.members) > 0 && w.status.Started == nil {
			w.status.Message = "nothing had to be moved"
		}
	}
	return true
}

// advanceWave that is not over yet. It returns true once it is.
func (n *plan) advanceWave(w *wave, before []*wave) bool {
	if len(w.members) == 0 || (w.idle() && n.settled(w) == "") {
		return true
	}
	w.status.Message = ""
	if !slices.ContainsFunc(w.members, func(m *member) bool { return m.begun }) {
		w.status.Started = nil
		if !n.gates(w, v1alpha1.GateBefore) {
			n.gated(w)
			return false
		}
	}
	if trouble := n.trouble(before); trouble != "" {
		w.status.Phase, w.status.Message = v1alpha1.WavePending, trouble
		n.wait(w)
		return false
	}
	w.open = true
	if why := n.settled(w); why != "" {
		w.status.Phase, w.status.Message = v1alpha1.WaveMoving, why
		w.status.HealthySince = nil
		// What is asked afterwards is asked anew then.
		w.status.Gates = slices.DeleteFunc(w.status.Gates, func(g v1alpha1.GateStatus) bool { return w.asksAfter(g.Name) })
		n.wait(w)
		return false
	}
	if soak := w.spec.Soak; soak != nil && soak.Duration > 0 && !n.elapsed(&w.status.HealthySince, soak.Duration) {
		w.status.Phase = v1alpha1.WaveSoaking
		w.status.Message = "soaks until " + instant(w.status.HealthySince.Add(soak.Duration))
		n.wait(w)
		return false
	}
	if w.status.HealthySince == nil {
		w.status.HealthySince = n.stamp()
	}
	if !n.gates(w, v1alpha1.GateAfter) {
		n.gated(w)
		return false
	}
	return true
}

// gated says that a gate of a wave is closed, unless it has failed for it.
func (n *plan) gated(w *wave) {
	if w.status.Phase != v1alpha1.WaveFailed {
		w.status.Phase = v1alpha1.WaveGated
	}
	n.wait(w)
}

func (w *wave) asksAfter(gate string) bool {
	return slices.ContainsFunc(w.spec.Gates, func(g v1alpha1.Gate) bool { return g.Name == gate && timeOf(g) == v1alpha1.GateAfter })
}

// idle is true where this revision neither moved nor has to move anything of a wave.
func (w *wave) idle() bool {
	return !slices.ContainsFunc(w.members, func(m *member) bool { return m.begun || m.outdated() })
}

// settled says why a wave is not settled. It is empty where it is.
func (n *plan) settled(w *wave) string {
	healthy, parked, failed, skipped, moving, open := 0, 0, 0, 0, 0, 0
	var sick *member
	for _, m := range w.members {
		switch {
		case m.healthy() && !m.retries:
			healthy++
		case m.outdated() && m.waits == waitNone && m.check == Blocking && n.skips():
			skipped++
		case m.parked() && (!m.outdated() || m.waits != waitNone):
			parked++
		case m.failed() && (!m.outdated() || m.waits == waitTaken):
			failed++
			if sick == nil {
				sick = m
			}
		case m.inMotion():
			moving++
		default:
			open++
		}
	}
	switch {
	case open+moving > 0:
		return fmt.Sprintf("has %d of %s to go", open+moving, clusters(len(w.members)))
	case failed > 0 && !n.tolerated():
		return fmt.Sprintf("waits for %s: %s", sick.label(), sick.problem())
	case healthy == 0 && parked > 0:
		return "waits for one of its clusters to be reached"
	case healthy == 0 && failed > 0:
		return "waits for one of its clusters to be healthy"
	case healthy == 0 && skipped > 0:
		return "waits for one of its clusters to pass the preflight"
	}
	return ""
}

// skips is true where a cluster with a finding that blocks holds up no other.
func (n *plan) skips() bool { return n.spec.Strategy.Preflight == v1alpha1.PreflightSkip }

// tolerated is true where all that failed is within the failure budget.
func (n *plan) tolerated() bool {
	limit := n.spec.Strategy.FailureBudget
	if limit == nil {
		return false
	}
	failed := 0
	for _, m := range n.members {
		failed += int(one(m.failed()))
	}
	return failed <= resolve(limit, len(n.members), 0)
}

// trouble says what failed in earlier waves, beyond the budget.
func (n *plan) trouble(waves []*wave) string {
	if n.tolerated() {
		return ""
	}
	for _, w := range waves {
		for _, m := range w.members {
			if m.failed() {
				return fmt.Sprintf("waits for %s in wave %q: %s", m.label(), w.name, m.problem())
			}
		}
	}
	return ""
}

// wait for what a wave waits for.
func (n *plan) wait(w *wave) {
	if w.name != "" && w.status.Message != "" {
		n.waits = append(n.waits, fmt.Sprintf("wave %q %s", w.name, w.status.Message))
	}
}

// instant the way a message has it.
func instant(t time.Time) string { return t.UTC().Format(time.RFC3339) }
