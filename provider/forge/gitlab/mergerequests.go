package gitlab

import (
	"context"
	"fmt"
	"slices"
	"time"

	gitlab "gitlab.com/gitlab-org/api/client-go"

	"github.com/mainstay-dev/mainstay/provider/forge"
)

// OpenMergeRequests for a base.
func (f *Forge) OpenMergeRequests(ctx context.Context, base string) ([]forge.MergeRequest, error) {
	opened, by, asc := "opened", "created_at", "asc"
	all, more, err := forge.Pages(forge.MaxMergeRequests, func(n int) ([]*gitlab.BasicMergeRequest, int, error) {
		mrs, r, err := f.c.MergeRequests.ListProjectMergeRequests(f.at.Path, &gitlab.ListProjectMergeRequestsOptions{
			State: &opened, TargetBranch: &base, OrderBy: &by, Sort: &asc, ListOptions: page(n),
		}, gitlab.WithContext(ctx))
		return mrs, next(r), err
	})
	if more {
		err = forge.Refusef(forge.Invalid, "more than %d are open: close those that nobody needs", forge.MaxMergeRequests)
	}
	out, names := []forge.MergeRequest{}, map[int64]string{}
	for _, mr := range all {
		var one forge.MergeRequest
		if err == nil {
			one, err = f.mergeRequest(ctx, mr, names)
			out = append(out, one)
		}
	}
	if err != nil {
		return nil, forge.Wrap(err, "list open merge requests of %s", f.at.Path)
	}
	slices.SortFunc(out, func(a, b forge.MergeRequest) int { return int(a.Number - b.Number) })
	return slices.CompactFunc(out, func(a, b forge.MergeRequest) bool { return a.Number == b.Number }), nil
}

// MergeRequest with a number.
func (f *Forge) MergeRequest(ctx context.Context, number int64) (out forge.MergeRequest, err error) {
	mr, _, err := f.c.MergeRequests.GetMergeRequest(f.at.Path, number, nil, gitlab.WithContext(ctx))
	if err == nil {
		out, err = f.mergeRequest(ctx, &mr.BasicMergeRequest, map[int64]string{})
	}
	return out, forge.Wrap(err, "read merge request %d of %s", number, f.at.Path)
}

// mergeRequest from what GitLab tells. names of other projects are asked for once.
func (f *Forge) mergeRequest(ctx context.Context, mr *gitlab.BasicMergeRequest, names map[int64]string) (forge.MergeRequest, error) {
	out := forge.MergeRequest{
		Number: mr.IID, Title: mr.Title, Description: forge.Cut(mr.Description, forge.MaxText),
		Author: username(mr.Author), State: forge.Open, Draft: mr.Draft,
		HeadSHA: mr.SHA, HeadRef: mr.SourceBranch, BaseRef: mr.TargetBranch,
		HeadRepository: f.at.Path, Fork: mr.SourceProjectID != mr.TargetProjectID,
		FetchRef:  fmt.Sprintf("refs/merge-requests/%d/head", mr.IID),
		Mergeable: mergeable(mr), Labels: slices.Sorted(slices.Values(mr.Labels)), URL: mr.WebURL,
		CreatedAt: at(mr.CreatedAt), UpdatedAt: at(mr.UpdatedAt),
	}
	switch mr.State {
	case "merged":
		out.State, out.MergedBy, out.MergedAt = forge.Merged, username(mr.MergeUser), at(mr.MergedAt)
		// Which of them there is depends on how the project merges.
		for _, sha := range []string{mr.MergeCommitSHA, mr.SquashCommitSHA, mr.SHA} {
			if out.MergeCommit == "" {
				out.MergeCommit = sha
			}
		}
	case "closed":
		out.State = forge.Closed
	}
	if !out.Fork {
		return out, nil
	}
	name, asked := names[mr.SourceProjectID]
	if !asked {
		p, _, err := f.c.Projects.GetProject(mr.SourceProjectID, nil, gitlab.WithContext(ctx))
		switch {
		case err == nil:
			name = p.PathWithNamespace
		case !forge.Is(err, forge.NotFound) && !forge.Is(err, forge.Forbidden):
			return out, err
		}
		names[mr.SourceProjectID] = name
	}
	out.HeadRepository = name
	return out, nil
}

// mergeable is about content only: GitLab's status is also about drafts and pipelines.
func mergeable(mr *gitlab.BasicMergeRequest) forge.Mergeable {
	switch {
	case mr.HasConflicts || mr.DetailedMergeStatus == "conflict":
		return forge.MergeableConflict
	case mr.State != "opened":
		return forge.MergeableUnknown
	}
	switch mr.DetailedMergeStatus {
	case "", "checking", "unchecked", "preparing", "broken_status":
		return forge.MergeableUnknown
	}
	return forge.MergeableYes
}

func at(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

// ChangedFiles of a merge request.
func (f *Forge) ChangedFiles(ctx context.Context, number int64) (forge.ChangedFiles, error) {
	all, more, err := forge.Pages(forge.MaxFiles, func(n int) ([]*gitlab.MergeRequestDiff, int, error) {
		diffs, r, err := f.c.MergeRequests.ListMergeRequestDiffs(f.at.Path, number,
			&gitlab.ListMergeRequestDiffsOptions{ListOptions: page(n)}, gitlab.WithContext(ctx))
		return diffs, next(r), err
	})
	if err != nil {
		return forge.ChangedFiles{}, forge.Wrap(err, "list files of merge request %d of %s", number, f.at.Path)
	}
	out := forge.ChangedFiles{Truncated: more}
	for _, d := range all {
		c := forge.ChangedFile{Path: d.NewPath, Change: forge.FileModified}
		switch {
		case d.NewFile:
			c.Change = forge.FileAdded
		case d.DeletedFile:
			c.Change = forge.FileDeleted
		case d.RenamedFile:
			c.Change, c.PreviousPath = forge.FileRenamed, d.OldPath
		}
		out.Files = append(out.Files, c)
	}
	out.Sort()
	return out, nil
}

// Merge a merge request.
func (f *Forge) Merge(ctx context.Context, number int64, m forge.Merge) (string, error) {
	err := m.Check()
	if err == nil && m.Method == forge.MethodRebase {
		err = forge.Refusef(forge.Invalid, "with GitLab rebasing is a setting of the project: use method merge")
	}
	var commit string
	if err == nil {
		commit, err = forge.MergeOnce(ctx, f, number, func() error {
			squash := m.Method == forge.MethodSquash
			opt := &gitlab.AcceptMergeRequestOptions{SHA: &m.ExpectedHead, Squash: &squash}
			if m.Message != "" {
				opt.MergeCommitMessage = &m.Message
				if squash {
					opt.SquashCommitMessage = &m.Message
				}
			}
			_, _, err := f.c.MergeRequests.AcceptMergeRequest(f.at.Path, number, opt, gitlab.WithContext(ctx))
			return err
		})
	}
	return commit, forge.Wrap(err, "merge merge request %d of %s", number, f.at.Path)
}

// Close a merge request.
func (f *Forge) Close(ctx context.Context, number int64) error {
	return f.setState(ctx, number, forge.Closed, "close")
}

// Reopen a merge request.
func (f *Forge) Reopen(ctx context.Context, number int64) error {
	return f.setState(ctx, number, forge.Open, "reopen")
}

var stateNames = map[forge.State]string{forge.Open: "opened", forge.Closed: "closed"}

// setState of a merge request. GitLab takes an event that cannot happen, and leaves all
// as it was.
func (f *Forge) setState(ctx context.Context, number int64, want forge.State, event string) error {
	return forge.Wrap(forge.SetState(ctx, f, number, want, func() error {
		mr, _, err := f.c.MergeRequests.UpdateMergeRequest(f.at.Path, number, &gitlab.UpdateMergeRequestOptions{StateEvent: &event}, gitlab.WithContext(ctx))
		if err == nil && mr.State != stateNames[want] {
			return forge.Refusef(forge.Conflict, "it stays %s: its branch may be gone", mr.State)
		}
		return err
	}), "%s merge request %d of %s", event, number, f.at.Path)
}
