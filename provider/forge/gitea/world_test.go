package gitea_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	sdk "code.gitea.io/sdk/gitea"

	"github.com/mainstay-dev/mainstay/provider/backend/backendtest"
	"github.com/mainstay-dev/mainstay/provider/forge"
	"github.com/mainstay-dev/mainstay/provider/forge/forgetest"
	"github.com/mainstay-dev/mainstay/provider/forge/gitea"
	giteaserver "github.com/mainstay-dev/mainstay/test/gitea"
)

const org, repo = "data", "claims"

// A world is a real Gitea with one repository. People push with git, by the driver's
// own CloneAccess.
type world struct {
	server *giteaserver.Server
	url    string
	tokens map[string]string
	// dir of the Gitea, and git that of people's clones.
	dir, git string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{tokens: map[string]string{}, dir: t.TempDir(), git: t.TempDir()}
	server, err := giteaserver.Start(t.Context(), w.dir, backendtest.Directory(t, "gitea"))
	if err != nil {
		t.Fatalf("cannot start Gitea: %v", err)
	}
	t.Cleanup(func() {
		if err := server.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("cannot stop Gitea: %v", err)
		}
	})
	w.server = server
	members := map[string]string{forgetest.Bot: "admin", forgetest.Author: "write", forgetest.Reviewer: "write", forgetest.Reader: "read"}
	for _, p := range []string{forgetest.Bot, forgetest.Author, forgetest.Reviewer, forgetest.Reader, forgetest.Stranger} {
		if w.tokens[p], err = server.User(t.Context(), p, "password of "+p); err != nil {
			t.Fatal(err)
		}
	}
	if err := server.Organization(t.Context(), org); err != nil {
		t.Fatal(err)
	}
	if w.url, err = server.Repository(t.Context(), org, repo, map[string]string{"claims/orders.yaml": "kind: ProductApplication\n"}, members); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.as(t, forgetest.Bot).CreateBranch(org, repo, sdk.CreateBranchOption{BranchName: forgetest.OtherBase, OldBranchName: forgetest.Base}); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) Driver() forge.Driver { return gitea.Driver() }

func (w *world) Config(person string) forge.Config {
	return forge.Config{URL: w.url, Token: forge.Secret(w.tokens[person])}
}

func (w *world) as(t *testing.T, person string) *sdk.Client {
	t.Helper()
	c, err := w.server.Client(t.Context(), w.tokens[person])
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// remote is the repository, or the author's fork, with a token in it as git takes it.
func (w *world) remote(t *testing.T, fork bool) string {
	t.Helper()
	c := w.Config(forgetest.Author)
	if fork {
		c.URL = strings.Replace(c.URL, "/"+org+"/", "/"+forgetest.Author+"/", 1)
	}
	f, err := gitea.New(c)
	if err != nil {
		t.Fatal(err)
	}
	a := f.CloneAccess()
	return strings.Replace(a.URL, "://", "://"+a.Username+":"+string(a.Password)+"@", 1)
}

func (w *world) run(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = w.git
	cmd.Env = append(os.Environ(), "GIT_AUTHOR_NAME=Mara", "GIT_AUTHOR_EMAIL=mara@example.test",
		"GIT_COMMITTER_NAME=Mara", "GIT_COMMITTER_EMAIL=mara@example.test", "GIT_TERMINAL_PROMPT=0", "GIT_CONFIG_NOSYSTEM=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", args[0], err, out)
	}
	return strings.TrimSpace(string(out))
}

func (w *world) Push(t *testing.T, p forgetest.Push) string {
	t.Helper()
	if p.Fork {
		if _, _, err := w.as(t, forgetest.Author).CreateFork(org, repo, sdk.CreateForkOption{}); err != nil {
			t.Fatal(err)
		}
	}
	home := w.remote(t, false)
	if _, err := os.Stat(filepath.Join(w.git, ".git")); err != nil {
		w.run(t, "init", "-q", ".")
	}
	w.run(t, "fetch", "-q", "--prune", home, "+refs/heads/*:refs/remotes/origin/*")
	from := "origin/" + p.Branch
	if err := exec.CommandContext(t.Context(), "git", "-C", w.git, "rev-parse", "-q", "--verify", from).Run(); err != nil || p.Force {
		from = "origin/" + forgetest.Base
	}
	w.run(t, "checkout", "-q", "-f", "--detach", from)
	for path, text := range p.Files {
		full := filepath.Join(w.git, path)
		if text == "" {
			if err := os.Remove(full); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	w.run(t, "add", "-A")
	w.run(t, "commit", "-q", "--allow-empty", "-m", "Change "+p.Branch)
	refs := []string{"push", "-q", "-f", w.remote(t, p.Fork), "HEAD:refs/heads/" + p.Branch}
	for _, b := range p.Also {
		refs = append(refs, "HEAD:refs/heads/"+b)
	}
	w.run(t, refs...)
	return w.run(t, "rev-parse", "HEAD")
}

func (w *world) DeleteBranch(t *testing.T, branch string) {
	t.Helper()
	w.run(t, "push", "-q", w.remote(t, false), ":refs/heads/"+branch)
}

func (w *world) Propose(t *testing.T, p forgetest.Proposal) int64 {
	t.Helper()
	o := sdk.CreatePullRequestOption{Head: p.Head, Base: p.Into, Title: p.Title, Body: p.Body}
	if o.Base == "" {
		o.Base = forgetest.Base
	}
	if p.Draft {
		o.Title = "WIP: " + o.Title
	}
	if p.Fork {
		o.Head = forgetest.Author + ":" + o.Head
	}
	pr, _, err := w.as(t, forgetest.Author).CreatePullRequest(org, repo, o)
	if err != nil {
		t.Fatalf("cannot propose %s: %v", p.Head, err)
	}
	return pr.Index
}

func (w *world) SetDraft(t *testing.T, number int64, draft bool) {
	t.Helper()
	c := w.as(t, forgetest.Author)
	pr, _, err := c.GetPullRequest(org, repo, number)
	if err != nil {
		t.Fatal(err)
	}
	title := strings.TrimPrefix(pr.Title, "WIP: ")
	if draft {
		title = "WIP: " + title
	}
	if _, _, err := c.EditPullRequest(org, repo, number, sdk.EditPullRequestOption{Title: title}); err != nil {
		t.Fatal(err)
	}
}

func (w *world) Say(t *testing.T, person string, number int64, text string) {
	t.Helper()
	if _, _, err := w.as(t, person).CreateIssueComment(org, repo, number, sdk.CreateIssueCommentOption{Body: text}); err != nil {
		t.Fatal(err)
	}
}

func (w *world) Unsay(t *testing.T, _, comment int64) {
	t.Helper()
	if _, err := w.as(t, forgetest.Bot).DeleteIssueComment(org, repo, comment); err != nil {
		t.Fatal(err)
	}
}

func (w *world) Review(t *testing.T, person string, number int64, v forge.Verdict) {
	t.Helper()
	if v == forge.Dismissed {
		c := w.as(t, forgetest.Bot)
		all, _, err := c.ListPullReviews(org, repo, number, sdk.ListPullReviewsOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range all {
			if r.Reviewer.UserName != person {
				continue
			}
			if _, err := c.DismissPullReview(org, repo, number, r.ID, sdk.DismissPullReviewOptions{Message: "Taken back."}); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	state := map[forge.Verdict]sdk.ReviewStateType{forge.Approved: sdk.ReviewStateApproved, forge.ChangesRequested: sdk.ReviewStateRequestChanges}[v]
	if _, _, err := w.as(t, person).CreatePullReview(org, repo, number, sdk.CreatePullReviewOptions{State: state, Body: "My verdict."}); err != nil {
		t.Fatal(err)
	}
}

func (w *world) Team(t *testing.T, name string, members ...string) string {
	t.Helper()
	admin, err := w.server.Client(t.Context(), w.server.Token)
	if err != nil {
		t.Fatal(err)
	}
	team, _, err := admin.CreateTeam(org, sdk.CreateTeamOption{Name: name, Permission: sdk.AccessModeRead, Units: []sdk.RepoUnitType{sdk.RepoUnitCode}})
	if err != nil {
		t.Fatal(err)
	}
	no := false
	for _, m := range members {
		if _, ok := w.tokens[m]; !ok {
			if _, _, err := admin.AdminCreateUser(sdk.CreateUserOption{Username: m, Email: m + "@example.test", Password: "password of " + m, MustChangePassword: &no}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := admin.AddTeamMember(team.ID, m); err != nil {
			t.Fatal(err)
		}
	}
	return org + "/" + name
}
