package forgetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/mainstay-dev/mainstay/provider/forge"
)

func (s *suite) list(t *testing.T, number int64, since time.Time) []forge.Comment {
	t.Helper()
	all, err := s.f.Comments(t.Context(), number, since)
	noError(t, "Comments(...)", err)
	return all
}

// comments: in order, from a time on, without what the forge writes itself.
func (s *suite) comments(t *testing.T) {
	mr := s.open(t)
	same(t, "Comments(...) of none", 0, len(s.list(t, mr.Number, time.Time{})))
	s.Say(t, Reviewer, mr.Number, "/retry")
	s.Say(t, Author, mr.Number, "Thanks.")
	s.Review(t, Reviewer, mr.Number, forge.Approved)

	all := s.list(t, mr.Number, time.Time{})
	type said struct{ Author, Body string }
	got := []said{}
	for _, c := range all {
		got = append(got, said{c.Author, c.Body})
		if c.ID == 0 || c.CreatedAt.IsZero() || !c.EditedAt.IsZero() {
			t.Errorf("Comments(...): got %+v", c)
		}
	}
	same(t, "Comments(...)", []said{{Reviewer, "/retry"}, {Author, "Thanks."}}, got)
	if len(all) != 2 {
		return
	}
	since := s.list(t, mr.Number, all[1].CreatedAt)
	if len(since) == 0 || since[len(since)-1].ID != all[1].ID {
		t.Errorf("Comments(...) since the last: it is not there: %+v", since)
	}
	same(t, "Comments(...) since later", 0, len(s.list(t, mr.Number, all[1].CreatedAt.Add(time.Hour))))
	_, err := s.f.Comments(t.Context(), 99999, time.Time{})
	s.want(t, "Comments(99999)", err, forge.NotFound)
}

// manyComments: more than a page, none lost.
func (s *suite) manyComments(t *testing.T) {
	mr := s.open(t)
	for i := range 120 {
		s.Say(t, Author, mr.Number, fmt.Sprintf("comment %d", i))
	}
	all := s.list(t, mr.Number, time.Time{})
	for i, c := range all {
		same(t, "Body", fmt.Sprintf("comment %d", i), c.Body)
	}
	same(t, "Comments(...)", 120, len(all))
}

// upsertComment: one comment, edited in place; nothing is sent where nothing is new.
func (s *suite) upsertComment(t *testing.T) {
	mr := s.open(t)
	s.Say(t, Author, mr.Number, "Please look.")
	plan := forge.MarkedComment{Mark: "plan", Body: "## Plan\n\n3 clusters, `low` risk."}
	upsert := func(c forge.MarkedComment) int64 {
		t.Helper()
		id, err := s.f.UpsertComment(t.Context(), mr.Number, c)
		noError(t, "UpsertComment(...)", err)
		return id
	}
	id := upsert(plan)
	same(t, "id of a second mark", false, upsert(forge.MarkedComment{Mark: "plan/result", Body: "Done."}) == id)
	before := s.list(t, mr.Number, time.Time{})
	same(t, "id without change", id, upsert(plan))
	plan.ID = id
	same(t, "id without change, known", id, upsert(plan))
	same(t, "Comments(...) after nothing was new", before, s.list(t, mr.Number, time.Time{}))

	for _, known := range []int64{0, id, 999999999} {
		plan.ID, plan.Body = known, fmt.Sprintf("## Plan\r\n\r\nanother one, %d\r\n", known)
		same(t, "id after a change", id, upsert(plan))
		all := s.list(t, mr.Number, time.Time{})
		same(t, "Comments(...) after a change", 3, len(all))
		if !plan.In(all[1].Body) || plan.Differs(all[1].Body) || all[1].Author != Bot {
			t.Errorf("Comments(...) after a change: got %+v", all[1])
		}
	}
	s.Unsay(t, mr.Number, id)
	plan.ID = id
	if got := upsert(plan); got == id || got == 0 {
		t.Errorf("UpsertComment(...) after it was deleted: got id %d again", got)
	}
	for _, c := range []forge.MarkedComment{{Mark: "a --> b", Body: "x"}, {Mark: "", Body: "x"}, {Mark: "long", Body: string(make([]byte, forge.MaxText))}} {
		_, err := s.f.UpsertComment(t.Context(), mr.Number, c)
		s.want(t, "UpsertComment(...) of a wrong one", err, forge.Invalid)
	}
	_, err := s.f.UpsertComment(t.Context(), 99999, forge.MarkedComment{Mark: "plan", Body: "x"})
	s.want(t, "UpsertComment(99999)", err, forge.NotFound)
}

// upsertCommentOfOthers: who copies the mark does not get the comment.
func (s *suite) upsertCommentOfOthers(t *testing.T) {
	mr := s.open(t)
	plan := forge.MarkedComment{Mark: "plan", Body: "The true one."}
	s.Say(t, Author, mr.Number, plan.Text())
	first := s.list(t, mr.Number, time.Time{})[0]
	plan.Body = "The true one, changed."
	_, err := s.f.UpsertComment(t.Context(), mr.Number, plan)
	noError(t, "UpsertComment(...)", err)
	all := s.list(t, mr.Number, time.Time{})
	same(t, "Comments(...)", 2, len(all))
	same(t, "Comments(...) of the other", first, all[0])
	same(t, "Author", Bot, all[1].Author)
}

// approvals: who, of which head, and whether it still stands.
func (s *suite) approvals(t *testing.T) {
	mr := s.open(t)
	approvals := func() []forge.Approval {
		t.Helper()
		all, err := s.f.Approvals(t.Context(), mr.Number)
		noError(t, "Approvals(...)", err)
		return all
	}
	counts := func(sha string) (users []string) {
		for _, a := range approvals() {
			if a.CountsFor(sha) {
				users = append(users, a.User)
			}
		}
		return users
	}
	same(t, "Approvals(...) of none", 0, len(approvals()))
	s.Say(t, Reader, mr.Number, "Looks good to me.")
	same(t, "Approvals(...) of words", 0, len(approvals()))

	s.Review(t, Reviewer, mr.Number, forge.Approved)
	same(t, "who approves", []string{Reviewer}, counts(mr.HeadSHA))
	if a := approvals(); len(a) != 1 || a[0].At.IsZero() {
		t.Errorf("Approvals(...): got %+v", a)
	}
	same(t, "who approves no head", 0, len(counts("")))

	sha := s.Push(t, Push{Branch: mr.HeadRef, Files: map[string]string{"claims/after.yaml": "pushed after the approval"}})
	await(t, "the push is seen", func() bool { return s.read(t, mr.Number).HeadSHA == sha })
	same(t, "who approves what was pushed after", 0, len(counts(sha)))

	s.Review(t, Reviewer, mr.Number, forge.Approved)
	same(t, "who approves what was pushed, asked again", []string{Reviewer}, counts(sha))
	s.Review(t, Reviewer, mr.Number, forge.Dismissed)
	same(t, "who approves once it is taken back", 0, len(counts(sha)))
	s.Review(t, Reviewer, mr.Number, forge.ChangesRequested)
	same(t, "who approves after a refusal", 0, len(counts(sha)))
	got := approvals()
	if len(got) != 1 || got[0].Verdict != forge.ChangesRequested || got[0].User != Reviewer {
		t.Errorf("Approvals(...) after a refusal: got %+v", got)
	}
	_, err := s.f.Approvals(t.Context(), 99999)
	s.want(t, "Approvals(99999)", err, forge.NotFound)
}

// rights: of everybody, and of nobody.
func (s *suite) rights(t *testing.T) {
	for user, want := range map[string]forge.Rights{
		Bot: forge.MayAdmin, Author: forge.MayWrite, Reviewer: forge.MayWrite, Reader: forge.MayRead,
		Stranger: forge.NoRights, "no-such-user": forge.NoRights,
	} {
		got, err := s.f.Rights(t.Context(), user)
		noError(t, "Rights("+user+")", err)
		same(t, "Rights("+user+")", want.String(), got.String())
	}
	_, err := s.f.Rights(t.Context(), "..")
	s.want(t, "Rights(..)", err, forge.Invalid)
}

// teams: of those that the token may look into, whoever is in them.
func (s *suite) teams(t *testing.T) {
	sre := s.Team(t, "sre", Bot, Reviewer, Stranger)
	s.Team(t, "sre-on-call", Bot, Author)
	hidden := s.Team(t, "hidden", Reviewer)
	got, err := s.f.Members(t.Context(), sre)
	noError(t, "Members("+sre+")", err)
	same(t, "Members("+sre+")", []string{Bot, Reviewer, Stranger}, got)
	for _, team := range []string{hidden, "data/no-such-team", "no-such-organization/sre"} {
		_, err := s.f.Members(t.Context(), team)
		s.want(t, "Members("+team+")", err, forge.NotFound, forge.Forbidden)
	}
	for _, team := range []string{"", "sre", "data/", "/sre", "data/../sre", "data/s re", "data/sre?x=y", "data/sr%65"} {
		_, err := s.f.Members(t.Context(), team)
		s.want(t, "Members("+team+")", err, forge.Invalid)
	}
	_, err = s.as(t, Stranger).Members(t.Context(), hidden)
	s.want(t, "Members("+hidden+") by a stranger", err, forge.NotFound, forge.Forbidden)

	many := []string{Bot}
	for i := range 120 {
		many = append(many, fmt.Sprintf("member-%03d", i))
	}
	large := s.Team(t, "large", many...)
	slices.Sort(many)
	got, err = s.f.Members(t.Context(), large)
	noError(t, "Members("+large+")", err)
	same(t, "Members("+large+")", many, got)
}
