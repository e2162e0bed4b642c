package github

import (
	"context"
	"slices"
	"time"

	"github.com/google/go-github/v84/github"

	"github.com/mainstay-dev/mainstay/provider/forge"
)

// Comments since a time.
func (f *Forge) Comments(ctx context.Context, number int64, since time.Time) ([]forge.Comment, error) {
	out, err := f.comments(ctx, number, since)
	return out, forge.Wrap(err, "list comments of merge request %d of %s", number, f.at.Path)
}

// comments of the conversation, oldest first. GitHub asks for those that were edited
// since, which are more.
func (f *Forge) comments(ctx context.Context, number int64, since time.Time) ([]forge.Comment, error) {
	since = since.Truncate(time.Second)
	all, _, err := forge.Pages(forge.MaxComments, func(n int) ([]*github.IssueComment, int, error) {
		opt := &github.IssueListCommentsOptions{ListOptions: page(n)}
		if !since.IsZero() {
			opt.Since = &since
		}
		comments, r, err := f.c.Issues.ListComments(ctx, f.owner, f.name, int(number), opt)
		return comments, next(r), err
	})
	if err != nil {
		return nil, err
	}
	out := []forge.Comment{}
	for _, one := range all {
		if c := comment(one); !c.CreatedAt.Before(since) {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b forge.Comment) int { return int(a.ID - b.ID) })
	return out, nil
}

func comment(c *github.IssueComment) forge.Comment {
	out := forge.Comment{ID: c.GetID(), Author: c.GetUser().GetLogin(), Body: forge.Cut(c.GetBody(), forge.MaxText), CreatedAt: c.GetCreatedAt().UTC()}
	if c.GetUpdatedAt().After(c.GetCreatedAt().Time) {
		out.EditedAt = c.GetUpdatedAt().UTC()
	}
	return out
}

// UpsertComment writes the one comment with a mark.
func (f *Forge) UpsertComment(ctx context.Context, number int64, m forge.MarkedComment) (int64, error) {
	id, err := forge.Upsert(m, forge.CommentOps{
		User:  func() (string, error) { return f.CurrentUser(ctx) },
		First: func() ([]forge.Comment, error) { return f.comments(ctx, number, time.Time{}) },
		Get: func(id int64) (forge.Comment, error) {
			have, _, err := f.c.Issues.GetComment(ctx, f.owner, f.name, id)
			if err != nil {
				return forge.Comment{}, err
			}
			return comment(have), nil
		},
		Create: func(text string) (int64, error) {
			made, _, err := f.c.Issues.CreateComment(ctx, f.owner, f.name, int(number), &github.IssueComment{Body: &text})
			return made.GetID(), err
		},
		Edit: func(id int64, text string) error {
			_, _, err := f.c.Issues.EditComment(ctx, f.owner, f.name, id, &github.IssueComment{Body: &text})
			return err
		},
	})
	return id, forge.Wrap(err, "comment on merge request %d of %s", number, f.at.Path)
}

var verdicts = map[string]forge.Verdict{
	"APPROVED": forge.Approved, "CHANGES_REQUESTED": forge.ChangesRequested, "DISMISSED": forge.Dismissed,
}

// Approvals are reviews with a verdict.
func (f *Forge) Approvals(ctx context.Context, number int64) ([]forge.Approval, error) {
	all, more, err := forge.Pages(forge.MaxComments, func(n int) ([]*github.PullRequestReview, int, error) {
		opt := page(n)
		reviews, r, err := f.c.PullRequests.ListReviews(ctx, f.owner, f.name, int(number), &opt)
		return reviews, next(r), err
	})
	if more {
		err = forge.Refusef(forge.Invalid, "it has more than %d reviews", forge.MaxComments)
	}
	if err != nil {
		return nil, forge.Wrap(err, "list approvals of merge request %d of %s", number, f.at.Path)
	}
	slices.SortFunc(all, func(a, b *github.PullRequestReview) int { return int(a.GetID() - b.GetID()) })
	last := map[string]forge.Approval{}
	for _, r := range all {
		v, ok := verdicts[r.GetState()]
		if user := r.GetUser().GetLogin(); ok && user != "" {
			last[user] = forge.Approval{User: user, At: r.GetSubmittedAt().UTC(), SHA: r.GetCommitID(), Verdict: v}
		}
	}
	return forge.ByUser(last), nil
}

var rights = map[string]forge.Rights{"read": forge.MayRead, "write": forge.MayWrite, "admin": forge.MayAdmin}

// Rights of a user. That there is no such user and that there is no such repository
// have the same answer, so that the repository is asked for then.
func (f *Forge) Rights(ctx context.Context, user string) (forge.Rights, error) {
	err := forge.CheckName("user", user)
	if err == nil {
		var p *github.RepositoryPermissionLevel
		p, _, err = f.c.Repositories.GetPermissionLevel(ctx, f.owner, f.name, user)
		if err == nil {
			return rights[p.GetPermission()], nil
		}
		if forge.Is(err, forge.NotFound) {
			_, _, err = f.c.Repositories.Get(ctx, f.owner, f.name)
		}
	}
	return forge.NoRights, forge.Wrap(err, "tell the rights of %s in %s", user, f.at.Path)
}
