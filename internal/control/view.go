package control

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/utils/ptr"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// A View is a Rollout as a person asks for it. It is what -o json prints, so its
// fields stay.
type View struct {
	Name        string                    `json:"name"`
	Application string                    `json:"application,omitempty"`
	Fleet       string                    `json:"fleet,omitempty"`
	Namespace   string                    `json:"namespace"`
	Phase       v1alpha1.RolloutPhase     `json:"phase"`
	Message     string                    `json:"message,omitempty"`
	Revision    string                    `json:"revision,omitempty"`
	Epoch       int64                     `json:"epoch,omitempty"`
	GoesBackTo  *Revision                 `json:"goesBackTo,omitempty"`
	Clusters    v1alpha1.RolloutCount     `json:"clusters"`
	Waves       []Wave                    `json:"waves,omitempty"`
	Steps       []v1alpha1.StepStatus     `json:"steps,omitempty"`
	Approvals   []Approval                `json:"approvals,omitempty"`
	Failed      *v1alpha1.RolloutFailure  `json:"failed,omitempty"`
	Preflight   *v1alpha1.PreflightStatus `json:"preflight,omitempty"`
	Images      []v1alpha1.ResolvedImage  `json:"images,omitempty"`
	Components  []v1alpha1.ComponentCount `json:"components,omitempty"`
	Problems    []v1alpha1.ReleaseProblem `json:"problems,omitempty"`
	// Behind is true where the status is of an older specification than there is.
	Behind bool `json:"behind,omitempty"`
	// Next is what can be typed now.
	Next []string `json:"next,omitempty"`
}

// A Revision that was reached.
type Revision struct {
	Digest string `json:"digest"`
	// ReachedAgo in seconds.
	ReachedAgo int64 `json:"reachedSecondsAgo"`
}

// A Wave and how far it is.
type Wave struct {
	Name     string                `json:"name"`
	Phase    v1alpha1.WavePhase    `json:"phase"`
	Message  string                `json:"message,omitempty"`
	Clusters v1alpha1.RolloutCount `json:"clusters"`
	// SoakLeft in seconds, while it soaks.
	SoakLeft int64  `json:"soakSecondsLeft,omitempty"`
	Gates    []Gate `json:"gates,omitempty"`
}

// A Gate that is asked.
type Gate struct {
	Name    string `json:"name"`
	Open    bool   `json:"open"`
	Message string `json:"message,omitempty"`
	// ClosedFor in seconds, where it is closed.
	ClosedFor int64 `json:"closedForSeconds,omitempty"`
}

// See a Rollout.
func See(ro *v1alpha1.Rollout, now time.Time) View {
	at := ro.Status.AtProvider
	v := View{
		Name:        ro.GetName(),
		Application: ro.Spec.ForProvider.Application,
		Fleet:       ro.Spec.ForProvider.Fleet,
		Namespace:   ro.GetNamespace(),
		Phase:       at.Phase,
		Message:     at.Message,
		Revision:    at.Digest,
		Epoch:       at.Epoch,
		Clusters:    at.Clusters,
		Steps:       at.Steps,
		Approvals:   Approvals(ro),
		Components:  at.Components,
		Problems:    at.Problems,
		Images:      imagesOf(at),
		Behind:      behind(ro),
	}
	if r := goesBackTo(at); r != nil {
		v.GoesBackTo = &Revision{Digest: r.Digest, ReachedAgo: seconds(now.Sub(r.At.Time))}
	}
	if at.Failed != nil && at.Failed.Digest == at.Digest {
		v.Failed = at.Failed
	}
	if at.Preflight != nil && at.Preflight.Digest == at.Digest {
		v.Preflight = at.Preflight
	}
	for _, w := range at.Waves {
		v.Waves = append(v.Waves, seeWave(ro.Spec.ForProvider.Strategy, w, now))
	}
	v.Next = next(v, ro)
	return v
}

// imagesOf the revision, or of the one that clusters go back to: what tags were resolved
// to, those first that stay as they are written.
func imagesOf(at v1alpha1.RolloutObservation) []v1alpha1.ResolvedImage {
	var out []v1alpha1.ResolvedImage
	if at.Images != nil {
		out = slices.Clone(at.Images.Images)
	}
	if at.Failed != nil && at.Failed.To != "" {
		for _, r := range append(slices.Clone(at.History), ptr.Deref(at.Reached, v1alpha1.RolloutRevision{})) {
			if r.Digest == at.Failed.To {
				out = slices.Clone(r.Images)
			}
		}
	}
	slices.SortFunc(out, func(a, b v1alpha1.ResolvedImage) int {
		if (a.Digest == "") != (b.Digest == "") {
			return strings.Compare(a.Digest, b.Digest)
		}
		return strings.Compare(a.Image, b.Image)
	})
	return out
}

// ImageText says in a few words what an image is.
func ImageText(i v1alpha1.ResolvedImage) string {
	if i.Digest == "" {
		return "stays as written: " + i.Message
	}
	return "is " + i.Digest[:min(len(i.Digest), shortDigest)]
}

// shortDigest of an image: enough to find it by.
const shortDigest = len("sha256:") + 12

// behind is true where the provider has not looked at what is wanted now.
func behind(ro *v1alpha1.Rollout) bool {
	for _, c := range ro.Status.Conditions {
		if c.ObservedGeneration >= ro.GetGeneration() {
			return false
		}
	}
	return true
}

func seeWave(s v1alpha1.RolloutStrategy, w v1alpha1.WaveStatus, now time.Time) Wave {
	out := Wave{Name: w.Name, Phase: w.Phase, Message: w.Message, Clusters: w.Clusters}
	if spec := waveOf(s, w.Name); w.Phase == v1alpha1.WaveSoaking && spec != nil && spec.Soak != nil && w.HealthySince != nil {
		out.SoakLeft = seconds(w.HealthySince.Add(spec.Soak.Duration).Sub(now))
	}
	for _, g := range w.Gates {
		gate := Gate{Name: g.Name, Open: g.Open, Message: g.Message}
		if !g.Open && g.Since != nil {
			gate.ClosedFor = seconds(now.Sub(g.Since.Time))
		}
		out.Gates = append(out.Gates, gate)
	}
	return out
}

func seconds(d time.Duration) int64 { return int64(max(0, d.Round(time.Second)).Seconds()) }

// next is what can be typed now, the likeliest first.
func next(v View, ro *v1alpha1.Rollout) []string {
	say := func(words string) string { return Command(words, v.Namespace) }
	var out []string
	for _, a := range v.Approvals {
		if a.Asked && !a.Optional {
			out = append(out, say(fmt.Sprintf("rollout approve %s %s", v.Name, a.Gate)))
		}
	}
	switch v.Phase {
	case v1alpha1.RolloutHalted:
		out = append(out, say("explain "+v.claim()), say("rollout retry "+v.Name))
		if v.GoesBackTo != nil {
			out = append(out, say("rollout rollback "+v.Name))
		}
	case v1alpha1.RolloutRolledBack:
		out = append(out, say("explain "+v.claim()), say("rollout retry "+v.Name))
	case v1alpha1.RolloutAborted:
		out = append(out, say("rollout resume "+v.Name))
		if v.GoesBackTo != nil {
			out = append(out, say("rollout rollback "+v.Name))
		}
	case v1alpha1.RolloutPaused:
		if c := ro.Spec.ForProvider.Control; c != nil && c.Paused {
			out = append(out, say("rollout resume "+v.Name))
		}
	case v1alpha1.RolloutBlocked:
		out = append(out, say("explain "+v.claim()))
	case v1alpha1.RolloutPreflight, v1alpha1.RolloutProgressing, v1alpha1.RolloutWaiting, v1alpha1.RolloutRollingBack, v1alpha1.RolloutCompleted:
		if len(v.Problems) > 0 || v.Preflight != nil && v.Preflight.Blocking > 0 {
			out = append(out, say("explain "+v.claim()))
		}
	}
	return out
}

// claim that the Rollout is of.
func (v View) claim() string {
	if v.Fleet != "" {
		return "fleet/" + v.Fleet
	}
	return "app/" + v.Application
}

// Command to type.
func Command(words, namespace string) string {
	return "mainstay " + words + " -n " + namespace
}

// An End of a Rollout.
type End int

// Ends.
const (
	// Going: it is not at its end, or may go on without anybody.
	Going End = iota
	// Arrived: all is as wanted.
	Arrived
	// Failed: it will not get there unless somebody does something.
	Failed
)

// Ended says whether, and how, a Rollout has ended.
func (v View) Ended() End {
	if v.Behind {
		return Going
	}
	switch v.Phase {
	case v1alpha1.RolloutCompleted:
		return Arrived
	case v1alpha1.RolloutHalted, v1alpha1.RolloutRolledBack, v1alpha1.RolloutAborted:
		return Failed
	case v1alpha1.RolloutPreflight, v1alpha1.RolloutProgressing, v1alpha1.RolloutWaiting, v1alpha1.RolloutPaused, v1alpha1.RolloutBlocked, v1alpha1.RolloutRollingBack:
	}
	return Going
}

// Ago in the largest two units that say something.
func Ago(s int64) string {
	d := time.Duration(s) * time.Second
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", s)
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", s/3600, s%3600/60)
	}
	return fmt.Sprintf("%d days", s/86400)
}
