package gitea_test

import (
	"testing"

	sdk "code.gitea.io/sdk/gitea"
	"github.com/google/go-cmp/cmp"

	"github.com/mainstay-dev/mainstay/provider/backend/backendtest"
	"github.com/mainstay-dev/mainstay/provider/forge"
	"github.com/mainstay-dev/mainstay/provider/forge/forgetest"
	giteaserver "github.com/mainstay-dev/mainstay/test/gitea"
)

// TestSettingsOfOthers: what others have set stays, and no more is left behind than
// what is needed.
func TestSettingsOfOthers(t *testing.T) {
	w := newWorld(t)
	f, err := w.Driver().New(w.Config(forgetest.Bot))
	if err != nil {
		t.Fatal(err)
	}
	c := w.as(t, forgetest.Bot)

	if _, _, err := c.CreateBranchProtection(org, repo, sdk.CreateBranchProtectionOption{
		RuleName: forgetest.Base, RequiredApprovals: 2, EnableMergeWhitelist: true, MergeWhitelistUsernames: []string{forgetest.Reviewer},
		EnableStatusCheck: true, StatusCheckContexts: []string{"ci/lint"}, BlockOnOutdatedBranch: true,
	}); err != nil {
		t.Fatal(err)
	}
	before, _, err := c.GetBranchProtection(org, repo, forgetest.Base)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.EnsureProtection(t.Context(), forgetest.Base, []string{"mainstay/execute"}); err != nil {
		t.Fatalf("EnsureProtection(...): %v", err)
	}
	after, _, err := c.GetBranchProtection(org, repo, forgetest.Base)
	if err != nil {
		t.Fatal(err)
	}
	before.StatusCheckContexts, after.Updated = []string{"ci/lint", "mainstay/execute"}, before.Updated
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("EnsureProtection(...): -want, +got:\n%s", diff)
	}

	if _, _, err := c.CreateBranch(org, repo, sdk.CreateBranchOption{BranchName: "release/1", OldBranchName: forgetest.Base}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.CreateBranchProtection(org, repo, sdk.CreateBranchProtectionOption{RuleName: "release/*"}); err != nil {
		t.Fatal(err)
	}
	if err := f.EnsureProtection(t.Context(), "release/1", []string{"mainstay/execute"}); !forge.Is(err, forge.Invalid) {
		t.Errorf("EnsureProtection(...) under a rule for several branches: want Invalid, got %v", err)
	}

	if _, _, err := c.CreateRepoHook(org, repo, sdk.CreateHookOption{
		Type: sdk.HookTypeGitea, Active: true, Events: []string{"push"}, Config: map[string]string{"url": "http://127.0.0.1:1/others", "content_type": "json"},
	}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := f.EnsureWebhook(t.Context(), forge.Webhook{URL: "https://127.0.0.1:1/ours", Secret: "0123456789abcdef"}); err != nil {
			t.Fatalf("EnsureWebhook(...): %v", err)
		}
	}
	hooks, _, err := c.ListRepoHooks(org, repo, sdk.ListHooksOptions{})
	if err != nil {
		t.Fatal(err)
	}
	urls := map[string]int{}
	for _, h := range hooks {
		urls[h.Config["url"]]++
	}
	if diff := cmp.Diff(map[string]int{"http://127.0.0.1:1/others": 1, "https://127.0.0.1:1/ours": 1}, urls); diff != "" {
		t.Errorf("webhooks: -want, +got:\n%s", diff)
	}
}

// TestForgeThatComesBack: a Gitea that is down is unavailable, and when it comes back
// nothing is lost and the same Forge goes on.
func TestForgeThatComesBack(t *testing.T) {
	w := newWorld(t)
	f, err := w.Driver().New(w.Config(forgetest.Bot))
	if err != nil {
		t.Fatal(err)
	}
	sha := w.Push(t, forgetest.Push{Branch: "change", Files: map[string]string{"claims/a.yaml": "a"}})
	n := w.Propose(t, forgetest.Proposal{Title: "Change", Head: "change"})
	if err := w.server.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := f.MergeRequest(t.Context(), n); !forge.Is(err, forge.Unavailable) {
		t.Errorf("MergeRequest(...) of a forge that is down: want Unavailable, got %v", err)
	}
	again, err := giteaserver.Start(t.Context(), w.dir, backendtest.Directory(t, "gitea"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(w.server.URL, again.URL); diff != "" {
		t.Errorf("URL after a restart: -want, +got:\n%s", diff)
	}
	mr, err := f.MergeRequest(t.Context(), n)
	if err != nil || mr.HeadSHA != sha {
		t.Errorf("MergeRequest(...) of a forge that came back: %v, %+v", err, mr)
	}
}
