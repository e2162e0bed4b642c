package repository

import (
	"context"
	"errors"
	"time"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	decide "github.com/mainstay-dev/mainstay/internal/repository"
	"github.com/mainstay-dev/mainstay/provider/forge"
	"github.com/mainstay-dev/mainstay/provider/git"
	"github.com/mainstay-dev/mainstay/provider/repo"
)

// opening is why a Repository cannot be opened.
func opening(err error) *decide.Problem {
	kind := decide.Unusable
	switch repo.ReasonOf(err) {
	case repo.NoSecret:
		kind = decide.CredentialsMissing
	case repo.NoMirror:
		kind = decide.MirrorUnusable
	}
	return &decide.Problem{Kind: kind, Detail: err.Error()}
}

// ofForge and ofGit say which kind of problem a reason is.
var (
	ofForge = map[forge.Reason]decide.Kind{
		forge.NotFound: decide.RepositoryGone, forge.Unauthorized: decide.TokenRefused, forge.Forbidden: decide.TokenForbidden,
		forge.RateLimited: decide.RateLimited, forge.Invalid: decide.Unusable,
		forge.Conflict: decide.ForgeUnreachable, forge.Unavailable: decide.ForgeUnreachable,
	}
	// A token that the API takes and Git does not is not good for it.
	ofGit = map[git.Reason]decide.Kind{
		git.NotFound: decide.RepositoryGone, git.Unauthorized: decide.TokenForbidden, git.Unavailable: decide.ForgeUnreachable,
		git.Conflict: decide.ForgeUnreachable, git.TooLarge: decide.MirrorUnusable, git.Refused: decide.MirrorUnusable, git.Damaged: decide.MirrorUnusable,
	}
)

// problem that an error of the forge, or of the mirror, is.
func (r *Reconciler) problem(cr *v1alpha1.Repository, err error) *decide.Problem {
	r.log.Debug("Forge does not answer as it should", "namespace", cr.GetNamespace(), "repository", cr.GetName(), "error", err)
	if e, ok := errors.AsType[*forge.Error](err); ok {
		r.metrics.Failed(string(e.Reason))
		p := &decide.Problem{Kind: ofForge[e.Reason], Detail: e.Message}
		if e.RetryAfter > 0 {
			p.Until = r.now().Add(e.RetryAfter).Truncate(time.Second)
		}
		return p
	}
	if e, ok := errors.AsType[*git.Error](err); ok {
		r.metrics.Failed("Git" + string(e.Reason))
		return &decide.Problem{Kind: ofGit[e.Reason], Detail: e.Message}
	}
	r.metrics.Failed("Other")
	detail := "it did not answer in time"
	if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
		detail = err.Error()
	}
	return &decide.Problem{Kind: decide.ForgeUnreachable, Detail: detail}
}
