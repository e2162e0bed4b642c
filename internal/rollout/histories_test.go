package rollout

import (
	"fmt"
	"maps"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/placement"
)

// How many histories there are, and how long each is: more than 100,000 steps.
const (
	histories = 260
	steps     = 400
)

// TestHistories lets Rollouts with waves, gates, budgets and workflows run through
// histories of faults: clusters that break and vanish, people who change their minds,
// clocks that jump, a provider that is killed at any point, and another that still
// decides from an older state. After every decision the rules of the package must hold,
// and once all is calm it must get there.
func TestHistories(t *testing.T) {
	count := histories
	if testing.Short() {
		count /= 10
	}
	for seed := range int64(count) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rnd := rand.New(rand.NewSource(seed))
			h := &history{t: t, rnd: rnd, world: newWorld(anyStrategy(rnd)), tags: rand.New(rand.NewSource(seed))}
			h.anyRegistry()
			h.spec.Steps = anySteps(rnd)
			h.spec.Control = &v1alpha1.RolloutControl{}
			for i := range 4 + rnd.Intn(12) {
				h.join(anyName(i))
			}
			for range steps {
				h.disturb()
				h.moveTags()
				h.step(true)
			}
			h.settle()
		})
	}
}

// A history is a world that is played with.
type history struct {
	*world
	t   *testing.T
	rnd *rand.Rand
	// stale is a decision that somebody made and did not carry out.
	stale *Decision
	// tags are moved at random, by a chance of their own.
	tags *rand.Rand
}

func anyName(i int) string { return fmt.Sprintf("%s-%02d", []string{"eu", "us", "ap"}[i%3], i) }

func anyStrategy(rnd *rand.Rand) v1alpha1.RolloutStrategy {
	maybe := func(n int) bool { return rnd.Intn(n) == 0 }
	s := v1alpha1.RolloutStrategy{MaxConcurrent: number(1 + rnd.Intn(5))}
	if maybe(2) {
		s.MaxUnavailable = number(rnd.Intn(5))
	}
	if maybe(2) {
		s.FailureBudget = number(rnd.Intn(4))
		s.OnFailure = []v1alpha1.FailureAction{v1alpha1.FailureHalt, v1alpha1.FailureRollbackWave, v1alpha1.FailureRollbackAll}[rnd.Intn(3)]
	}
	if maybe(3) {
		s.Rollback = &v1alpha1.RollbackStrategy{MaxConcurrent: number(1 + rnd.Intn(3))}
	}
	if maybe(2) {
		s.MaxDeletions = percent("30%")
	}
	if maybe(3) {
		s.Preflight = v1alpha1.PreflightSkip
	}
	if maybe(4) {
		return s
	}
	s.Waves = []v1alpha1.Wave{{Name: "canary", Canary: ptr.To(int32(1)), AllowEmpty: true}, {Name: "some", Size: percent("30%"), AllowEmpty: true}, {Name: "rest", AllowEmpty: true}}
	for i := range s.Waves {
		w := &s.Waves[i]
		if maybe(2) {
			w.Soak = minutes(1 + rnd.Intn(5))
		}
		if maybe(3) {
			w.MaxConcurrent = number(1 + rnd.Intn(2))
		}
		for j, g := range anyGates() {
			if maybe(3) {
				g.Name = fmt.Sprintf("g%d", j)
				if maybe(4) {
					g.Timeout = minutes(5 + rnd.Intn(30))
				}
				w.Gates = append(w.Gates, g)
			}
		}
	}
	return s
}

func anyGates() []v1alpha1.Gate {
	web := &v1alpha1.WebhookGate{URL: "http://gate"}
	return []v1alpha1.Gate{
		{When: v1alpha1.GateBefore, Webhook: web}, {When: v1alpha1.GateAfter, Webhook: web},
		{When: v1alpha1.GateBefore, Approval: &v1alpha1.ApprovalGate{Count: 1}},
		{When: v1alpha1.GateAfter, CEL: &v1alpha1.CELGate{Expression: "wave.failed + wave.parked < wave.total"}},
	}
}

func anySteps(rnd *rand.Rand) []v1alpha1.RolloutStep {
	if rnd.Intn(3) > 0 {
		return nil
	}
	out := []v1alpha1.RolloutStep{
		{Name: "first", Type: v1alpha1.StepDeploy, Topologies: []string{"eu"}},
		{Name: "look", Type: v1alpha1.StepSuspend, DependsOn: []string{"first"}, Duration: minutes(rnd.Intn(20))},
		{Name: "tell", Type: v1alpha1.StepNotify, DependsOn: []string{"first"}, Webhook: &v1alpha1.WebhookGate{URL: "http://chat"}},
		{Name: "others", Type: v1alpha1.StepDeploy, DependsOn: []string{"look"}, Approval: rnd.Intn(2) == 0},
	}
	if rnd.Intn(2) == 0 {
		out[3].Timeout = minutes(60)
	}
	return out
}

// step decides, checks the rules, and carries out what was decided, unless the provider
// is killed before or while it does.
func (h *history) step(faults bool) Decision {
	h.t.Helper()
	before := h.status
	o := h.observe(h.rnd)
	o, d := h.decide(o)
	check(h.t, h.world, o, d)
	h.check(before, o, d)
	h.checkImages(before, d)

	written := h.written
	if h.stale != nil && h.stale.Epoch < h.status.Epoch && h.act(*h.stale, 0) {
		h.t.Fatalf("who decided in epoch %d writes although it is epoch %d", h.stale.Epoch, h.status.Epoch)
	}
	if h.written < written {
		h.t.Fatalf("the epoch went back from %d to %d", written, h.written)
	}
	h.carryOut(d, faults)
	if h.written > written && h.status.Epoch < h.written {
		h.t.Fatalf("something was written with epoch %d, and that it is this epoch is not persisted", h.written)
	}
	for _, name := range h.releaseNames() {
		if h.rnd.Intn(3) == 0 {
			h.turn(h.releases[name])
		}
	}
	h.now = h.now.Add(time.Duration(h.rnd.Int63n(int64(90 * time.Second))))
	return d
}

func (h *history) carryOut(d Decision, faults bool) {
	kill := 100
	if faults {
		kill = h.rnd.Intn(12)
	}
	if faults && h.rnd.Intn(20) == 0 {
		h.stale = ptr.To(d)
		return
	}
	omit := 0
	if all := len(d.Create) + len(d.Update) + len(d.Delete); kill == 1 && all > 0 {
		omit = 1 + h.rnd.Intn(all)
	}
	switch {
	case kill == 0: // Before anything.
	case d.PersistFirst:
		h.persist(d)
		h.act(d, omit)
	default:
		h.act(d, omit)
		if omit == 0 && kill != 2 {
			h.persist(d)
		}
	}
}

// check the rules of waves, revisions and rollbacks.
func (h *history) check(before v1alpha1.RolloutObservation, o Observed, d Decision) {
	h.t.Helper()
	if d.Epoch < before.Epoch || d.Epoch != d.Status.Epoch {
		h.t.Fatalf("epoch %d follows %d", d.Epoch, before.Epoch)
	}
	if d.Epoch != before.Epoch && d.Acts() && !d.PersistFirst {
		h.t.Fatalf("something is written in an epoch that is not persisted")
	}
	if f := d.Status.Failed; f != nil && f.To != "" && (before.Failed == nil || before.Failed.To == "") && d.Epoch == before.Epoch {
		h.t.Fatalf("a rollback begins without an epoch of its own")
	}
	placed := slices.Concat(d.Create, d.Update)
	back := d.Status.Failed != nil && d.Status.Failed.To != ""
	c := h.spec.Control
	if len(placed) > 0 && (c.Paused || (!back && (d.Status.Failed != nil || h.spec.Strategy.Freezes != nil || c.Abort == d.Status.Digest))) {
		h.t.Fatalf("something is started although the Rollout is paused, halted, frozen or aborted: %s", d.Status.Message)
	}
	for _, p := range placed {
		h.checkStart(d, p, back)
		h.checkBegin(o, d, p, back)
	}
	h.checkBudget(d, back)
	h.checkWaves(before, o, d)
	h.checkDeletions(o, d)
	if d.Status.Phase == v1alpha1.RolloutRolledBack && d.Status.Failed.Action == v1alpha1.FailureRollbackAll {
		h.checkBack(o, d)
	}
}

// checkStart of one cluster: the right payload, in a wave whose turn it is.
func (h *history) checkStart(d Decision, p Placed, back bool) {
	h.t.Helper()
	if back {
		if !slices.ContainsFunc(Rollbacks(d.Status), func(r v1alpha1.RolloutRevision) bool {
			return r.Digest == d.Status.Failed.To && bundleFor(r.Variants, p.Target.Overrides) == p.Payload.Bundle
		}) {
			h.t.Fatalf("%s goes back to %s, which is not what the revision had", p.Name, p.Payload.Bundle)
		}
		if h.releases[p.Name] == nil {
			h.t.Fatalf("a rollback creates %s", p.Name)
		}
		return
	}
	if want := bundleFor(h.spec.Variants, p.Target.Overrides); want != p.Payload.Bundle {
		h.t.Fatalf("%s is to get %s instead of %s", p.Name, p.Payload.Bundle, want)
	}
	if h.checks != nil && h.checks.Clusters[p.Target.Cluster] != Clean {
		h.t.Fatalf("%s is started although the preflight is not through", p.Name)
	}
	step, _, _ := strings.Cut(p.Wave, "/")
	for _, w := range d.Status.Waves {
		if w.Name == p.Wave {
			if w.Phase == v1alpha1.WaveGated || w.Phase == v1alpha1.WavePending {
				h.t.Fatalf("%s is started in wave %s, which is %s", p.Name, w.Name, w.Phase)
			}
			return
		}
		if strings.HasPrefix(w.Name, step+"/") == strings.Contains(p.Wave, "/") && w.Phase != v1alpha1.WaveOver {
			h.t.Fatalf("%s is started in wave %s although %s is %s", p.Name, p.Wave, w.Name, w.Phase)
		}
	}
}

// checkBegin of a wave: the gates before it are open.
func (h *history) checkBegin(o Observed, d Decision, p Placed, back bool) {
	h.t.Helper()
	begun := slices.ContainsFunc(o.Releases, func(r Release) bool { return r.Wave == p.Wave && r.Epoch >= d.Status.Began })
	name := p.Wave[strings.LastIndex(p.Wave, "/")+1:]
	i := slices.IndexFunc(h.spec.Strategy.Waves, func(s v1alpha1.Wave) bool { return s.Name == name })
	if back || begun || i < 0 || slices.ContainsFunc(o.Status.Waves, func(w v1alpha1.WaveStatus) bool { return w.Name == p.Wave && w.Phase == v1alpha1.WaveOver }) {
		return
	}
	for _, g := range h.spec.Strategy.Waves[i].Gates {
		closed := g.Webhook != nil && !o.Answers["gate/"+p.Wave+"/"+g.Name].Yes
		closed = closed || (g.Approval != nil && !slices.ContainsFunc(h.spec.Control.Approvals, func(a v1alpha1.Approval) bool {
			return a.Gate == p.Wave+"/"+g.Name && a.Digest == d.Status.Digest
		}))
		if closed && timeOf(g) == v1alpha1.GateBefore {
			h.t.Fatalf("wave %s begins although its gate %s is closed", p.Wave, g.Name)
		}
	}
}

// checkBudget of failures: what exceeds it starts nothing any more.
func (h *history) checkBudget(d Decision, back bool) {
	h.t.Helper()
	limit, was := h.spec.Strategy.FailureBudget, h.status.Reached
	if limit == nil || back || len(d.Create)+len(d.Update) == 0 || (was != nil && was.Digest == d.Status.Digest && was.Epoch >= d.Status.Began) {
		return
	}
	failed := 0
	for _, r := range h.releases {
		placed := slices.ContainsFunc(h.observe(nil).Targets, func(t placement.Target) bool { return t.Cluster == r.Cluster })
		if placed && !r.Unreachable && r.Epoch == d.Epoch && r.Wanted.Bundle == h.spec.Variants[0].Bundle && r.Health == v1alpha1.Degraded && h.clusters[r.Cluster] == ClusterReady && !r.Deleting {
			failed++
		}
	}
	if failed > limit.IntValue() {
		h.t.Fatalf("%d failed, the budget is %d, and more are started", failed, limit.IntValue())
	}
}

// checkWaves that are over now, and were not before.
func (h *history) checkWaves(before v1alpha1.RolloutObservation, o Observed, d Decision) {
	h.t.Helper()
	for _, w := range d.Status.Waves {
		was := slices.ContainsFunc(before.Waves, func(b v1alpha1.WaveStatus) bool { return b.Name == w.Name && b.Phase == v1alpha1.WaveOver })
		if w.Phase != v1alpha1.WaveOver || (was && before.Digest == d.Status.Digest) {
			continue
		}
		if w.Clusters.Total == 0 || (w.Started == nil && w.HealthySince == nil) {
			continue // Nothing had to be moved.
		}
		name := w.Name[strings.LastIndex(w.Name, "/")+1:]
		spec := v1alpha1.Wave{}
		if i := slices.IndexFunc(h.spec.Strategy.Waves, func(s v1alpha1.Wave) bool { return s.Name == name }); i >= 0 {
			spec = h.spec.Strategy.Waves[i]
		}
		if spec.Soak != nil && h.now.Before(w.HealthySince.Add(spec.Soak.Duration)) {
			h.t.Fatalf("wave %s is over before it has soaked", w.Name)
		}
		// What the preflight has skipped holds no wave open, however it is.
		skips := h.spec.Strategy.Preflight == v1alpha1.PreflightSkip && h.checks != nil
		if h.spec.Strategy.FailureBudget == nil && w.Clusters.Failed > 0 && !skips {
			h.t.Fatalf("wave %s is over although %d clusters failed", w.Name, w.Clusters.Failed)
		}
		for _, g := range spec.Gates {
			if g.Webhook != nil && timeOf(g) == v1alpha1.GateAfter && !o.Answers["gate/"+w.Name+"/"+g.Name].Yes {
				h.t.Fatalf("wave %s is over although its gate %s is closed", w.Name, g.Name)
			}
		}
	}
}

// checkDeletions against their own budget.
func (h *history) checkDeletions(o Observed, d Decision) {
	h.t.Helper()
	gone, had := 0, 0
	for _, r := range o.Releases {
		had += int(one(!r.Untouched || r.Epoch < d.Status.Began))
		s := o.Clusters[r.Cluster]
		if (s == ClusterReady || s == ClusterNotReady) && !slices.ContainsFunc(o.Targets, func(t placement.Target) bool { return t.Cluster == r.Cluster }) {
			gone++
		}
	}
	for _, name := range d.Delete {
		s := o.Clusters[h.releases[name].Cluster]
		if s == ClusterDeleting || s == ClusterGone {
			continue
		}
		if d.Status.Failed != nil || h.spec.Strategy.Freezes != nil {
			h.t.Fatalf("%s is removed in a revision that failed or is frozen", name)
		}
		if m := h.spec.Strategy.MaxDeletions; m != nil && h.spec.Control.AllowDeletions != d.Status.Digest && gone > resolve(m, had, 0) {
			h.t.Fatalf("%s is removed although %d of %d would be", name, gone, had)
		}
	}
}

// checkBack that all clusters have what they had.
func (h *history) checkBack(o Observed, d Decision) {
	h.t.Helper()
	for _, t := range o.Targets {
		i := slices.IndexFunc(o.Releases, func(r Release) bool { return r.Cluster == t.Cluster })
		if i < 0 || o.Clusters[t.Cluster] != ClusterReady || o.Releases[i].Deleting {
			continue
		}
		for _, r := range Rollbacks(d.Status) {
			if b := bundleFor(r.Variants, t.Overrides); r.Digest == d.Status.Failed.To && o.Bundles[b] && o.Releases[i].Wanted.Bundle != b {
				h.t.Fatalf("all is rolled back, and yet %s wants %s", t.Label(), o.Releases[i].Wanted.Bundle)
			} else if r.Digest == d.Status.Failed.To && o.Bundles[b] {
				h.checkPins(t.Label(), o.Releases[i].Images, r.Images)
			}
		}
	}
}

// disturb the world at random.
func (h *history) disturb() {
	disturb(h.world, h.rnd)
	maybe := func(n int) bool { return h.rnd.Intn(n) == 0 }
	c := h.spec.Control
	switch h.rnd.Intn(30) {
	case 0, 1, 2:
		for _, key := range h.keys() {
			h.answers[key] = Answer{Yes: maybe(2), Message: "so it says"}
		}
	case 3, 4:
		h.approve()
	case 5:
		c.Approvals = nil
	case 6:
		h.spec.Strategy.Freezes = []v1alpha1.Freeze{{Name: "f", From: &metav1.Time{Time: h.now.Add(-90 * 24 * time.Hour)}, Until: &metav1.Time{Time: h.now.Add(90 * 24 * time.Hour)}}}
	case 7, 8:
		h.spec.Strategy.Freezes = nil
	case 9:
		c.Abort = h.status.Digest
	case 10:
		c.Abort = ""
	case 11:
		c.Rollback = h.status.Digest
	case 12:
		c.Rollback = ""
	case 13, 14:
		c.Retry++
	case 15:
		c.AllowDeletions = h.status.Digest
	case 16:
		h.now = h.now.Add(-time.Duration(h.rnd.Intn(3600)) * time.Second)
	case 17:
		h.now = h.now.Add(time.Duration(h.rnd.Intn(24*3600)) * time.Second)
	case 18:
		h.checks = nil
	case 19:
		h.checks = &Checks{Clusters: map[v1alpha1.ClusterReference]CheckState{}}
		for _, name := range slices.Sorted(maps.Keys(h.targets)) {
			h.checks.Clusters[h.targets[name].Cluster] = []CheckState{Clean, Clean, Clean, Clean, Clean, Blocking, Unchecked}[h.rnd.Intn(7)]
		}
	case 22:
		if maybe(10) {
			h.status = v1alpha1.RolloutObservation{} // Somebody restored it from a backup.
		}
	case 20:
		h.spec.Strategy.MaxConcurrent = number(1 + h.rnd.Intn(5))
	case 21:
		c.Paused = maybe(3)
	}
}

// keys of all questions that there may be.
func (h *history) keys() []string {
	out := []string{"step/tell"}
	names := []string{""}
	for _, s := range h.spec.Steps {
		names = append(names, s.Name+"/")
	}
	for _, s := range names {
		for _, w := range h.spec.Strategy.Waves {
			for _, g := range w.Gates {
				out = append(out, "gate/"+s+w.Name+"/"+g.Name)
			}
		}
	}
	return out
}

func (h *history) approve() {
	var out []v1alpha1.Approval
	for _, key := range append(h.keys(), "gate/others", "gate/look") {
		out = append(out, v1alpha1.Approval{Gate: strings.TrimPrefix(key, "gate/"), Digest: h.status.Digest, By: "ann"})
	}
	h.spec.Control.Approvals = out
}

// settle: nobody changes their mind any more, all gates are open, and it must get there.
func (h *history) settle() {
	h.t.Helper()
	calm(h.world)
	h.checks, h.stale = nil, nil
	if h.registry != nil {
		h.registry.down = ""
	}
	for _, key := range h.keys() {
		h.answers[key] = Answer{Yes: true}
	}
	h.spec.Strategy.Freezes = nil
	h.spec.Control = &v1alpha1.RolloutControl{Retry: h.spec.Control.Retry}
	d := Decision{}
	for i := range 200 + 20*len(h.clusters) {
		h.approve()
		h.spec.Control.AllowDeletions = h.status.Digest
		if p := h.status.Phase; i%20 == 0 && (p == v1alpha1.RolloutHalted || p == v1alpha1.RolloutRolledBack) {
			h.spec.Control.Retry++
		}
		if d = h.step(false); d.Done {
			return
		}
	}
	h.t.Fatalf("once all is calm a Rollout must get there: %s: %s", d.Status.Phase, d.Status.Message)
}
