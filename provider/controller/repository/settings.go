package repository

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/change"
	decide "github.com/mainstay-dev/mainstay/internal/repository"
	"github.com/mainstay-dev/mainstay/provider/forge"
	"github.com/mainstay-dev/mainstay/provider/repo"
)

// settings of the forge: whose token it is, whether the base branch is protected, and the
// webhook. What the token may not do is noted and keeps nothing from going on.
func (r *Reconciler) settings(ctx context.Context, cr *v1alpha1.Repository, rp *repo.Repo, m *memory, into *decide.Look, writes bool) *decide.Problem {
	var notes []string
	user, err := rp.Forge.CurrentUser(ctx)
	if err != nil {
		return r.problem(cr, err)
	}
	into.User = user
	rp.Is(user)

	protected, note, err := protect(ctx, rp.Forge, cr.Spec.ForProvider.BaseBranch, writes)
	if err != nil {
		return r.problem(cr, err)
	}
	into.Protected = &protected
	if note != "" {
		notes = append(notes, note)
	}
	note, err = r.webhook(ctx, cr, rp, m, writes)
	if err != nil {
		return r.problem(cr, err)
	}
	if note != "" {
		notes = append(notes, note)
	}
	m.notes, m.settings = notes, r.now()
	return nil
}

// protect the base branch, so that nothing is merged that is not executed, and say what it
// takes where the token may not. Errors are those that may pass.
func protect(ctx context.Context, f forge.Forge, branch string, writes bool) (protected bool, note string, err error) {
	required := func(p forge.Protection) bool { return p.Protected && p.Requires(change.ContextExecute) }
	byHand := fmt.Sprintf("have %s require the status %s on the forge, or what is not true yet may be merged by hand", branch, change.ContextExecute)
	have, err := f.Protection(ctx, branch)
	switch {
	case forge.Passes(err):
		return false, "", err
	case err != nil:
		return false, fmt.Sprintf("token may not read whether %s is protected: make its user an administrator of the repository, or %s", branch, byHand), nil
	case required(have):
		return true, "", nil
	case !writes:
		return false, byHand, nil
	}
	err = f.EnsureProtection(ctx, branch, []string{change.ContextExecute})
	switch {
	case forge.Passes(err):
		return false, "", err
	case forge.Is(err, forge.Invalid):
		return false, fmt.Sprintf("%s cannot be protected (%s): %s", branch, detail(err), byHand), nil
	case err != nil:
		return false, fmt.Sprintf("token may not protect %s: make its user an administrator of the repository, or %s", branch, byHand), nil
	}
	have, err = f.Protection(ctx, branch)
	if err != nil {
		return false, "", err
	}
	if !required(have) {
		return false, byHand, nil
	}
	return true, "", nil
}

// webhook is set where its URL or its secret is another than before.
func (r *Reconciler) webhook(ctx context.Context, cr *v1alpha1.Repository, rp *repo.Repo, m *memory, writes bool) (note string, err error) {
	w := cr.Spec.ForProvider.Webhook
	if w == nil {
		return "", nil
	}
	secret, err := r.pool.WebhookSecret(ctx, cr)
	if err != nil {
		return "webhook cannot be verified, and only polling is left: " + err.Error(), nil
	}
	if w.URL == "" || !writes {
		return "", nil
	}
	sum := sha256.Sum256([]byte(w.URL + "\n" + string(secret)))
	want := hex.EncodeToString(sum[:])
	if m.hook == want {
		return "", nil
	}
	err = rp.Forge.EnsureWebhook(ctx, forge.Webhook{URL: w.URL, Secret: secret})
	switch {
	case forge.Passes(err):
		return "", err
	case forge.Is(err, forge.Invalid):
		return fmt.Sprintf("webhook is not set, and only polling is left: %s", detail(err)), nil
	case err != nil:
		return "token may not set the webhook, and only polling is left: make its user an administrator of the repository, or set it by hand", nil
	}
	m.hook = want
	return "", nil
}

// detail of an error of the forge.
func detail(err error) string {
	if e, ok := errors.AsType[*forge.Error](err); ok {
		return e.Message
	}
	return err.Error()
}
