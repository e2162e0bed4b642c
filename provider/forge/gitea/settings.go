package gitea

import (
	"context"
	"slices"

	"code.gitea.io/sdk/gitea"

	"github.com/mainstay-dev/mainstay/provider/forge"
)

var statusStates = map[gitea.StatusState]forge.StatusState{
	gitea.StatusPending: forge.StatusPending,
	gitea.StatusSuccess: forge.StatusSuccess,
	gitea.StatusWarning: forge.StatusSuccess,
	gitea.StatusError:   forge.StatusFailure,
	gitea.StatusFailure: forge.StatusFailure,
}

// Statuses of a commit.
func (f *Forge) Statuses(ctx context.Context, sha string) ([]forge.Status, error) {
	last := map[string]forge.Status{}
	err := f.with(ctx, func(c *gitea.Client) error {
		if err := forge.CheckSHA(sha); err != nil {
			return err
		}
		all, _, err := forge.Pages(forge.MaxComments, func(n int) ([]*gitea.Status, int, error) {
			page, r, err := c.ListStatuses(f.owner, f.name, sha, gitea.ListStatusesOption{
				ListOptions: gitea.ListOptions{Page: n, PageSize: pageSize},
			})
			return page, next(r), err
		})
		slices.SortFunc(all, func(a, b *gitea.Status) int { return int(a.ID - b.ID) })
		for _, s := range all {
			last[s.Context] = forge.Status{Context: s.Context, State: statusStates[s.State], Description: s.Description, URL: s.TargetURL}
		}
		return err
	}, "list statuses of commit %s of %s", sha, f.at.Path)
	if err != nil {
		return nil, err
	}
	return forge.ByContext(last), nil
}

// SetStatus posts a status.
func (f *Forge) SetStatus(ctx context.Context, sha string, s forge.Status) error {
	s = s.Normal()
	return f.with(ctx, func(c *gitea.Client) error {
		if err := s.Check(sha); err != nil {
			return err
		}
		_, _, err := c.CreateStatus(f.owner, f.name, sha, gitea.CreateStatusOption{
			State: gitea.StatusState(s.State), Context: s.Context, Description: s.Description, TargetURL: s.URL,
		})
		return confirm(err, func() error {
			_, _, err := c.GetSingleCommit(f.owner, f.name, sha)
			return err
		})
	}, "set status %s of commit %s of %s", s.Context, sha, f.at.Path)
}

// Protection of a branch, by whatever rule.
func (f *Forge) Protection(ctx context.Context, branch string) (forge.Protection, error) {
	b, err := f.branch(ctx, branch)
	if err != nil {
		return forge.Protection{}, err
	}
	return protection(b), nil
}

func (f *Forge) branch(ctx context.Context, branch string) (b *gitea.Branch, err error) {
	err = f.with(ctx, func(c *gitea.Client) error {
		if err := forge.CheckName("branch", branch); err != nil {
			return err
		}
		b, _, err = c.GetRepoBranch(f.owner, f.name, branch)
		return err
	}, "read branch %s of %s", branch, f.at.Path)
	return b, err
}

func protection(b *gitea.Branch) forge.Protection {
	p := forge.Protection{Protected: b.Protected}
	if b.EnableStatusCheck {
		p.Contexts = slices.Clone(b.StatusCheckContexts)
		slices.Sort(p.Contexts)
	}
	return p
}

// EnsureProtection protects a branch. A rule for several branches is not touched: it
// would require contexts where nobody posts them.
func (f *Forge) EnsureProtection(ctx context.Context, branch string, contexts []string) error {
	b, err := f.branch(ctx, branch)
	if err != nil {
		return err
	}
	have := protection(b)
	if have.Protected && have.RequiresAll(contexts) {
		return nil
	}
	want, yes := forge.Union(have.Contexts, contexts), true
	return f.with(ctx, func(c *gitea.Client) error {
		switch rule := b.EffectiveBranchProtectionName; {
		case !b.Protected:
			_, _, err := c.CreateBranchProtection(f.owner, f.name, gitea.CreateBranchProtectionOption{
				RuleName: branch, EnableStatusCheck: true, StatusCheckContexts: want,
			})
			return err
		case rule != "" && rule != branch:
			return forge.Refusef(forge.Invalid, "rule %q protects other branches too: require %v by hand", rule, contexts)
		default:
			_, _, err := c.EditBranchProtection(f.owner, f.name, branch, gitea.EditBranchProtectionOption{
				EnableStatusCheck: &yes, StatusCheckContexts: want,
			})
			return err
		}
	}, "protect branch %s of %s", branch, f.at.Path)
}

var hookEvents = []string{
	"push", "pull_request", "pull_request_sync", "pull_request_comment", "pull_request_label",
	"pull_request_review_approved", "pull_request_review_rejected",
}

// EnsureWebhook makes a webhook with the secret, and then removes those to the same
// URL that were there before.
func (f *Forge) EnsureWebhook(ctx context.Context, w forge.Webhook) error {
	return f.with(ctx, func(c *gitea.Client) error {
		if err := w.Check(); err != nil {
			return err
		}
		before, _, err := forge.Pages(forge.MaxComments, func(n int) ([]*gitea.Hook, int, error) {
			page, r, err := c.ListRepoHooks(f.owner, f.name, gitea.ListHooksOptions{
				ListOptions: gitea.ListOptions{Page: n, PageSize: pageSize},
			})
			return page, next(r), err
		})
		if err != nil {
			return err
		}
		if _, _, err := c.CreateRepoHook(f.owner, f.name, gitea.CreateHookOption{
			Type: gitea.HookTypeGitea, Active: true, Events: hookEvents,
			Config: map[string]string{"url": w.URL, "content_type": "json", "secret": string(w.Secret)},
		}); err != nil {
			return err
		}
		for _, h := range before {
			if h.Config["url"] != w.URL {
				continue
			}
			if _, err := c.DeleteRepoHook(f.owner, f.name, h.ID); err != nil && !forge.Is(err, forge.NotFound) {
				return err
			}
		}
		return nil
	}, "set the webhook of %s", f.at.Path)
}
