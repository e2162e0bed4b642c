package repository

import (
	"context"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	decide "github.com/mainstay-dev/mainstay/internal/repository"
	"github.com/mainstay-dev/mainstay/provider/forge"
	"github.com/mainstay-dev/mainstay/provider/repo"
)

// defaultPoll where a Repository says nothing.
const defaultPoll = time.Minute

// gather what is decided from. The forge is asked if it is time to.
func (r *Reconciler) gather(ctx context.Context, cr *v1alpha1.Repository, changes map[string]*v1alpha1.Change, m *memory, writes bool) (decide.Spec, decide.Observed, error) {
	spec := decide.Spec{
		RepositoryParameters: cr.Spec.ForProvider,
		Name:                 cr.GetName(),
		Leaving:              meta.WasDeleted(cr),
		LetGo:                cr.GetAnnotations()[v1alpha1.AnnotationLeaveChanges] == "true",
	}
	o := decide.Observed{Status: cr.Status.AtProvider}
	for _, c := range changes {
		o.Changes = append(o.Changes, decide.ChangeOf(c))
	}
	rp, err := r.pool.Open(ctx, cr)
	switch {
	case err != nil && repo.ReasonOf(err) == "":
		return spec, o, err
	case err != nil:
		o.Look, o.Problem = &decide.Look{}, opening(err)
		r.looked(cr, m, o.Problem)
		m.forge = nil
		return spec, o, nil
	}
	if seen, ok := rp.Seen(); ok {
		o.Before = requests(seen.Open)
	}
	if r.due(cr, rp, m) {
		look := r.look(ctx, cr, rp, m, writes && !spec.Leaving)
		o.Look = &look.Look
		r.looked(cr, m, look.problem)
	}
	o.Problem, o.Notes = m.problem, m.notes
	return spec, o, nil
}

// due is true where the forge is to be asked now.
func (r *Reconciler) due(cr *v1alpha1.Repository, rp *repo.Repo, m *memory) bool {
	now := r.now()
	if r.pool.RepositoryWoken(client.ObjectKeyFromObject(cr)) {
		m.woken = true
	}
	if m.forge != rp.Forge || m.generation != cr.GetGeneration() {
		m.forge, m.generation, m.settings = rp.Forge, cr.GetGeneration(), time.Time{}
		return true
	}
	if m.woken && m.problem == nil {
		limit := rp.Forge.RateLimit()
		soon := m.last.Add(decide.Spacing(limit.Known, limit.Remaining, limit.Limit, interval(cr)))
		if soon.Before(m.next) {
			m.next = soon
		}
	}
	return !now.Before(m.next)
}

// looked at the forge, or tried to: when the next time is.
func (r *Reconciler) looked(cr *v1alpha1.Repository, m *memory, p *decide.Problem) {
	now := r.now()
	m.failures++
	if p == nil {
		m.failures = 0
	}
	m.problem, m.last, m.woken = p, now, false
	wait := decide.Wait(p, m.failures, interval(cr), now)
	if p == nil || p.Until.IsZero() {
		wait = r.spread(wait)
	}
	m.next = now.Add(wait)
	r.metrics.Polled(p)
}

func interval(cr *v1alpha1.Repository) time.Duration {
	if d := cr.Spec.ForProvider.PollInterval; d != nil {
		return d.Duration
	}
	return defaultPoll
}

// A found is what a look found, and why it found no more.
type found struct {
	decide.Look

	problem *decide.Problem
}

// look at the forge. What it says first that is wrong ends it: what was found until then counts.
func (r *Reconciler) look(ctx context.Context, cr *v1alpha1.Repository, rp *repo.Repo, m *memory, writes bool) found {
	now, base := r.now(), cr.Spec.ForProvider.BaseBranch
	open, err := rp.Forge.OpenMergeRequests(ctx, base)
	if err != nil {
		return found{problem: r.problem(cr, err)}
	}
	poll := repo.Poll{At: now, Open: make(map[int64]forge.MergeRequest, len(open))}
	for _, q := range open {
		poll.Open[q.Number] = q
	}
	out := found{Look: decide.Look{Open: requests(poll.Open)}}
	poll.Base, out.problem = r.base(ctx, cr, rp)
	out.BaseSHA = poll.Base
	rp.Saw(poll)
	if out.problem == nil && now.Sub(m.settings) >= settingsEvery {
		out.problem = r.settings(ctx, cr, rp, m, &out.Look, writes)
	}
	return out
}

// requests as decisions compare them.
func requests(open map[int64]forge.MergeRequest) map[int64]decide.Request {
	out := make(map[int64]decide.Request, len(open))
	for n, q := range open {
		out[n] = decide.Request{HeadSHA: q.HeadSHA, UpdatedAt: q.UpdatedAt, Draft: q.Draft}
	}
	return out
}

// firstCopy is how long a look waits for the mirror. The first copy of a large repository
// takes longer, and goes on without being waited for.
const firstCopy = 30 * time.Second

// base branch's commit. It is empty where the mirror is still being made.
func (r *Reconciler) base(ctx context.Context, cr *v1alpha1.Repository, rp *repo.Repo) (string, *decide.Problem) {
	wait, cancel := context.WithTimeout(ctx, firstCopy)
	defer cancel()
	ref := "refs/heads/" + cr.Spec.ForProvider.BaseBranch
	tips, err := rp.Mirror.Fetch(wait, ref)
	switch {
	case err != nil && wait.Err() != nil && ctx.Err() == nil:
		return "", nil
	case err != nil:
		return "", r.problem(cr, err)
	case tips[ref] == "":
		return "", &decide.Problem{Kind: decide.BaseBranchMissing}
	}
	return tips[ref], nil
}
