package changes

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/control"
	ct "github.com/mainstay-dev/mainstay/internal/control/changes/changestest"
)

func TestSay(t *testing.T) {
	completed := func(c *v1alpha1.Change) { c.Status.AtProvider.Phase = v1alpha1.ChangeCompleted }
	back := func(closes bool) func(*v1alpha1.Change) {
		return func(c *v1alpha1.Change) {
			c.Status.AtProvider.Phase, c.Status.AtProvider.Back = v1alpha1.ChangeAbandoning, &v1alpha1.ChangeBack{Close: closes, By: "ann"}
		}
	}
	emergency := func(by string) func(*v1alpha1.Change) {
		return func(c *v1alpha1.Change) {
			c.Status.AtProvider.Emergency = []v1alpha1.ChangeWord{{Digest: ct.Digest, HeadSHA: ct.Head, By: by}}
		}
	}
	cases := map[string]struct {
		reason string
		change []func(*v1alpha1.Change)
		say    Saying
		said   string
		risk   string
		err    string
	}{
		"Halt":           {reason: "What executes can be halted.", say: Saying{Verb: v1alpha1.VerbHalt}, said: "Told to halt"},
		"HaltHalted":     {reason: "What halted cannot.", change: []func(*v1alpha1.Change){ct.Halted(v1alpha1.HaltFailed, "x")}, say: Saying{Verb: v1alpha1.VerbHalt}, err: "nothing to halt"},
		"Unplanned":      {reason: "Without a plan there is nothing to say it of.", change: []func(*v1alpha1.Change){func(c *v1alpha1.Change) { c.Status.AtProvider.Plan = nil }}, say: Saying{Verb: v1alpha1.VerbHalt}, err: "no plan yet"},
		"AnotherPlan":    {reason: "What is said of one plan is not said of the next.", say: Saying{Verb: v1alpha1.VerbHalt, Plan: ct.Other}, err: "the plan is 3f2a1b9c3f2a now, and not 91bc2d3e91bc"},
		"HardlyAPlan":    {reason: "A plan is named so that it cannot be mistaken.", say: Saying{Verb: v1alpha1.VerbHalt, Plan: "3f"}, err: "at least 6"},
		"Retry":          {reason: "What failed can be tried again.", change: []func(*v1alpha1.Change){ct.Halted(v1alpha1.HaltFailed, "x")}, say: Saying{Verb: v1alpha1.VerbRetry}, said: "try again"},
		"RetryGoing":     {reason: "What did not halt needs no word.", say: Saying{Verb: v1alpha1.VerbRetry}, err: "did not halt"},
		"ResumeFailed":   {reason: "What failed is not gone on from.", change: []func(*v1alpha1.Change){ct.Halted(v1alpha1.HaltFailed, "x")}, say: Saying{Verb: v1alpha1.VerbResume}, err: "say retry"},
		"ResumeDiverged": {reason: "No word makes two truths one.", change: []func(*v1alpha1.Change){ct.Halted(v1alpha1.HaltDiverged, "x")}, say: Saying{Verb: v1alpha1.VerbResume}, err: "rebase"},
		"ResumeDeviates": {reason: "What is accepted is said.", change: []func(*v1alpha1.Change){ct.Halted(v1alpha1.HaltDeviates, "3 more clusters")}, say: Saying{Verb: v1alpha1.VerbResume}, said: "go on", risk: "What it halted for is accepted: 3 more clusters."},
		"Rollback":       {reason: "What was written goes back.", say: Saying{Verb: v1alpha1.VerbRollback}, said: "stays open", risk: "2 claims go back to what was before, on up to 1001 clusters."},
		"RollbackEarly":  {reason: "Nothing was written.", change: []func(*v1alpha1.Change){ct.Planned}, say: Saying{Verb: v1alpha1.VerbRollback}, err: "nothing was written"},
		"Abandon":        {reason: "The merge request is closed.", say: Saying{Verb: v1alpha1.VerbAbandon}, said: "close the merge request then", risk: "2 claims go back to what was before, on up to 1001 clusters. Then the merge request is closed."},
		"AbandonEarly":   {reason: "Nothing goes back then.", change: []func(*v1alpha1.Change){ct.Planned}, say: Saying{Verb: v1alpha1.VerbAbandon}, said: "Nothing was written", risk: "The merge request is closed. Nothing was written for it."},
		"AbandonBack":    {reason: "What goes back can still be closed.", change: []func(*v1alpha1.Change){back(false)}, say: Saying{Verb: v1alpha1.VerbAbandon}, said: "once everything is back"},
		"RollbackBack":   {reason: "It goes back once.", change: []func(*v1alpha1.Change){back(true)}, say: Saying{Verb: v1alpha1.VerbRollback}, err: "goes back already"},
		"AbandonOver":    {reason: "What is merged is undone by a merge request.", change: []func(*v1alpha1.Change){completed}, say: Saying{Verb: v1alpha1.VerbAbandon}, err: "the change is over"},
		"Deletions":      {reason: "The token shows that the plan was read.", change: []func(*v1alpha1.Change){ct.Planned}, say: Saying{Verb: v1alpha1.VerbApproveDeletions, Token: ct.Token}, said: "may be taken away", risk: "What the plan takes away from 3 clusters is taken away for good."},
		"WrongToken":     {reason: "Another plan has another token.", change: []func(*v1alpha1.Change){ct.Planned}, say: Saying{Verb: v1alpha1.VerbApproveDeletions, Token: "x"}, err: "not that of this plan"},
		"NoDeletions":    {reason: "There is nothing to approve.", say: Saying{Verb: v1alpha1.VerbApproveDeletions, Token: ct.Token}, err: "takes nothing away"},
		"OwnDeletions":   {reason: "Nobody approves their own.", change: []func(*v1alpha1.Change){ct.Planned}, say: Saying{Verb: v1alpha1.VerbApproveDeletions, Token: ct.Token, By: "zoe"}, err: "the author cannot"},
		"Emergency":      {reason: "It takes two.", change: []func(*v1alpha1.Change){ct.Planned}, say: Saying{Verb: v1alpha1.VerbEmergency, Reason: "the shop is down"}, said: "Another person", risk: "Approvals, freezes and the queue are skipped. Checks, locks, gates and verification are not."},
		"EmergencyTwo":   {reason: "There they are.", change: []func(*v1alpha1.Change){ct.Planned, emergency("bob")}, say: Saying{Verb: v1alpha1.VerbEmergency, Reason: "the shop is down"}, said: "as bob did", risk: "Approvals, freezes and the queue are skipped. Checks, locks, gates and verification are not."},
		"EmergencyTwice": {reason: "One person is one.", change: []func(*v1alpha1.Change){ct.Planned, emergency("ann")}, say: Saying{Verb: v1alpha1.VerbEmergency, Reason: "the shop is down"}, err: "another person has to say it"},
		"NoReason":       {reason: "It is on the trail why.", change: []func(*v1alpha1.Change){ct.Planned}, say: Saying{Verb: v1alpha1.VerbEmergency, Reason: " "}, err: "takes a reason"},
		"Unknown":        {reason: "There is no such word.", say: Saying{Verb: "merge"}, err: `no command "merge"`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if tc.say.By == "" {
				tc.say.By = "ann"
			}
			tc.say.ID, tc.say.At = "id", metav1.NewTime(ct.Now)
			c := ct.Change(tc.change...)
			o, err := Say(c, tc.say)
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Fatalf("%s\nwant error %q, got %v", tc.reason, tc.err, err)
				}
				return
			}
			if err != nil {
				t.Fatalf("%s\n%v", tc.reason, err)
			}
			if !strings.Contains(o.Said, tc.said) || o.Risk != tc.risk {
				t.Errorf("%s\nwant %q at the risk %q, got %q at %q", tc.reason, tc.said, tc.risk, o.Said, o.Risk)
			}
			want := []v1alpha1.ChangeCommand{{
				ID: "id", Verb: tc.say.Verb, HeadSHA: ct.Head, Digest: ct.Digest, Token: tc.say.Token, Reason: tc.say.Reason, By: "ann", At: metav1.NewTime(ct.Now),
			}}
			if diff := cmp.Diff(want, o.Control.Commands); diff != "" {
				t.Errorf("%s\n-want, +got:\n%s", tc.reason, diff)
			}
			if c.Spec.ForProvider.Control != nil {
				t.Error("what was read must not be changed")
			}
		})
	}
}

// TestSayAgain: what waits to be heard is not said twice, and what was heard makes room.
func TestSayAgain(t *testing.T) {
	said := func(id string) v1alpha1.ChangeCommand {
		return v1alpha1.ChangeCommand{ID: id, Verb: v1alpha1.VerbHalt, HeadSHA: ct.Head, Digest: ct.Digest, By: "ann"}
	}
	o, err := Say(ct.Change(ct.Said(said("1"))), Saying{Verb: v1alpha1.VerbHalt, By: "ann"})
	if err != nil || o.Control != nil {
		t.Errorf("it waits to be heard: got %+v, %v", o, err)
	}
	var all []v1alpha1.ChangeCommand
	for i := range maxCommands {
		all = append(all, said(fmt.Sprint(i)))
	}
	full := ct.Change(ct.Said(all...))
	if _, err := Say(full, Saying{Verb: v1alpha1.VerbHalt, By: "bob"}); err == nil || !strings.Contains(err.Error(), "is the provider running") {
		t.Errorf("no more are taken than can be: got %v", err)
	}
	full.Status.AtProvider.Obeyed = []string{"3", "4"}
	o, err = Say(full, Saying{Verb: v1alpha1.VerbHalt, By: "bob", ID: "new"})
	if err != nil || len(o.Control.Commands) != maxCommands || o.Control.Commands[3].ID != "4" || o.Control.Commands[maxCommands-1].ID != "new" {
		t.Errorf("the oldest that was heard makes room: got %v, %v", o.Control, err)
	}
}

func TestSee(t *testing.T) {
	c := ct.Change(ct.Planned, ct.Said(v1alpha1.ChangeCommand{ID: "1"}, v1alpha1.ChangeCommand{ID: "2"}))
	c.Status.AtProvider.Obeyed = []string{"1"}
	c.Status.AtProvider.Next = append(c.Status.AtProvider.Next, "/emergency <reason>", "push what mends it")
	v := See(c, ct.Now)
	want := []string{
		"mainstay change approve-deletions claims-41 " + ct.Token + " -n ops", "mainstay change abandon claims-41 -n ops",
		`mainstay change emergency claims-41 --reason "<why>" -n ops`, "push what mends it",
	}
	if diff := cmp.Diff(want, v.Next); diff != "" {
		t.Errorf("what a comment says can be typed: -want, +got:\n%s", diff)
	}
	if len(v.Unheard) != 1 || v.Unheard[0].ID != "2" || v.PhaseAge != 1200 || v.Age != 3600 {
		t.Errorf("got %+v", v)
	}
}

func TestEnded(t *testing.T) {
	untrue := func(c *v1alpha1.Change) { c.Status.AtProvider.Merged = &v1alpha1.ChangeMerge{Untrue: "it differs"} }
	unheard := ct.Said(v1alpha1.ChangeCommand{ID: "1", Verb: v1alpha1.VerbAbandon})
	cases := map[string]struct {
		reason string
		phase  v1alpha1.ChangePhase
		but    func(*v1alpha1.Change)
		want   control.End
	}{
		"New":         {reason: "It has not been looked at."},
		"Executing":   {reason: "It is on its way.", phase: v1alpha1.ChangeExecuting},
		"Halted":      {reason: "Somebody is going to say how it goes on.", phase: v1alpha1.ChangeHalted},
		"Abandoning":  {reason: "It is not back yet.", phase: v1alpha1.ChangeAbandoning},
		"Superseded":  {reason: "It is planned anew.", phase: v1alpha1.ChangeSuperseded},
		"Completed":   {reason: "It is merged.", phase: v1alpha1.ChangeCompleted, want: control.Arrived},
		"Untrue":      {reason: "It is merged, and not true.", phase: v1alpha1.ChangeCompleted, but: untrue, want: control.Failed},
		"Abandoned":   {reason: "It is back, as somebody asked for.", phase: v1alpha1.ChangeAbandoned, want: control.Arrived},
		"AndMerged":   {reason: "It is back, and the base branch says otherwise.", phase: v1alpha1.ChangeAbandoned, but: untrue, want: control.Failed},
		"Refused":     {reason: "It takes a push.", phase: v1alpha1.ChangeRefused, want: control.Failed},
		"RefusedTold": {reason: "It is going to be abandoned.", phase: v1alpha1.ChangeRefused, but: unheard},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := ct.Change(func(c *v1alpha1.Change) { c.Status.AtProvider.Phase = tc.phase })
			if tc.but != nil {
				tc.but(c)
			}
			v := See(c, ct.Now)
			if got := v.Ended(); got != tc.want {
				t.Errorf("%s\nwant %d, got %d", tc.reason, tc.want, got)
			}
			if v.Halted() != (name == "Halted") {
				t.Errorf("%s\nhalted is %t", tc.reason, v.Halted())
			}
		})
	}
}

func TestQueue(t *testing.T) {
	key := v1alpha1.LockKey{Namespace: "shop", Claim: "ProductApplication/checkout"}
	ends := metav1.NewTime(ct.Now.Add(12 * time.Minute))
	got := Queue(v1alpha1.ChangeQueueSpec{Changes: []v1alpha1.QueuedChange{
		{UID: "a", Change: "ops/claims-41", Label: "!41", Ticket: 1, Wants: []v1alpha1.LockKey{key}, Has: []v1alpha1.LockKey{key}, Epoch: 7, Ends: &ends},
		{UID: "b", Change: "ops/claims-42", Label: "!42", Ticket: 2, Wants: []v1alpha1.LockKey{key}},
	}}, ct.Now)
	want := []Place{
		{Change: "ops/claims-41", Label: "!41", Ticket: 1, Epoch: 7, Has: []v1alpha1.LockKey{key}, Wants: []v1alpha1.LockKey{key}, Held: true, Left: 720},
		{Change: "ops/claims-42", Label: "!42", Ticket: 2, Wants: []v1alpha1.LockKey{key}, Position: 1, Behind: []string{"!41"}, Wait: 720},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
}
