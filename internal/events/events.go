// Package events says which events a Rollout's way deserves: few, and always the same.
//
// An event is a transition between two observations that were both written. Whoever
// records Between(before, after) once after each write therefore records each
// transition once, and one that is looked at again without a change records nothing.
// A crash between the write and the record loses an event: events tell people what
// happened, and nothing is decided by them.
//
// Deliberately absent: events for each cluster. A thousand clusters would make a
// thousand of them, and each Release has a status that says it better.
package events

import (
	"fmt"
	"strings"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// Reasons of the events of a Rollout. They are an interface: people alert on them.
const (
	// RevisionStarted: another revision is rolled out.
	RevisionStarted = "RevisionStarted"
	// PreflightBlocked: something was found for which the application would not start.
	PreflightBlocked = "PreflightBlocked"
	// WaveStarted: the first cluster of a wave is moved.
	WaveStarted = "WaveStarted"
	// GateOpened: a gate that was closed is open.
	GateOpened = "GateOpened"
	// WaveOver: all that the wave was to prove is proven.
	WaveOver = "WaveOver"
	// Halted: the revision failed, and nothing further is started.
	Halted = "Halted"
	// RollingBack: clusters go back to what they had.
	RollingBack = "RollingBack"
	// RolledBack: they are back.
	RolledBack = "RolledBack"
	// Aborted: somebody ended it.
	Aborted = "Aborted"
	// Completed: every cluster that can be reached has what is wanted, and is healthy.
	Completed = "Completed"
)

// Reasons returns all reasons, in the order in which they usually happen.
func Reasons() []string {
	return []string{RevisionStarted, PreflightBlocked, WaveStarted, GateOpened, WaveOver, Halted, RollingBack, RolledBack, Aborted, Completed}
}

// maxMessage is the most bytes that an event's message has.
const maxMessage = 500

// An Event is worth telling.
type Event struct {
	// Reason is one of the constants.
	Reason string
	// Warning is true where somebody should have a look.
	Warning bool
	// Message says what happened, in one line.
	Message string
}

// Between two observations of one Rollout, the earlier first, what happened. It is in the order
// in which it did.
func Between(before, after v1alpha1.RolloutObservation) []Event {
	var out []Event
	if after.Digest != "" && after.Digest != before.Digest {
		out = append(out, Event{Reason: RevisionStarted, Message: fmt.Sprintf("Revision %s begins on %s", short(after.Digest), clusters(after.Clusters.Total))})
	}
	if before.Digest != after.Digest {
		// What is known of the waves and of the phase is another revision's.
		before = v1alpha1.RolloutObservation{Digest: after.Digest}
	}
	out = append(out, preflight(before, after)...)
	for _, w := range after.Waves {
		out = append(out, wave(waveOf(before, w.Name), w)...)
	}
	return append(out, phase(before, after)...)
}

// preflight events: the first time that it blocks a revision.
func preflight(before, after v1alpha1.RolloutObservation) []Event {
	if blocking(after) == 0 || blocking(before) > 0 {
		return nil
	}
	what := ""
	for _, f := range after.Preflight.Findings {
		if f.Severity == v1alpha1.Blocking && f.Waived == "" {
			what = fmt.Sprintf(": %s %s", f.Cause, f.Message)
			break
		}
	}
	return []Event{{Reason: PreflightBlocked, Warning: true, Message: cut(fmt.Sprintf("Would not start on %s%s", clusters(blocking(after)), what))}}
}

func blocking(at v1alpha1.RolloutObservation) int32 {
	if at.Preflight == nil || at.Preflight.Digest != at.Digest {
		return 0
	}
	return at.Preflight.Blocking
}

// wave events.
func wave(before, after v1alpha1.WaveStatus) []Event {
	var out []Event
	if before.Started == nil && after.Started != nil {
		out = append(out, Event{Reason: WaveStarted, Message: fmt.Sprintf("Wave %s begins on %s", after.Name, clusters(after.Clusters.Total))})
	}
	for _, g := range after.Gates {
		if g.Open && closed(before, g.Name) {
			out = append(out, Event{Reason: GateOpened, Message: cut(joined(fmt.Sprintf("Gate %s of wave %s is open", g.Name, after.Name), g.Message))})
		}
	}
	if before.Phase != v1alpha1.WaveOver && after.Phase == v1alpha1.WaveOver && after.Clusters.Total > 0 {
		out = append(out, Event{Reason: WaveOver, Message: fmt.Sprintf("Wave %s is over: healthy on %d of %s", after.Name, after.Clusters.Ready, clusters(after.Clusters.Total))})
	}
	return out
}

// closed is true for a gate that was asked and was not open. One that opens at once
// is no news.
func closed(w v1alpha1.WaveStatus, gate string) bool {
	for _, g := range w.Gates {
		if g.Name == gate {
			return !g.Open
		}
	}
	return false
}

// phase events.
func phase(before, after v1alpha1.RolloutObservation) []Event {
	var out []Event
	if f := after.Failed; f != nil && f.Digest == after.Digest && (before.Failed == nil || before.Failed.Digest != f.Digest || !before.Failed.At.Equal(&f.At)) {
		where := ""
		if f.Wave != "" {
			where = " in wave " + f.Wave
		}
		out = append(out, Event{Reason: Halted, Warning: true, Message: cut(fmt.Sprintf("Failed%s: %s", where, f.Message))})
	}
	if before.Phase == after.Phase {
		return out
	}
	switch after.Phase {
	case v1alpha1.RolloutHalted:
		if len(out) == 0 {
			out = append(out, Event{Reason: Halted, Warning: true, Message: cut(after.Message)})
		}
	case v1alpha1.RolloutRollingBack:
		out = append(out, Event{Reason: RollingBack, Warning: true, Message: cut(joined("Clusters go back"+to(after), after.Message))})
	case v1alpha1.RolloutRolledBack:
		out = append(out, Event{Reason: RolledBack, Warning: true, Message: cut(joined("Clusters are back"+to(after), after.Message))})
	case v1alpha1.RolloutAborted:
		out = append(out, Event{Reason: Aborted, Warning: true, Message: cut(joined("Aborted", after.Message))})
	case v1alpha1.RolloutCompleted:
		out = append(out, Event{Reason: Completed, Message: cut(joined("Revision "+short(after.Digest)+" is reached", after.Message))})
	case v1alpha1.RolloutPreflight, v1alpha1.RolloutProgressing, v1alpha1.RolloutWaiting, v1alpha1.RolloutPaused, v1alpha1.RolloutBlocked:
	}
	return out
}

func to(at v1alpha1.RolloutObservation) string {
	if at.Reached == nil {
		return ""
	}
	return " to revision " + short(at.Reached.Digest)
}

func waveOf(at v1alpha1.RolloutObservation, name string) v1alpha1.WaveStatus {
	for _, w := range at.Waves {
		if w.Name == name {
			return w
		}
	}
	return v1alpha1.WaveStatus{}
}

func short(digest string) string { return digest[:min(len(digest), 12)] }

func clusters(n int32) string {
	if n == 1 {
		return "1 cluster"
	}
	return fmt.Sprintf("%d clusters", n)
}

func joined(said, more string) string {
	if more == "" {
		return said
	}
	return said + ": " + more
}

// cut a message that others had a part in.
func cut(s string) string {
	if len(s) <= maxMessage {
		return s
	}
	return strings.ToValidUTF8(s[:maxMessage-3], "") + "…"
}
