package observe

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mainstay-dev/mainstay/internal/change"
	"github.com/mainstay-dev/mainstay/provider/forge"
	"github.com/mainstay-dev/mainstay/provider/git"
)

// requestOf what a forge says. Statuses of ours are told as we wrote them, where the forge only
// wrote them down in its own way.
func requestOf(mr forge.MergeRequest, approvals []forge.Approval, statuses []forge.Status, posted map[string]change.Status) *change.Request {
	r := &change.Request{
		Title: mr.Title, Author: mr.Author, URL: mr.URL, State: change.RequestOpen, By: mr.MergedBy,
		HeadSHA: mr.HeadSHA, BaseRef: mr.BaseRef, MergeSHA: mr.MergeCommit, Draft: mr.Draft, Statuses: map[string]change.Status{},
	}
	switch mr.State {
	case forge.Open:
		r.By, r.MergeSHA = "", ""
		r.BranchGone = mr.HeadRepository == "" || mr.HeadRef == ""
	case forge.Closed:
		r.State, r.By, r.MergeSHA = change.RequestClosed, "", ""
	case forge.Merged:
		r.State = change.RequestMerged
	}
	for _, a := range approvals {
		r.Reviews = append(r.Reviews, reviewOf(a))
	}
	for _, s := range statuses {
		got := change.Status{State: change.StatusState(s.State), Description: s.Description}
		if p, ok := posted[s.Context]; ok && p.State == got.State && normal(p) == normal(got) {
			got = p
		}
		r.Statuses[s.Context] = got
	}
	return r
}

func normal(s change.Status) string {
	return forge.Status{Description: s.Description}.Normal().Description
}

// reviewOf a reviewer's last word. The next one of the same reviewer is another.
func reviewOf(a forge.Approval) change.Review {
	return change.Review{
		ID: fmt.Sprintf("%s-%d", a.User, a.At.Unix()), By: change.Person{Name: a.User}, HeadSHA: a.SHA, At: a.At,
		Approves:  a.Verdict == forge.Approved,
		Dismissed: a.Verdict == forge.Dismissed || a.Verdict == forge.Approved && (a.Stale || a.SHA == ""),
	}
}

// own comment, and what it shows. Where there are several it is the first: that is the one
// that is edited.
func own(said []forge.Comment, self string) (forge.Comment, change.Shown, bool) {
	mark := forge.MarkedComment{Mark: change.CommentMark}
	for _, c := range said {
		if c.Author != self || self == "" || !mark.In(c.Body) {
			continue
		}
		at := c.CreatedAt
		if !c.EditedAt.IsZero() {
			at = c.EditedAt
		}
		return c, change.ReadShown(c.Body, at), true
	}
	return forge.Comment{}, change.Shown{}, false
}

// committers as users of a forge, as far as that can be told: whoever of these names, or with an
// address that begins with one, has committed. It only ever takes a right away.
func committers(people []git.Person) []string {
	all := map[string]bool{}
	for _, p := range people {
		local, _, _ := strings.Cut(p.Email, "@")
		// GitHub's addresses that hide the real one are <id>+<user>.
		if _, user, ok := strings.Cut(local, "+"); ok {
			all[user] = true
		}
		all[local], all[p.Name] = true, true
	}
	delete(all, "")
	return slices.Sorted(maps.Keys(all))
}

// spelled has the names as people are spelled who are among them in another case: forges
// take ADA for ada.
func spelled(names, people []string) []string {
	out := slices.Clone(names)
	for _, p := range people {
		if !slices.Contains(out, p) && slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, p) }) {
			out = append(out, p)
		}
	}
	return out
}

// clone of a request, which the next decision may not share with the last.
func clone(r *change.Request) *change.Request {
	if r == nil {
		return nil
	}
	out := *r
	out.Reviews, out.Statuses, out.Committers = slices.Clone(r.Reviews), maps.Clone(r.Statuses), slices.Clone(r.Committers)
	return &out
}
