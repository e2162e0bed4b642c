package change

import (
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// executing is a world with one change that is under way on half of its clusters.
func executing(t *testing.T) (*story, *mr) {
	t.Helper()
	s := &story{w: newWorld(), last: map[int64]string{}}
	s.w.live("fleet-a", "v1", 2)
	s.w.live("shop", "v1", 8)
	m := s.w.propose(41, "ada", map[string]string{"fleet-a": "v2", "shop": "v2"})
	s.turns(2)
	s.w.approve(m, "bob")
	s.turns(9)
	if got := s.w.changes[41].status; got.Phase != v1alpha1.ChangeExecuting || got.Progress.Reached < 3 || got.Progress.Reached == got.Progress.Clusters {
		t.Fatalf("the change must be half way, got %s: %s", got.Phase, got.Message)
	}
	return s, m
}

// TestEdges is the table of design 003: what happens to a merge request, and the answer.
func TestEdges(t *testing.T) {
	cases := map[string]struct {
		reason string
		happen func(s *story, m *mr)
		// turns until it is looked at: the phase, part of the message, and the end
		// once it is given what it asks for.
		turns int
		phase v1alpha1.ChangePhase
		says  string
		mend  func(s *story, m *mr)
		ends  v1alpha1.ChangePhase
	}{
		"ForcePush": {
			reason: "Another head is another change, whatever it was made of.",
			happen: func(s *story, m *mr) { s.w.push(m, m.files) }, turns: 1, phase: v1alpha1.ChangeSuperseded, says: "what is in motion finishes first",
			mend: func(s *story, m *mr) { s.turns(3); s.w.approve(m, "bob") }, ends: v1alpha1.ChangeCompleted,
		},
		"NewPushWithoutOneClaim": {
			reason: "What was written and is not asked for any more goes back.",
			happen: func(s *story, m *mr) { s.w.push(m, map[string]string{"shop": "v3"}) }, turns: 4, phase: v1alpha1.ChangePlanned, says: "0 of 1 approvals",
			mend: func(s *story, m *mr) { s.w.approve(m, "bob") }, ends: v1alpha1.ChangeCompleted,
		},
		"BaseMovedElsewhere": {
			reason: "What moved is not what is executed.",
			happen: func(s *story, m *mr) { s.w.main["docs"] = "new" }, turns: 1, phase: v1alpha1.ChangeExecuting, ends: v1alpha1.ChangeCompleted,
		},
		"BaseMovedInTheSame": {
			reason: "Merged on top, it would take something back that is true.",
			happen: func(s *story, m *mr) { s.w.main["shop"] = "hotfix" }, turns: 1, phase: v1alpha1.ChangeHalted, says: "rebase and push",
			mend: func(s *story, m *mr) { s.w.push(m, m.files); s.turns(3); s.w.approve(m, "bob") }, ends: v1alpha1.ChangeCompleted,
		},
		"BranchDeleted": {
			reason: "What executes has no need of the branch. The merge has.",
			happen: func(s *story, m *mr) { m.branchGone = true }, turns: 8, phase: v1alpha1.ChangeHalted, says: "push it again",
			mend: func(s *story, m *mr) { m.branchGone = false }, ends: v1alpha1.ChangeCompleted,
		},
		"Closed": {
			reason: "Who closes it wants it undone.",
			happen: func(s *story, m *mr) { m.state, m.by = RequestClosed, "ada" }, turns: 2, phase: v1alpha1.ChangeAbandoning, says: "because ada closed the merge request", ends: v1alpha1.ChangeAbandoned,
		},
		"ClosedAndReopened": {
			reason: "It goes back in full, and is then planned anew. Old approvals are spent.",
			happen: func(s *story, m *mr) {
				m.state, m.by = RequestClosed, "ada"
				s.turns(1)
				m.state = RequestOpen
			}, turns: 14, phase: v1alpha1.ChangePlanned, says: "0 of 1 approvals",
			mend: func(s *story, m *mr) { s.w.approve(m, "bob") }, ends: v1alpha1.ChangeCompleted,
		},
		"Draft": {
			reason: "A draft is not ready. What is in motion finishes.",
			happen: func(s *story, m *mr) { m.draft = true }, turns: 2, phase: v1alpha1.ChangeHalted, says: "mark it as ready",
			mend: func(s *story, m *mr) { m.draft = false }, ends: v1alpha1.ChangeCompleted,
		},
		"MergedByHand": {
			reason: "Main says what is not so yet, and that is said.",
			happen: func(s *story, m *mr) { s.w.mergeAs(m, "zoe") }, turns: 1, phase: v1alpha1.ChangeHalted, says: "merged before it was verified, by zoe",
			mend: func(s *story, m *mr) { s.w.say(m, "zoe", "/resume") }, ends: v1alpha1.ChangeCompleted,
		},
		"MergedByHandAndAbandoned": {
			reason: "The fleet goes back, and main has to.",
			happen: func(s *story, m *mr) { s.w.mergeAs(m, "zoe"); s.w.say(m, "bob", "/abandon") }, turns: 16, phase: v1alpha1.ChangeAbandoned, says: "ABANDONED AND MERGED", ends: v1alpha1.ChangeAbandoned,
		},
		"RolledBackByItself": {
			reason: "A Rollout that went back has not arrived.",
			happen: func(s *story, m *mr) {
				p := s.w.hub["shop"]
				p.phase, p.failed, p.moving = v1alpha1.RolloutHalted, 1, 0
			}, turns: 1, phase: v1alpha1.ChangeHalted, says: "CrashLoopBackOff",
			mend: func(s *story, m *mr) { s.w.say(m, "bob", "/retry") }, ends: v1alpha1.ChangeCompleted,
		},
		"ResumeDoesNotForgiveFailure": {
			reason: "Only a retry, or going back, gets past a failure.",
			happen: func(s *story, m *mr) { s.w.bad[said("shop", "v2")] = true; s.turns(2); s.w.say(m, "bob", "/resume") }, turns: 1, phase: v1alpha1.ChangeHalted, says: "CrashLoopBackOff",
			mend: func(s *story, m *mr) { s.w.say(m, "bob", "/rollback"); s.turns(12); s.w.say(m, "bob", "/abandon") }, ends: v1alpha1.ChangeAbandoned,
		},
		"EditedByHand": {
			reason: "One writes a claim at a time. Who else did is told to whoever is responsible.",
			happen: func(s *story, m *mr) { s.w.hub["fleet-a"].digest = said("fleet-a", "mine") }, turns: 1, phase: v1alpha1.ChangeHalted, says: "changed by somebody else",
			mend: func(s *story, m *mr) { s.w.say(m, "bob", "/retry") }, ends: v1alpha1.ChangeCompleted,
		},
		"Deviates": {
			reason: "A cluster that the plan does not have must not move.",
			happen: func(s *story, m *mr) { s.w.hub["shop"].strangers = []string{"prod.eu-9"} }, turns: 1, phase: v1alpha1.ChangeHalted, says: "prod.eu-9 is moved, and is not in the plan",
			mend: func(s *story, m *mr) { s.w.say(m, "bob", "/resume") }, ends: v1alpha1.ChangeCompleted,
		},
		"ForgeDown": {
			reason: "It goes on with what was approved, and does not merge.",
			happen: func(s *story, m *mr) { s.w.forgeDown = "401: the token expired" }, turns: 10, phase: v1alpha1.ChangeMerging, says: "the token expired",
			mend: func(s *story, m *mr) { s.w.forgeDown = "" }, ends: v1alpha1.ChangeCompleted,
		},
		"FetchFails": {
			reason: "What cannot be fetched counts as diverged: nothing is merged.",
			happen: func(s *story, m *mr) { s.w.gitDown = "connection reset" }, turns: 10, phase: v1alpha1.ChangeMerging, says: "taken as diverged",
			mend: func(s *story, m *mr) { s.w.gitDown = "" }, ends: v1alpha1.ChangeCompleted,
		},
		"QueueAway": {
			reason: "Without the queue nobody knows whose turn it is: nothing is written.",
			happen: func(s *story, m *mr) { s.w.queueDown = "timeout" }, turns: 3, phase: v1alpha1.ChangeExecuting, says: "without it nothing is written",
			mend: func(s *story, m *mr) { s.w.queueDown = "" }, ends: v1alpha1.ChangeCompleted,
		},
		"LocksTaken": {
			reason: "Whoever has no locks any more stops, and queues again.",
			happen: func(s *story, m *mr) { s.w.carryOut(41, Action{Verb: DoUnlock}) }, turns: 1, phase: v1alpha1.ChangeHalted, says: "/resume queues it again",
			mend: func(s *story, m *mr) { s.w.say(m, "bob", "/resume"); s.turns(4); s.w.approve(m, "bob") }, ends: v1alpha1.ChangeCompleted,
		},
		"Parked": {
			reason: "A cluster that cannot be reached is owed, and keeps the merge request open.",
			happen: func(s *story, m *mr) { s.w.parked["shop"] = 1 }, turns: 12, phase: v1alpha1.ChangeVerifying, says: "ProductApplication shop/shop owes 1",
			mend: func(s *story, m *mr) { s.w.parked["shop"] = 0 }, ends: v1alpha1.ChangeCompleted,
		},
		"ParkedMayBeOwed": {
			reason: "Unless the Repository accepts to owe some.",
			happen: func(s *story, m *mr) {
				owed := intstr.FromString("10%")
				s.w.repo.MaxOwed, s.w.parked["shop"] = &owed, 1
			}, turns: 14, phase: v1alpha1.ChangeCompleted, says: "1 owed", ends: v1alpha1.ChangeCompleted,
		},
		"MergeRefused": {
			reason: "A merge that the forge refuses is tried again, and says so.",
			happen: func(s *story, m *mr) { m.refused = "403: the branch is protected" }, turns: 10, phase: v1alpha1.ChangeMerging, says: "the forge refuses to merge: 403",
			mend: func(s *story, m *mr) { m.refused = "" }, ends: v1alpha1.ChangeCompleted,
		},
		"NotItsTurn": {
			reason: "Merge requests of a repository are merged one after the other.",
			happen: func(s *story, m *mr) { s.w.mergesAhead = 1 }, turns: 10, phase: v1alpha1.ChangeMerging, says: "others of this repository are merged first",
			mend: func(s *story, m *mr) { s.w.mergesAhead = 0 }, ends: v1alpha1.ChangeCompleted,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s, m := executing(t)
			tc.happen(s, m)
			s.turns(tc.turns)
			got := s.w.changes[41].status
			if got.Phase != tc.phase || !strings.Contains(got.Message, tc.says) {
				t.Errorf("%s\nwant %s with %q, got %s: %s", tc.reason, tc.phase, tc.says, got.Phase, got.Message)
			}
			if tc.mend != nil {
				tc.mend(s, m)
			}
			s.untilDone()
			if got := s.w.changes[41].status; got.Phase != tc.ends || !s.w.changes[41].done {
				t.Errorf("%s\nwant it to end %s, got %s: %s", tc.reason, tc.ends, got.Phase, got.Message)
			}
			if len(s.w.queue.Changes) > 0 {
				t.Errorf("%s\nlocks are left: %+v", tc.reason, s.w.queue.Changes)
			}
			if got := s.w.changes[41].status; got.Phase == v1alpha1.ChangeAbandoned && s.w.hub["shop"].digest != said("shop", "v1") {
				t.Errorf("%s\nan abandoned change must leave what was before", tc.reason)
			}
		})
	}
}

// TestBeforeItBegins is the same table for a change that has written nothing.
func TestBeforeItBegins(t *testing.T) {
	cases := map[string]struct {
		reason string
		happen func(s *story, m *mr)
		phase  v1alpha1.ChangePhase
		says   string
	}{
		"Push":          {reason: "It is planned anew.", happen: func(s *story, m *mr) { s.w.push(m, map[string]string{"shop": "v3"}) }, phase: v1alpha1.ChangePlanned, says: "0 of 1 approvals"},
		"BaseElsewhere": {reason: "It is the same plan.", happen: func(s *story, m *mr) { s.w.main["docs"] = "x"; s.w.approve(m, "bob") }, phase: v1alpha1.ChangeExecuting},
		"Conflict":      {reason: "The author is told to rebase, and which file.", happen: func(s *story, m *mr) { s.w.main["shop"] = "hotfix" }, phase: v1alpha1.ChangeRefused, says: "shop.yaml changed on main as well: rebase and push"},
		"BranchDeleted": {reason: "There is nothing to merge.", happen: func(s *story, m *mr) { m.branchGone = true }, phase: v1alpha1.ChangeRefused, says: "its branch is gone"},
		"Closed":        {reason: "Nothing was written: it is over.", happen: func(s *story, m *mr) { m.state = RequestClosed }, phase: v1alpha1.ChangeAbandoned},
		"Reopened":      {reason: "It is planned anew.", happen: func(s *story, m *mr) { m.state = RequestClosed; s.turns(1); m.state = RequestOpen }, phase: v1alpha1.ChangePlanned},
		"Draft":         {reason: "It is planned, and not executed.", happen: func(s *story, m *mr) { m.draft = true; s.w.approve(m, "bob") }, phase: v1alpha1.ChangePlanned, says: "mark it as ready"},
		"MergedByHand":  {reason: "Main is not true.", happen: func(s *story, m *mr) { s.w.mergeAs(m, "zoe") }, phase: v1alpha1.ChangeHalted, says: "main says what is not so yet"},
		"ForgeDown":     {reason: "Nothing begins.", happen: func(s *story, m *mr) { s.w.approve(m, "bob"); s.w.forgeDown = "503" }, phase: v1alpha1.ChangePlanned, says: "the forge cannot be asked: 503"},
		"FetchFails":    {reason: "It counts as diverged: nothing begins.", happen: func(s *story, m *mr) { s.w.approve(m, "bob"); s.w.gitDown = "reset" }, phase: v1alpha1.ChangePlanned, says: "taken as diverged"},
		"QueueAway":     {reason: "Nobody knows whose turn it is.", happen: func(s *story, m *mr) { s.w.approve(m, "bob"); s.w.queueDown = "timeout" }, phase: v1alpha1.ChangeApproved, says: "the queue cannot be read"},
		"Objection": {reason: "Who asks for changes is heard.", happen: func(s *story, m *mr) {
			s.w.approve(m, "bob")
			s.w.approve(m, "cleo")
			m.reviews[1].Approves = false
		}, phase: v1alpha1.ChangePlanned, says: "cleo asked for changes"},
		"OtherStatusRed": {reason: "What others require is waited for.", happen: func(s *story, m *mr) {
			s.w.repo.Merge.RequiredContexts = []string{"ci/test"}
			s.w.approve(m, "bob")
		}, phase: v1alpha1.ChangePlanned, says: "ci/test is not there"},
		"Frozen": {reason: "Nothing begins in a freeze.", happen: func(s *story, m *mr) {
			s.w.repo.Freezes = []v1alpha1.Freeze{{Name: "night", Start: "00:00", End: "23:59"}}
			s.w.approve(m, "bob")
		}, phase: v1alpha1.ChangePlanned, says: "freeze night until"},
		"Halted": {reason: "Somebody says so.", happen: func(s *story, m *mr) { s.w.say(m, "bob", "/halt wait for me") }, phase: v1alpha1.ChangeHalted, says: "bob said so: wait for me"},
		"Stranger": {reason: "Only who may write is obeyed.", happen: func(s *story, m *mr) {
			s.w.say(m, "eve", "/abandon")
			m.comments[0].By.Writes = false
		}, phase: v1alpha1.ChangePlanned},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := &story{w: newWorld(), last: map[int64]string{}}
			s.w.live("shop", "v1", 4)
			m := s.w.propose(41, "ada", map[string]string{"shop": "v2"})
			s.turns(2)
			tc.happen(s, m)
			s.turns(2)
			got := s.w.changes[41].status
			if got.Phase != tc.phase || !strings.Contains(got.Message, tc.says) {
				t.Errorf("%s\nwant %s with %q, got %s: %s", tc.reason, tc.phase, tc.says, got.Phase, got.Message)
			}
		})
	}
}

// TestPeers has the failures of others by name: what happened there must not happen here.
func TestPeers(t *testing.T) {
	t.Run("Atlantis2607LongApplyAndNewPush", func(t *testing.T) {
		s, m := executing(t)
		s.w.push(m, map[string]string{"fleet-a": "v2", "shop": "v3"})
		s.turns(30)
		if m.state != RequestOpen {
			t.Error("a push while it executes must not be merged unapplied")
		}
	})
	t.Run("Atlantis1613FailedApply", func(t *testing.T) {
		s, m := executing(t)
		s.w.bad[said("shop", "v2")] = true
		s.turns(30)
		if m.state != RequestOpen || s.w.changes[41].status.Phase != v1alpha1.ChangeHalted {
			t.Error("what failed must not be merged")
		}
	})
	t.Run("Atlantis2082StaleBase", func(t *testing.T) {
		s := &story{w: newWorld(), last: map[int64]string{}}
		s.w.live("shop", "v1", 4)
		a := s.w.propose(41, "ada", map[string]string{"shop": "v2"})
		b := s.w.propose(42, "cleo", map[string]string{"shop": "v1b"})
		s.turns(2)
		s.w.approve(a, "bob")
		s.w.approve(b, "bob")
		s.turns(40)
		if s.w.main["shop"] != "v2" || s.w.hub["shop"].digest != said("shop", "v2") || b.state != RequestOpen {
			t.Error("a change that was planned on an older base must not take back what was merged since")
		}
	})
	t.Run("Atlantis5955FetchFails", func(t *testing.T) {
		s := &story{w: newWorld(), last: map[int64]string{}}
		s.w.live("shop", "v1", 4)
		m := s.w.propose(41, "ada", map[string]string{"shop": "v2"})
		s.turns(2)
		s.w.gitDown = "timeout"
		s.w.approve(m, "bob")
		s.turns(20)
		if p := s.w.hub["shop"]; p.digest != said("shop", "v1") {
			t.Error("what cannot be fetched counts as diverged")
		}
	})
	t.Run("MergeableDeadlock", func(t *testing.T) {
		s := &story{w: newWorld(), last: map[int64]string{}}
		s.w.repo.Merge.RequiredContexts = []string{ContextPlan, ContextExecute}
		s.w.live("shop", "v1", 4)
		m := s.w.propose(41, "ada", map[string]string{"shop": "v2"})
		s.turns(2)
		s.w.approve(m, "bob")
		s.untilDone()
		if m.state != RequestMerged {
			t.Error("our own pending status must not stand in our way")
		}
	})
	t.Run("EnactorRace", func(t *testing.T) {
		s, m := executing(t)
		// The first executor decides, and sleeps before it writes.
		s.w.hub["shop"].digest = ""
		spec, o := s.w.observe(41)
		delete(o.Claims, claimRef("shop"))
		c := o.Claims[claimRef("fleet-a")]
		c.Epoch = 0
		o.Claims[claimRef("fleet-a")] = c
		asleep := Next(spec, o, s.w.now)
		if !slices.ContainsFunc(asleep.Do, func(a Action) bool { return a.Verb == DoApply }) {
			t.Fatalf("the first executor must be about to write, got %+v", asleep.Do)
		}
		s.w.hub["shop"].digest = said("shop", "v2")
		// The second one goes back. Then the first wakes up.
		s.w.say(m, "bob", "/rollback")
		s.turns(3)
		before := *s.w.hub["fleet-a"]
		for _, a := range asleep.Do {
			if a.Verb == DoApply && a.Claim.Name == "shop" && !s.w.carryOut(41, a) {
				t.Error("an executor that slept must be refused")
			}
		}
		s.turns(20)
		if got := s.w.hub["fleet-a"]; got.digest != said("fleet-a", "v1") && got.digest != before.digest {
			t.Errorf("what it meant to write must not be there: %+v", got)
		}
		if got := s.w.hub["shop"]; got.digest != said("shop", "v1") {
			t.Errorf("the later one must stand: %+v", got)
		}
	})
}

// TestSoak keeps a change open until it was well for long enough, also where the clock
// jumps.
func TestSoak(t *testing.T) {
	s, m := executing(t)
	s.w.repo.Soak = durationOf(30 * time.Minute)
	s.turns(10)
	if got := s.w.changes[41].status; got.Phase != v1alpha1.ChangeVerifying || got.VerifiedSince == nil {
		t.Fatalf("it must soak, got %s: %s", got.Phase, got.Message)
	}
	s.w.now = s.w.now.Add(-2 * time.Hour)
	s.turns(20)
	if m.state != RequestOpen {
		t.Error("a clock that goes back must not end a soak")
	}
	s.turns(20)
	if m.state != RequestMerged {
		t.Errorf("it must be merged once it soaked: %s", s.w.changes[41].status.Message)
	}
}
