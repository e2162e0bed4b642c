package planner

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/crossplane/crossplane-runtime/v2/pkg/logging"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	apisv1alpha1 "github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/functions/builtin"
	"github.com/mainstay-dev/mainstay/internal/change"
	"github.com/mainstay-dev/mainstay/internal/plan/pipeline"
	"github.com/mainstay-dev/mainstay/provider/controller/change/trees"
	"github.com/mainstay-dev/mainstay/provider/git/gittest"
	"github.com/mainstay-dev/mainstay/provider/planner/functions"
	"github.com/mainstay-dev/mainstay/provider/repo"
)

var now = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

const fleetClaim = `apiVersion: mainstay.dev/v1alpha1
kind: ClusterFleet
metadata: {name: edge, namespace: platform}
spec:
  providerConfigRef: {kind: ClusterProviderConfig, name: local}
  kubernetesVersion: v1.34.2
  clusters:
    - {name: eu-1, region: eu}
    - {name: us-1, region: us}
  nodePools: [{name: general, class: general, size: 4}]
  tenants: [{namespace: shop}]
`

const shopClaim = `apiVersion: mainstay.dev/v1alpha1
kind: ProductApplication
metadata: {name: shop}
spec:
  components:
    - name: web
      type: webservice
      properties: {image: "registry.example.org/web:1.0.0"}
`

// A world is a repository, and a hub.
type world struct {
	t       testing.TB
	git     *gittest.Server
	dir     string
	repo    *repo.Repo
	trees   *trees.Trees
	hub     client.WithWatch
	planner *Planner
	change  *v1alpha1.Change
	owner   *v1alpha1.Repository
}

// newWorld whose base branch has files, with objects on its hub.
func newWorld(t testing.TB, files map[string]string, objects ...client.Object) *world {
	t.Helper()
	g := gittest.New(t)
	w := &world{t: t, git: g, dir: filepath.Join(t.TempDir(), "work"), repo: &repo.Repo{UID: "r", Mirror: g.Mirror()}, trees: trees.New()}
	g.Commit("main", "", files)
	g.Run(".", "clone", "-q", g.URL, w.dir)
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, v1alpha1.AddToScheme, apisv1alpha1.AddToScheme} {
		if err := add(s); err != nil {
			t.Fatal(err)
		}
	}
	w.change = &v1alpha1.Change{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "claims-7", UID: "c"}}
	w.owner = &v1alpha1.Repository{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "claims"}}
	w.owner.Spec.ForProvider = v1alpha1.RepositoryParameters{Forge: v1alpha1.ForgeGitHub, BaseBranch: "main", TargetNamespaces: []string{"shop", "platform", "market"}}
	agreed := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "platform", Annotations: map[string]string{v1alpha1.AnnotationRepositories: "shop/claims"}}}
	w.hub = fake.NewClientBuilder().WithScheme(s).WithObjects(agreed, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "market"}}).WithObjects(objects...).Build()
	w.with(builtin.Functions())
	return w
}

// with functions, in place of the real ones.
func (w *world) with(own map[string]pipeline.Run) {
	w.planner = New(Config{
		Hub: w.hub, Live: w.hub, Trees: w.trees, Now: func() time.Time { return now }, Log: logging.NewNopLogger(),
		Functions: functions.New(functions.Config{Mode: functions.Builtin, Hub: w.hub, Own: own, Version: "v9.9.9", Shipped: builtin.Shipped()}),
	})
}

// push a branch with what somebody does to the files of main. It returns what is to be planned.
func (w *world) push(edit func(dir string)) change.PlanRequest {
	w.t.Helper()
	w.git.Run(w.dir, "checkout", "-q", "-B", "feature", "origin/main")
	edit(w.dir)
	w.git.Run(w.dir, "add", "-A")
	w.git.Run(w.dir, "commit", "-q", "--allow-empty", "-m", "change")
	w.git.Run(w.dir, "push", "-q", "-f", "origin", "feature:refs/pull/7/head")
	return w.asked()
}

// asked is what is to be planned of the merge request.
func (w *world) asked() change.PlanRequest {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	v, err := w.trees.Look(ctx, w.repo, w.owner.Spec.ForProvider, "shop", 7)
	if err != nil {
		w.t.Fatal(err)
	}
	return change.PlanRequest{Head: v.Look.Head, Base: v.Look.Base, Tree: v.Tree, Content: v.Content}
}

func (w *world) plan(req change.PlanRequest) change.Planned {
	return w.planner.Plan(w.t.Context(), Input{Change: w.change, Repository: w.owner, Repo: w.repo}, req)
}

// write files into a folder.
func write(t testing.TB, files map[string]string) func(dir string) {
	return func(dir string) {
		for name, says := range files {
			full := filepath.Join(dir, name)
			if says == "" {
				if err := os.Remove(full); err != nil {
					t.Fatal(err)
				}
				continue
			}
			if err := os.MkdirAll(filepath.Dir(full), 0o750); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(full, []byte(says), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func edited(says string, pairs ...string) string { return strings.NewReplacer(pairs...).Replace(says) }
