package events

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

const (
	one = "1111111111112222"
	two = "2222222222223333"
)

var at = metav1.NewTime(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))

func observed(digest string, phase v1alpha1.RolloutPhase, change ...func(*v1alpha1.RolloutObservation)) v1alpha1.RolloutObservation {
	o := v1alpha1.RolloutObservation{Digest: digest, Phase: phase, Clusters: v1alpha1.RolloutCount{Total: 3}}
	for _, c := range change {
		c(&o)
	}
	return o
}

func canary(phase v1alpha1.WavePhase, gates ...v1alpha1.GateStatus) func(*v1alpha1.RolloutObservation) {
	return func(o *v1alpha1.RolloutObservation) {
		w := v1alpha1.WaveStatus{Name: "canary", Phase: phase, Clusters: v1alpha1.RolloutCount{Total: 1, Ready: 1}, Gates: gates}
		if phase != v1alpha1.WavePending {
			w.Started = &at
		}
		o.Waves = append(o.Waves, w)
	}
}

func failed(digest string) func(*v1alpha1.RolloutObservation) {
	return func(o *v1alpha1.RolloutObservation) {
		o.Failed = &v1alpha1.RolloutFailure{Digest: digest, Wave: "canary", Message: "1 cluster failed, 0 may", At: at, Action: v1alpha1.FailureHalt}
	}
}

func blocks(digest string) func(*v1alpha1.RolloutObservation) {
	return func(o *v1alpha1.RolloutObservation) {
		o.Preflight = &v1alpha1.PreflightStatus{Digest: digest, Checked: 3, Blocking: 3, Findings: []v1alpha1.Finding{
			{Cause: "B2", Severity: v1alpha1.Blocking, Message: "no node is big enough", Waived: "until tomorrow"},
			{Cause: "C1", Severity: v1alpha1.Blocking, Message: "ConfigMap settings is missing"},
		}}
	}
}

func TestBetween(t *testing.T) {
	shut, open := v1alpha1.GateStatus{Name: "errors"}, v1alpha1.GateStatus{Name: "errors", Open: true, Message: "0.1 is below 1"}
	cases := map[string]struct {
		reason        string
		before, after v1alpha1.RolloutObservation
		want          []string
	}{
		"Nothing": {
			reason: "What is looked at again without a change is no news.",
			before: observed(one, v1alpha1.RolloutHalted, canary(v1alpha1.WaveFailed, shut), failed(one), blocks(one)),
			after:  observed(one, v1alpha1.RolloutHalted, canary(v1alpha1.WaveFailed, shut), failed(one), blocks(one)),
		},
		"Revision": {
			reason: "A revision begins, and its first wave with it.",
			after:  observed(one, v1alpha1.RolloutProgressing, canary(v1alpha1.WaveMoving)),
			want:   []string{"RevisionStarted: Revision 111111111111 begins on 3 clusters", "WaveStarted: Wave canary begins on 1 cluster"},
		},
		"NextRevision": {
			reason: "Waves of one revision are not those of the next, although they have one name.",
			before: observed(one, v1alpha1.RolloutCompleted, canary(v1alpha1.WaveOver)),
			after:  observed(two, v1alpha1.RolloutCompleted, canary(v1alpha1.WaveOver)),
			want: []string{
				"RevisionStarted: Revision 222222222222 begins on 3 clusters", "WaveStarted: Wave canary begins on 1 cluster",
				"WaveOver: Wave canary is over: healthy on 1 of 1 cluster", "Completed: Revision 222222222222 is reached",
			},
		},
		"Preflight": {
			reason: "What blocks is named, and what is waived is not.",
			before: observed(one, v1alpha1.RolloutPreflight),
			after:  observed(one, v1alpha1.RolloutPreflight, blocks(one)),
			want:   []string{"!PreflightBlocked: Would not start on 3 clusters: C1 ConfigMap settings is missing"},
		},
		"FormerPreflight": {
			reason: "What was found for another revision says nothing about this one.",
			before: observed(one, v1alpha1.RolloutPreflight),
			after:  observed(one, v1alpha1.RolloutPreflight, blocks(two)),
		},
		"Gate": {
			reason: "A gate that was closed opens, and the wave is over.",
			before: observed(one, v1alpha1.RolloutWaiting, canary(v1alpha1.WaveGated, shut)),
			after:  observed(one, v1alpha1.RolloutProgressing, canary(v1alpha1.WaveOver, open)),
			want:   []string{"GateOpened: Gate errors of wave canary is open: 0.1 is below 1", "WaveOver: Wave canary is over: healthy on 1 of 1 cluster"},
		},
		"OpenAtOnce": {
			reason: "A gate that was never closed is no news.",
			before: observed(one, v1alpha1.RolloutProgressing, canary(v1alpha1.WaveSoaking)),
			after:  observed(one, v1alpha1.RolloutProgressing, canary(v1alpha1.WaveGated, open)),
		},
		"Failed": {
			reason: "A failure is told once, whichever way it shows.",
			before: observed(one, v1alpha1.RolloutProgressing),
			after:  observed(one, v1alpha1.RolloutHalted, failed(one)),
			want:   []string{"!Halted: Failed in wave canary: 1 cluster failed, 0 may"},
		},
		"RollingBack": {
			reason: "A failure that has clusters go back is two things.",
			before: observed(one, v1alpha1.RolloutProgressing),
			after: observed(one, v1alpha1.RolloutRollingBack, failed(one), func(o *v1alpha1.RolloutObservation) {
				o.Reached = &v1alpha1.RolloutRevision{Digest: two}
			}),
			want: []string{"!Halted: Failed in wave canary: 1 cluster failed, 0 may", "!RollingBack: Clusters go back to revision 222222222222"},
		},
		"RolledBack": {
			reason: "They are back.",
			before: observed(one, v1alpha1.RolloutRollingBack, failed(one)),
			after:  observed(one, v1alpha1.RolloutRolledBack, failed(one)),
			want:   []string{"!RolledBack: Clusters are back"},
		},
		"Retried": {
			reason: "What is retried and fails again has failed twice, also where nobody saw it go on.",
			before: observed(one, v1alpha1.RolloutHalted, failed(one), func(o *v1alpha1.RolloutObservation) {
				o.Failed.At = metav1.NewTime(at.Add(-time.Hour))
			}),
			after: observed(one, v1alpha1.RolloutHalted, failed(one)),
			want:  []string{"!Halted: Failed in wave canary: 1 cluster failed, 0 may"},
		},
		"Aborted": {
			reason: "Somebody ended it.",
			before: observed(one, v1alpha1.RolloutProgressing),
			after:  observed(one, v1alpha1.RolloutAborted),
			want:   []string{"!Aborted: Aborted"},
		},
		"Back and forth": {
			reason: "To wait and to go on happens all the time.",
			before: observed(one, v1alpha1.RolloutWaiting),
			after:  observed(one, v1alpha1.RolloutProgressing),
		},
		"Long": {
			reason: "A message that others had a part in is cut.",
			before: observed(one, v1alpha1.RolloutProgressing),
			after: observed(one, v1alpha1.RolloutAborted, func(o *v1alpha1.RolloutObservation) {
				o.Message = strings.Repeat("x", 1000)
			}),
			want: []string{"!Aborted: Aborted: " + strings.Repeat("x", maxMessage-3-len("Aborted: ")) + "…"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, e := range Between(tc.before, tc.after) {
				s := e.Reason + ": " + e.Message
				if e.Warning {
					s = "!" + s
				}
				got = append(got, s)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\nBetween(...): -want, +got:\n%s", tc.reason, diff)
			}
			if again := Between(tc.after, tc.after); len(again) > 0 {
				t.Errorf("\nA transition is told once.\nBetween(after, after): %v", again)
			}
		})
	}
}
