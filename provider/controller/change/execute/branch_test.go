package execute

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/change"
)

// branchHouse delivers by a branch that Argo CD syncs.
func branchHouse(t *testing.T, hub *hub) *house {
	t.Helper()
	return hub.house(t, func(p *v1alpha1.RepositoryParameters) {
		p.Delivery = v1alpha1.Delivery{Mode: v1alpha1.DeliverBranch, Branch: &v1alpha1.DeliveryBranch{
			Name: "fleet", Engine: "argocd", Source: &v1alpha1.DeliverySource{Name: "claims"},
		}}
		p.Claims.Kustomize = []string{"overlays/eu"}
		p.Claims.Exclude = []string{"base/**"}
	})
}

// delivering some of the claims of a change.
func (h *house) delivering(in Input, epoch int64, names ...string) change.Action {
	s := in.Change.Status.AtProvider
	a := change.Action{Verb: change.DoBranch, Epoch: epoch, Head: s.Plan.HeadSHA, Base: s.Plan.BaseSHA}
	for _, c := range s.Claims {
		for _, n := range names {
			if c.Name == n {
				a.Claims = append(a.Claims, c)
			}
		}
	}
	return a
}

// takingBack some of the claims of a change.
func (h *house) takingBack(in Input, epoch int64, names ...string) change.Action {
	a := h.delivering(in, epoch, names...)
	a.Head, a.Back = "", true
	for i := range a.Claims {
		a.Claims[i].Digest = a.Claims[i].Before
	}
	return a
}

// fleet is what a file says on the branch that is delivered from. Empty where it is not there.
func (h *house) fleet(path string) string {
	h.t.Helper()
	at := h.git.At("refs/heads/fleet")
	if _, err := h.open.Mirror.Fetch(h.t.Context(), "refs/heads/fleet"); err != nil {
		h.t.Fatal(err)
	}
	files, err := h.open.Mirror.Files(at)
	must(h.t, err)
	f, ok := files[path]
	if !ok {
		return ""
	}
	raw, err := h.open.Mirror.Read(f.ID)
	must(h.t, err)
	return string(raw)
}

func branches(t *testing.T, hub *hub) {
	h := branchHouse(t, hub)
	engine := &unstructured.Unstructured{}
	engine.SetAPIVersion("argoproj.io/v1alpha1")
	engine.SetKind("Application")
	engine.SetNamespace(h.ns)
	engine.SetName("claims")
	must(t, h.Create(t.Context(), engine))
	h.git.Commit("main", "", map[string]string{"web.yaml": application("web", "v1"), "api.yaml": application("api", "v1"), "README.md": "1\n"})
	h.git.Commit("one", "main", map[string]string{"web.yaml": application("web", "v2"), "README.md": "2\n"})
	h.git.Commit("two", "main", map[string]string{"api.yaml": application("api", "v2"), "new.yaml": application("new", "v1")})
	h.byHand(application("web", "v1"))
	one, e1 := h.change(41, "one", "web")
	two, e2 := h.change(42, "two", "api", "new")

	// Two who deliver at once, in two processes, share the branch.
	var wg sync.WaitGroup
	other := h.executor()
	wg.Go(func() {
		if err := h.Do(t.Context(), one, h.delivering(one, e1, "web")); err != nil {
			t.Error(err)
		}
	})
	wg.Go(func() {
		if err := other.Do(t.Context(), two, h.delivering(two, e2, "api", "new")); err != nil {
			t.Error(err)
		}
	})
	wg.Wait()
	want := []string{application("web", "v2"), application("api", "v2"), application("new", "v1"), "2\n"}
	if diff := cmp.Diff(want, []string{h.fleet("web.yaml"), h.fleet("api.yaml"), h.fleet("new.yaml"), h.fleet("README.md")}); diff != "" {
		t.Errorf("the branch must have both: -want, +got:\n%s", diff)
	}
	if h.image("web") != "v1" {
		t.Error("it is the engine that writes the claim")
	}
	if g, c := h.granted("web"), one.Change.Status.AtProvider.Claims[0]; g.Digest != c.Digest || g.Before != c.Before || g.Epoch != e1 {
		t.Errorf("its grant comes before: %+v", g)
	}
	if g := h.granted("new"); g.Epoch != e2 || g.Before != "" {
		t.Errorf("got %+v", g)
	}
	must(t, h.Get(t.Context(), client.ObjectKeyFromObject(engine), engine))
	if engine.GetAnnotations()["argocd.argoproj.io/refresh"] != "normal" {
		t.Error("the engine must be told to look")
	}

	at := h.git.At("refs/heads/fleet")
	h.do(h.executor(), one, h.delivering(one, e1, "web"))
	if h.git.At("refs/heads/fleet") != at {
		t.Error("what is there already makes no commit")
	}
	clone := t.TempDir()
	h.git.Run(clone, "clone", "-q", "-b", "fleet", h.git.URL, ".")
	said := h.git.Run(clone, "log", "--format=%an|%s")
	for _, w := range []string{"mainstay|Deliver !41: A title", "mainstay|Deliver !42: A title"} {
		if !strings.Contains(said, w) {
			t.Errorf("want %q in the log of the branch, got:\n%s", w, said)
		}
	}

	h.git.Down(503)
	h.do(h.Executor, one, h.delivering(one, e1, "web"))
	if err := h.Do(t.Context(), one, h.delivering(one, e1-1, "web")); err == nil {
		t.Error("also what was just delivered is asked for in an epoch")
	}
	h.pass(time.Minute)
	if err := h.Do(t.Context(), one, h.delivering(one, e1, "web")); err == nil {
		t.Error("after a while the branch is looked at again, and a forge that is down is an error")
	}
	h.git.Down(0)

	// A newer push that leaves a claim out takes it back to what the base says.
	h.git.Commit("two", "main", map[string]string{"new.yaml": application("new", "v2")})
	h.planned(&two, "two", "api", "new")
	h.do(h.Executor, two, h.delivering(two, h.renewed(two), "api", "new"))
	want = []string{application("web", "v2"), application("api", "v1"), application("new", "v2")}
	if diff := cmp.Diff(want, []string{h.fleet("web.yaml"), h.fleet("api.yaml"), h.fleet("new.yaml")}); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
}

func branchBack(t *testing.T, hub *hub) {
	h := branchHouse(t, hub)
	h.git.Commit("main", "", map[string]string{"web.yaml": application("web", "v1"), "api.yaml": application("api", "v1"), "README.md": "1\n"})
	h.git.Commit("one", "main", map[string]string{"web.yaml": application("web", "v2"), "new.yaml": application("new", "v1"), "README.md": "2\n"})
	h.git.Commit("two", "main", map[string]string{"api.yaml": application("api", "v2")})
	one, e1 := h.change(41, "one", "web", "new")
	two, e2 := h.change(42, "two", "api")
	h.do(h.Executor, one, h.delivering(one, e1, "web", "new"))
	h.do(h.Executor, two, h.delivering(two, e2, "api"))
	forward := one.Change.Status.AtProvider.Claims[0].Digest
	h.do(h.Executor, one, h.takingBack(one, h.renewed(one), "web", "new"))
	want := []string{application("web", "v1"), application("api", "v2"), "", "1\n"}
	if diff := cmp.Diff(want, []string{h.fleet("web.yaml"), h.fleet("api.yaml"), h.fleet("new.yaml"), h.fleet("README.md")}); diff != "" {
		t.Errorf("its own goes back, and nothing else: -want, +got:\n%s", diff)
	}
	if g := h.granted("web"); g.Before != forward {
		t.Errorf("until the engine is there, what was delivered may stay: %+v", g)
	}
	if g := h.granted("new"); g.Digest != "" {
		t.Errorf("what was created goes: %+v", g)
	}
}

func branchRefuses(t *testing.T, hub *hub) {
	h := branchHouse(t, hub)
	both := application("web", "v1") + "---\n" + application("api", "v1")
	h.git.Commit("main", "", map[string]string{"both.yaml": both})
	h.git.Commit("one", "main", map[string]string{"both.yaml": application("web", "v2") + "---\n" + application("api", "v1")})
	h.git.Commit("two", "main", map[string]string{"both.yaml": application("web", "v1") + "---\n" + application("api", "v2")})
	h.git.Commit("three", "main", map[string]string{"both.yaml": application("web", "v3") + "---\n" + application("api", "v3")})
	one, e1 := h.change(41, "one", "web")
	two, e2 := h.change(42, "two", "api")
	h.do(h.Executor, one, h.delivering(one, e1, "web"))
	at := h.git.At("refs/heads/fleet")
	err := h.Do(t.Context(), two, h.delivering(two, e2, "api"))
	if err == nil || !strings.Contains(err.Error(), "another change is delivering it") || h.granted("api") != nil {
		t.Errorf("what another change put there is not taken back: %v", err)
	}
	h.unlockAll()
	three, e3 := h.change(43, "three", "web", "api")
	err = h.Do(t.Context(), three, h.delivering(three, e3, "web"))
	if err == nil || !strings.Contains(err.Error(), "before its turn") {
		t.Errorf("a claim is not delivered before its step: %v", err)
	}
	if h.git.At("refs/heads/fleet") != at {
		t.Error("nothing may be written")
	}
	h.repo.Spec.ForProvider.Delivery.Branch.Name = "main"
	if err := h.Do(t.Context(), three, h.delivering(three, e3, "web", "api")); err == nil || !strings.Contains(err.Error(), "which is the base branch") {
		t.Errorf("got %v", err)
	}
}

func kustomize(t *testing.T, hub *hub) {
	h := branchHouse(t, hub)
	main := map[string]string{
		"base/web.yaml": application("web", "v1"), "base/kustomization.yaml": "resources: [web.yaml]\n",
		"overlays/eu/kustomization.yaml": "resources: [../../base]\nnameSuffix: -eu\n",
	}
	h.git.Commit("main", "", main)
	h.git.Commit("one", "main", map[string]string{"base/web.yaml": application("web", "v2")})
	one, epoch := h.change(41, "one", "web-eu")
	if c := one.Change.Status.AtProvider.Claims[0]; c.Digest == c.Before || c.Digest == "" {
		t.Fatalf("got %+v", c)
	}
	h.do(h.Executor, one, h.delivering(one, epoch, "web-eu"))
	if h.fleet("base/web.yaml") != application("web", "v2") {
		t.Errorf("what a claim is built from comes along, got %s", h.fleet("base/web.yaml"))
	}
	h.do(h.Executor, one, h.takingBack(one, h.renewed(one), "web-eu"))
	if h.fleet("base/web.yaml") != application("web", "v1") {
		t.Errorf("and goes back, got %s", h.fleet("base/web.yaml"))
	}
}
