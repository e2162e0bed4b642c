package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	sdk "code.gitea.io/sdk/gitea"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mainstay-dev/mainstay/test/gitea"
)

// An author and a reviewer of merge requests, and the user that Mainstay acts as.
const (
	author   = "amelia"
	reviewer = "ruben"
	bot      = "mainstay"
)

// people of the repository, each with a client of the forge.
func (g *gitops) people(t *testing.T) map[string]*sdk.Client {
	t.Helper()
	out := map[string]*sdk.Client{}
	for name, right := range map[string]sdk.AccessMode{author: sdk.AccessModeWrite, reviewer: sdk.AccessModeWrite, bot: sdk.AccessModeAdmin} {
		token, err := g.forge.User(t.Context(), name, "not-a-secret-1")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := g.admin.AddCollaborator("platform", "claims", name, sdk.AddCollaboratorOption{Permission: &right}); err != nil {
			t.Fatal(err)
		}
		if out[name], err = g.forge.Client(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		if name == bot {
			hub.apply(t, fmt.Sprintf(`
apiVersion: v1
kind: Secret
metadata: {name: claims-forge, namespace: platform}
stringData: {token: %q}
`, token))
		}
	}
	return out
}

// change of the hub for a merge request.
func change(t *testing.T, number int64) *unstructured.Unstructured {
	t.Helper()
	return hub.get(t, "-n", "platform", "changes.m.mainstay.dev", fmt.Sprintf("claims-%d", number))
}

// phase returns nil where a change is in it.
func phase(t *testing.T, number int64, want string) error {
	t.Helper()
	u := change(t, number)
	if u == nil {
		return errors.New("there is no change")
	}
	got, _, _ := unstructured.NestedString(u.Object, "status", "atProvider", "phase")
	message, _, _ := unstructured.NestedString(u.Object, "status", "atProvider", "message")
	if got != want {
		return fmt.Errorf("it is %s: %s", got, message)
	}
	return nil
}

// ask for files to be merged, in the author's name.
func ask(t *testing.T, c *sdk.Client, branch, title string, files map[string]string) int64 {
	t.Helper()
	if err := gitea.Commit(c, "platform", "claims", gitea.Change{Branch: branch, From: "main", Message: title, Files: files, Over: true}); err != nil {
		t.Fatal(err)
	}
	pr, _, err := c.CreatePullRequest("platform", "claims", sdk.CreatePullRequestOption{Head: branch, Base: "main", Title: title})
	if err != nil {
		t.Fatal(err)
	}
	return pr.Index
}

// approve a merge request at its head.
func approve(t *testing.T, c *sdk.Client, number int64) {
	t.Helper()
	pr, _, err := c.GetPullRequest("platform", "claims", number)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.CreatePullReview("platform", "claims", number, sdk.CreatePullReviewOptions{State: sdk.ReviewStateApproved, CommitID: pr.Head.Sha}); err != nil {
		t.Fatal(err)
	}
}

// content of a file on a branch.
func (g *gitops) content(t *testing.T, branch, path string) string {
	t.Helper()
	b, _, err := g.admin.GetFile("platform", "claims", branch, path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// changes go through a merge request to a branch that Argo CD syncs. It is merged when
// all of it is there, and Argo CD and Mainstay do not fight.
func (g *gitops) changes(t *testing.T) {
	people := g.people(t)
	for _, ns := range []string{"platform", "shop"} {
		hub.must(t, "annotate", "namespace", ns, "mainstay.dev/repositories=platform/claims", "--overwrite")
	}

	// The Applications go over to the branch, which begins where main is.
	files := g.exampleClaims(t)
	if _, _, err := g.admin.CreateBranch("platform", "claims", sdk.CreateBranchOption{BranchName: "fleet", OldBranchName: "main"}); err != nil {
		t.Fatal(err)
	}
	over := map[string]string{}
	for _, name := range []string{"applications/platform.yaml", "applications/shop.yaml"} {
		over[name] = strings.ReplaceAll(files[name], "targetRevision: main", "targetRevision: fleet")
	}
	g.push(t, "main", "Sync the branch that changes are delivered to", over)
	eventually(t, time.Minute, "Argo CD syncs the branch", g.allSettled(t, "fleet"))

	repository := strings.NewReplacer(
		strings.TrimSuffix(exampleURL, ".git"), strings.TrimSuffix(g.url, ".git"),
		"forge: gitea", "forge: gitea\n    pollInterval: 5s",
	).Replace(g.example(t, "repository.yaml"))
	hub.apply(t, repository)
	t.Cleanup(func() {
		for _, args := range [][]string{
			{"-n", "platform", "delete", "repositories.m.mainstay.dev", "claims", "--wait", "--timeout=1m"},
			{"annotate", "namespace", "platform", "shop", "mainstay.dev/repositories-"},
		} {
			if _, err := hub.run(context.Background(), "", args...); err != nil { //nolint:usetesting // The test's is done by now.
				t.Error(err)
			}
		}
	})
	eventually(t, time.Minute, "the Repository is ready", func() error {
		if status, reason, message := condition(hub.get(t, "-n", "platform", "repositories.m.mainstay.dev", "claims"), "Ready"); status != "True" {
			return fmt.Errorf("ready is %q, %s: %s", status, reason, message)
		}
		return nil
	})

	was := g.content(t, "main", "shop/notes.yaml")
	number := ask(t, people[author], "notes-2", "Release notes 2.0.0", map[string]string{"shop/notes.yaml": strings.ReplaceAll(was, "notes:1.2.0", "notes:2.0.0")})
	eventually(t, 2*time.Minute, "the merge request is planned", func() error { return phase(t, number, "Planned") })
	if got := g.content(t, "fleet", "shop/notes.yaml"); got != was {
		t.Errorf("the branch moved before anybody approved:\n%s", got)
	}

	approve(t, people[reviewer], number)
	eventually(t, 4*time.Minute, "it is executed by Argo CD, verified and merged", func() error { return phase(t, number, "Completed") })
	pr, _, err := g.admin.GetPullRequest("platform", "claims", number)
	if err != nil {
		t.Fatal(err)
	}
	if !pr.HasMerged {
		t.Error("the merge request is not merged")
	}
	for path := range files {
		if strings.HasPrefix(path, "applications/") {
			continue
		}
		if base, branch := g.content(t, "main", path), g.content(t, "fleet", path); base != branch {
			t.Errorf("%s differs.\nmain:\n%s\nfleet:\n%s", path, base, branch)
		}
	}
	eventually(t, time.Minute, "Argo CD is Synced and Healthy after the merge", g.allSettled(t, "fleet"))
	still(t)
}
