package trees

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/provider/git"
	"github.com/mainstay-dev/mainstay/provider/git/gittest"
	"github.com/mainstay-dev/mainstay/provider/repo"
)

func app(name, image string) string {
	return fmt.Sprintf("apiVersion: mainstay.dev/v1alpha1\nkind: ProductApplication\nmetadata: {name: %s}\nspec: {components: [{name: web, type: webservice, properties: {image: %s}}]}\n", name, image)
}

func spec() v1alpha1.RepositoryParameters {
	return v1alpha1.RepositoryParameters{Forge: v1alpha1.ForgeGitHub, BaseBranch: "main"}
}

func TestView(t *testing.T) {
	cases := map[string]struct {
		reason string
		// head and base are what both sides do to a tree with the applications a and b.
		head, base map[string]string
		// touched, problem and conflict that are wanted.
		touched  string
		problem  string
		conflict string
	}{
		"Edit":     {reason: "What the head changes is touched.", head: map[string]string{"a.yaml": app("a", "v2")}, touched: "a"},
		"Apart":    {reason: "What the base changed elsewhere is not.", head: map[string]string{"a.yaml": app("a", "v2")}, base: map[string]string{"b.yaml": app("b", "v2")}, touched: "a"},
		"Deletion": {reason: "A claim that goes is touched.", head: map[string]string{"b.yaml": ""}, touched: "b"},
		"Moved":    {reason: "A claim in another file says what it said.", head: map[string]string{"b.yaml": "", "c/b.yaml": app("b", "v1")}},
		"Docs":     {reason: "What is no claim is none.", head: map[string]string{"README.md": "hello"}},
		"Conflict": {
			reason: "A file that both sides changed is a conflict, and nothing is said of what is merged.",
			head:   map[string]string{"a.yaml": app("a", "v2")}, base: map[string]string{"a.yaml": app("a", "v3")}, touched: "a", conflict: "a.yaml",
		},
		"Broken":  {reason: "What cannot be read refuses.", head: map[string]string{"c.yaml": "a: [\n"}, problem: "c.yaml"},
		"Twice":   {reason: "Two sides that each add the same claim are merged, and refused.", head: map[string]string{"c.yaml": app("c", "v1")}, base: map[string]string{"d.yaml": app("c", "v1")}, touched: "c", problem: "keep one"},
		"Foreign": {reason: "Another namespace is not for this repository.", head: map[string]string{"c.yaml": strings.Replace(app("c", "v1"), "{name: c}", "{name: c, namespace: other}", 1)}, problem: "other"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			g := gittest.New(t)
			g.Commit("main", "", map[string]string{"a.yaml": app("a", "v1"), "b.yaml": app("b", "v1")})
			head := g.Commit("feature", "main", tc.head)
			g.Ref("refs/pull/7/head", head)
			if tc.base != nil {
				g.Commit("main", "main", tc.base)
			}
			r := &repo.Repo{UID: "r", Mirror: g.Mirror()}
			trees := New()
			v, err := trees.Look(soon(t), r, spec(), "shop", 7)
			if err != nil {
				t.Fatal(err)
			}
			var touched []string
			for _, ref := range v.Touched {
				touched = append(touched, ref.Name)
			}
			got := []string{strings.Join(touched, " "), strings.Join(v.Look.Merged.Conflicts, " ")}
			if diff := cmp.Diff([]string{tc.touched, tc.conflict}, got); diff != "" {
				t.Errorf("\n%s\n-want, +got:\n%s", tc.reason, diff)
			}
			if (tc.problem == "") != (len(v.Problems) == 0) || !strings.Contains(v.Problems.Error(), tc.problem) {
				t.Errorf("\n%s\nwant problem %q, got %v", tc.reason, tc.problem, v.Problems)
			}
			if (v.Content == "") != (tc.conflict != "") || (v.Merged == nil) != (tc.conflict != "") {
				t.Errorf("\n%s\ngot content %q and %d merged claims", tc.reason, v.Content, len(v.Merged))
			}
		})
	}
}

// Content stays where the base branch moves elsewhere, and nothing is fetched for what is known.
func TestContentAndMemory(t *testing.T) {
	g := gittest.New(t)
	first := g.Commit("main", "", map[string]string{"a.yaml": app("a", "v1"), "b.yaml": app("b", "v1")})
	head := g.Commit("feature", "main", map[string]string{"a.yaml": app("a", "v2")})
	g.Ref("refs/pull/7/head", head)
	r := &repo.Repo{UID: "r", Mirror: g.Mirror()}
	trees := New()
	before, err := trees.Look(soon(t), r, spec(), "shop", 7)
	if err != nil {
		t.Fatal(err)
	}
	second := g.Commit("main", "main", map[string]string{"b.yaml": app("b", "v2")})
	after, err := trees.Look(soon(t), r, spec(), "shop", 7)
	if err != nil {
		t.Fatal(err)
	}
	if before.Content != after.Content || before.Tree == after.Tree || after.Look.Base != second {
		t.Errorf("content must stay while the tree moves: %q and %q, trees %s and %s", before.Content, after.Content, before.Tree, after.Tree)
	}

	g.Down(http.StatusServiceUnavailable)
	if _, err := trees.Look(soon(t), r, spec(), "shop", 7); !git.Passes(err) {
		t.Errorf("a forge that is down is an error that passes, got %v", err)
	}
	again, err := trees.At(r, spec(), "shop", first, head)
	if err != nil || again.Content != before.Content {
		t.Errorf("what was fetched is known: %q, %v", again.Content, err)
	}
	set, err := trees.Commit(r, spec(), "shop", second)
	if err != nil || len(set) != 2 {
		t.Errorf("a commit has its claims: %d, %v", len(set), err)
	}
	if _, err := trees.At(r, spec(), "shop", second, strings.Repeat("a", 40)); git.ReasonOf(err) != git.NotFound {
		t.Errorf("a commit that was never fetched is not found, got %v", err)
	}
	other := spec()
	other.Claims.Include = []string{"b.yaml"}
	if v, err := trees.At(r, other, "shop", first, head); err != nil || len(v.Touched) != 0 {
		t.Errorf("other rules have another view: %v, %v", v.Touched, err)
	}
}

// thousand claims, a merge request, and bases that the branch moves on to.
func thousand(b *testing.B) (r *repo.Repo, bases []string, head string) {
	b.Helper()
	g := gittest.New(b)
	files := map[string]string{}
	for i := range 1000 {
		files[fmt.Sprintf("team-%d/app-%d.yaml", i%20, i)] = app(fmt.Sprintf("app-%d", i), "v1")
	}
	g.Commit("main", "", files)
	head = g.Commit("feature", "main", map[string]string{"team-1/app-1.yaml": app("app-1", "v2")})
	g.Ref("refs/pull/7/head", head)
	r = &repo.Repo{UID: "r", Mirror: g.Mirror()}
	for i := range 20 {
		bases = append(bases, g.Commit("main", "main", map[string]string{"team-2/app-2.yaml": app("app-2", fmt.Sprintf("v%d", i+2))}))
	}
	if _, err := New().Look(b.Context(), r, spec(), "shop", 7); err != nil {
		b.Fatal(err)
	}
	return r, bases, head
}

// BenchmarkRemembered tells how many bytes an entry of what is remembered takes.
func BenchmarkRemembered(b *testing.B) {
	r, bases, head := thousand(b)
	heap := func() float64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc)
	}
	for b.Loop() {
		trees := New()
		see := func(bases []string) {
			for _, base := range bases {
				if _, err := trees.At(r, spec(), "shop", base, head); err != nil {
					b.Fatal(err)
				}
			}
		}
		see(bases[:1]) // It has the documents of all files, which are shared.
		views, sets, before := trees.views.weight, trees.sets.weight, heap()
		see(bases[1:])
		views, sets = trees.views.weight-views, trees.sets.weight-sets
		all := heap()
		trees.views = newRecent[viewKey, View](1)
		without := heap()
		b.ReportMetric((all-without)/float64(views), "B/view-entry")
		b.ReportMetric((without-before)/float64(sets), "B/set-entry")
		runtime.KeepAlive(trees)
	}
}

// A thousand claims and a merge request: what it costs when the base branch moves.
func BenchmarkBaseMoves(b *testing.B) {
	r, bases, head := thousand(b)
	trees := New()
	i := 0
	for b.Loop() {
		trees.views = newRecent[viewKey, View](maxEntries)
		trees.sets = newRecent[setKey, readSet](maxEntries)
		if _, err := trees.At(r, spec(), "shop", bases[i%len(bases)], head); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

func TestRecent(t *testing.T) {
	r := newRecent[string, int](10)
	r.put("a", 1, 3)
	r.put("b", 2, 3)
	if _, ok := r.get("a"); !ok {
		t.Fatal("a must be there")
	}
	r.put("c", 3, 4)
	r.put("huge", 4, 100)
	var got []string
	for _, k := range []string{"a", "b", "c", "huge"} {
		if _, ok := r.get(k); ok {
			got = append(got, k)
		}
	}
	if diff := cmp.Diff([]string{"a", "c"}, got); diff != "" {
		t.Errorf("what was asked for lately stays, as far as there is room: -want, +got:\n%s", diff)
	}
	r.put("a", 5, 1)
	if v, _ := r.get("a"); v != 5 || r.weight != 2+5 {
		t.Errorf("what is put again takes the place of what was there: %d, weight %d", v, r.weight)
	}
}

func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}
