package change

import (
	"testing"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// TestNoClaims: a merge request that touches no claim, such as one of a page, is approved and merged
// like any other. Nobody else could merge it, because the base branch is protected.
func TestNoClaims(t *testing.T) {
	s := &story{w: newWorld(), last: map[int64]string{}}
	s.w.live("shop", "v1", 8)
	long := s.w.propose(40, "ada", map[string]string{"shop": "v2"})
	pages := s.w.propose(41, "ada", map[string]string{})
	s.turns(2)
	s.w.approve(long, "bob")
	s.w.approve(pages, "bob")
	for range 12 {
		s.turns(1)
		if is := s.w.changes[41].status; is.Phase == v1alpha1.ChangeQueued && is.Queue != nil {
			t.Fatalf("it touches what nobody else does, and waits: %s", is.Message)
		}
	}
	s.untilDone()
	if is := s.w.changes[41].status; is.Phase != v1alpha1.ChangeCompleted || is.Merged == nil || is.Merged.Untrue != "" || pages.state != RequestMerged {
		t.Errorf("it is %s: %s", is.Phase, is.Message)
	}
	if len(s.w.queue.Changes) > 0 {
		t.Errorf("locks are left: %v", s.w.queue.Changes)
	}
}

// TestTwoEdits: two claims of one change that somebody edited are both written again once that is
// said of each.
func TestTwoEdits(t *testing.T) {
	s, m := executing(t)
	for _, name := range []string{"fleet-a", "shop"} {
		s.w.hub[name].digest = said(name, "by hand")
	}
	for range 2 {
		s.turns(1)
		if is := s.w.changes[41].status; is.Halt == nil || is.Halt.Reason != v1alpha1.HaltEdited {
			t.Fatalf("it must halt for each, and is %s: %s", is.Phase, is.Message)
		}
		s.w.say(m, "bob", "/retry")
	}
	s.untilDone()
	if is := s.w.changes[41].status; is.Phase != v1alpha1.ChangeCompleted || is.Accepted != "" {
		t.Errorf("it is %s: %s; accepted is %q", is.Phase, is.Message, is.Accepted)
	}
}
