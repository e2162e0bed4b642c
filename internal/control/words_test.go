package control

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/control/controltest"
)

func TestSay(t *testing.T) {
	type want struct {
		control *v1alpha1.RolloutControl
		said    string
		risk    string
		err     string
	}
	ann := v1alpha1.Approval{Gate: "europe/go", Digest: controltest.Present, By: "ann"}
	cases := map[string]struct {
		reason  string
		rollout *v1alpha1.Rollout
		saying  Saying
		want    want
	}{
		"Pause": {
			reason:  "A pause is about whatever is rolled out.",
			rollout: controltest.Rollout(),
			saying:  Saying{Word: Pause},
			want:    want{control: &v1alpha1.RolloutControl{Paused: true}, said: "Paused. Clusters in motion finish, and no other is started."},
		},
		"PauseEarly": {
			reason:  "It may be said before there is a revision.",
			rollout: &v1alpha1.Rollout{},
			saying:  Saying{Word: Pause},
			want:    want{control: &v1alpha1.RolloutControl{Paused: true}, said: "Paused. Clusters in motion finish, and no other is started."},
		},
		"NoRevision": {
			reason:  "Everything else is about a revision.",
			rollout: &v1alpha1.Rollout{},
			saying:  Saying{Word: Abort},
			want:    want{err: "it has no revision yet that this could be said about: wait until its status shows one"},
		},
		"AnotherRevision": {
			reason:  "What was meant for one revision is not said to another.",
			rollout: controltest.Rollout(),
			saying:  Saying{Word: Abort, Revision: controltest.Earlier},
			want:    want{err: "the revision is 3f2a1b9c8d7e now, and not 91bc2d3e4f5a: look at its status again before you say this"},
		},
		"VagueRevision": {
			reason:  "A letter is no revision.",
			rollout: controltest.Rollout(),
			saying:  Saying{Word: Abort, Revision: "3"},
			want:    want{err: "--revision takes at least 6 characters of the revision"},
		},
		"Resume": {
			reason:  "A pause and an abort are taken back together.",
			rollout: controltest.Rollout(controltest.Control(v1alpha1.RolloutControl{Paused: true, Abort: controltest.Present})),
			saying:  Saying{Word: Resume},
			want:    want{control: &v1alpha1.RolloutControl{}, said: "It goes on."},
		},
		"ResumeStrategy": {
			reason:  "A pause that stands in the application is not the command's to take back.",
			rollout: controltest.Rollout(func(ro *v1alpha1.Rollout) { ro.Spec.ForProvider.Strategy.Paused = true }),
			saying:  Saying{Word: Resume},
			want:    want{err: "it is its strategy that pauses it: take paused out of the application's rollout policy"},
		},
		"ResumeRunning": {
			reason:  "To say what is so already writes nothing.",
			rollout: controltest.Rollout(),
			saying:  Saying{Word: Resume},
			want:    want{said: "It is not paused."},
		},
		"Abort": {
			reason:  "An abort names the revision, and says what it leaves.",
			rollout: controltest.Rollout(),
			saying:  Saying{Word: Abort},
			want: want{
				control: &v1alpha1.RolloutControl{Abort: controltest.Present},
				said:    "Aborted. Clusters in motion finish, and no other is started. Resume takes it back, and rollback goes back.",
				risk:    "Ends revision 3f2a1b9c8d7e with 44 clusters that have it and 956 that do not.",
			},
		},
		"AbortComplete": {
			reason:  "What is over cannot be ended.",
			rollout: controltest.Rollout(controltest.Phase(v1alpha1.RolloutCompleted, "")),
			saying:  Saying{Word: Abort},
			want:    want{err: "it is complete, so there is nothing to abort: rollback goes back to what was there before"},
		},
		"Rollback": {
			reason:  "A rollback goes to what was reached last.",
			rollout: controltest.Rollout(),
			saying:  Saying{Word: Rollback, Revision: "3f2a1b"},
			want: want{
				control: &v1alpha1.RolloutControl{Rollback: controltest.Present},
				said:    "Clusters go back to revision 91bc2d3e4f5a. The claim still asks for 3f2a1b9c8d7e: change it too, or retry brings it back.",
				risk:    "Takes 44 clusters from revision 3f2a1b9c8d7e back to 91bc2d3e4f5a, which was reached on 2026-02-28 10:00 UTC.",
			},
		},
		"RollbackReached": {
			reason: "From a revision that was reached it goes to the one before.",
			rollout: controltest.Rollout(func(ro *v1alpha1.Rollout) {
				ro.Status.AtProvider.Reached.Digest = controltest.Present
				ro.Status.AtProvider.History = []v1alpha1.RolloutRevision{{Digest: controltest.Oldest, At: controltest.Before(0)}}
			}),
			saying: Saying{Word: Rollback},
			want: want{
				control: &v1alpha1.RolloutControl{Rollback: controltest.Present},
				said:    "Clusters go back to revision 0042aabbccdd. The claim still asks for 3f2a1b9c8d7e: change it too, or retry brings it back.",
				risk:    "Takes 44 clusters from revision 3f2a1b9c8d7e back to 0042aabbccdd, which was reached on 2026-03-01 12:00 UTC.",
			},
		},
		"RollbackToNothing": {
			reason:  "The first revision has nothing to go back to.",
			rollout: controltest.Rollout(func(ro *v1alpha1.Rollout) { ro.Status.AtProvider.Reached = nil }),
			saying:  Saying{Word: Rollback},
			want:    want{err: "no revision was reached before this one, so there is none to go back to: apply the application as it should be, or remove it"},
		},
		"Retry": {
			reason:  "A retry takes back a rollback that is in its way, and is higher than any before.",
			rollout: controltest.Rollout(controltest.Halted, controltest.Control(v1alpha1.RolloutControl{Retry: 2, Rollback: controltest.Present}), func(ro *v1alpha1.Rollout) { ro.Status.AtProvider.Retried = 4 }),
			saying:  Saying{Word: Retry},
			want:    want{control: &v1alpha1.RolloutControl{Retry: 5}, said: "Revision 3f2a1b9c8d7e is tried again, where it has failed."},
		},
		"RetryTwice": {
			reason:  "A retry that was not acted on yet is not raised again.",
			rollout: controltest.Rollout(controltest.Halted, controltest.Control(v1alpha1.RolloutControl{Retry: 1})),
			saying:  Saying{Word: Retry},
			want:    want{said: "It is asked to try again already."},
		},
		"RetryNothing": {
			reason:  "There must be something that failed.",
			rollout: controltest.Rollout(),
			saying:  Saying{Word: Retry},
			want:    want{err: "nothing of this revision has failed, so there is nothing to retry"},
		},
		"Approve": {
			reason:  "An approval names gate, revision and person; those of other revisions are cleared away.",
			rollout: controltest.Rollout(controltest.Control(v1alpha1.RolloutControl{Approvals: []v1alpha1.Approval{{Gate: "europe/go", Digest: controltest.Earlier, By: "ann"}}})),
			saying:  Saying{Word: Approve, By: "ann", Gates: []string{"europe/go"}},
			want: want{
				control: &v1alpha1.RolloutControl{Approvals: []v1alpha1.Approval{ann}},
				said:    "ann approves europe/go of revision 3f2a1b9c8d7e. It needs 1 more.",
			},
		},
		"ApproveTwice": {
			reason:  "One person is one voice.",
			rollout: controltest.Rollout(controltest.Control(v1alpha1.RolloutControl{Approvals: []v1alpha1.Approval{ann}})),
			saying:  Saying{Word: Approve, By: "ann", Gates: []string{"go"}},
			want:    want{said: "ann has approved europe/go already."},
		},
		"ApproveSecond": {
			reason:  "Another person is another, and a gate may be approved before its turn.",
			rollout: controltest.Rollout(controltest.Control(v1alpha1.RolloutControl{Approvals: []v1alpha1.Approval{ann}})),
			saying:  Saying{Word: Approve, By: "bob", Gates: []string{"go", "final"}},
			want: want{
				control: &v1alpha1.RolloutControl{Approvals: []v1alpha1.Approval{ann, {Gate: "europe/go", Digest: controltest.Present, By: "bob"}, {Gate: "rest/final", Digest: controltest.Present, By: "bob"}}},
				said:    "bob approves europe/go of revision 3f2a1b9c8d7e.\nbob approves rest/final of revision 3f2a1b9c8d7e. It is passed when its turn comes.",
			},
		},
		"ApproveUnknown": {
			reason:  "What there is to approve is named.",
			rollout: controltest.Rollout(),
			saying:  Saying{Word: Approve, By: "ann", Gates: []string{"errors"}},
			want:    want{err: `nothing is called "errors" that could be approved: there is europe/go, rest/final`},
		},
		"ApproveNobody": {
			reason:  "Somebody must approve.",
			rollout: controltest.Rollout(),
			saying:  Saying{Word: Approve, Gates: []string{"go"}},
			want:    want{err: "it is not known who approves"},
		},
		"AllowDeletions": {
			reason:  "Deletions are allowed to one revision.",
			rollout: controltest.Rollout(controltest.Phase(v1alpha1.RolloutWaiting, "waits for leave to remove it from 500 clusters")),
			saying:  Saying{Word: AllowDeletions},
			want: want{
				control: &v1alpha1.RolloutControl{AllowDeletions: controltest.Present},
				said:    "Revision 3f2a1b9c8d7e may take the application away from more clusters than strategy.maxDeletions.",
				risk:    "Takes the application away from every cluster that revision 3f2a1b9c8d7e leaves out, with what it stores there. It says: waits for leave to remove it from 500 clusters",
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			unchanged := tc.rollout.DeepCopy()
			o, err := Say(tc.rollout, tc.saying)
			got := want{control: o.Control, said: o.Said, risk: o.Risk}
			if err != nil {
				got.err = err.Error()
			}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(want{})); diff != "" {
				t.Errorf("\n%s\nSay(...): -want, +got:\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(unchanged, tc.rollout); diff != "" {
				t.Errorf("\nWhat is looked at is not changed.\nSay(...): -before, +after:\n%s", diff)
			}
		})
	}
}

func TestApprovals(t *testing.T) {
	ro := controltest.Rollout(func(ro *v1alpha1.Rollout) {
		ro.Spec.ForProvider.Steps = []v1alpha1.RolloutStep{
			{Name: "first", Type: v1alpha1.StepDeploy},
			{Name: "look", Type: v1alpha1.StepSuspend},
			{Name: "sleep", Type: v1alpha1.StepSuspend, Duration: ro.Spec.ForProvider.Strategy.Waves[1].Soak},
			{Name: "second", Type: v1alpha1.StepDeploy, Approval: true},
		}
		ro.Status.AtProvider.Steps = []v1alpha1.StepStatus{{Name: "first", Phase: v1alpha1.StepSucceeded}, {Name: "look", Phase: v1alpha1.StepRunning}}
		for i := range ro.Status.AtProvider.Waves {
			ro.Status.AtProvider.Waves[i].Name = "first/" + ro.Status.AtProvider.Waves[i].Name
		}
		ro.Status.AtProvider.Waves[1].Gates[0].Open = true
	})
	want := []Approval{{Gate: "look", Asked: true, Needed: 1}, {Gate: "sleep", Needed: 1, Optional: true}, {Gate: "second", Needed: 1}, {Gate: "first/rest/final", Needed: 1}}
	if diff := cmp.Diff(want, Approvals(ro)); diff != "" {
		t.Errorf("Steps and gates that are not passed need an approval.\nApprovals(...): -want, +got:\n%s", diff)
	}
}
