package gitlab

import (
	"context"
	"slices"

	gitlab "gitlab.com/gitlab-org/api/client-go"

	"github.com/mainstay-dev/mainstay/provider/forge"
)

// Statuses of a commit: the newest of each name is what GitLab lists.
func (f *Forge) Statuses(ctx context.Context, sha string) ([]forge.Status, error) {
	err := forge.CheckSHA(sha)
	var all []*gitlab.CommitStatus
	if err == nil {
		all, _, err = forge.Pages(forge.MaxComments, func(n int) ([]*gitlab.CommitStatus, int, error) {
			statuses, r, err := f.c.Commits.GetCommitStatuses(f.at.Path, sha, &gitlab.GetCommitStatusesOptions{ListOptions: page(n)}, gitlab.WithContext(ctx))
			return statuses, next(r), err
		})
	}
	if err != nil {
		return nil, forge.Wrap(err, "list statuses of commit %s of %s", sha, f.at.Path)
	}
	slices.SortFunc(all, func(a, b *gitlab.CommitStatus) int { return int(a.ID - b.ID) })
	last := map[string]forge.Status{}
	for _, s := range all {
		last[s.Name] = forge.Status{Context: s.Name, State: state(s.Status), Description: s.Description, URL: s.TargetURL}
	}
	return forge.ByContext(last), nil
}

// state of a status. What was skipped has not been proven.
func state(s string) forge.StatusState {
	switch s {
	case "success":
		return forge.StatusSuccess
	case "failed", "canceled", "skipped":
		return forge.StatusFailure
	default:
		return forge.StatusPending
	}
}

var states = map[forge.StatusState]gitlab.BuildStateValue{
	forge.StatusPending: gitlab.Pending, forge.StatusSuccess: gitlab.Success, forge.StatusFailure: gitlab.Failed,
}

// SetStatus posts a status.
func (f *Forge) SetStatus(ctx context.Context, sha string, s forge.Status) error {
	s = s.Normal()
	err := s.Check(sha)
	if err == nil {
		post := &gitlab.SetCommitStatusOptions{State: states[s.State], Name: &s.Context, Description: &s.Description}
		if s.URL != "" {
			post.TargetURL = &s.URL
		}
		_, _, err = f.c.Commits.SetCommitStatus(f.at.Path, sha, post, gitlab.WithContext(ctx))
		if forge.Is(err, forge.Invalid) && f.isAlready(ctx, sha, s) {
			err = nil
		}
	}
	return forge.Wrap(err, "set status %s of commit %s of %s", s.Context, sha, f.at.Path)
}

// isAlready says whether a status is in the state that GitLab has just refused to set.
func (f *Forge) isAlready(ctx context.Context, sha string, want forge.Status) bool {
	all, err := f.Statuses(ctx, sha)
	return err == nil && slices.ContainsFunc(all, func(s forge.Status) bool {
		return s.Context == want.Context && s.State == want.State
	})
}

// Protection of a branch.
func (f *Forge) Protection(ctx context.Context, branch string) (forge.Protection, error) {
	p, err := f.protection(ctx, branch)
	return p, forge.Wrap(err, "read protection of branch %s of %s", branch, f.at.Path)
}

func (f *Forge) protection(ctx context.Context, branch string) (forge.Protection, error) {
	if err := forge.CheckName("branch", branch); err != nil {
		return forge.Protection{}, err
	}
	b, _, err := f.c.Branches.GetBranch(f.at.Path, branch, gitlab.WithContext(ctx))
	if err != nil {
		return forge.Protection{}, err
	}
	p, _, err := f.c.Projects.GetProject(f.at.Path, nil, gitlab.WithContext(ctx))
	if err != nil {
		return forge.Protection{}, err
	}
	return forge.Protection{Protected: b.Protected, AllContexts: p.OnlyAllowMergeIfPipelineSucceeds}, nil
}

// EnsureProtection protects a branch, and makes the project require that pipelines
// succeed: nothing less is there to require contexts with.
func (f *Forge) EnsureProtection(ctx context.Context, branch string, contexts []string) error {
	have, err := f.protection(ctx, branch)
	if err == nil && !have.Protected {
		nobody, developers := gitlab.NoPermissions, gitlab.DeveloperPermissions
		_, _, err = f.c.ProtectedBranches.ProtectRepositoryBranches(f.at.Path, &gitlab.ProtectRepositoryBranchesOptions{
			Name: &branch, PushAccessLevel: &nobody, MergeAccessLevel: &developers,
		}, gitlab.WithContext(ctx))
	}
	if err == nil && !have.RequiresAll(contexts) {
		yes := true
		_, _, err = f.c.Projects.EditProject(f.at.Path, &gitlab.EditProjectOptions{OnlyAllowMergeIfPipelineSucceeds: &yes}, gitlab.WithContext(ctx))
	}
	return forge.Wrap(err, "protect branch %s of %s", branch, f.at.Path)
}

// EnsureWebhook sets a webhook.
func (f *Forge) EnsureWebhook(ctx context.Context, w forge.Webhook) error {
	return forge.Wrap(f.ensureWebhook(ctx, w), "set the webhook of %s", f.at.Path)
}

func (f *Forge) ensureWebhook(ctx context.Context, w forge.Webhook) error {
	if err := w.Check(); err != nil {
		return err
	}
	all, _, err := forge.Pages(forge.MaxComments, func(n int) ([]*gitlab.ProjectHook, int, error) {
		hooks, r, err := f.c.Projects.ListProjectHooks(f.at.Path, &gitlab.ListProjectHooksOptions{ListOptions: page(n)}, gitlab.WithContext(ctx))
		return hooks, next(r), err
	})
	if err != nil {
		return err
	}
	secret, yes := string(w.Secret), true
	for _, h := range all {
		if h.URL == w.URL {
			_, _, err := f.c.Projects.EditProjectHook(f.at.Path, h.ID, &gitlab.EditProjectHookOptions{
				URL: &w.URL, Token: &secret, PushEvents: &yes, MergeRequestsEvents: &yes, NoteEvents: &yes, EnableSSLVerification: &yes,
			}, gitlab.WithContext(ctx))
			return err
		}
	}
	_, _, err = f.c.Projects.AddProjectHook(f.at.Path, &gitlab.AddProjectHookOptions{
		URL: &w.URL, Token: &secret, PushEvents: &yes, MergeRequestsEvents: &yes, NoteEvents: &yes, EnableSSLVerification: &yes,
	}, gitlab.WithContext(ctx))
	return err
}
