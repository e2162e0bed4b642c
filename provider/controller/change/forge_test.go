package change

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mainstay-dev/mainstay/provider/forge"
	"github.com/mainstay-dev/mainstay/provider/git/gittest"
)

const (
	bot    = "mainstay"
	author = "mara"
)

// A fakeForge has merge requests whose commits are those of a Git server. It has a clock of its own.
type fakeForge struct {
	t   *testing.T
	git *gittest.Server

	mu       sync.Mutex
	now      time.Time
	down     error
	requests map[int64]*forge.MergeRequest
	comments map[int64][]forge.Comment
	reviews  map[int64][]forge.Approval
	statuses map[string][]forge.Status
	rights   map[string]forge.Rights
	last     int64
	// asked counts reads of merge requests.
	asked int
}

func newForge(t *testing.T, g *gittest.Server) *fakeForge {
	return &fakeForge{
		t: t, git: g, now: time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC), requests: map[int64]*forge.MergeRequest{},
		comments: map[int64][]forge.Comment{}, reviews: map[int64][]forge.Approval{}, statuses: map[string][]forge.Status{},
		rights: map[string]forge.Rights{bot: forge.MayAdmin, author: forge.MayWrite, "ravi": forge.MayWrite, "zoe": forge.MayWrite, "rita": forge.MayRead},
	}
}

// tick the forge's clock. The caller holds the lock.
func (f *fakeForge) tick() time.Time {
	f.now = f.now.Add(time.Second)
	return f.now
}

// propose a branch, and return the number.
func (f *fakeForge) propose(branch string) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := int64(len(f.requests) + 1)
	head := f.git.At("refs/heads/" + branch)
	f.git.Ref(fmt.Sprintf("refs/pull/%d/head", n), head)
	f.requests[n] = &forge.MergeRequest{
		Number: n, Title: "change " + branch, Author: author, State: forge.Open, HeadSHA: head, HeadRef: branch, HeadRepository: "ops/claims",
		BaseRef: "main", URL: fmt.Sprintf("https://git.example.org/ops/claims/pulls/%d", n), CreatedAt: f.tick(), UpdatedAt: f.now,
	}
	return n
}

// pushed says that the branch of a merge request moved.
func (f *fakeForge) pushed(n int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	mr := f.requests[n]
	mr.HeadSHA, mr.UpdatedAt = f.git.At("refs/heads/"+mr.HeadRef), f.tick()
	f.git.Ref(fmt.Sprintf("refs/pull/%d/head", n), mr.HeadSHA)
}

// edit a merge request, as people do.
func (f *fakeForge) edit(n int64, edit func(mr *forge.MergeRequest)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	edit(f.requests[n])
	f.requests[n].UpdatedAt = f.tick()
}

func (f *fakeForge) say(n int64, who, what string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last++
	f.comments[n] = append(f.comments[n], forge.Comment{ID: f.last, Author: who, Body: what, CreatedAt: f.tick()})
	f.requests[n].UpdatedAt = f.now
}

func (f *fakeForge) approve(n int64, who string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	mr := f.requests[n]
	f.reviews[n] = append(slices.DeleteFunc(f.reviews[n], func(a forge.Approval) bool { return a.User == who }),
		forge.Approval{User: who, At: f.tick(), SHA: mr.HeadSHA, Verdict: forge.Approved})
	mr.UpdatedAt = f.now
}

// breaks answers everything with an error, until it is nil.
func (f *fakeForge) breaks(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down = err
}

// comment of ours on a merge request.
func (f *fakeForge) ours(n int64) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.comments[n] {
		if c.Author == bot {
			return c.Body
		}
	}
	return ""
}

func (f *fakeForge) status(sha, context string) forge.Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := slices.IndexFunc(f.statuses[sha], func(s forge.Status) bool { return s.Context == context })
	if i < 0 {
		return forge.Status{}
	}
	return f.statuses[sha][i]
}

func (f *fakeForge) request(n int64) forge.MergeRequest {
	f.mu.Lock()
	defer f.mu.Unlock()
	return *f.requests[n]
}

func (f *fakeForge) OpenMergeRequests(context.Context, string) ([]forge.MergeRequest, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []forge.MergeRequest
	for _, mr := range f.requests {
		if mr.State == forge.Open {
			out = append(out, *mr)
		}
	}
	return out, f.down
}

func (f *fakeForge) MergeRequest(_ context.Context, n int64) (forge.MergeRequest, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	if f.down != nil {
		return forge.MergeRequest{}, f.down
	}
	return *f.requests[n], nil
}

func (f *fakeForge) ChangedFiles(context.Context, int64) (forge.ChangedFiles, error) {
	return forge.ChangedFiles{}, f.down
}

func (f *fakeForge) Merge(_ context.Context, n int64, m forge.Merge) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	mr := f.requests[n]
	switch {
	case f.down != nil:
		return "", f.down
	case mr.State != forge.Open || mr.HeadSHA != m.ExpectedHead:
		return "", forge.Refusef(forge.Conflict, "head is not %s", m.ExpectedHead)
	}
	mr.State, mr.MergedBy, mr.UpdatedAt = forge.Merged, bot, f.tick()
	mr.MergeCommit = f.git.Merge("main", mr.HeadRef)
	return mr.MergeCommit, nil
}

func (f *fakeForge) Close(_ context.Context, n int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down == nil {
		f.requests[n].State, f.requests[n].UpdatedAt = forge.Closed, f.tick()
	}
	return f.down
}

func (f *fakeForge) Reopen(context.Context, int64) error { return f.down }

func (f *fakeForge) Comments(_ context.Context, n int64, since time.Time) ([]forge.Comment, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []forge.Comment
	for _, c := range f.comments[n] {
		if !c.CreatedAt.Before(since) {
			out = append(out, c)
		}
	}
	return out, f.down
}

func (f *fakeForge) UpsertComment(_ context.Context, n int64, m forge.MarkedComment) (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down != nil {
		return 0, f.down
	}
	for i, c := range f.comments[n] {
		if c.Author == bot && m.In(c.Body) {
			f.comments[n][i].Body, f.comments[n][i].EditedAt = m.Text(), f.tick()
			return c.ID, nil
		}
	}
	f.last++
	f.comments[n] = append(f.comments[n], forge.Comment{ID: f.last, Author: bot, Body: m.Text(), CreatedAt: f.tick()})
	return f.last, nil
}

func (f *fakeForge) Approvals(_ context.Context, n int64) ([]forge.Approval, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.reviews[n]), f.down
}

func (f *fakeForge) Rights(_ context.Context, who string) (forge.Rights, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rights[who], f.down
}

func (f *fakeForge) Members(_ context.Context, team string) ([]string, error) {
	return nil, forge.Refusef(forge.NotFound, "there is no team %s", team)
}

func (f *fakeForge) Statuses(_ context.Context, sha string) ([]forge.Status, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.statuses[sha]), f.down
}

func (f *fakeForge) SetStatus(_ context.Context, sha string, s forge.Status) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down == nil {
		f.statuses[sha] = append(slices.DeleteFunc(f.statuses[sha], func(x forge.Status) bool { return x.Context == s.Context }), s.Normal())
	}
	return f.down
}

func (f *fakeForge) Protection(context.Context, string) (forge.Protection, error) {
	return forge.Protection{}, f.down
}
func (f *fakeForge) EnsureProtection(context.Context, string, []string) error { return f.down }
func (f *fakeForge) EnsureWebhook(context.Context, forge.Webhook) error       { return f.down }
func (f *fakeForge) CurrentUser(context.Context) (string, error)              { return bot, f.down }
func (f *fakeForge) RateLimit() forge.RateLimit                               { return forge.RateLimit{} }
func (f *fakeForge) CloneAccess() forge.CloneAccess                           { return forge.CloneAccess{} }
