package gitea

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"code.gitea.io/sdk/gitea"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/mainstay-dev/mainstay/provider/forge"
)

// OpenMergeRequests lists all that are open and keeps those for the base: the SDK
// cannot ask for a base.
func (f *Forge) OpenMergeRequests(ctx context.Context, base string) ([]forge.MergeRequest, error) {
	var all []*gitea.PullRequest
	err := f.with(ctx, func(c *gitea.Client) error {
		var more bool
		var err error
		all, more, err = forge.Pages(forge.MaxMergeRequests, func(n int) ([]*gitea.PullRequest, int, error) {
			prs, r, err := c.ListRepoPullRequests(f.owner, f.name, gitea.ListPullRequestsOptions{
				ListOptions: gitea.ListOptions{Page: n, PageSize: pageSize},
				State:       gitea.StateOpen, Sort: "oldest",
			})
			return prs, next(r), err
		})
		if more {
			return forge.Refusef(forge.Invalid, "more than %d are open: close those that nobody needs", forge.MaxMergeRequests)
		}
		return err
	}, "list open merge requests of %s", f.at.Path)
	if err != nil {
		return nil, err
	}
	byNumber := map[int64]forge.MergeRequest{}
	for _, pr := range all {
		if mr := f.mergeRequest(pr); mr.BaseRef == base {
			byNumber[mr.Number] = mr
		}
	}
	return sorted(byNumber), nil
}

func sorted(m map[int64]forge.MergeRequest) []forge.MergeRequest {
	out := make([]forge.MergeRequest, 0, len(m))
	for _, mr := range m {
		out = append(out, mr)
	}
	slices.SortFunc(out, func(a, b forge.MergeRequest) int { return int(a.Number - b.Number) })
	return out
}

// MergeRequest with a number.
func (f *Forge) MergeRequest(ctx context.Context, number int64) (mr forge.MergeRequest, err error) {
	err = f.with(ctx, func(c *gitea.Client) error {
		pr, _, err := c.GetPullRequest(f.owner, f.name, number)
		if err == nil {
			mr = f.mergeRequest(pr)
		}
		return err
	}, "read merge request %d of %s", number, f.at.Path)
	return mr, err
}

func (f *Forge) mergeRequest(pr *gitea.PullRequest) forge.MergeRequest {
	mr := forge.MergeRequest{
		Number: pr.Index, Title: pr.Title, Description: forge.Cut(pr.Body, forge.MaxText),
		Author: login(pr.Poster), State: forge.Open, Draft: pr.Draft,
		FetchRef:  fmt.Sprintf("refs/pull/%d/head", pr.Index),
		Mergeable: forge.MergeableUnknown, URL: pr.HTMLURL,
		CreatedAt: at(pr.Created), UpdatedAt: at(pr.Updated),
	}
	for _, l := range pr.Labels {
		mr.Labels = append(mr.Labels, l.Name)
	}
	sort.Strings(mr.Labels)
	if pr.Base != nil {
		mr.BaseRef = pr.Base.Ref
	}
	if pr.Head != nil {
		// Once a branch is gone, Ref is where its head is kept, and Name what it was.
		mr.HeadSHA, mr.HeadRef = pr.Head.Sha, pr.Head.Name
		if pr.Head.Repository != nil {
			mr.HeadRepository = pr.Head.Repository.FullName
		}
		mr.Fork = !strings.EqualFold(mr.HeadRepository, f.at.Path)
	}
	if pr.Mergeable {
		mr.Mergeable = forge.MergeableYes
	}
	switch {
	case pr.HasMerged:
		mr.State = forge.Merged
		mr.MergedBy, mr.MergedAt = login(pr.MergedBy), at(pr.Merged)
		if pr.MergedCommitID != nil {
			mr.MergeCommit = *pr.MergedCommitID
		}
	case pr.State == gitea.StateClosed:
		mr.State = forge.Closed
	}
	return mr
}

func at(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

// ChangedFiles of a merge request.
func (f *Forge) ChangedFiles(ctx context.Context, number int64) (out forge.ChangedFiles, err error) {
	err = f.with(ctx, func(c *gitea.Client) error {
		files, more, err := forge.Pages(forge.MaxFiles, func(n int) ([]*gitea.ChangedFile, int, error) {
			page, r, err := c.ListPullRequestFiles(f.owner, f.name, number, gitea.ListPullRequestFilesOptions{
				ListOptions: gitea.ListOptions{Page: n, PageSize: pageSize},
			})
			return page, next(r), err
		})
		out.Truncated = more
		for _, file := range files {
			out.Files = append(out.Files, changedFile(file))
		}
		return err
	}, "list files of merge request %d of %s", number, f.at.Path)
	out.Sort()
	return out, err
}

func changedFile(file *gitea.ChangedFile) forge.ChangedFile {
	c := forge.ChangedFile{Path: file.Filename, Change: forge.FileModified}
	switch file.Status {
	case "added", "copied":
		c.Change = forge.FileAdded
	case "deleted":
		c.Change = forge.FileDeleted
	case "renamed":
		c.Change, c.PreviousPath = forge.FileRenamed, file.PreviousFilename
	}
	return c
}

var mergeStyles = map[forge.Method]gitea.MergeStyle{
	"":                 gitea.MergeStyleMerge,
	forge.MethodMerge:  gitea.MergeStyleMerge,
	forge.MethodSquash: gitea.MergeStyleSquash,
	forge.MethodRebase: gitea.MergeStyleRebase,
}

// Merge a merge request.
func (f *Forge) Merge(ctx context.Context, number int64, m forge.Merge) (string, error) {
	title, message, _ := strings.Cut(m.Message, "\n")
	var commit string
	err := f.with(ctx, func(c *gitea.Client) error {
		if err := m.Check(); err != nil {
			return err
		}
		var err error
		commit, err = forge.MergeOnce(ctx, f, number, func() error {
			look := func() { _, _, _ = c.GetPullRequest(f.owner, f.name, number) } // What it says is asked for later.
			return checked(ctx, look, func() error {
				_, _, err := c.MergePullRequest(f.owner, f.name, number, gitea.MergePullRequestOption{
					Style: mergeStyles[m.Method], HeadCommitId: m.ExpectedHead,
					Title: title, Message: strings.TrimSpace(message),
				})
				return err
			})
		})
		if forge.Is(err, forge.Conflict) {
			return f.mayMerge(ctx, c, number, err)
		}
		return err
	}, "merge merge request %d of %s", number, f.at.Path)
	return commit, err
}

const (
	// checkPatience is how long Gitea may take to try a merge after the base branch moved. What takes
	// longer is a refusal, and tried again by whoever asked.
	checkPatience = 3 * time.Second
	checkPoll     = 150 * time.Millisecond
)

// checked merges once Gitea has tried whether it can. Until then it says "try again later". It may be
// set not to try before somebody looks.
func checked(ctx context.Context, look func(), merge func() error) error {
	var last error
	err := wait.PollUntilContextTimeout(ctx, checkPoll, checkPatience, true, func(context.Context) (bool, error) {
		if last = merge(); !forge.Is(last, forge.Conflict) || !strings.Contains(last.Error(), "try again later") {
			return true, nil
		}
		look()
		return false, nil
	})
	if last == nil && err != nil {
		return err
	}
	return last
}

// mayMerge tells a merge that nobody could do from one that this user may not do: to
// Gitea both are the same.
func (f *Forge) mayMerge(ctx context.Context, c *gitea.Client, number int64, refused error) error {
	mr, err := f.MergeRequest(ctx, number)
	if err != nil || mr.State != forge.Open {
		return refused
	}
	if b, _, err := c.GetRepoBranch(f.owner, f.name, mr.BaseRef); err == nil && !b.UserCanMerge {
		return forge.Refusef(forge.Forbidden, "the token's user may not merge into %s: give it the right", mr.BaseRef)
	}
	return refused
}

// Close a merge request.
func (f *Forge) Close(ctx context.Context, number int64) error {
	return f.setState(ctx, number, forge.Closed, gitea.StateClosed, "close")
}

// Reopen a merge request. Gitea would do so without a branch to merge.
func (f *Forge) Reopen(ctx context.Context, number int64) error {
	if err := f.with(ctx, func(c *gitea.Client) error {
		pr, _, err := c.GetPullRequest(f.owner, f.name, number)
		if err != nil || pr.HasMerged || pr.Head == nil {
			return err
		}
		if pr.Head.Repository == nil {
			return forge.Refusef(forge.Conflict, "its fork is gone")
		}
		owner, name := forge.Location{Path: pr.Head.Repository.FullName}.Owner()
		_, _, err = c.GetRepoBranch(owner, name, pr.Head.Name)
		if forge.Is(err, forge.NotFound) {
			return forge.Refusef(forge.Conflict, "its branch %s is gone", pr.Head.Name)
		}
		return err
	}, "reopen merge request %d of %s", number, f.at.Path); err != nil {
		return err
	}
	return f.setState(ctx, number, forge.Open, gitea.StateOpen, "reopen")
}

func (f *Forge) setState(ctx context.Context, number int64, want forge.State, send gitea.StateType, verb string) error {
	return f.with(ctx, func(c *gitea.Client) error {
		return forge.SetState(ctx, f, number, want, func() error {
			_, _, err := c.EditPullRequest(f.owner, f.name, number, gitea.EditPullRequestOption{State: &send})
			return err
		})
	}, "%s merge request %d of %s", verb, number, f.at.Path)
}
