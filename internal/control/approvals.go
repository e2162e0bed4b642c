package control

import (
	"slices"
	"strings"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// An Approval is something that somebody may have to approve.
type Approval struct {
	// Gate as it is approved: <wave>/<gate>, or the name of a step.
	Gate string `json:"gate"`
	// Asked is true where it is waited for now.
	Asked bool `json:"asked"`
	// Needed is how many different people must.
	Needed int `json:"needed"`
	// Optional is true where it only ends a wait sooner.
	Optional bool `json:"optional,omitempty"`
	// By whom it was approved, for this revision.
	By []string `json:"by,omitempty"`
}

// Approvals that a revision needs and has not passed yet, in the order of the waves and steps.
func Approvals(ro *v1alpha1.Rollout) []Approval {
	at, spec := ro.Status.AtProvider, ro.Spec.ForProvider
	var out []Approval
	for _, s := range spec.Steps {
		if !s.Approval && s.Type != v1alpha1.StepSuspend {
			continue
		}
		phase := v1alpha1.StepPending
		for _, st := range at.Steps {
			if st.Name == s.Name {
				phase = st.Phase
			}
		}
		a := Approval{Gate: s.Name, Asked: phase == v1alpha1.StepRunning, Needed: 1, Optional: s.Duration != nil && !s.Approval, By: approvers(ro, s.Name)}
		if phase == v1alpha1.StepPending || phase == v1alpha1.StepRunning && len(a.By) == 0 {
			out = append(out, a)
		}
	}
	for _, w := range at.Waves {
		for _, g := range gatesOf(spec.Strategy, w.Name) {
			if g.Approval == nil || w.Phase == v1alpha1.WaveOver {
				continue
			}
			key := w.Name + "/" + g.Name
			i := slices.IndexFunc(w.Gates, func(s v1alpha1.GateStatus) bool { return s.Name == g.Name })
			if i >= 0 && w.Gates[i].Open {
				continue
			}
			out = append(out, Approval{Gate: key, Asked: i >= 0 && w.Gates[i].Since != nil, Needed: int(max(1, g.Approval.Count)), By: approvers(ro, key)})
		}
	}
	return out
}

// gatesOf a wave. With steps it is called <step>/<wave>.
func gatesOf(s v1alpha1.RolloutStrategy, wave string) []v1alpha1.Gate {
	if w := waveOf(s, wave); w != nil {
		return w.Gates
	}
	return nil
}

func waveOf(s v1alpha1.RolloutStrategy, wave string) *v1alpha1.Wave {
	name := wave[strings.LastIndex(wave, "/")+1:]
	for i := range s.Waves {
		if s.Waves[i].Name == name {
			return &s.Waves[i]
		}
	}
	return nil
}

// approvers of this revision, each once.
func approvers(ro *v1alpha1.Rollout, gate string) []string {
	if ro.Spec.ForProvider.Control == nil {
		return nil
	}
	var out []string
	for _, a := range ro.Spec.ForProvider.Control.Approvals {
		if a.Gate == gate && a.Digest == ro.Status.AtProvider.Digest && !slices.Contains(out, a.By) {
			out = append(out, a.By)
		}
	}
	return out
}
