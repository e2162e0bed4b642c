package observe

import (
	"context"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/change"
	"github.com/mainstay-dev/mainstay/provider/forge"
	"github.com/mainstay-dev/mainstay/provider/repo"
)

const (
	// unasked is how many polls may pass without a merge request being read, although nothing
	// moved: commit statuses of others, and what a forge does not count as a move.
	unasked = 5
	// firstRetry and lastRetry are the waits before a forge is asked again that did not answer.
	firstRetry, lastRetry = 15 * time.Second, 2 * time.Minute
	// rightsFor is how long a person's rights are taken for what they were.
	rightsFor = time.Minute
	// told is how long after the end of a change it is looked at whether that was told, by a provider that started since.
	told = 10 * time.Minute
	// maxPages of comments: what is written faster than that is read later.
	maxPages = 10
)

// request as the forge has it.
func (o *Observer) request(ctx context.Context, in Input, m *memory, out *change.Observed) {
	switch {
	case in.Problem != "" || in.Repo == nil:
		m.problem, m.retryAt = cut(in.Problem), time.Time{}
		if m.problem == "" {
			m.problem = "its Repository is not open"
		}
	case m.problem != "" && o.Now().Before(m.retryAt) && !in.Woken:
		// Its answer was that it cannot, a moment ago.
	case m.problem != "" || m.due(in, *out, o.Now()):
		o.ask(ctx, in, m)
	}
	out.ForgeProblem, out.Self = m.problem, ""
	if in.Repo != nil {
		out.Self = in.Repo.Self
	}
	out.Request, out.Shown = clone(m.request), m.shown
	if m.problem != "" || m.request == nil {
		return
	}
	comments, err := o.comments(ctx, in, m, out.Status.Comment)
	if err == nil {
		err = o.reviewers(ctx, in, out.Request)
	}
	if err != nil {
		o.unanswered(m, err)
		out.ForgeProblem = m.problem
		return
	}
	out.Comments = comments
	o.inTeams(ctx, in, out)
}

// due is true where the forge may have something new.
func (m *memory) due(in Input, out change.Observed, now time.Time) bool {
	s := out.Status
	switch {
	case in.Woken, m.dirty:
		return true
	case m.request == nil:
		return !ended(s) || now.Sub(in.Change.GetCondition(xpv2.TypeReady).LastTransitionTime.Time) < told || m.opened(in)
	case ended(s) && m.raw.State == forge.Merged:
		return false
	case acts(s, out.Place, out.MergesAhead):
		return true
	}
	if poll, ok := in.Repo.Seen(); ok && poll.At.After(m.readAt) {
		open, listed := poll.Open[m.raw.Number]
		switch {
		case listed != (m.raw.State == forge.Open):
			return true
		case listed && (!open.UpdatedAt.Equal(m.raw.UpdatedAt) || open.HeadSHA != m.raw.HeadSHA || open.Draft != m.raw.Draft || !m.settled):
			return true
		}
	}
	wait := unasked * interval(in.Repository)
	if s.Phase == v1alpha1.ChangePlanned && len(in.Repository.Spec.ForProvider.Merge.RequiredContexts) > 0 {
		wait = interval(in.Repository)
	}
	return now.Sub(m.readAt) >= wait || now.Before(m.readAt)
}

// opened is true where a merge request that is over is open again, as the poll has it.
func (m *memory) opened(in Input) bool {
	poll, ok := in.Repo.Seen()
	_, open := poll.Open[in.Change.Spec.ForProvider.Number]
	return ok && open
}

// ask the forge for all of it, or keep what it said last.
func (o *Observer) ask(ctx context.Context, in Input, m *memory) {
	at := o.Now()
	if err := o.read(ctx, in, m); err != nil {
		o.unanswered(m, err)
		return
	}
	m.readAt, m.dirty, m.problem, m.wait = at, false, "", 0
}

// unanswered says why the forge does not answer, and when it is asked again.
func (o *Observer) unanswered(m *memory, err error) {
	m.wait = min(max(2*m.wait, firstRetry), lastRetry)
	m.problem, m.retryAt = cut(err.Error()), o.Now().Add(max(m.wait, forge.RetryAfter(err)))
}

// read a merge request, what is said on it, and the statuses of its head. Nothing is taken over
// unless all of it could be.
func (o *Observer) read(ctx context.Context, in Input, m *memory) error {
	f, number := in.Repo.Forge, in.Change.Spec.ForProvider.Number
	if in.Repo.Self == "" {
		self, err := f.CurrentUser(ctx)
		if err != nil {
			return err
		}
		in.Repo.Is(self)
		in.Repo.Self = self
	}
	mr, err := f.MergeRequest(ctx, number)
	if err != nil {
		return err
	}
	said, err := commentsSince(ctx, f, number, m.ours.CreatedAt)
	if err != nil {
		return err
	}
	var approvals []forge.Approval
	var statuses []forge.Status
	if mr.State == forge.Open {
		if approvals, err = f.Approvals(ctx, number); err != nil {
			return err
		}
		if statuses, err = f.Statuses(ctx, mr.HeadSHA); err != nil {
			return err
		}
	}

	if m.postedHead != mr.HeadSHA {
		m.posted, m.postedHead = map[string]change.Status{}, mr.HeadSHA
	}
	m.settled = m.request != nil && m.raw.UpdatedAt.Equal(mr.UpdatedAt) && m.raw.State == mr.State
	m.raw, m.said = mr, said
	m.request = requestOf(mr, approvals, statuses, m.posted)
	if c, shown, ok := own(said, in.Repo.Self); ok {
		m.ours, m.shown = c, shown
	}
	return nil
}

// commentsSince a time: all of them, but for what is written faster than it is read.
func commentsSince(ctx context.Context, f forge.Forge, number int64, since time.Time) ([]forge.Comment, error) {
	var out []forge.Comment
	for range maxPages {
		page, err := f.Comments(ctx, number, since)
		if err != nil {
			return nil, err
		}
		for _, c := range page {
			if !slices.ContainsFunc(out, func(x forge.Comment) bool { return x.ID == c.ID }) {
				out = append(out, c)
			}
		}
		if len(page) < forge.MaxComments || page[len(page)-1].CreatedAt.Equal(since) {
			break
		}
		since = page[len(page)-1].CreatedAt
	}
	return out, nil
}

// comments of people since the last that was dealt with. Only who gives a command is asked about.
func (o *Observer) comments(ctx context.Context, in Input, m *memory, after int64) ([]change.Comment, error) {
	var out []change.Comment
	for _, c := range m.said {
		if c.ID <= after || c.Author == in.Repo.Self {
			continue
		}
		by := change.Person{Name: c.Author}
		if _, _, ok := change.Parse(c.Body); ok {
			var err error
			if by, err = o.person(ctx, in.Repo, c.Author); err != nil {
				return nil, err
			}
		}
		out = append(out, change.Comment{ID: c.ID, By: by, At: c.CreatedAt, Body: c.Body})
	}
	slices.SortFunc(out, func(a, b change.Comment) int { return int(a.ID - b.ID) })
	return out, nil
}

// reviewers and what they may do.
func (o *Observer) reviewers(ctx context.Context, in Input, r *change.Request) error {
	for i := range r.Reviews {
		by, err := o.person(ctx, in.Repo, r.Reviews[i].By.Name)
		if err != nil {
			return err
		}
		r.Reviews[i].By = by
	}
	return nil
}

// A person in a repository, with what they may do since a time.
type person struct {
	repository types.UID
	name       string
}

type known struct {
	rights forge.Rights
	at     time.Time
}

// person on the forge, and what they may do. Whoever is asked about again soon is who they were.
func (o *Observer) person(ctx context.Context, r *repo.Repo, name string) (change.Person, error) {
	key, now := person{r.UID, name}, o.Now()
	o.mu.Lock()
	k, ok := o.people[key]
	o.mu.Unlock()
	if !ok || now.Sub(k.at) >= rightsFor || now.Before(k.at) {
		rights, err := r.Forge.Rights(ctx, name)
		if err != nil {
			return change.Person{}, err
		}
		k = known{rights, now}
		o.mu.Lock()
		defer o.mu.Unlock()
		for p, old := range o.people {
			if now.Sub(old.at) >= rightsFor {
				delete(o.people, p)
			}
		}
		if o.people == nil {
			o.people = map[person]known{}
		}
		o.people[key] = k
	}
	return change.Person{Name: name, Writes: k.rights >= forge.MayWrite}, nil
}
