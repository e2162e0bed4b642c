package rollout

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/utils/ptr"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

const (
	// digestLength in hexadecimal digits.
	digestLength = 32
	// maxHistory is how many revisions are remembered besides the one reached last.
	maxHistory = 2
)

// Digest of the revision that a specification asks for: of its placement, its variants
// and its steps. Whatever says only how to get there does not count.
func Digest(p v1alpha1.RolloutParameters) string {
	raw, err := json.Marshal(struct {
		Placement v1alpha1.Placement     `json:"placement"`
		Variants  []v1alpha1.Variant     `json:"variants,omitempty"`
		Steps     []v1alpha1.RolloutStep `json:"steps,omitempty"`
	}{p.Placement, p.Variants, p.Steps})
	if err != nil {
		return "" // These types can always be written.
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])[:digestLength]
}

// control returns what people say.
func (n *plan) control() v1alpha1.RolloutControl {
	return ptr.Deref(n.spec.Control, v1alpha1.RolloutControl{})
}

// revise the status: begin another revision, or another try.
func (n *plan) revise() {
	digest, control := Digest(n.spec.RolloutParameters), n.control()
	// A status that was lost, or restored from an older one, must not keep the Releases
	// from ever being written again. Whoever is merely behind is refused the status.
	for _, r := range n.observed.Releases {
		n.is.Epoch = max(n.is.Epoch, r.Epoch)
	}
	n.is.Held = nil
	if n.withheld() {
		// It does not become the revision: what is on its way, or goes back, stays what it is.
		n.is.Held = n.observed.Hold
		return
	}
	if n.is.Digest != digest {
		n.is.Digest = digest
		n.is.Epoch++
		n.is.Began = n.is.Epoch
		n.is.Failed, n.is.Retried = nil, control.Retry
		n.is.Waves, n.is.Steps, n.is.Preflight = nil, nil, nil
		n.beginImages()
		return
	}
	if control.Retry <= n.is.Retried {
		return
	}
	n.is.Retried = control.Retry
	if n.is.Failed == nil {
		return
	}
	n.is.Failed = nil
	n.is.Epoch++
	n.askAgain()
	for i := range n.is.Waves {
		w := &n.is.Waves[i]
		if w.Phase == v1alpha1.WaveFailed {
			w.Phase = v1alpha1.WavePending
		}
		w.HealthySince, w.Gates = nil, nil
	}
	n.is.Steps = slices.DeleteFunc(n.is.Steps, func(s v1alpha1.StepStatus) bool {
		return s.Phase != v1alpha1.StepSucceeded
	})
}

// reached is true where this revision was, once.
func (n *plan) reached() bool {
	r := n.is.Reached
	return r != nil && r.Digest == n.is.Digest && r.Epoch >= n.is.Began
}

// forward is true where clusters are to get what the revision wants.
func (n *plan) forward() bool {
	return n.is.Failed == nil && !n.aborted() && n.flaw == "" && n.observed.Blocked == "" && !n.spec.Leaving
}

func (n *plan) aborted() bool {
	return n.is.Failed == nil && n.is.Digest != "" && n.control().Abort == n.is.Digest
}

// withheld is true where what is asked for may not begin. What is deleted goes, whoever asked
// for it.
func (n *plan) withheld() bool { return n.observed.Hold != nil && !n.spec.Leaving }

func (n *plan) paused() bool { return n.spec.Strategy.Paused || n.control().Paused }

// fail the revision, and decide what is done about it. Only the first failure counts.
func (n *plan) fail(wave, message string) {
	if n.is.Failed != nil {
		return
	}
	action := n.spec.Strategy.OnFailure
	if action == "" {
		action = v1alpha1.FailureHalt
	}
	n.record(wave, message, action, n.is.Reached)
}

// record that the revision failed, or was told to go back to another.
func (n *plan) record(wave, message string, action v1alpha1.FailureAction, to *v1alpha1.RolloutRevision) {
	f := &v1alpha1.RolloutFailure{Digest: n.is.Digest, Wave: wave, Message: message, At: *n.stamp(), Action: action}
	switch {
	case action == v1alpha1.FailureHalt:
	case to == nil || to.Digest == n.is.Digest:
		f.Action = v1alpha1.FailureHalt
		f.Message += "; there is no earlier revision to go back to"
	default:
		f.To = to.Digest
		// Whoever still goes forward must not write any more.
		n.is.Epoch++
	}
	n.is.Failed = f
	if i := slices.IndexFunc(n.is.Waves, func(w v1alpha1.WaveStatus) bool { return w.Name == wave }); i >= 0 {
		n.is.Waves[i].Phase, n.is.Waves[i].Message = v1alpha1.WaveFailed, message
	}
}

// judge whether the revision failed, or is told to go back.
func (n *plan) judge() {
	if n.observed.Blocked != "" || n.spec.Leaving || n.is.Digest == "" {
		return
	}
	if n.control().Rollback == n.is.Digest && (n.is.Failed == nil || n.is.Failed.To == "") {
		n.goBack()
		return
	}
	limit := n.spec.Strategy.FailureBudget
	if !n.forward() || limit == nil || n.reached() {
		return
	}
	var failed []*member
	for _, m := range n.members {
		// While it is held, what the revision wanted is not known but from what it wrote.
		ours := m.release != nil && m.release.Epoch == n.is.Epoch && (n.withheld() || m.release.Wanted == m.Payload)
		if m.failed() && ours {
			failed = append(failed, m)
		}
	}
	if b := resolve(limit, len(n.members), 0); len(failed) > b {
		last := slices.MaxFunc(failed, func(a, b *member) int { return n.position(a) - n.position(b) })
		n.fail(last.waveName(), fmt.Sprintf("%s failed, and the failure budget is %d: %s: %s", clusters(len(failed)), b, last.label(), last.release.problem()))
	}
}

// goBack because somebody says so. A revision that was reached goes back to the one
// before it.
func (n *plan) goBack() {
	to := n.is.Reached
	if to != nil && to.Digest == n.is.Digest {
		to = nil
		if i := slices.IndexFunc(n.is.History, func(r v1alpha1.RolloutRevision) bool { return r.Digest != n.is.Digest }); i >= 0 {
			to = &n.is.History[i]
		}
	}
	if n.is.Failed != nil && to == nil {
		return
	}
	n.record("", "somebody asked to go back", v1alpha1.FailureRollbackAll, to)
}

// target of a rollback, if there is one.
func (n *plan) target() *v1alpha1.RolloutRevision {
	if n.is.Failed == nil || n.is.Failed.To == "" {
		return nil
	}
	if r := n.is.Reached; r != nil && r.Digest == n.is.Failed.To {
		return r
	}
	for i := range n.is.History {
		if n.is.History[i].Digest == n.is.Failed.To {
			return &n.is.History[i]
		}
	}
	return nil
}

// remember that the revision is reached.
func (n *plan) remember() {
	var images []v1alpha1.ResolvedImage
	if n.is.Images != nil {
		images = slices.Clone(n.is.Images.Images)
	}
	if n.reached() {
		// Clusters that joined since may have brought some.
		n.is.Reached.Images = images
		return
	}
	if r := n.is.Reached; r != nil {
		history := append([]v1alpha1.RolloutRevision{*r}, n.is.History...)
		history = slices.DeleteFunc(history, func(r v1alpha1.RolloutRevision) bool { return r.Digest == n.is.Digest })
		n.is.History = history[:min(len(history), maxHistory)]
	}
	n.is.Reached = &v1alpha1.RolloutRevision{Digest: n.is.Digest, Variants: n.spec.Variants, Images: images, At: *n.stamp(), Epoch: n.is.Epoch}
}

// persistFirst is true where what is decided rests on something that is not persisted
// yet. Counts and messages do not matter.
func (n *plan) persistFirst() bool {
	return !equality.Semantic.DeepEqual(memory(n.observed.Status), memory(n.is))
}

// memory is the part of a status that decisions build on.
func memory(s v1alpha1.RolloutObservation) v1alpha1.RolloutObservation {
	out := v1alpha1.RolloutObservation{
		Digest: s.Digest, Epoch: s.Epoch, Began: s.Began, Failed: s.Failed, Retried: s.Retried, Reached: s.Reached, Images: s.Images,
	}
	for _, w := range s.Waves {
		out.Waves = append(out.Waves, v1alpha1.WaveStatus{Name: w.Name, Phase: over(w.Phase), Started: w.Started, HealthySince: w.HealthySince})
	}
	for _, st := range s.Steps {
		out.Steps = append(out.Steps, v1alpha1.StepStatus{Name: st.Name, Phase: st.Phase, Started: st.Started})
	}
	return out
}

// over or not is all that decisions build on of a wave's phase.
func over(p v1alpha1.WavePhase) v1alpha1.WavePhase {
	if p == v1alpha1.WaveOver || p == v1alpha1.WaveFailed {
		return p
	}
	return v1alpha1.WavePending
}
