package observe

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/change"
	"github.com/mainstay-dev/mainstay/internal/change/lock"
	"github.com/mainstay-dev/mainstay/provider/forge"
	"github.com/mainstay-dev/mainstay/provider/repo"
)

// A forge is asked where there may be something new, and else not.
func TestDue(t *testing.T) {
	mr := forge.MergeRequest{Number: 7, State: forge.Open, HeadSHA: "h", UpdatedAt: at}
	poll := func(after time.Duration, open ...forge.MergeRequest) repo.Poll {
		p := repo.Poll{At: at.Add(after), Open: map[int64]forge.MergeRequest{}}
		for _, mr := range open {
			p.Open[mr.Number] = mr
		}
		return p
	}
	moved := mr
	moved.UpdatedAt = at.Add(time.Second)
	closed := mr
	closed.State = forge.Closed
	merged := mr
	merged.State = forge.Merged
	cases := map[string]struct {
		reason  string
		raw     forge.MergeRequest
		poll    repo.Poll
		phase   v1alpha1.ChangePhase
		held    bool
		woken   bool
		dirty   bool
		unread  bool
		news    bool
		ready   time.Time
		after   time.Duration
		context string
		want    bool
	}{
		"Never":       {reason: "Nobody asked yet.", unread: true, want: true},
		"Quiet":       {reason: "A poll that shows what is known shows nothing.", raw: mr, poll: poll(time.Minute, mr), after: time.Minute},
		"Woken":       {reason: "Somebody said that there is something.", raw: mr, woken: true, want: true},
		"Dirty":       {reason: "We wrote something there.", raw: mr, dirty: true, want: true},
		"Moved":       {reason: "The poll shows that it moved.", raw: mr, poll: poll(time.Minute, moved), after: time.Minute, want: true},
		"OldPoll":     {reason: "A poll from before it was read shows less than that.", raw: mr, poll: poll(-time.Minute, moved), after: time.Second},
		"Once":        {reason: "What moved a moment ago may have moved again within that second.", raw: mr, news: true, poll: poll(time.Minute, mr), after: time.Minute, want: true},
		"Gone":        {reason: "It is not open any more.", raw: mr, poll: poll(time.Minute), after: time.Minute, want: true},
		"StillClosed": {reason: "One that is closed is not in the list.", raw: closed, poll: poll(time.Minute), after: time.Minute},
		"Reopened":    {reason: "It is open again.", raw: closed, poll: poll(time.Minute, mr), after: time.Minute, want: true},
		"Long":        {reason: "Not everything moves a merge request.", raw: mr, after: 6 * time.Minute, want: true},
		"Contexts":    {reason: "The statuses of others do not.", raw: mr, phase: v1alpha1.ChangePlanned, context: "ci", after: 61 * time.Second, want: true},
		"Begins":      {reason: "What begins rests on what is so now.", raw: mr, phase: v1alpha1.ChangeQueued, held: true, after: time.Second, want: true},
		"Merges":      {reason: "So does what is merged.", raw: mr, phase: v1alpha1.ChangeMerging, after: time.Second, want: true},
		"Over":        {reason: "What is merged stays so.", raw: merged, phase: v1alpha1.ChangeCompleted, after: time.Hour},
		"OverLong":    {reason: "Of what was over long before the provider started nothing is asked.", unread: true, phase: v1alpha1.ChangeCompleted, ready: at.Add(-time.Hour)},
		"OverJust":    {reason: "What just ended may not have been told.", unread: true, phase: v1alpha1.ChangeCompleted, ready: at.Add(-time.Minute), want: true},
		"OverOpened":  {reason: "Somebody opened it again.", unread: true, phase: v1alpha1.ChangeAbandoned, ready: at.Add(-time.Hour), poll: poll(time.Minute, mr), want: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			m := &memory{raw: tc.raw, readAt: at, settled: !tc.news, dirty: tc.dirty}
			if !tc.unread {
				m.request = &change.Request{}
			} else {
				m.readAt = time.Time{}
			}
			r := &repo.Repo{}
			if !tc.poll.At.IsZero() {
				r.Saw(tc.poll)
			}
			in := Input{Change: &v1alpha1.Change{}, Repository: &v1alpha1.Repository{}, Repo: r, Woken: tc.woken}
			in.Change.Spec.ForProvider.Number = 7
			if !tc.ready.IsZero() {
				c := xpv2.Available()
				c.LastTransitionTime = metav1.NewTime(tc.ready)
				in.Change.SetConditions(c)
			}
			if tc.context != "" {
				in.Repository.Spec.ForProvider.Merge.RequiredContexts = []string{tc.context}
			}
			o := change.Observed{Status: v1alpha1.ChangeObservation{Phase: tc.phase}, Place: lock.Place{Held: tc.held}}
			if got := m.due(in, o, at.Add(tc.after)); got != tc.want {
				t.Errorf("\n%s\nwant %t", tc.reason, tc.want)
			}
		})
	}
}
