package rollout

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// giveUp is how long a notice is tried that nobody set a time for.
const giveUp = 5 * time.Minute

// A step of the workflow. Where there is no workflow there is one step that deploys
// everything, and has no name.
type step struct {
	spec    v1alpha1.RolloutStep
	members []*member
	waves   []*wave
	// status as it is going to be.
	status v1alpha1.StepStatus
}

func (s *step) moving() int {
	count := 0
	for _, m := range s.members {
		count += int(one(m.inMotion()))
	}
	return count
}

// compose the steps, with what is known of each and of its waves.
func (n *plan) compose() {
	specs := n.spec.Steps
	if len(specs) == 0 {
		specs = []v1alpha1.RolloutStep{{Type: v1alpha1.StepDeploy}}
	}
	for _, spec := range specs {
		s := &step{spec: spec, status: v1alpha1.StepStatus{Name: spec.Name, Phase: v1alpha1.StepPending}}
		if i := slices.IndexFunc(n.is.Steps, func(st v1alpha1.StepStatus) bool { return st.Name == spec.Name }); i >= 0 {
			s.status = n.is.Steps[i]
		}
		if spec.Type == v1alpha1.StepDeploy {
			s.waves = n.wavesOf(s)
		}
		for _, w := range s.waves {
			w.status = v1alpha1.WaveStatus{Name: w.name, Phase: v1alpha1.WavePending}
			if i := slices.IndexFunc(n.is.Waves, func(ws v1alpha1.WaveStatus) bool { return ws.Name == w.name }); i >= 0 {
				w.status = n.is.Waves[i]
			}
			// What was reached is over, whatever the strategy has come to say since.
			if n.reached() {
				w.status.Phase = v1alpha1.WaveOver
			}
		}
		n.steps = append(n.steps, s)
	}
}

// divide the members between the Deploy steps. The first that selects a cluster has it,
// except that a cluster stays in the step that moved it.
func (n *plan) divide() []string {
	var left []string
	for _, m := range n.members {
		i := slices.IndexFunc(n.steps, func(s *step) bool { return s.moved(m) })
		if i < 0 {
			i = slices.IndexFunc(n.steps, func(s *step) bool { return s.deploys(m) })
		}
		if i < 0 {
			left = append(left, m.label())
			continue
		}
		m.step = n.steps[i]
		n.steps[i].members = append(n.steps[i].members, m)
	}
	if len(left) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s deployed to by no step: %s: add a Deploy step for them, or leave them out of the placement", are(len(left)), named(left))}
}

// moved is true where a step moved a member in this revision.
func (s *step) moved(m *member) bool {
	return s.spec.Type == v1alpha1.StepDeploy && m.begun && s.spec.Name != "" && strings.HasPrefix(m.release.Wave, s.spec.Name+"/")
}

// deploys is true where a step deploys to one of a member's topologies.
func (s *step) deploys(m *member) bool {
	if s.spec.Type != v1alpha1.StepDeploy {
		return false
	}
	return len(s.spec.Topologies) == 0 ||
		slices.ContainsFunc(s.spec.Topologies, func(t string) bool { return slices.Contains(m.Target.Topologies, t) })
}

// advance the steps as far as they go now.
func (n *plan) advance() {
	if n.observed.Blocked != "" || n.spec.Leaving || n.withheld() {
		return
	}
	switch {
	case n.flaw != "" || n.checking():
	case n.aborted() || n.paused():
		n.forgetGates()
	default:
		for _, s := range n.ordered() {
			n.advanceStep(s)
		}
	}
	n.note()
}

// ordered steps: each after those it depends on.
func (n *plan) ordered() []*step {
	out := make([]*step, 0, len(n.steps))
	has := func(name string) bool {
		return slices.ContainsFunc(out, func(s *step) bool { return s.spec.Name == name })
	}
	for range n.steps {
		for _, s := range n.steps {
			if !has(s.spec.Name) && !slices.ContainsFunc(s.spec.DependsOn, func(d string) bool { return !has(d) }) {
				out = append(out, s)
			}
		}
	}
	return out
}

// forgetGates that were asked: nobody waits for them now, so no time runs out.
func (n *plan) forgetGates() {
	for _, w := range n.waves {
		if w.status.Phase != v1alpha1.WaveOver {
			w.status.Gates = nil
		}
	}
}

// note how far waves and steps are.
func (n *plan) note() {
	n.is.Waves, n.is.Steps = nil, nil
	for _, w := range n.waves {
		if f := n.is.Failed; f != nil && f.Wave == w.name {
			w.status.Phase, w.status.Message = v1alpha1.WaveFailed, f.Message
		}
	}
	for _, s := range n.steps {
		if f := n.is.Failed; f != nil && s.status.Phase == v1alpha1.StepRunning && s.has(f.Wave) {
			s.status.Phase, s.status.Message = v1alpha1.StepFailed, f.Message
		}
		if s.spec.Name != "" {
			n.is.Steps = append(n.is.Steps, s.status)
		}
	}
	for _, w := range n.waves {
		if w.name != "" {
			n.is.Waves = append(n.is.Waves, w.status)
		}
	}
}

// advanceStep by what it does.
func (n *plan) advanceStep(s *step) {
	if s.status.Phase == v1alpha1.StepSucceeded && s.spec.Type == v1alpha1.StepDeploy {
		n.reopen(s)
	}
	if s.done() || !n.due(s) {
		return
	}
	if s.spec.Type == v1alpha1.StepDeploy && n.is.Failed != nil {
		return
	}
	s.status.Phase, s.status.Message = v1alpha1.StepRunning, ""
	if s.status.Started == nil {
		s.status.Started = n.stamp()
	}
	if !n.past(s.status.Started) {
		s.status.Started = n.stamp()
	}
	done, why := n.run(s)
	if done {
		s.status.Phase, s.status.Message = v1alpha1.StepSucceeded, ""
		return
	}
	s.status.Message = why
	n.expireStep(s)
	if s.status.Phase == v1alpha1.StepRunning && s.spec.Name != "" && why != "" {
		n.waits = append(n.waits, fmt.Sprintf("step %q %s", s.spec.Name, why))
	}
}

// reopen the waves of a step that is done, for clusters that come late.
func (n *plan) reopen(s *step) {
	for _, w := range s.waves {
		w.open = n.is.Failed == nil
	}
}

// run a step. It returns whether it is done, and what it waits for otherwise.
func (n *plan) run(s *step) (done bool, why string) {
	switch s.spec.Type {
	case v1alpha1.StepDeploy:
		if s.spec.Approval && !slices.ContainsFunc(s.members, func(m *member) bool { return m.begun }) {
			if a := n.approved(s.spec.Name, 1); !a.Yes {
				return false, "waits: " + a.Message
			}
		}
		return n.advanceWaves(s), ""
	case v1alpha1.StepSuspend:
		return n.suspend(s)
	case v1alpha1.StepDependsOnApp:
		a := n.question(Question{Key: "step/" + s.spec.Name, Application: s.spec.Application.Name})
		return a.Yes, fmt.Sprintf("waits for application %q: %s", s.spec.Application.Name, a.Message)
	case v1alpha1.StepNotify:
		a := n.question(Question{Key: "step/" + s.spec.Name, Notice: &Notice{
			ID: n.is.Digest + "/" + s.spec.Name, Webhook: *s.spec.Webhook, Message: s.spec.Message,
		}})
		return a.Yes, "cannot deliver its message: " + a.Message
	}
	return false, fmt.Sprintf("has the type %q, which is not known", s.spec.Type)
}

// suspend until somebody approves, or until a time.
func (n *plan) suspend(s *step) (done bool, why string) {
	if a := n.approved(s.spec.Name, 1); a.Yes || s.spec.Duration == nil {
		return a.Yes, "waits: " + a.Message
	}
	if n.elapsed(&s.status.Started, s.spec.Duration.Duration) {
		return true, ""
	}
	return false, "waits until " + instant(s.status.Started.Add(s.spec.Duration.Duration))
}

// expireStep that takes too long. A notice that nobody set a time for is no reason to
// stop.
func (n *plan) expireStep(s *step) {
	limit := giveUp
	switch {
	case s.spec.Timeout != nil:
		limit = s.spec.Timeout.Duration
	case s.spec.Type != v1alpha1.StepNotify:
		return
	}
	if end := s.status.Started.Add(limit); n.now.Before(end) {
		n.wakeAt(end)
		return
	}
	if s.spec.Timeout == nil {
		s.status.Phase = v1alpha1.StepSkipped
		return
	}
	s.status.Phase = v1alpha1.StepFailed
	s.status.Message = strings.TrimSuffix(fmt.Sprintf("is not done after %s: %s", limit, s.status.Message), ": ")
	current := ""
	if i := slices.IndexFunc(s.waves, func(w *wave) bool { return w.status.Phase != v1alpha1.WaveOver }); i >= 0 {
		current = s.waves[i].name
	}
	n.fail(current, fmt.Sprintf("step %q %s", s.spec.Name, s.status.Message))
}

// due is true where a step has nothing to wait for, and should run. One whose condition
// is false is skipped; one that does not run because something failed before it waits
// for somebody to say that it is to be tried again.
func (n *plan) due(s *step) bool {
	if s.status.Phase == v1alpha1.StepRunning {
		return true
	}
	bad := n.is.Failed != nil
	for _, d := range s.spec.DependsOn {
		i := slices.IndexFunc(n.steps, func(o *step) bool { return o.spec.Name == d })
		if i < 0 || !n.steps[i].done() {
			return false
		}
		bad = bad || n.steps[i].status.Phase == v1alpha1.StepFailed
	}
	if s.spec.If == "" {
		return !bad
	}
	run, err := n.condition(s.spec.If)
	if err != nil {
		s.status.Phase, s.status.Message = v1alpha1.StepFailed, err.Error()
		n.fail("", fmt.Sprintf("step %q: %v", s.spec.Name, err))
		return false
	}
	if !run {
		s.status.Phase, s.status.Message = v1alpha1.StepSkipped, "its condition is false"
	}
	return run
}

// condition of a step, over how the others did.
func (n *plan) condition(source string) (bool, error) {
	p, err := CompileIf(source)
	if err != nil {
		return false, err
	}
	status := map[string]any{}
	for _, s := range n.steps {
		status[s.spec.Name] = map[string]any{
			"phase": string(s.status.Phase), "message": s.status.Message,
			"succeeded": s.status.Phase == v1alpha1.StepSucceeded,
			"failed":    s.status.Phase == v1alpha1.StepFailed,
			"skipped":   s.status.Phase == v1alpha1.StepSkipped,
		}
	}
	return p.True(map[string]any{"status": status})
}

func (s *step) has(name string) bool {
	return slices.ContainsFunc(s.waves, func(w *wave) bool { return w.name == name })
}

func (s *step) done() bool {
	p := s.status.Phase
	return p == v1alpha1.StepSucceeded || p == v1alpha1.StepFailed || p == v1alpha1.StepSkipped
}
