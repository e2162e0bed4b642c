package change

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

var commandIn = regexp.MustCompile("`(/[a-z-]+)[^`]*`")

// TestAdvice: what is advised fits how far a change is, and what it names can be said.
func TestAdvice(t *testing.T) {
	wrote := []v1alpha1.ChangeClaim{{Began: true}}
	plan := &v1alpha1.ChangePlan{Digest: "d", HeadSHA: "h"}
	deletes := &v1alpha1.ChangePlan{Digest: "d", HeadSHA: "h", Token: "0123", Irreversible: "a volume goes"}
	cases := map[string]struct {
		reason string
		status v1alpha1.ChangeObservation
		want   string
	}{
		"Pending":       {reason: "It is being planned.", status: v1alpha1.ChangeObservation{Phase: v1alpha1.ChangePending}},
		"Refused":       {reason: "It takes a push.", status: v1alpha1.ChangeObservation{Phase: v1alpha1.ChangeRefused}, want: "push"},
		"Unapproved":    {reason: "Somebody has to approve.", status: v1alpha1.ChangeObservation{Phase: v1alpha1.ChangePlanned, Plan: plan, Missing: "0 of 1 approvals"}, want: "approve the merge request"},
		"Irreversible":  {reason: "Two have to.", status: v1alpha1.ChangeObservation{Phase: v1alpha1.ChangePlanned, Plan: deletes, Missing: "0 of 2 approvals"}, want: "Two people"},
		"Deletions":     {reason: "It takes a word.", status: v1alpha1.ChangeObservation{Phase: v1alpha1.ChangePlanned, Plan: deletes}, want: "/approve-deletions 0123"},
		"DeletionsSaid": {reason: "The word was given.", status: v1alpha1.ChangeObservation{Phase: v1alpha1.ChangePlanned, Plan: deletes, Deletions: &v1alpha1.ChangeWord{Digest: "d", HeadSHA: "h"}}, want: "Nothing"},
		"Blocked":       {reason: "Approvals do not help.", status: v1alpha1.ChangeObservation{Phase: v1alpha1.ChangePlanned, Missing: "0 of 1", Plan: &v1alpha1.ChangePlan{Blocked: "a Secret is missing"}}, want: "Mend what was found"},
		"Queued":        {reason: "It is approved.", status: v1alpha1.ChangeObservation{Phase: v1alpha1.ChangeQueued, Plan: plan}, want: "Nothing"},
		"Executing":     {reason: "It is under way.", status: v1alpha1.ChangeObservation{Phase: v1alpha1.ChangeExecuting, Plan: plan, Claims: wrote}, want: "merged by itself"},
		"Completed":     {reason: "It is merged: nothing is left to do.", status: v1alpha1.ChangeObservation{Phase: v1alpha1.ChangeCompleted, Plan: plan, Merged: &v1alpha1.ChangeMerge{}}},
		"Untrue":        {reason: "It is merged and not true.", status: v1alpha1.ChangeObservation{Phase: v1alpha1.ChangeCompleted, Plan: plan, Merged: &v1alpha1.ChangeMerge{Untrue: "x"}}, want: "another merge request"},
		"Abandoned":     {reason: "It is over.", status: v1alpha1.ChangeObservation{Phase: v1alpha1.ChangeAbandoned}, want: "it is over"},
		"AndMerged":     {reason: "The base branch says what is not so.", status: v1alpha1.ChangeObservation{Phase: v1alpha1.ChangeAbandoned, Merged: &v1alpha1.ChangeMerge{Untrue: "x"}}, want: "Revert"},
		"GoingBack":     {reason: "It goes back by itself.", status: v1alpha1.ChangeObservation{Phase: v1alpha1.ChangeAbandoning, Back: &v1alpha1.ChangeBack{}}},
	}
	for r, want := range map[v1alpha1.HaltReason]string{
		v1alpha1.HaltFailed: "/retry", v1alpha1.HaltDeviates: "/resume", v1alpha1.HaltEdited: "/retry", v1alpha1.HaltDiverged: "rebases", v1alpha1.HaltTold: "/resume",
		v1alpha1.HaltDraft: "ready", v1alpha1.HaltBranchGone: "Push the branch", v1alpha1.HaltMergedEarly: "revert", v1alpha1.HaltIrreversible: "by hand", v1alpha1.HaltLocksLost: "/resume",
	} {
		c := cases["Executing"]
		c.reason, c.want = "It halted: "+string(r), want
		c.status.Phase, c.status.Halt = v1alpha1.ChangeHalted, &v1alpha1.ChangeHalt{Reason: r}
		if r == v1alpha1.HaltIrreversible {
			c.status.Back = &v1alpha1.ChangeBack{}
		}
		cases["Halted"+string(r)] = c
		c.status.Claims = nil
		cases["HaltedUnwritten"+string(r)] = c
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := strings.Join(advice(tc.status), "\n")
			if !strings.Contains(got, tc.want) || (got == "") != (tc.want == "") {
				t.Errorf("%s\nwant %q, got %q", tc.reason, tc.want, got)
			}
			if tc.status.Missing == "" && strings.Contains(strings.ToLower(got), "approve the merge request") {
				t.Errorf("%s\nnobody has to approve it: %s", tc.reason, got)
			}
			n := &run{is: tc.status}
			said := n.next()
			for _, m := range commandIn.FindAllStringSubmatch(got, -1) {
				if !slices.ContainsFunc(said, func(s string) bool { verb, _, _ := strings.Cut(s, " "); return verb == m[1] }) {
					t.Errorf("%s\n%s is advised, and what can be said is %v", tc.reason, m[1], said)
				}
			}
		})
	}
}

// TestHaltedIsSaidOnce: that its Rollout halted is what a halt says.
func TestHaltedIsSaidOnce(t *testing.T) {
	s, m := executing(t)
	s.w.bad[said("shop", "v2")] = true
	s.turns(3)
	is := s.w.changes[41].status
	if is.Phase != v1alpha1.ChangeHalted || strings.Count(is.Message, "halted") != 1 {
		t.Errorf("it is %s: %s", is.Phase, is.Message)
	}
	for _, e := range is.Audit.Entries {
		if strings.Count(e.Did, "halted") > 1 {
			t.Errorf("the trail says %s", e.Did)
		}
	}
	for _, of := range m.statuses {
		if d := of[ContextExecute].Description; strings.Count(d, "halted") > 1 {
			t.Errorf("the status says %s", d)
		}
	}
}
