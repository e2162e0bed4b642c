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
	settle := func(what string) {
		t.Helper()
		eventually(t, time.Minute, "Argo CD is Synced and Healthy "+what, g.allSettled(t, "fleet"))
		for path := range files {
			if strings.HasPrefix(path, "applications/") {
				continue
			}
			if base, branch := g.content(t, "main", path), g.content(t, "fleet", path); base != branch {
				t.Errorf("%s differs %s.\nmain:\n%s\nfleet:\n%s", path, what, base, branch)
			}
		}
		still(t)
	}
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
	settle("after the merge")

	g.abandoned(t, people)
	requireChanges(t)
	settle("once it is back, and only changes may write")
	edited(t)
	settle("without the edit")
}

// abandoned is a change that crashes on its canary. It halts, and goes back the way it came.
func (g *gitops) abandoned(t *testing.T, people map[string]*sdk.Client) {
	t.Helper()
	was := g.content(t, "main", "shop/notes.yaml")
	crashes := strings.ReplaceAll(was, "notes:2.0.0", "notes:2.1.0-crashes") + `    - name: carefully
      type: rollout
      properties:
        failureBudget: 0
        progressDeadline: 20s
`
	number := ask(t, people[author], "notes-3", "Release notes 2.1.0", map[string]string{"shop/notes.yaml": crashes})
	eventually(t, 2*time.Minute, "one that is going to crash is planned", func() error { return phase(t, number, "Planned") })
	approve(t, people[reviewer], number)
	eventually(t, 3*time.Minute, "it halts", func() error { return phase(t, number, "Halted") })
	if got := g.content(t, "main", "shop/notes.yaml"); got != was {
		t.Errorf("main says what did not work:\n%s", got)
	}
	if _, _, err := people[author].CreateIssueComment("platform", "claims", number, sdk.CreateIssueCommentOption{Body: "/abandon"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, 3*time.Minute, "it is abandoned", func() error { return phase(t, number, "Abandoned") })
	pr, _, err := g.admin.GetPullRequest("platform", "claims", number)
	if err != nil {
		t.Fatal(err)
	}
	if pr.HasMerged || pr.State != sdk.StateClosed {
		t.Errorf("the merge request is %s, merged: %v", pr.State, pr.HasMerged)
	}
}

// requireChanges of a namespace. It counts within seconds, and changes nothing of what runs.
func requireChanges(t *testing.T) {
	t.Helper()
	hub.must(t, "label", "namespace", "shop", "mainstay.dev/require-change=true", "--overwrite")
	t.Cleanup(func() {
		if _, err := hub.run(context.Background(), "", "label", "namespace", "shop", "mainstay.dev/require-change-"); err != nil { //nolint:usetesting // The test's is done by now.
			t.Error(err)
		}
	})
}

// edited by hand is what Argo CD does not see: a component that Git does not have. Where the
// namespace requires changes it does not roll out.
func edited(t *testing.T) {
	t.Helper()
	north := cluster(t, "platform", "harbour.north-1")
	patch := func(operation string) {
		hub.must(t, "-n", "shop", "patch", "productapplication", "notes", "--type=json", "-p", operation)
	}
	patch(`[{"op":"add","path":"/spec/components/-","value":{"name":"stowaway","type":"webservice","properties":{"image":"registry.example.org/shop/stowaway:1","cpu":"50m","memory":"32Mi"}}}]`)
	eventually(t, time.Minute, "the edit is held back", func() error {
		_, reason, message := condition(hub.get(t, "-n", "shop", "productapplication", "notes"), "Reached")
		if !strings.Contains(message, "held back") {
			return fmt.Errorf("%s: %s", reason, message)
		}
		t.Logf("%s: %s", reason, message)
		return nil
	})
	// Argo CD has looked at it again by then, and lets it be.
	eventually(t, time.Minute, "Argo CD does not see it", func() error {
		a := application(t, "shop")
		synced, _, _ := unstructured.NestedString(a.Object, "status", "sync", "status")
		health, _, _ := unstructured.NestedString(a.Object, "status", "health", "status")
		if synced != "Synced" || health == "Healthy" {
			return fmt.Errorf("it is %s and %s", synced, health)
		}
		return nil
	})
	if got := north.must(t, "-n", "shop", "get", "deployment", "stowaway", "--ignore-not-found", "-o", "name"); got != "" {
		t.Errorf("what nobody approved runs: %s", got)
	}
	patch(`[{"op":"remove","path":"/spec/components/1"}]`)
}
