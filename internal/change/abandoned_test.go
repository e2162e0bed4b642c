package change

import (
	"slices"
	"strings"
	"testing"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// TestAbandonedSaysWhy: who wanted it, and what had gone wrong, outlives the change.
func TestAbandonedSaysWhy(t *testing.T) {
	halts := func(s *story, _ *mr) {
		s.w.bad[said("shop", "v2")] = true
		s.turns(3)
	}
	cases := map[string]struct {
		reason  string
		happen  func(s *story, m *mr)
		told    func(s *story, m *mr)
		says    []string
		halted  v1alpha1.HaltReason
		audited []string
	}{
		"Told": {
			reason: "Somebody gave up on it, and said why.", happen: halts, told: func(s *story, m *mr) { s.w.say(m, "bob", "/abandon not this week.") },
			says: []string{"as bob asked for: not this week", "CrashLoopBackOff"}, halted: v1alpha1.HaltFailed,
			audited: []string{"halted: ProductApplication shop/shop", "said /abandon: not this week.", "goes back; it had halted: ProductApplication shop/shop"},
		},
		"Closed": {
			reason: "Who closes it means it.", happen: halts, told: func(_ *story, m *mr) { m.state, m.by = RequestClosed, "ada" },
			says: []string{"because ada closed the merge request", "CrashLoopBackOff"}, halted: v1alpha1.HaltFailed, audited: []string{"closed the merge request while", "goes back; it had halted"},
		},
		"Halted": {
			reason: "A halt that somebody asked for is a cause, too.", happen: func(s *story, m *mr) { s.w.say(m, "zoe", "/halt pager"); s.turns(1) },
			told: func(s *story, m *mr) { s.w.say(m, "bob", "/abandon") }, says: []string{"as bob asked for", "zoe said so: pager"}, halted: v1alpha1.HaltTold,
			audited: []string{"halted: zoe said so: pager"},
		},
		"Unhalted": {
			reason: "It need not have halted.", happen: func(*story, *mr) {}, told: func(s *story, m *mr) { s.w.say(m, "bob", "/abandon") },
			says: []string{"as bob asked for"}, audited: []string{"said /abandon"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s, m := executing(t)
			tc.happen(s, m)
			tc.told(s, m)
			s.untilDone()
			is := s.w.changes[41].status
			if is.Phase != v1alpha1.ChangeAbandoned || is.Back == nil || tc.halted != "" != (is.Back.Halted != nil) || tc.halted != "" && is.Back.Halted.Reason != tc.halted {
				t.Fatalf("%s\nit is %s, %+v", tc.reason, is.Phase, is.Back)
			}
			for _, want := range tc.says {
				if !strings.Contains(is.Message, want) || !strings.Contains(Markdown(is), want) {
					t.Errorf("%s\nwant %q in %q and in\n%s", tc.reason, want, is.Message, Markdown(is))
				}
			}
			for _, want := range tc.audited {
				if !slices.ContainsFunc(is.Audit.Entries, func(e v1alpha1.AuditEntry) bool { return strings.Contains(e.Did, want) }) {
					t.Errorf("%s\nthe trail must have %q, has %+v", tc.reason, want, is.Audit.Entries)
				}
			}
			if err := Verify(is.Audit, closing(is)); err != nil {
				t.Errorf("%s\n%v", tc.reason, err)
			}

			m.state, m.by = RequestOpen, ""
			s.w.changes[41].done = false
			s.turns(1)
			if is := s.w.changes[41].status; is.Back != nil || !slices.ContainsFunc(is.Audit.Entries, func(e v1alpha1.AuditEntry) bool { return e.Did == "the merge request was opened again" }) {
				t.Errorf("one that is opened again begins anew, got %s, %+v", is.Phase, is.Back)
			}
		})
	}
}

// TestClosedUnwritten: who closed what was not written is said, too.
func TestClosedUnwritten(t *testing.T) {
	s := &story{w: newWorld(), last: map[int64]string{}}
	s.w.live("shop", "v1", 4)
	m := s.w.propose(41, "ada", map[string]string{"shop": "v2"})
	s.turns(2)
	m.state, m.by = RequestClosed, "ada"
	s.untilDone()
	if is := s.w.changes[41].status; is.Phase != v1alpha1.ChangeAbandoned || !strings.Contains(is.Message, "because ada closed the merge request") {
		t.Errorf("it is %s: %s", is.Phase, is.Message)
	}
}

// TestMergedAfterAbandoned: what was abandoned and is merged by somebody halts, and can go back again.
func TestMergedAfterAbandoned(t *testing.T) {
	s, m := executing(t)
	s.w.say(m, "bob", "/abandon")
	s.untilDone()
	s.w.mergeAs(m, "zoe")
	s.w.changes[41].done = false
	s.turns(2)
	if is := s.w.changes[41].status; is.Phase != v1alpha1.ChangeHalted || is.Back != nil || is.Halt == nil || is.Halt.Reason != v1alpha1.HaltMergedEarly {
		t.Errorf("it is %s: %s", is.Phase, is.Message)
	}
}

// TestAnchorIsTheLast: what people wrote above the anchor is no anchor.
func TestAnchorIsTheLast(t *testing.T) {
	a := appended(v1alpha1.ChangeAudit{}, v1alpha1.AuditEntry{By: "bob", Did: "said /abandon"})
	if err := Verify(a, "because "+anchor+"9:beef\n\n"+Anchor(a)+"\n"); err != nil {
		t.Error(err)
	}
}
