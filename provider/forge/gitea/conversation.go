package gitea

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"code.gitea.io/sdk/gitea"

	"github.com/mainstay-dev/mainstay/provider/forge"
)

// Comments since a time.
func (f *Forge) Comments(ctx context.Context, number int64, since time.Time) (out []forge.Comment, err error) {
	err = f.with(ctx, func(c *gitea.Client) error {
		out, err = f.comments(c, number, since)
		return err
	}, "list comments of merge request %d of %s", number, f.at.Path)
	return out, err
}

// comments of the conversation, oldest first. Gitea asks for those that were edited
// since, which are more.
func (f *Forge) comments(c *gitea.Client, number int64, since time.Time) ([]forge.Comment, error) {
	since = since.Truncate(time.Second)
	all, _, err := forge.Pages(forge.MaxComments, func(n int) ([]*gitea.Comment, int, error) {
		page, r, err := c.ListIssueComments(f.owner, f.name, number, gitea.ListIssueCommentOptions{
			ListOptions: gitea.ListOptions{Page: n, PageSize: pageSize}, Since: since,
		})
		return page, next(r), err
	})
	if err != nil {
		return nil, confirm(err, func() error {
			_, _, err := c.GetPullRequest(f.owner, f.name, number)
			return err
		})
	}
	out := []forge.Comment{}
	for _, one := range all {
		if !one.Created.Before(since) {
			out = append(out, comment(one))
		}
	}
	slices.SortFunc(out, func(a, b forge.Comment) int { return int(a.ID - b.ID) })
	return out, nil
}

func comment(c *gitea.Comment) forge.Comment {
	out := forge.Comment{ID: c.ID, Author: login(c.Poster), Body: forge.Cut(c.Body, forge.MaxText), CreatedAt: c.Created.UTC()}
	if c.Updated.After(c.Created) {
		out.EditedAt = c.Updated.UTC()
	}
	return out
}

// UpsertComment writes the one comment with a mark.
func (f *Forge) UpsertComment(ctx context.Context, number int64, m forge.MarkedComment) (id int64, err error) {
	err = f.with(ctx, func(c *gitea.Client) error {
		id, err = forge.Upsert(m, forge.CommentOps{
			User:  func() (string, error) { return f.CurrentUser(ctx) },
			First: func() ([]forge.Comment, error) { return f.comments(c, number, time.Time{}) },
			Get: func(id int64) (forge.Comment, error) {
				have, r, err := c.GetIssueComment(f.owner, f.name, id)
				if err != nil || r.StatusCode == http.StatusNoContent {
					return forge.Comment{}, err
				}
				return comment(have), nil
			},
			Create: func(text string) (int64, error) {
				made, _, err := c.CreateIssueComment(f.owner, f.name, number, gitea.CreateIssueCommentOption{Body: text})
				if err != nil {
					return 0, err
				}
				return made.ID, nil
			},
			Edit: func(id int64, text string) error {
				_, _, err := c.EditIssueComment(f.owner, f.name, id, gitea.EditIssueCommentOption{Body: text})
				return err
			},
		})
		return err
	}, "comment on merge request %d of %s", number, f.at.Path)
	return id, err
}

var verdicts = map[gitea.ReviewStateType]forge.Verdict{
	gitea.ReviewStateApproved:       forge.Approved,
	gitea.ReviewStateRequestChanges: forge.ChangesRequested,
}

// Approvals are reviews with a verdict.
func (f *Forge) Approvals(ctx context.Context, number int64) ([]forge.Approval, error) {
	var all []*gitea.PullReview
	err := f.with(ctx, func(c *gitea.Client) error {
		var more bool
		var err error
		all, more, err = forge.Pages(forge.MaxComments, func(n int) ([]*gitea.PullReview, int, error) {
			page, r, err := c.ListPullReviews(f.owner, f.name, number, gitea.ListPullReviewsOptions{
				ListOptions: gitea.ListOptions{Page: n, PageSize: pageSize},
			})
			return page, next(r), err
		})
		if more {
			return forge.Refusef(forge.Invalid, "it has more than %d reviews", forge.MaxComments)
		}
		return err
	}, "list approvals of merge request %d of %s", number, f.at.Path)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b *gitea.PullReview) int { return int(a.ID - b.ID) })
	last := map[string]forge.Approval{}
	for _, r := range all {
		v, ok := verdicts[r.State]
		if !ok || login(r.Reviewer) == "" {
			continue
		}
		if r.Dismissed {
			v = forge.Dismissed
		}
		last[login(r.Reviewer)] = forge.Approval{User: login(r.Reviewer), At: r.Submitted.UTC(), SHA: r.CommitID, Verdict: v, Stale: r.Stale}
	}
	return forge.ByUser(last), nil
}

var rights = map[string]forge.Rights{
	"none": forge.NoRights, "read": forge.MayRead, "write": forge.MayWrite,
	"admin": forge.MayAdmin, "owner": forge.MayAdmin,
}

// Rights of a user. That there is no such user and that there is no such repository
// have the same answer, so that the repository is asked for then.
func (f *Forge) Rights(ctx context.Context, user string) (out forge.Rights, err error) {
	err = f.with(ctx, func(c *gitea.Client) error {
		if err := forge.CheckName("user", user); err != nil {
			return err
		}
		p, _, err := c.CollaboratorPermission(f.owner, f.name, user)
		if forge.Is(err, forge.NotFound) {
			_, _, err := c.GetRepo(f.owner, f.name)
			return err
		}
		if err == nil {
			out = rights[strings.ToLower(string(p.Permission))]
		}
		return err
	}, "tell the rights of %s in %s", user, f.at.Path)
	return out, err
}
