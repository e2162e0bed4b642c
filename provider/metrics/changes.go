package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// Sections of the way of a change from its merge request to the merge.
const (
	SectionPlan     = "plan"
	SectionApproval = "approval"
	SectionQueue    = "queue"
	SectionApply    = "apply"
	SectionSoak     = "soak"
	SectionMerge    = "merge"
	SectionHalt     = "halt"
	SectionBack     = "back"
)

// Changes measures how merge requests become true.
type Changes struct {
	lead *prometheus.HistogramVec
	ends *prometheus.CounterVec
}

func newChanges() *Changes {
	return &Changes{
		lead: histogram("mainstay_change_lead_seconds", "Time that a change spent in a section of its way: plan, approval, queue, apply, soak, merge, halt or back.",
			[]float64{0.1, 0.5, 1, 5, 15, 30, 60, 300, 900, 3600, 4 * 3600, 24 * 3600, 7 * 24 * 3600}, "section"),
		ends: counter("mainstay_changes_total", "Changes that ended, by how: Completed, Untrue or Abandoned.", "outcome"),
	}
}

// Saw a Change whose status was written, and what it was before.
func (m *Changes) Saw(c *v1alpha1.Change, before v1alpha1.ChangeObservation) {
	at := c.Status.AtProvider
	if m == nil || at.Phase == before.Phase {
		return
	}
	for _, s := range Spent(before.Timeline, at.Timeline) {
		m.lead.WithLabelValues(s.Section).Observe(s.Seconds)
	}
	switch {
	case at.Phase == v1alpha1.ChangeCompleted && at.Merged != nil && at.Merged.Untrue != "":
		m.ends.WithLabelValues("Untrue").Inc()
	case at.Phase == v1alpha1.ChangeCompleted, at.Phase == v1alpha1.ChangeAbandoned:
		m.ends.WithLabelValues(string(at.Phase)).Inc()
	}
}

// A Span is how long a change spent in a section.
type Span struct {
	Section string
	Seconds float64
}

// Spent in the sections that ended between two timelines, of which the later one goes on from the earlier.
func Spent(before, after []v1alpha1.ChangeMoment) []Span {
	var out []Span
	for i := 1; i < len(after); i++ {
		from, to := after[i-1], after[i]
		if len(before) > 0 && !to.At.After(before[len(before)-1].At.Time) && contains(before, to) {
			continue
		}
		if s := section(from.Phase); s != "" {
			out = append(out, Span{s, max(0, to.At.Sub(from.At.Time).Seconds())})
		}
	}
	return out
}

func contains(all []v1alpha1.ChangeMoment, m v1alpha1.ChangeMoment) bool {
	for _, x := range all {
		if x.Phase == m.Phase && x.At.Equal(&m.At) {
			return true
		}
	}
	return false
}

// section of a phase. Empty where nothing is on its way.
func section(p v1alpha1.ChangePhase) string {
	switch p {
	case v1alpha1.ChangePending, v1alpha1.ChangeRefused:
		return SectionPlan
	case v1alpha1.ChangePlanned:
		return SectionApproval
	case v1alpha1.ChangeApproved, v1alpha1.ChangeQueued:
		return SectionQueue
	case v1alpha1.ChangeExecuting, v1alpha1.ChangeSuperseded:
		return SectionApply
	case v1alpha1.ChangeVerifying:
		return SectionSoak
	case v1alpha1.ChangeMerging:
		return SectionMerge
	case v1alpha1.ChangeHalted:
		return SectionHalt
	case v1alpha1.ChangeAbandoning:
		return SectionBack
	case v1alpha1.ChangeCompleted, v1alpha1.ChangeAbandoned:
	}
	return ""
}

func (m *Changes) collectors() []prometheus.Collector { return []prometheus.Collector{m.lead, m.ends} }
