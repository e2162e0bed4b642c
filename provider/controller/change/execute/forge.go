package execute

import (
	"context"
	"errors"
	"fmt"

	"github.com/mainstay-dev/mainstay/internal/change"
	"github.com/mainstay-dev/mainstay/provider/forge"
)

// closingMark is of the comment that says why a merge request was closed, with the head of the audit trail.
const closingMark = change.CommentMark + "/closed"

// status of the head, where it is another than the forge has.
func (e *Executor) status(ctx context.Context, in Input, a change.Action) error {
	want := forge.Status{Context: a.Context, State: forge.StatusState(a.Status.State), Description: a.Status.Description}
	have, err := in.Repo.Forge.Statuses(ctx, a.Head)
	if err != nil {
		return err
	}
	if !forge.Differs(have, want) {
		return nil
	}
	return in.Repo.Forge.SetStatus(ctx, a.Head, want.Normal())
}

// comment that tells how far the change is: the progress, and the page of the plan. Where there is
// no page the progress is told all the same, and the comment does not claim to show the plan.
func (e *Executor) comment(ctx context.Context, in Input, a change.Action) error {
	shows := change.Shown{Head: a.Head, Digest: a.Digest, Progress: change.Fingerprint(a.Progress)}
	var page string
	var missing error
	if p := in.Change.Status.AtProvider.Plan; a.Digest != "" && p != nil && e.Page != nil {
		if page, missing = e.Page(ctx, in, p.Name); missing != nil {
			shows.Head, shows.Digest = "", ""
			missing = fmt.Errorf("cannot show plan %s: %w", p.Name, missing)
		}
	}
	m := forge.MarkedComment{Mark: change.CommentMark, Body: change.CommentText(shows, a.Progress, page)}
	if id, ok := e.comments.Load(in.Change.UID); ok {
		m.ID, _ = id.(int64)
	}
	id, err := in.Repo.Forge.UpsertComment(ctx, in.Change.Spec.ForProvider.Number, m)
	if forge.Is(err, forge.NotFound) && m.ID != 0 {
		// Somebody deleted it.
		m.ID = 0
		id, err = in.Repo.Forge.UpsertComment(ctx, in.Change.Spec.ForProvider.Number, m)
	}
	if err != nil {
		return errors.Join(err, missing)
	}
	e.comments.Store(in.Change.UID, id)
	return missing
}

// merge the head, and nothing else.
func (e *Executor) merge(ctx context.Context, in Input, a change.Action) error {
	if err := e.fence(ctx, in, a); err != nil {
		return err
	}
	number, f := in.Change.Spec.ForProvider.Number, in.Repo.Forge
	_, err := f.Merge(ctx, number, forge.Merge{ExpectedHead: a.Head, Method: forge.Method(in.spec().Merge.Method), Message: a.Message})
	switch forge.ReasonOf(err) {
	case forge.Conflict:
		// It may be merged already, such as before a crash.
		if r, again := f.MergeRequest(ctx, number); again == nil && r.State == forge.Merged && r.HeadSHA == a.Head {
			break
		}
		return &RefusedError{Reason: err.Error(), Cause: err}
	case forge.Invalid, forge.Forbidden:
		return &RefusedError{Reason: err.Error(), Cause: err}
	default:
		if err != nil {
			return err
		}
	}
	e.Log.Info("Merged", "change", in.name(), "head", a.Head)
	if in.spec().Merge.DeleteBranch {
		// It is merged, whatever becomes of the branch.
		if err := deleteBranch(ctx, in, a.Head); err != nil {
			e.Log.Info("Cannot delete the branch of what is merged", "change", in.name(), "error", err)
		}
	}
	return nil
}

// deleteBranch of what is merged, where it is still the head that was merged. That of a fork is its owner's.
func deleteBranch(ctx context.Context, in Input, head string) error {
	r, err := in.Repo.Forge.MergeRequest(ctx, in.Change.Spec.ForProvider.Number)
	if err != nil {
		return err
	}
	b := in.spec().Delivery.Branch
	if r.State != forge.Merged || r.Fork || r.HeadRef == "" || r.HeadRef == in.spec().BaseBranch || b != nil && r.HeadRef == b.Name {
		return nil
	}
	return in.Repo.Mirror.Delete(ctx, r.HeadRef, head)
}

// close the merge request, and say where the audit trail ends.
func (e *Executor) close(ctx context.Context, in Input, a change.Action) error {
	number, f := in.Change.Spec.ForProvider.Number, in.Repo.Forge
	if a.Message != "" {
		body := "Mainstay closes this merge request. " + a.Message
		if _, err := f.UpsertComment(ctx, number, forge.MarkedComment{Mark: closingMark, Body: body}); err != nil {
			return err
		}
	}
	err := f.Close(ctx, number)
	if forge.Is(err, forge.Conflict) {
		return &RefusedError{Reason: err.Error(), Cause: err}
	}
	return err
}
