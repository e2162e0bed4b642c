package observe

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/change"
	"github.com/mainstay-dev/mainstay/provider/forge"
	"github.com/mainstay-dev/mainstay/provider/git"
)

var at = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func TestRequestOf(t *testing.T) {
	mr := func(edit func(*forge.MergeRequest)) forge.MergeRequest {
		out := forge.MergeRequest{Number: 7, Title: "More", Author: "mara", State: forge.Open, HeadSHA: "h", HeadRef: "more", HeadRepository: "ops/claims", BaseRef: "main"}
		if edit != nil {
			edit(&out)
		}
		return out
	}
	want := func(edit func(*change.Request)) change.Request {
		out := change.Request{Title: "More", Author: "mara", State: change.RequestOpen, HeadSHA: "h", BaseRef: "main", Statuses: map[string]change.Status{}}
		edit(&out)
		return out
	}
	spaced := change.Status{State: change.StatusFailure, Description: "halted:  two   spaces"}
	cases := map[string]struct {
		reason    string
		mr        forge.MergeRequest
		approvals []forge.Approval
		statuses  []forge.Status
		posted    map[string]change.Status
		want      change.Request
	}{
		"Open": {reason: "Plain.", mr: mr(nil), want: want(func(*change.Request) {})},
		"TrialMerge": {
			reason: "What a forge merges to try it is no merge.", mr: mr(func(m *forge.MergeRequest) { m.MergeCommit = "trial" }), want: want(func(*change.Request) {}),
		},
		"Merged": {
			reason: "Who merged, and what came of it.", mr: mr(func(m *forge.MergeRequest) { m.State, m.MergeCommit, m.MergedBy = forge.Merged, "m", "zoe" }),
			want: want(func(r *change.Request) { r.State, r.MergeSHA, r.By = change.RequestMerged, "m", "zoe" }),
		},
		"Closed": {reason: "Forges do not say by whom.", mr: mr(func(m *forge.MergeRequest) { m.State = forge.Closed }), want: want(func(r *change.Request) { r.State = change.RequestClosed })},
		"ForkGone": {
			reason: "Without its repository there is no branch.", mr: mr(func(m *forge.MergeRequest) { m.HeadRepository = "" }),
			want: want(func(r *change.Request) { r.BranchGone = true }),
		},
		"Reviews": {
			reason: "An approval that the forge calls stale, or that is of no head, does not count.", mr: mr(nil),
			approvals: []forge.Approval{
				{User: "ravi", At: at, SHA: "h", Verdict: forge.Approved}, {User: "zoe", At: at, SHA: "h", Verdict: forge.Approved, Stale: true},
				{User: "ida", At: at, Verdict: forge.Approved}, {User: "tom", At: at, SHA: "h", Verdict: forge.ChangesRequested}, {User: "una", At: at, SHA: "h", Verdict: forge.Dismissed},
			},
			want: want(func(r *change.Request) {
				r.Reviews = []change.Review{
					{ID: "ravi-1772442000", By: change.Person{Name: "ravi"}, HeadSHA: "h", At: at, Approves: true},
					{ID: "zoe-1772442000", By: change.Person{Name: "zoe"}, HeadSHA: "h", At: at, Approves: true, Dismissed: true},
					{ID: "ida-1772442000", By: change.Person{Name: "ida"}, At: at, Approves: true, Dismissed: true},
					{ID: "tom-1772442000", By: change.Person{Name: "tom"}, HeadSHA: "h", At: at},
					{ID: "una-1772442000", By: change.Person{Name: "una"}, HeadSHA: "h", At: at, Dismissed: true},
				}
			}),
		},
		"OwnStatus": {
			reason: "What a forge wrote down in its way is what we said: it is not posted again.", mr: mr(nil),
			statuses: []forge.Status{{Context: change.ContextExecute, State: forge.StatusFailure, Description: "halted: two spaces"}},
			posted:   map[string]change.Status{change.ContextExecute: spaced},
			want:     want(func(r *change.Request) { r.Statuses[change.ContextExecute] = spaced }),
		},
		"OtherStatus": {
			reason: "What somebody else made of it is told as it is.", mr: mr(nil),
			statuses: []forge.Status{{Context: change.ContextExecute, State: forge.StatusSuccess, Description: "halted: two spaces"}},
			posted:   map[string]change.Status{change.ContextExecute: spaced},
			want: want(func(r *change.Request) {
				r.Statuses[change.ContextExecute] = change.Status{State: change.StatusSuccess, Description: "halted: two spaces"}
			}),
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(&tc.want, requestOf(tc.mr, tc.approvals, tc.statuses, tc.posted)); diff != "" {
				t.Errorf("\n%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestOwn(t *testing.T) {
	text := forge.MarkedComment{Mark: change.CommentMark, Body: change.CommentText(change.Shown{Head: "aa", Digest: "bb", Progress: "cc"}, "### Planned\n", "")}.Text()
	shows := change.Shown{Head: "aa", Digest: "bb", Progress: "cc", At: at}
	cases := map[string]struct {
		reason string
		said   []forge.Comment
		want   change.Shown
		ok     bool
	}{
		"Ours":   {reason: "Ours is found by its mark.", said: []forge.Comment{{ID: 1, Author: "mara", Body: "hi"}, {ID: 2, Author: "bot", Body: text, CreatedAt: at}}, want: shows, ok: true},
		"Edited": {reason: "It shows since it was edited.", said: []forge.Comment{{ID: 2, Author: "bot", Body: text, CreatedAt: at.Add(-time.Hour), EditedAt: at}}, want: shows, ok: true},
		"Copied": {reason: "Whoever copies it shows nothing.", said: []forge.Comment{{ID: 2, Author: "mara", Body: text, CreatedAt: at}}},
		"None":   {reason: "There may be none.", said: nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, got, ok := own(tc.said, "bot")
			if diff := cmp.Diff(tc.want, got); diff != "" || ok != tc.ok {
				t.Errorf("\n%s\nok %t, -want, +got:\n%s", tc.reason, ok, diff)
			}
		})
	}
}

func TestCommitters(t *testing.T) {
	cases := map[string]struct {
		reason string
		people []git.Person
		asked  []string
		want   string
	}{
		"NameAndAddress": {reason: "A user is meant by name or by address.", people: []git.Person{{Name: "Ada L", Email: "ada@example.org"}}, want: "Ada L ada"},
		"Hidden":         {reason: "GitHub hides addresses.", people: []git.Person{{Name: "Ada L", Email: "123+ada@users.noreply.github.com"}}, want: "123+ada Ada L ada"},
		"Case":           {reason: "Forges do not tell case.", people: []git.Person{{Name: "ada", Email: "ada@example.org"}}, asked: []string{"ADA", "zoe"}, want: "ada ADA"},
		"Nobody":         {reason: "An empty name is nobody's.", people: []git.Person{{}}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, strings.Join(spelled(committers(tc.people), tc.asked), " ")); diff != "" {
				t.Errorf("\n%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// parents of commits, of which one cannot be read.
type parents map[string][]string

func (p parents) Parents(c string) ([]string, error) {
	if c == "lost" {
		return nil, errors.New("not there")
	}
	return p[c], nil
}

func TestBefore(t *testing.T) {
	h := parents{"merge": {"base", "head"}, "squash": {"base"}, "head": {"one"}, "rebased": {"rebased-1"}}
	last := v1alpha1.ChangeRequest{BaseSHA: "seen", MergeBaseSHA: "root"}
	cases := map[string]struct {
		reason, merge string
		method        v1alpha1.MergeMethod
		last          v1alpha1.ChangeRequest
		want          string
		fails         bool
	}{
		"Merge":     {reason: "The first parent is what the branch was.", merge: "merge", last: last, want: "base"},
		"Squash":    {reason: "So it is of a squash.", merge: "squash", method: v1alpha1.MergeSquash, last: last, want: "base"},
		"Forward":   {reason: "A branch that was moved to the head was where both stem from.", merge: "head", last: last, want: "root"},
		"Rebase":    {reason: "What was put there commit by commit begins where it was looked at last.", merge: "rebased", method: v1alpha1.MergeRebase, last: last, want: "seen"},
		"Unnamed":   {reason: "A forge that does not name the commit leaves what was seen.", last: last, want: "seen"},
		"Forgotten": {reason: "With nothing on record the parent is the best there is.", merge: "rebased", method: v1alpha1.MergeRebase, want: "rebased-1"},
		"Lost":      {reason: "What cannot be read is no answer.", merge: "lost", last: last, fails: true},
		"Root":      {reason: "Nor is what stems from nothing.", merge: "root", last: last, fails: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := before(h, tc.merge, "head", tc.method, tc.last)
			if got != tc.want || (err != nil) != tc.fails {
				t.Errorf("\n%s\nwant %q, got %q, %v", tc.reason, tc.want, got, err)
			}
		})
	}
}
