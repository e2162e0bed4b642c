package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	sdk "code.gitea.io/sdk/gitea"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mainstay-dev/mainstay/test/argocd"
	"github.com/mainstay-dev/mainstay/test/gitea"
)

const (
	// gitPoll is how often Argo CD asks Git here.
	gitPoll = 5 * time.Second
	// exampleURL is the repository in examples/argocd.
	exampleURL = "https://git.example.org/platform/claims.git"
)

// A gitops is a real Gitea with the repository of claims from examples/argocd, and a
// real Argo CD with the settings from there, which syncs it to the hub.
type gitops struct {
	forge *gitea.Server
	admin *sdk.Client
	// url of the repository, as Git has it.
	url string
}

// startGitOps and stop it when the test is over.
func startGitOps(t *testing.T) *gitops {
	t.Helper()
	ctx := t.Context()
	// A folder of its own: the demo's Gitea is another one, with other users.
	forge, err := gitea.Start(ctx, filepath.Join(state, "argocd-gitea"), binaries)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, forge.Stop) })
	g := &gitops{forge: forge}
	if g.admin, err = forge.Client(ctx, forge.Token); err != nil {
		t.Fatal(err)
	}
	if err := forge.Organization(ctx, "platform"); err != nil {
		t.Fatal(err)
	}
	token, err := forge.User(ctx, "argocd", "reads-only-1")
	if err != nil {
		t.Fatal(err)
	}
	// The address is known before the repository is, and is in its files.
	g.url = forge.URL + "/platform/claims.git"
	if _, err := forge.Repository(ctx, "platform", "claims", g.exampleClaims(t), map[string]string{"argocd": "read"}); err != nil {
		t.Fatal(err)
	}

	settings := []string{filepath.Join(root, "examples/argocd/argocd-cm.yaml"), filepath.Join(root, "examples/argocd/rights.yaml")}
	projects := filepath.Join(t.TempDir(), "projects.yaml")
	writeFile(t, projects, g.example(t, "projects.yaml"))
	engine, err := argocd.Start(ctx, argocd.Config{
		Dir: filepath.Join(state, "argocd"), Binaries: binaries, Kubeconfig: hub.kubeconfig,
		Settings: append(settings, projects), Poll: gitPoll,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, engine.Stop) })
	hub.apply(t, fmt.Sprintf(`
apiVersion: v1
kind: Secret
metadata:
  name: claims
  namespace: argocd
  labels: {argocd.argoproj.io/secret-type: repository}
stringData: {type: git, url: %q, username: argocd, password: %q}
`, g.url, token))
	return g
}

// stop something that a test started. Its context is done by now.
func stop(t *testing.T, f func(context.Context) error) {
	t.Helper()
	if err := f(context.Background()); err != nil { //nolint:usetesting // See above.
		t.Error(err)
	}
}

// example returns a file of examples/argocd, for this repository.
func (g *gitops) example(t *testing.T, name string) string {
	t.Helper()
	return strings.ReplaceAll(readFile(t, filepath.Join(root, "examples/argocd", name)), exampleURL, g.url)
}

// exampleClaims are the files of the repository of claims.
func (g *gitops) exampleClaims(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	top := filepath.Join(root, "examples/argocd/claims")
	err := filepath.WalkDir(top, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(top, path)
		if err != nil {
			return err
		}
		files[filepath.ToSlash(rel)] = g.example(t, filepath.Join("claims", rel))
		return nil
	})
	if err != nil || len(files) == 0 {
		t.Fatalf("cannot read the claims of the example: %v", err)
	}
	return files
}

// push files to a branch of the repository, as somebody who may.
func (g *gitops) push(t *testing.T, branch, message string, files map[string]string) {
	t.Helper()
	if err := gitea.Commit(g.admin, "platform", "claims", gitea.Change{Branch: branch, Message: message, Files: files, Over: true}); err != nil {
		t.Fatal(err)
	}
}

// tip of a branch of the repository.
func (g *gitops) tip(t *testing.T, branch string) string {
	t.Helper()
	b, _, err := g.admin.GetRepoBranch("platform", "claims", branch)
	if err != nil {
		t.Fatal(err)
	}
	return b.Commit.ID
}

// application of Argo CD.
func application(t *testing.T, name string) *unstructured.Unstructured {
	t.Helper()
	return hub.get(t, "-n", "argocd", "applications.argoproj.io", name)
}

// settled returns nil where an Application is at a revision, Synced and Healthy.
func settled(u *unstructured.Unstructured, revision string) error {
	if u == nil {
		return errors.New("does not exist")
	}
	at, _, _ := unstructured.NestedString(u.Object, "status", "sync", "revision")
	synced, _, _ := unstructured.NestedString(u.Object, "status", "sync", "status")
	health, _, _ := unstructured.NestedString(u.Object, "status", "health", "status")
	if at == revision && synced == "Synced" && health == "Healthy" {
		return nil
	}
	conditions, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
	message, _, _ := unstructured.NestedString(u.Object, "status", "operationState", "message")
	return fmt.Errorf("application %s: revision %.7s of %.7s, %s, %s: %s %v", u.GetName(), at, revision, synced, health, message, conditions)
}

// allSettled returns nil where all Applications of the example are.
func (g *gitops) allSettled(t *testing.T, branch string) func() error {
	t.Helper()
	return func() error {
		var errs []error
		for name, b := range map[string]string{"root": "main", "platform": branch, "shop": branch} {
			errs = append(errs, settled(application(t, name), g.tip(t, b)))
		}
		return errors.Join(errs...)
	}
}

// writes is what changes where somebody writes a claim, or Argo CD syncs.
func writes(t *testing.T) string {
	t.Helper()
	out := &strings.Builder{}
	for _, claim := range [][]string{{"-n", "platform", "clusterfleet", "harbour"}, {"-n", "shop", "productapplication", "notes"}} {
		fmt.Fprintln(out, claim[3], hub.get(t, claim...).GetResourceVersion())
	}
	for _, name := range []string{"root", "platform", "shop"} {
		a := application(t, name)
		began, _, _ := unstructured.NestedString(a.Object, "status", "operationState", "startedAt")
		history, _, _ := unstructured.NestedSlice(a.Object, "status", "history")
		fmt.Fprintln(out, name, began, len(history))
	}
	return out.String()
}

// still checks that nobody writes for a while, although Argo CD is told all the time to
// compare anew. What was just changed may still say so until Argo CD has compared it once.
func still(t *testing.T) {
	t.Helper()
	before, compared, end := "", 0, time.Time{}
	eventually(t, 8*gitPoll+time.Minute, "compared anew, over and over", func() error {
		asked := false
		for _, name := range []string{"root", "platform", "shop"} {
			asked = asked || application(t, name).GetAnnotations()["argocd.argoproj.io/refresh"] != ""
		}
		switch {
		case asked:
			return errors.New("not compared yet")
		case !end.IsZero() && time.Now().After(end):
			return nil
		}
		if compared++; compared == 2 {
			before, end = writes(t), time.Now().Add(4*gitPoll)
		}
		hub.must(t, "-n", "argocd", "annotate", "applications.argoproj.io", "--all", "argocd.argoproj.io/refresh=hard", "--overwrite")
		return errors.New("once more")
	})
	if after := writes(t); after != before {
		t.Errorf("somebody writes, although nothing is asked for.\nBefore:\n%sAfter:\n%s", before, after)
	}
}

// Claims get from Git to the hub by a real Argo CD, with the settings of the example:
// first from the base branch, then from one that changes are delivered to.
func TestArgoCD(t *testing.T) {
	g := startGitOps(t)
	t.Cleanup(func() {
		k := hub
		for _, args := range [][]string{
			{"-n", "argocd", "delete", "applications.argoproj.io", "--all", "--wait"},
			{"-n", "shop", "delete", "productapplication", "notes", "--ignore-not-found", "--wait", "--timeout=3m"},
			{"-n", "platform", "delete", "clusterfleet", "harbour", "--ignore-not-found", "--wait", "--timeout=3m"},
		} {
			if _, err := k.run(context.Background(), "", args...); err != nil { //nolint:usetesting // The test's is done by now.
				t.Error(err)
			}
		}
	})
	if !t.Run("Claims", g.claims) {
		return
	}
	t.Run("Changes", g.changes)
}

// claims that are pushed to the base branch get to the hub and to clusters.
func (g *gitops) claims(t *testing.T) {
	notes := func() *unstructured.Unstructured { return hub.get(t, "-n", "shop", "productapplication", "notes") }
	image := func() string {
		return hub.must(t, "-n", "shop", "get", "productapplication", "notes", "-o", "jsonpath={.spec.components[0].properties.image}")
	}

	// One object is made by hand. All else follows.
	hub.apply(t, g.example(t, "root.yaml"))
	eventually(t, 4*time.Minute, "the claims are reached", func() error {
		return errors.Join(reached(hub.get(t, "-n", "platform", "clusterfleet", "harbour")), reached(notes()))
	})
	eventually(t, time.Minute, "Argo CD is Synced and Healthy", g.allSettled(t, "main"))
	north := cluster(t, "platform", "harbour.north-1")
	running := func() string {
		return north.must(t, "-n", "shop", "get", "deployment", "notes-web", "--ignore-not-found", "-o", "jsonpath={.spec.template.spec.containers[0].image}")
	}
	if got, want := running(), "registry.example.org/shop/notes:1.0.0"; got != want {
		t.Errorf("the cluster runs %q, want %q", got, want)
	}
	still(t)

	// A push moves it.
	file := g.exampleClaims(t)["shop/notes.yaml"]
	release := func(version string) map[string]string {
		return map[string]string{"shop/notes.yaml": strings.ReplaceAll(file, "notes:1.0.0", "notes:"+version)}
	}
	g.push(t, "main", "Release notes 1.1.0", release("1.1.0"))
	eventually(t, 2*time.Minute, "a push gets to the cluster", func() error {
		if got := running(); got != "registry.example.org/shop/notes:1.1.0" {
			return fmt.Errorf("the cluster runs %q", got)
		}
		return nil
	})
	eventually(t, time.Minute, "Argo CD is Synced and Healthy with it", g.allSettled(t, "main"))

	// A field that Git has is put back when somebody edits it.
	patch := `[{"op":"replace","path":"/spec/components/0/properties/image","value":"registry.example.org/shop/notes:0.9.0"}]`
	hub.must(t, "-n", "shop", "patch", "productapplication", "notes", "--type=json", "-p", patch)
	eventually(t, time.Minute, "what was edited by hand is put back", func() error {
		if got := image(); got != "registry.example.org/shop/notes:1.1.0" {
			return fmt.Errorf("the claim says %q", got)
		}
		return nil
	})

	// What cannot work is said where the author looks, and what runs goes on.
	g.push(t, "main", "Ask for a component of no type", map[string]string{"shop/notes.yaml": strings.ReplaceAll(file, "type: webservice", "type: nonesuch")})
	eventually(t, 2*time.Minute, "a claim that is refused is Degraded in Argo CD", func() error {
		a := application(t, "shop")
		health, _, _ := unstructured.NestedString(a.Object, "status", "health", "status")
		if health != "Degraded" {
			return fmt.Errorf("health is %s", health)
		}
		return nil
	})
	if got, want := running(), "registry.example.org/shop/notes:1.1.0"; got != want {
		t.Errorf("the cluster runs %q, want %q as before", got, want)
	}

	// Nor is a revision that the API server refuses tried for ever: a push mends that, too.
	g.push(t, "main", "Ask for a name that cannot be", map[string]string{"shop/notes.yaml": strings.ReplaceAll(file, "name: notes-web", "name: Notes_Web")})
	eventually(t, 2*time.Minute, "what cannot be applied is said", func() error {
		message, _, _ := unstructured.NestedString(application(t, "shop").Object, "status", "operationState", "message")
		if !strings.Contains(message, "spec.components") {
			return fmt.Errorf("it says %q", message)
		}
		return nil
	})
	g.push(t, "main", "Release notes 1.2.0", release("1.2.0"))
	eventually(t, 3*time.Minute, "it is mended by a push", g.allSettled(t, "main"))
	still(t)
}
