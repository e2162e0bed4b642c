package metrics

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

func TestSpent(t *testing.T) {
	at := func(p v1alpha1.ChangePhase, second int) v1alpha1.ChangeMoment {
		return v1alpha1.ChangeMoment{Phase: p, At: metav1.NewTime(time.Date(2026, 3, 2, 9, 0, second, 0, time.UTC))}
	}
	first := []v1alpha1.ChangeMoment{at(v1alpha1.ChangePending, 0), at(v1alpha1.ChangePlanned, 3)}
	cases := map[string]struct {
		reason        string
		before, after []v1alpha1.ChangeMoment
		want          []Span
	}{
		"First":  {reason: "What came before the first phase is nobody's.", after: first[:1]},
		"Begins": {reason: "The section that ended is counted.", after: first, want: []Span{{SectionPlan, 3}}},
		"Once":   {reason: "A section is counted once.", before: first, after: append(first[:2:2], at(v1alpha1.ChangeApproved, 10)), want: []Span{{SectionApproval, 7}}},
		"Several": {
			reason: "Several phases may pass in one decision.", before: first,
			after: append(first[:2:2], at(v1alpha1.ChangeApproved, 10), at(v1alpha1.ChangeExecuting, 10), at(v1alpha1.ChangeHalted, 15)),
			want:  []Span{{SectionApproval, 7}, {SectionQueue, 0}, {SectionApply, 5}},
		},
		"Shifted": {reason: "Old moments leave the timeline.", before: first, after: []v1alpha1.ChangeMoment{at(v1alpha1.ChangePlanned, 3), at(v1alpha1.ChangeApproved, 9)}, want: []Span{{SectionApproval, 6}}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, Spent(tc.before, tc.after)); diff != "" {
				t.Errorf("\n%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
