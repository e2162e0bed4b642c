// Package observe gathers what a decision on a Change is made from: what the forge and Git say of
// the merge request, where it is in the queue, and how its claims and their Rollouts are.
//
// The invariants:
//
//   - What cannot be asked is said to be so. What a forge said last stays known until it answers
//     again, and until the provider starts anew; it is never mixed with newer answers.
//   - A forge is asked where there may be something new: its poll shows that the merge request moved, it
//     was woken, something rests on the answer now, or nobody asked for long. A hundred Changes
//     that nothing happens to ask nothing.
//   - The hub is read from the cache. What a cache says that would stop a change, such as that its
//     locks are lost, is read again from the API server first. Whatever is written is fenced
//     once more by who writes it.
//
// Deliberately absent: bundles. A plan does not name them, so only which clusters are moved is compared with it.
package observe

import (
	"context"
	"errors"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/change"
	"github.com/mainstay-dev/mainstay/internal/change/lock"
	"github.com/mainstay-dev/mainstay/internal/change/turn"
	"github.com/mainstay-dev/mainstay/provider/controller/change/execute"
	"github.com/mainstay-dev/mainstay/provider/controller/change/trees"
	"github.com/mainstay-dev/mainstay/provider/forge"
	"github.com/mainstay-dev/mainstay/provider/repo"
)

// patience with the forge and Git. One that takes every connection and never answers must leave time to put
// on record, and to do, what was said on the hub. What is being fetched goes on being fetched.
const patience = time.Minute

// An Observer gathers for all Changes. It remembers what the forge said of each.
type Observer struct {
	// Hub is read from a cache, objects without a type as well; Live is not.
	Hub, Live client.Reader
	// Trees of merge requests.
	Trees *trees.Trees
	// Now is the time.
	Now func() time.Time

	mu       sync.Mutex
	memories map[types.UID]*memory
	people   map[person]known
	teams    map[team]membership
	turns    map[types.UID]*turn.Turns
}

// An Input is what is looked at.
type Input struct {
	Change     *v1alpha1.Change
	Repository *v1alpha1.Repository
	// Repo is the Repository, open. Where it cannot be opened Problem says why, and Repo is what was
	// open before, or nil.
	Repo    *repo.Repo
	Problem string
	// Woken is true where somebody said that the forge has something new.
	Woken bool
}

// memory of one Change. One worker at a time uses it.
type memory struct {
	// request is what the forge said last, and raw what it was made of.
	request *change.Request
	raw     forge.MergeRequest
	// readAt which time by our clock, and settled once it was read again without news.
	readAt  time.Time
	settled bool
	// dirty is true where we changed something on the forge that has to be read back.
	dirty bool
	// problem of the forge, when it is asked again, and after which wait.
	problem string
	retryAt time.Time
	wait    time.Duration

	// said are comments, and ours is our own.
	said  []forge.Comment
	ours  forge.Comment
	shown change.Shown
	// posted are statuses of ours by context, as we wrote them, on a head.
	posted     map[string]change.Status
	postedHead string

	// git is what the mirror had, and of which commits.
	git        change.Git
	committers []string
	gone       bool
	gitAt      time.Time
	gitHead    string

	// refused is why a head was not merged.
	refused, refusedHead string

	// trouble with claims that could not be written.
	trouble map[v1alpha1.ClaimReference]trouble

	plan *planned
}

// trouble is why a claim could not be written.
type trouble struct {
	message string
	// epoch in which it was to be, and what it was to say.
	epoch  int64
	digest string
	// retried is how often failures had been forgotten by then.
	retried int64
	// edited is true where it is somebody else's edit, refused where the API server makes something else of it.
	edited, refused bool
}

// Observe a Change.
func (o *Observer) Observe(ctx context.Context, in Input) change.Observed {
	m := o.memory(in.Change.GetUID())
	out := change.Observed{Status: *in.Change.Status.AtProvider.DeepCopy()}
	o.place(ctx, in, &out)
	out.MergesAhead = o.turn(in, out)
	o.outside(ctx, in, m, &out)
	if !ended(out.Status) || out.Place.Asked {
		out.Claims = o.claims(ctx, in, m)
	}
	if m.refused != "" && out.Request != nil && m.refusedHead == out.Request.HeadSHA {
		out.MergeRefused = m.refused
	}
	return out
}

// outside of the hub: what the forge and Git say, as far as they do in time.
func (o *Observer) outside(ctx context.Context, in Input, m *memory, out *change.Observed) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	o.request(ctx, in, m, out)
	o.git(ctx, in, m, out)
}

// Place in the queue only, for a Change that leaves.
func (o *Observer) Place(ctx context.Context, in Input) change.Observed {
	out := change.Observed{Status: *in.Change.Status.AtProvider.DeepCopy()}
	out.Place, out.QueueProblem = o.look(ctx, o.Live, in.Change.GetUID())
	return out
}

// Did says that an action was done, or why it was not, so that what it changed is known or read again.
func (o *Observer) Did(c *v1alpha1.Change, a change.Action, err error) {
	m := o.memory(c.GetUID())
	delete(m.trouble, a.Claim)
	if err != nil {
		m.failed(a, c.Status.AtProvider.Retried, err)
		return
	}
	switch a.Verb {
	case change.DoStatus:
		if m.postedHead != a.Head {
			m.posted, m.postedHead = map[string]change.Status{}, a.Head
		}
		m.posted[a.Context] = a.Status
		if m.request != nil && m.request.HeadSHA == a.Head {
			m.request.Statuses[a.Context] = a.Status
		}
	case change.DoComment:
		m.refused = ""
		if m.shown.Head != a.Head || m.shown.Digest != a.Digest || m.shown.At.IsZero() {
			m.dirty = true // When a plan came to be shown is for the forge's clock to say.
			return
		}
		m.shown.Progress = change.Fingerprint(a.Progress)
	case change.DoMerge, change.DoClose:
		m.dirty, m.refused = true, ""
	}
}

// failed says what became of an action. What a forge refused to do may have another reason by now, such
// as that somebody did it: it is read again.
func (m *memory) failed(a change.Action, retried int64, err error) {
	if refused, ok := errors.AsType[*execute.RefusedError](err); ok {
		m.refused, m.refusedHead, m.dirty = cut(refused.Reason), a.Head, true
		return
	}
	if a.Claim.Name == "" {
		return
	}
	t := trouble{message: cut(err.Error()), epoch: a.Epoch, digest: a.Digest, retried: retried}
	_, t.edited = errors.AsType[*execute.EditedError](err)
	_, t.refused = errors.AsType[*execute.AdmittedError](err)
	m.trouble[a.Claim] = t
}

// Forget a Change that is gone.
func (o *Observer) Forget(uid types.UID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.memories, uid)
	for _, t := range o.turns {
		t.Leave(string(uid))
	}
}

func (o *Observer) memory(uid types.UID) *memory {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.memories == nil {
		o.memories = map[types.UID]*memory{}
	}
	m, ok := o.memories[uid]
	if !ok {
		m = &memory{posted: map[string]change.Status{}, trouble: map[v1alpha1.ClaimReference]trouble{}}
		o.memories[uid] = m
	}
	return m
}

// place in the queue. The cache may be behind: what would stop a change is asked for anew.
func (o *Observer) place(ctx context.Context, in Input, out *change.Observed) {
	uid := in.Change.GetUID()
	out.Place, out.QueueProblem = o.look(ctx, o.Hub, uid)
	if holds(out.Status) && (out.QueueProblem != "" || !out.Place.Held || out.Place.Epoch != out.Status.Epoch) {
		out.Place, out.QueueProblem = o.look(ctx, o.Live, uid)
	}
}

func (o *Observer) look(ctx context.Context, from client.Reader, uid types.UID) (lock.Place, string) {
	q := &v1alpha1.ChangeQueue{}
	if err := from.Get(ctx, types.NamespacedName{Name: v1alpha1.ChangeQueueName}, q); client.IgnoreNotFound(err) != nil {
		return lock.Place{}, cut(err.Error())
	}
	return lock.Look(q.Spec, string(uid), o.Now()), ""
}

// holds is true where a change goes by locks that it has.
func holds(s v1alpha1.ChangeObservation) bool {
	switch s.Phase {
	case v1alpha1.ChangeExecuting, v1alpha1.ChangeVerifying, v1alpha1.ChangeMerging, v1alpha1.ChangeSuperseded, v1alpha1.ChangeAbandoning, v1alpha1.ChangeHalted:
		return s.Epoch > 0
	}
	return false
}

// acts is true where something is about to be done that rests on what forge and Git say now.
func acts(s v1alpha1.ChangeObservation, p lock.Place, mergesAhead int) bool {
	switch s.Phase {
	case v1alpha1.ChangeApproved, v1alpha1.ChangeQueued:
		return p.Held
	case v1alpha1.ChangeMerging:
		return mergesAhead == 0
	}
	return false
}

// ended is true where nothing more is to come.
func ended(s v1alpha1.ChangeObservation) bool {
	return s.Phase == v1alpha1.ChangeCompleted || s.Phase == v1alpha1.ChangeAbandoned
}

// interval at which the forge is polled.
func interval(r *v1alpha1.Repository) time.Duration {
	if p := r.Spec.ForProvider.PollInterval; p != nil && p.Duration > 0 {
		return p.Duration
	}
	return time.Minute
}

// maxProblem is how long a problem is told at most.
const maxProblem = 512

func cut(s string) string { return forge.Cut(s, maxProblem) }
