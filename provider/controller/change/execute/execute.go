// Package execute does what internal/change decided: it asks for locks, grants and writes claims, puts
// files on the branch that is delivered from, tells Rollouts, tells the forge, and merges.
//
// The invariants:
//
//   - Every Action may be done twice, also by two who do not know of each other.
//   - What writes to the hub reads first what it is going to write, then the queue, past any
//     cache, and then writes onto the version that it read. Where the epoch of the
//     change's locks is another one the error is ErrFenced, and nothing is written.
//   - A claim is granted before it is written, and the API server refuses a grant of a lower epoch.
//   - A claim that says neither what it is to say, nor what it may say as well, nor what this
//     change wrote before is somebody else's edit. It is not written, unless somebody said so.
//   - What a claim comes to say is tried before it is written. Where it is not, to the digest,
//     what was planned, nothing is written.
//   - Only the head that was executed is merged.
//
// Deliberately absent: deciding what to do, and when (internal/change); observing what became of it
// (package observe); and cleaning up grants of claims that are gone, because who may make
// them again is still asked of those.
package execute

import (
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crossplane/crossplane-runtime/v2/pkg/logging"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/change"
	"github.com/mainstay-dev/mainstay/internal/change/lock"
	"github.com/mainstay-dev/mainstay/provider/controller/change/trees"
	"github.com/mainstay-dev/mainstay/provider/repo"
)

// An Executor does what was decided. It is safe for concurrent use, and must not be copied.
type Executor struct {
	// Hub that is written to.
	Hub client.Client
	// Live reads the hub past any cache: what fences must not be old.
	Live client.Reader
	// Trees have what claims are to say.
	Trees *trees.Trees
	// Page of a plan by its name, in Markdown, for the comment.
	Page func(ctx context.Context, in Input, plan string) (string, error)
	// Now is the present.
	Now func() time.Time
	// Log of what was written.
	Log logging.Logger

	queue    asks
	looks    looks
	comments sync.Map // By the uid of a Change: the id of its comment.
	told     sync.Map // By the uid of a Repository: when its engine was told to look.
	branches sync.Map // By the uid of a Repository: who puts files on its branch.
	last     sync.Map // By the uid of a Change: what was delivered last.
}

// An Input is the change that is executed.
type Input struct {
	// Change with the status that was decided, and that is persisted where it had to be first.
	Change *v1alpha1.Change
	// Repository of the change, and the same opened.
	Repository *v1alpha1.Repository
	Repo       *repo.Repo
}

// name of the change, as grants and the queue have it.
func (in Input) name() string { return in.Change.Namespace + "/" + in.Change.Name }

// label that people name it by.
func (in Input) label() string { return fmt.Sprintf("!%d", in.Change.Spec.ForProvider.Number) }

// spec of its Repository.
func (in Input) spec() v1alpha1.RepositoryParameters { return in.Repository.Spec.ForProvider }

// repository as namespaces agree to it.
func (in Input) repository() string { return in.Repository.Namespace + "/" + in.Repository.Name }

// Do one Action. It may be done again whatever it returns. The error has in it
//
//   - ErrFenced where the locks are not those that it was decided under,
//   - an *EditedError where somebody else wrote the claim,
//   - an *AdmittedError where the API server makes something else of it than was planned,
//   - a *RefusedError where the forge refuses to merge or to close: what it says is for
//     Observed.MergeRefused.
func (e *Executor) Do(ctx context.Context, in Input, a change.Action) error {
	var err error
	switch a.Verb {
	case change.DoStatus:
		err = e.status(ctx, in, a)
	case change.DoComment:
		err = e.comment(ctx, in, a)
	case change.DoLock:
		err = e.lock(ctx, in, a)
	case change.DoUnlock:
		err = e.unlock(ctx, in)
	case change.DoApply:
		err = e.apply(ctx, in, a)
	case change.DoBranch:
		err = e.branch(ctx, in, a)
	case change.DoSeal:
		err = e.seal(ctx, in, a)
	case change.DoPause, change.DoUnpause, change.DoRetry, change.DoAllow:
		err = e.tell(ctx, in, a)
	case change.DoMerge:
		err = e.merge(ctx, in, a)
	case change.DoClose:
		err = e.close(ctx, in, a)
	default:
		err = fmt.Errorf("there is no such verb")
	}
	if err != nil {
		return fmt.Errorf("cannot %s: %w", what(in, a), err)
	}
	return nil
}

// Forget a change that is gone.
func (e *Executor) Forget(uid types.UID) {
	e.comments.Delete(uid)
	e.last.Delete(uid)
}

// what an Action does, for its error.
func what(in Input, a change.Action) string {
	switch a.Verb {
	case change.DoStatus:
		return "post status " + a.Context
	case change.DoComment:
		return "keep the comment on " + in.label()
	case change.DoLock:
		return "queue"
	case change.DoUnlock:
		return "leave the queue"
	case change.DoApply:
		return "apply " + a.Claim.String()
	case change.DoBranch:
		return fmt.Sprintf("deliver %d claims", len(a.Claims))
	case change.DoSeal:
		return "seal the grant of " + a.Claim.String()
	case change.DoPause:
		return "pause the Rollout of " + a.Claim.String()
	case change.DoUnpause:
		return "let the Rollout of " + a.Claim.String() + " go on"
	case change.DoRetry:
		return "retry the Rollout of " + a.Claim.String()
	case change.DoAllow:
		return "let the Rollout of " + a.Claim.String() + " take it away"
	case change.DoMerge:
		return "merge " + in.label()
	case change.DoClose:
		return "close " + in.label()
	}
	return string(a.Verb)
}

// fence an Action: the locks must be those that it was decided under. It is asked last before writing.
func (e *Executor) fence(ctx context.Context, in Input, a change.Action) error {
	q, err := e.looks.look(ctx, e.Live)
	if err != nil {
		return err
	}
	p := lock.Look(q, string(in.Change.UID), e.Now())
	if a.Epoch <= 0 || !p.Held || p.Epoch != a.Epoch {
		return fmt.Errorf("%w: epoch %d was decided with, and the queue has %d", ErrFenced, a.Epoch, p.Epoch)
	}
	return nil
}
