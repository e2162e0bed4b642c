package github

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/google/go-github/v84/github"

	"github.com/mainstay-dev/mainstay/provider/forge"
)

var statusStates = map[string]forge.StatusState{
	"pending": forge.StatusPending, "success": forge.StatusSuccess, "error": forge.StatusFailure, "failure": forge.StatusFailure,
}

// Statuses of a commit.
func (f *Forge) Statuses(ctx context.Context, sha string) ([]forge.Status, error) {
	err := forge.CheckSHA(sha)
	var all []*github.RepoStatus
	if err == nil {
		all, _, err = forge.Pages(forge.MaxComments, func(n int) ([]*github.RepoStatus, int, error) {
			opt := page(n)
			statuses, r, err := f.c.Repositories.ListStatuses(ctx, f.owner, f.name, sha, &opt)
			return statuses, next(r), err
		})
	}
	if err != nil {
		return nil, forge.Wrap(err, "list statuses of commit %s of %s", sha, f.at.Path)
	}
	slices.SortFunc(all, func(a, b *github.RepoStatus) int { return int(a.GetID() - b.GetID()) })
	last := map[string]forge.Status{}
	for _, s := range all {
		last[s.GetContext()] = forge.Status{Context: s.GetContext(), State: statusStates[s.GetState()], Description: s.GetDescription(), URL: s.GetTargetURL()}
	}
	return forge.ByContext(last), nil
}

// SetStatus posts a status.
func (f *Forge) SetStatus(ctx context.Context, sha string, s forge.Status) error {
	s = s.Normal()
	err := s.Check(sha)
	if err == nil {
		state := string(s.State)
		post := github.RepoStatus{State: &state, Context: &s.Context, Description: &s.Description}
		if s.URL != "" {
			post.TargetURL = &s.URL
		}
		_, _, err = f.c.Repositories.CreateStatus(ctx, f.owner, f.name, sha, post)
	}
	return forge.Wrap(err, "set status %s of commit %s of %s", s.Context, sha, f.at.Path)
}

// Protection of a branch.
func (f *Forge) Protection(ctx context.Context, branch string) (forge.Protection, error) {
	p, _, err := f.protection(ctx, branch)
	return p, forge.Wrap(err, "read protection of branch %s of %s", branch, f.at.Path)
}

// protection of a branch, and whether it requires statuses at all.
func (f *Forge) protection(ctx context.Context, branch string) (p forge.Protection, statuses bool, err error) {
	if err := forge.CheckName("branch", branch); err != nil {
		return p, false, err
	}
	b, err := f.branch(ctx, branch)
	if err != nil || !b.GetProtected() {
		return p, false, err
	}
	have, _, err := f.c.Repositories.GetBranchProtection(ctx, f.owner, f.name, branch)
	if forge.Is(err, forge.NotFound) {
		// Protected by a ruleset.
		return forge.Protection{Protected: true}, false, nil
	}
	if err != nil {
		return p, false, err
	}
	p.Protected = true
	if checks := have.GetRequiredStatusChecks(); checks != nil {
		if checks.Contexts != nil {
			p.Contexts = slices.Clone(*checks.Contexts)
			slices.Sort(p.Contexts)
		}
		statuses = true
	}
	return p, statuses, nil
}

// branch by name. The SDK's own call goes past the client that deals with redirects.
func (f *Forge) branch(ctx context.Context, name string) (*github.Branch, error) {
	req, err := f.c.NewRequest(http.MethodGet, fmt.Sprintf("repos/%s/%s/branches/%s", f.owner, f.name, url.PathEscape(name)), nil)
	if err != nil {
		return nil, err
	}
	b := new(github.Branch)
	_, err = f.c.Do(ctx, req, b)
	return b, err
}

// EnsureProtection protects a branch. GitHub replaces all of a protection at once, but
// for its contexts: where others have protected the branch and require none, it is
// theirs to begin with it.
func (f *Forge) EnsureProtection(ctx context.Context, branch string, contexts []string) error {
	have, statuses, err := f.protection(ctx, branch)
	want := forge.Union(have.Contexts, contexts)
	switch {
	case err != nil:
	case have.Protected && have.RequiresAll(contexts):
	case !have.Protected:
		_, _, err = f.c.Repositories.UpdateBranchProtection(ctx, f.owner, f.name, branch, &github.ProtectionRequest{
			RequiredStatusChecks: &github.RequiredStatusChecks{Contexts: &want},
		})
	case !statuses:
		err = forge.Refusef(forge.Invalid, "others have protected it and require no status: require %v by hand", contexts)
	default:
		_, _, err = f.c.Repositories.UpdateRequiredStatusChecks(ctx, f.owner, f.name, branch, &github.RequiredStatusChecksRequest{Contexts: want})
	}
	return forge.Wrap(err, "protect branch %s of %s", branch, f.at.Path)
}

var hookEvents = []string{"push", "pull_request", "issue_comment", "pull_request_review"}

// EnsureWebhook sets a webhook.
func (f *Forge) EnsureWebhook(ctx context.Context, w forge.Webhook) error {
	return forge.Wrap(f.ensureWebhook(ctx, w), "set the webhook of %s", f.at.Path)
}

func (f *Forge) ensureWebhook(ctx context.Context, w forge.Webhook) error {
	if err := w.Check(); err != nil {
		return err
	}
	all, _, err := forge.Pages(forge.MaxComments, func(n int) ([]*github.Hook, int, error) {
		opt := page(n)
		hooks, r, err := f.c.Repositories.ListHooks(ctx, f.owner, f.name, &opt)
		return hooks, next(r), err
	})
	if err != nil {
		return err
	}
	form, secret, yes := "json", string(w.Secret), true
	want := &github.Hook{Events: hookEvents, Active: &yes, Config: &github.HookConfig{URL: &w.URL, ContentType: &form, Secret: &secret}}
	for _, h := range all {
		if h.GetConfig().GetURL() == w.URL {
			_, _, err := f.c.Repositories.EditHook(ctx, f.owner, f.name, h.GetID(), want)
			return err
		}
	}
	_, _, err = f.c.Repositories.CreateHook(ctx, f.owner, f.name, want)
	return err
}
