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
	"github.com/mainstay-dev/mainstay/internal/claims"
	"github.com/mainstay-dev/mainstay/internal/tree"
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
	h.time = h.time.Add(time.Minute)
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

// TestChoose has trees as lists of words: a file is <path>=<content>, and holds a claim of
// its name unless it ends in .md.
func TestChoose(t *testing.T) {
	ref := func(n string) v1alpha1.ClaimReference { return v1alpha1.ClaimReference{Kind: "App", Name: n} }
	read := func(words string) side {
		s := side{files: tree.Files{}, claims: claims.Set{}}
		for w := range strings.FieldsSeq(words) {
			p, says, _ := strings.Cut(w, "=")
			s.files[p] = tree.File{Mode: tree.Regular, ID: says}
			if !strings.HasSuffix(p, ".md") {
				for i, n := range strings.Split(p, "+") {
					s.claims[ref(n)] = claims.Claim{Ref: ref(n), Digest: strings.Split(says, "+")[i], Source: claims.Source{File: p, Line: 1}}
				}
			}
		}
		return s
	}
	cases := map[string]struct {
		reason             string
		source, tip        string
		wanted, own        []string
		changed            []string
		want, problem, end string
	}{
		"Edit":      {reason: "The file of a claim.", source: "a=2 b=1", tip: "a=1 b=1", wanted: []string{"a"}, want: "a", end: "a=2 b=1"},
		"Others":    {reason: "What others delivered stays.", source: "a=2 b=1", tip: "a=1 b=9", wanted: []string{"a"}, want: "a", end: "a=2 b=9"},
		"Gone":      {reason: "A claim that goes takes its file along.", source: "b=1", tip: "a=1 b=1", wanted: []string{"a"}, want: "a", end: "b=1"},
		"Same":      {reason: "What is there already is left out.", source: "a=2", tip: "a=2", wanted: []string{"a"}, end: "a=2"},
		"Docs":      {reason: "Files that hold no claims come along.", source: "a=2 r.md=2 s.md=2", tip: "a=1 r.md=1 s.md=1", wanted: []string{"a"}, changed: []string{"a", "r.md"}, want: "a r.md", end: "a=2 r.md=2 s.md=1"},
		"Later":     {reason: "Those of later steps do not.", source: "a=2 b=2", tip: "a=1 b=1", wanted: []string{"a"}, own: []string{"a", "b"}, changed: []string{"a", "b"}, want: "a", end: "a=2 b=1"},
		"OneFile":   {reason: "Claims of one step may be in one file.", source: "a+b=2+2", tip: "a+b=1+1", wanted: []string{"a", "b"}, want: "a+b"},
		"Together":  {reason: "A claim of a later step must not come along.", source: "a+b=2+2", tip: "a+b=1+1", wanted: []string{"a"}, own: []string{"a", "b"}, want: "a+b", problem: "before its turn"},
		"Anothers":  {reason: "That of another change is not taken back.", source: "a+b=2+1", tip: "a+b=1+9", wanted: []string{"a"}, want: "a+b", problem: "another change is delivering it"},
		"Elsewhere": {reason: "Where somebody moved it on the branch, both files are as they should be.", source: "a=2", tip: "a+b=1+1", wanted: []string{"a", "b"}, want: "a a+b", end: "a=2"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			d := &delivery{wanted: map[v1alpha1.ClaimReference]bool{}, own: map[v1alpha1.ClaimReference]bool{}, source: read(tc.source), changed: tc.changed}
			for _, n := range tc.wanted {
				d.wanted[ref(n)] = true
			}
			for _, n := range tc.own {
				d.own[ref(n)] = true
			}
			tip := read(tc.tip)
			put := d.choose(tip)
			if diff := cmp.Diff(tc.want, strings.Join(put, " ")); diff != "" {
				t.Errorf("%s\nfiles: -want, +got:\n%s", tc.reason, diff)
			}
			after := d.after(tip, put)
			result := ""
			for p, f := range after {
				result += p + "=" + f.ID + " "
			}
			err := d.check(tip.claims, read(result).claims)
			if (err == nil) != (tc.problem == "") || err != nil && !strings.Contains(err.Error(), tc.problem) {
				t.Errorf("%s\nwant problem %q, got %v", tc.reason, tc.problem, err)
			}
			if tc.end != "" {
				if diff := cmp.Diff(read(tc.end).files, after); diff != "" {
					t.Errorf("%s\nbranch: -want, +got:\n%s", tc.reason, diff)
				}
			}
		})
	}
}
