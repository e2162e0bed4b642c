package gitlab

import (
	"context"
	"slices"
	"strings"
	"time"

	gitlab "gitlab.com/gitlab-org/api/client-go"

	"github.com/mainstay-dev/mainstay/provider/forge"
)

// maxNotes that are read to find comments among what GitLab writes itself.
const maxNotes = 5 * forge.MaxComments

// Comments since a time.
func (f *Forge) Comments(ctx context.Context, number int64, since time.Time) ([]forge.Comment, error) {
	notes, err := f.notes(ctx, number, since.Truncate(time.Second))
	out := comments(notes)
	return out[:min(len(out), forge.MaxComments)], forge.Wrap(err, "list comments of merge request %d of %s", number, f.at.Path)
}

// notes since a time, oldest first. GitLab cannot be asked for a time, so that the
// newest are read until they are older.
func (f *Forge) notes(ctx context.Context, number int64, since time.Time) ([]*gitlab.Note, error) {
	by, desc := "created_at", "desc"
	all, more, err := forge.Pages(maxNotes, func(n int) ([]*gitlab.Note, int, error) {
		notes, r, err := f.c.Notes.ListMergeRequestNotes(f.at.Path, number, &gitlab.ListMergeRequestNotesOptions{
			OrderBy: &by, Sort: &desc, ListOptions: page(n),
		}, gitlab.WithContext(ctx))
		after := next(r)
		if len(notes) > 0 && at(notes[len(notes)-1].CreatedAt).Before(since) {
			after = 0
		}
		return notes, after, err
	})
	if more {
		err = forge.Refusef(forge.Invalid, "it has more than %d notes", maxNotes)
	}
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(n *gitlab.Note) bool { return at(n.CreatedAt).Before(since) })
	slices.SortFunc(all, func(a, b *gitlab.Note) int { return int(a.ID - b.ID) })
	return slices.CompactFunc(all, func(a, b *gitlab.Note) bool { return a.ID == b.ID }), nil
}

// comments among notes.
func comments(notes []*gitlab.Note) []forge.Comment {
	out := []forge.Comment{}
	for _, n := range notes {
		if !n.System {
			out = append(out, comment(n))
		}
	}
	return out
}

func comment(n *gitlab.Note) forge.Comment {
	out := forge.Comment{ID: n.ID, Author: n.Author.Username, Body: forge.Cut(n.Body, forge.MaxText), CreatedAt: at(n.CreatedAt)}
	if at(n.UpdatedAt).After(out.CreatedAt) {
		out.EditedAt = at(n.UpdatedAt)
	}
	return out
}

// UpsertComment writes the one comment with a mark.
func (f *Forge) UpsertComment(ctx context.Context, number int64, m forge.MarkedComment) (int64, error) {
	id, err := forge.Upsert(m, forge.CommentOps{
		User: func() (string, error) { return f.CurrentUser(ctx) },
		First: func() ([]forge.Comment, error) {
			notes, err := f.notes(ctx, number, time.Time{})
			return comments(notes), err
		},
		Get: func(id int64) (forge.Comment, error) {
			n, _, err := f.c.Notes.GetMergeRequestNote(f.at.Path, number, id, gitlab.WithContext(ctx))
			if err != nil {
				return forge.Comment{}, err
			}
			return comment(n), nil
		},
		Create: func(text string) (int64, error) {
			n, _, err := f.c.Notes.CreateMergeRequestNote(f.at.Path, number, &gitlab.CreateMergeRequestNoteOptions{Body: &text}, gitlab.WithContext(ctx))
			if err != nil {
				return 0, err
			}
			return n.ID, nil
		},
		Edit: func(id int64, text string) error {
			_, _, err := f.c.Notes.UpdateMergeRequestNote(f.at.Path, number, id, &gitlab.UpdateMergeRequestNoteOptions{Body: &text}, gitlab.WithContext(ctx))
			return err
		},
	})
	return id, forge.Wrap(err, "comment on merge request %d of %s", number, f.at.Path)
}

// Approvals and refusals.
func (f *Forge) Approvals(ctx context.Context, number int64) ([]forge.Approval, error) {
	out, err := f.approvals(ctx, number)
	return out, forge.Wrap(err, "list approvals of merge request %d of %s", number, f.at.Path)
}

func (f *Forge) approvals(ctx context.Context, number int64) ([]forge.Approval, error) {
	have, _, err := f.c.MergeRequestApprovals.GetConfiguration(f.at.Path, number, gitlab.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	reviewers, _, err := f.c.MergeRequests.GetMergeRequestReviewers(f.at.Path, number, gitlab.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	last := map[string]forge.Approval{}
	if len(have.ApprovedBy) > 0 {
		if last, err = f.approved(ctx, number, have.ApprovedBy); err != nil {
			return nil, err
		}
	}
	for _, r := range reviewers {
		if user := username(r.User); user != "" && r.State == "requested_changes" {
			last[user] = forge.Approval{User: user, Verdict: forge.ChangesRequested}
		}
	}
	return forge.ByUser(last), nil
}

// approved finds when approvals were given, and what the head was then.
func (f *Forge) approved(ctx context.Context, number int64, by []*gitlab.MergeRequestApproverUser) (map[string]forge.Approval, error) {
	notes, err := f.notes(ctx, number, time.Time{})
	if err != nil {
		return nil, err
	}
	given := map[string]time.Time{}
	for _, n := range notes {
		if n.System && strings.HasPrefix(n.Body, "approved this merge request") {
			given[n.Author.Username] = at(n.CreatedAt)
		}
	}
	versions, _, err := forge.Pages(forge.MaxComments, func(n int) ([]*gitlab.MergeRequestDiffVersion, int, error) {
		all, r, err := f.c.MergeRequests.GetMergeRequestDiffVersions(f.at.Path, number,
			&gitlab.GetMergeRequestDiffVersionsOptions{ListOptions: page(n)}, gitlab.WithContext(ctx))
		return all, next(r), err
	})
	if err != nil {
		return nil, err
	}
	out := map[string]forge.Approval{}
	for _, a := range by {
		user := username(a.User)
		out[user] = forge.Approval{User: user, At: given[user], SHA: headAt(versions, given[user]), Verdict: forge.Approved}
	}
	return out, nil
}

// headAt a time: the newest version that was there already.
func headAt(versions []*gitlab.MergeRequestDiffVersion, when time.Time) string {
	slices.SortFunc(versions, func(a, b *gitlab.MergeRequestDiffVersion) int { return int(a.ID - b.ID) })
	head := ""
	for _, v := range versions {
		if !when.IsZero() && !at(v.CreatedAt).After(when) {
			head = v.HeadCommitSHA
		}
	}
	return head
}

// Rights of a member, whether of the project or of a group above it.
func (f *Forge) Rights(ctx context.Context, user string) (forge.Rights, error) {
	out, err := forge.NoRights, forge.CheckName("user", user)
	if err == nil {
		var all []*gitlab.ProjectMember
		all, _, err = forge.Pages(forge.MaxComments, func(n int) ([]*gitlab.ProjectMember, int, error) {
			members, r, err := f.c.ProjectMembers.ListAllProjectMembers(f.at.Path,
				&gitlab.ListProjectMembersOptions{Query: &user, ListOptions: page(n)}, gitlab.WithContext(ctx))
			return members, next(r), err
		})
		for _, m := range all {
			// The query finds all whose name is like it.
			if m.Username == user && m.State == "active" {
				out = max(out, level(m.AccessLevel))
			}
		}
	}
	return out, forge.Wrap(err, "tell the rights of %s in %s", user, f.at.Path)
}

func level(l gitlab.AccessLevelValue) forge.Rights {
	switch {
	case l >= gitlab.MaintainerPermissions:
		return forge.MayAdmin
	case l >= gitlab.DeveloperPermissions:
		return forge.MayWrite
	case l >= gitlab.GuestPermissions:
		return forge.MayRead
	default:
		return forge.NoRights
	}
}
