package github

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/google/go-github/v84/github"

	"github.com/mainstay-dev/mainstay/provider/forge"
)

// OpenMergeRequests for a base.
func (f *Forge) OpenMergeRequests(ctx context.Context, base string) ([]forge.MergeRequest, error) {
	all, more, err := forge.Pages(forge.MaxMergeRequests, func(n int) ([]*github.PullRequest, int, error) {
		prs, r, err := f.c.PullRequests.List(ctx, f.owner, f.name, &github.PullRequestListOptions{
			State: "open", Base: base, Sort: "created", Direction: "asc", ListOptions: page(n),
		})
		return prs, next(r), err
	})
	if more {
		err = forge.Refusef(forge.Invalid, "more than %d are open: close those that nobody needs", forge.MaxMergeRequests)
	}
	if err != nil {
		return nil, forge.Wrap(err, "list open merge requests of %s", f.at.Path)
	}
	out := []forge.MergeRequest{}
	for _, pr := range all {
		out = append(out, f.mergeRequest(pr))
	}
	slices.SortFunc(out, func(a, b forge.MergeRequest) int { return int(a.Number - b.Number) })
	return slices.CompactFunc(out, func(a, b forge.MergeRequest) bool { return a.Number == b.Number }), nil
}

// MergeRequest with a number.
func (f *Forge) MergeRequest(ctx context.Context, number int64) (forge.MergeRequest, error) {
	pr, _, err := f.c.PullRequests.Get(ctx, f.owner, f.name, int(number))
	if err != nil {
		return forge.MergeRequest{}, forge.Wrap(err, "read merge request %d of %s", number, f.at.Path)
	}
	return f.mergeRequest(pr), nil
}

func (f *Forge) mergeRequest(pr *github.PullRequest) forge.MergeRequest {
	mr := forge.MergeRequest{
		Number: int64(pr.GetNumber()), Title: pr.GetTitle(), Description: forge.Cut(pr.GetBody(), forge.MaxText),
		Author: pr.GetUser().GetLogin(), State: forge.Open, Draft: pr.GetDraft(),
		HeadSHA: pr.GetHead().GetSHA(), HeadRef: pr.GetHead().GetRef(), BaseRef: pr.GetBase().GetRef(),
		HeadRepository: pr.GetHead().GetRepo().GetFullName(),
		FetchRef:       fmt.Sprintf("refs/pull/%d/head", pr.GetNumber()),
		Mergeable:      forge.MergeableUnknown, URL: pr.GetHTMLURL(),
		CreatedAt: pr.GetCreatedAt().UTC(), UpdatedAt: pr.GetUpdatedAt().UTC(),
	}
	mr.Fork = !strings.EqualFold(mr.HeadRepository, f.at.Path)
	for _, l := range pr.Labels {
		mr.Labels = append(mr.Labels, l.GetName())
	}
	sort.Strings(mr.Labels)
	if pr.Mergeable != nil {
		mr.Mergeable = map[bool]forge.Mergeable{true: forge.MergeableYes, false: forge.MergeableConflict}[*pr.Mergeable]
	}
	switch {
	case pr.GetMerged() || pr.MergedAt != nil:
		mr.State = forge.Merged
		// Before that it is the commit of a trial.
		mr.MergeCommit, mr.MergedBy, mr.MergedAt = pr.GetMergeCommitSHA(), pr.GetMergedBy().GetLogin(), pr.GetMergedAt().UTC()
	case pr.GetState() == "closed":
		mr.State = forge.Closed
	}
	return mr
}

var fileChanges = map[string]forge.FileChange{
	"added": forge.FileAdded, "copied": forge.FileAdded, "removed": forge.FileDeleted, "renamed": forge.FileRenamed,
}

// ChangedFiles of a merge request. GitHub itself ends the list at MaxFiles.
func (f *Forge) ChangedFiles(ctx context.Context, number int64) (forge.ChangedFiles, error) {
	all, more, err := forge.Pages(forge.MaxFiles, func(n int) ([]*github.CommitFile, int, error) {
		opt := page(n)
		files, r, err := f.c.PullRequests.ListFiles(ctx, f.owner, f.name, int(number), &opt)
		return files, next(r), err
	})
	if err != nil {
		return forge.ChangedFiles{}, forge.Wrap(err, "list files of merge request %d of %s", number, f.at.Path)
	}
	out := forge.ChangedFiles{Truncated: more || len(all) == forge.MaxFiles}
	for _, file := range all {
		c := forge.ChangedFile{Path: file.GetFilename(), Change: forge.FileModified}
		if change, ok := fileChanges[file.GetStatus()]; ok {
			c.Change = change
		}
		if c.Change == forge.FileRenamed {
			c.PreviousPath = file.GetPreviousFilename()
		}
		out.Files = append(out.Files, c)
	}
	out.Sort()
	return out, nil
}

// Merge a merge request.
func (f *Forge) Merge(ctx context.Context, number int64, m forge.Merge) (string, error) {
	if err := m.Check(); err != nil {
		return "", forge.Wrap(err, "merge merge request %d of %s", number, f.at.Path)
	}
	method := m.Method
	if method == "" {
		method = forge.MethodMerge
	}
	title, message, _ := strings.Cut(m.Message, "\n")
	commit, err := forge.MergeOnce(ctx, f, number, func() error {
		_, _, err := f.c.PullRequests.Merge(ctx, f.owner, f.name, int(number), strings.TrimSpace(message),
			&github.PullRequestOptions{SHA: m.ExpectedHead, MergeMethod: string(method), CommitTitle: title})
		return err
	})
	return commit, forge.Wrap(err, "merge merge request %d of %s", number, f.at.Path)
}

// Close a merge request.
func (f *Forge) Close(ctx context.Context, number int64) error {
	return f.setState(ctx, number, forge.Closed, "closed", "close")
}

// Reopen a merge request.
func (f *Forge) Reopen(ctx context.Context, number int64) error {
	return f.setState(ctx, number, forge.Open, "open", "reopen")
}

func (f *Forge) setState(ctx context.Context, number int64, want forge.State, send, verb string) error {
	return forge.Wrap(forge.SetState(ctx, f, number, want, func() error {
		_, _, err := f.c.PullRequests.Edit(ctx, f.owner, f.name, int(number), &github.PullRequest{State: &send})
		return err
	}), "%s merge request %d of %s", verb, number, f.at.Path)
}
