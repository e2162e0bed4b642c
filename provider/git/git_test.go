package git_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/claims"
	"github.com/mainstay-dev/mainstay/internal/tree"
	"github.com/mainstay-dev/mainstay/provider/git"
)

// The merged tree has the id that Git itself gives it.
func TestLookAtAMergeRequest(t *testing.T) {
	w := newWorld(t)
	root := w.commit("main", "", map[string]string{"a.yaml": "a: 1\n", "d/b.yaml": "b: 1\n", "d.txt": "x\n", "d-e/c": "c\n", "gone": "g\n"})
	head := w.commit("feature", "main", map[string]string{"a.yaml": "a: 2\n", "d/new.yaml": "n: 1\n", "gone": ""})
	base := w.commit("main", "main", map[string]string{"d/b.yaml": "b: 2\n"})

	m := w.mirror(t.TempDir(), git.Limits{})
	got, err := m.Look(soon(t), "refs/heads/main", "refs/heads/feature")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{head, base, root, w.run(w.clone, "merge-tree", "--write-tree", "main", "feature")}
	if diff := cmp.Diff(want, []string{got.Head, got.Base, got.MergeBase, got.Tree}); diff != "" {
		t.Errorf("head, base, merge base and tree: -want, +got:\n%s", diff)
	}
	if diff := cmp.Diff([]git.Person{{Name: "Ada", Email: "ada@example.org"}, {Name: "Bob", Email: "bob@example.org"}}, got.Committers); diff != "" {
		t.Errorf("Authors and committers both are none who may approve: -want, +got:\n%s", diff)
	}
	if got.Contained || got.Merged.Conflicts != nil {
		t.Errorf("got contained %t, conflicts %v", got.Contained, got.Merged.Conflicts)
	}
	if says, err := m.Read(got.Merged.Files["d/b.yaml"].ID); err != nil || string(says) != "b: 2\n" {
		t.Errorf("d/b.yaml says %q, %v", says, err)
	}

	w.run(w.clone, "merge", "-q", "feature")
	w.run(w.clone, "push", "-q", "origin", "main")
	after, err := m.Look(soon(t), "refs/heads/main", "refs/heads/feature")
	if err != nil {
		t.Fatal(err)
	}
	if now, err := m.Tree(after.Base); err != nil || !after.Contained || now != got.Tree {
		t.Errorf("Once it is merged the base holds what was planned: got %s, %v, want %s", now, err, got.Tree)
	}
}

func TestConflictsAreNamed(t *testing.T) {
	w := newWorld(t)
	w.commit("main", "", map[string]string{"a": "1\n", "b": "1\n"})
	w.commit("feature", "main", map[string]string{"a": "2\n", "b": "2\n"})
	w.commit("main", "main", map[string]string{"a": "3\n"})
	got, err := w.mirror(t.TempDir(), git.Limits{}).Look(soon(t), "refs/heads/main", "refs/heads/feature")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.Merged.Conflicts, []string{"a"}) || got.Tree != "" {
		t.Errorf("got conflicts %v, tree %s", got.Merged.Conflicts, got.Tree)
	}
}

// A branch that is pushed anew, by force, is what it is now, and a deleted one is said to be.
func TestForcePushAndDeletedBranch(t *testing.T) {
	w := newWorld(t)
	w.commit("main", "", map[string]string{"a": "1\n"})
	first := w.commit("feature", "main", map[string]string{"a": "2\n"})
	m := w.mirror(t.TempDir(), git.Limits{})
	if got, err := m.Look(soon(t), "refs/heads/main", "refs/heads/feature"); err != nil || got.Head != first {
		t.Fatalf("got %s, %v", got.Head, err)
	}
	second := w.commit("feature", "main", map[string]string{"a": "3\n"})
	if got, err := m.Look(soon(t), "refs/heads/main", "refs/heads/feature"); err != nil || got.Head != second {
		t.Fatalf("got %s, %v, want %s", got.Head, err, second)
	}
	w.run(w.clone, "push", "-q", "origin", ":feature")
	_, err := m.Look(soon(t), "refs/heads/main", "refs/heads/feature")
	if diff := cmp.Diff("branch refs/heads/feature is not in the repository", text(err)); diff != "" || git.ReasonOf(err) != git.NotFound {
		t.Errorf("got %s: %s", git.ReasonOf(err), diff)
	}
	if got, err := m.Compare(w.run(w.clone, "rev-parse", "main"), second); err != nil || got.Head != second {
		t.Errorf("What was fetched stays readable: %v", err)
	}
}

// Whatever goes wrong with the forge is an error of its kind, without a secret, and afterwards
// everything is as before.
func TestForgeFails(t *testing.T) {
	cases := map[string]struct {
		reason string
		fail   func(*world, *git.Mirror)
		mend   func(*world, *git.Mirror)
		want   git.Reason
		says   string
	}{
		"Down": {
			reason: "A forge that is down may come back.",
			fail:   func(w *world, _ *git.Mirror) { w.status.Store(http.StatusInternalServerError) },
			mend:   func(w *world, _ *git.Mirror) { w.status.Store(0) },
			want:   git.Unavailable, says: "cannot fetch: forge answers with HTTP 500",
		},
		"Slow": {
			reason: "A forge that does not answer is given up.",
			fail:   func(w *world, _ *git.Mirror) { w.hang.Store(true) },
			mend:   func(w *world, _ *git.Mirror) { w.hang.Store(false) },
			want:   git.Unavailable, says: "cannot fetch: forge did not answer in time",
		},
		"BreaksOff": {
			reason: "Half an answer is none.",
			fail:   func(w *world, _ *git.Mirror) { w.breaks.Store(true) },
			mend:   func(w *world, _ *git.Mirror) { w.breaks.Store(false) },
			want:   git.Unavailable,
		},
		"WrongToken": {
			reason: "A token that expired is said to be, and a new one is used at once.",
			fail:   func(w *world, _ *git.Mirror) { w.token.Store("a-new-one") },
			mend:   func(_ *world, m *git.Mirror) { m.SetToken("a-new-one") },
			want:   git.Unauthorized, says: "cannot fetch: forge does not take the token: put a valid one into the Secret of credentialsSecretRef",
		},
		"Gone": {
			reason: "A repository that vanished is said to be.",
			fail:   func(w *world, _ *git.Mirror) { _ = os.Rename(w.bare, w.bare+".away") },
			mend:   func(w *world, _ *git.Mirror) { _ = os.Rename(w.bare+".away", w.bare) },
			want:   git.NotFound, says: "cannot fetch: repository is not there, or is hidden from the token: check url and token",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.commit("main", "", map[string]string{"a": "1\n"})
			m := w.mirror(t.TempDir(), git.Limits{Time: 5 * time.Second})
			if _, err := m.Fetch(soon(t), "refs/heads/main"); err != nil {
				t.Fatal(err)
			}
			want := w.commit("main", "", map[string]string{"a": strings.Repeat("2\n", 500)})
			tc.fail(w, m)
			_, err := m.Fetch(soon(t), "refs/heads/main")
			if git.ReasonOf(err) != tc.want || tc.says != "" && text(err) != tc.says {
				t.Errorf("\n%s\ngot %s: %v", tc.reason, git.ReasonOf(err), err)
			}
			if strings.Contains(text(err), token) || strings.Contains(text(err), "maintenance") {
				t.Errorf("The error says what it must not: %v", err)
			}
			tc.mend(w, m)
			if got, err := m.Fetch(soon(t), "refs/heads/main"); err != nil || got["refs/heads/main"] != want {
				t.Errorf("\n%s\nafterwards: got %v, %v", tc.reason, got, err)
			}
			if _, err := m.Files(want); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	for url, want := range map[string]string{
		"http://git.example.org/a/b":         "url http://git.example.org/a/b must be https: a token is sent there",
		"https://user:pw@git.example.org/ab": "url must have no user, query or fragment: the token goes into a Secret",
		"https://git.example.org/a?x=1":      "url must have no user, query or fragment: the token goes into a Secret",
		"ssh://git.example.org/a":            "url ssh://git.example.org/a must be https: a token is sent there",
		"https://git.example.org:x/":         "cannot read url: it is not one",
	} {
		_, err := git.Open(git.Config{URL: url, Dir: t.TempDir()})
		if diff := cmp.Diff(want, text(err)); diff != "" {
			t.Errorf("%s: %s", url, diff)
		}
	}
}

// A mirror survives a restart, and fetches nothing that it has.
func TestRestart(t *testing.T) {
	w := newWorld(t)
	head := w.commit("main", "", map[string]string{"a": "1\n"})
	dir := t.TempDir()
	if _, err := w.mirror(dir, git.Limits{}).Fetch(soon(t), "refs/heads/main"); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{"1.pack.tmp", "mirror/objects/pack/tmp_pack_1"} {
		if err := os.WriteFile(filepath.Join(dir, f), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	before := w.fetches.Load()
	m := w.mirror(dir, git.Limits{})
	if _, err := m.Files(head); err != nil {
		t.Errorf("The mirror is read before anything is fetched: %v", err)
	}
	if _, err := m.Fetch(soon(t), "refs/heads/main"); err != nil || w.fetches.Load() != before {
		t.Errorf("fetched what was there, or %v", err)
	}
	for _, pattern := range []string{"*.tmp", "mirror/objects/pack/tmp_*"} {
		if left, _ := filepath.Glob(filepath.Join(dir, pattern)); left != nil {
			t.Errorf("left %v", left)
		}
	}
}

// A merge request is found by its number, also from a fork, and all the way to its claims.
func TestClaimsOfAMergeRequest(t *testing.T) {
	app := func(name, version string) string {
		return "apiVersion: mainstay.dev/v1alpha1\nkind: ProductApplication\nmetadata: {name: " + name + "}\nspec: {version: " + version + "}\n"
	}
	w := newWorld(t)
	w.commit("main", "", map[string]string{"a.yaml": app("a", "1.0.0"), "b.yaml": app("b", "1.0.0")})
	w.commit("feature", "main", map[string]string{"a.yaml": app("a", "2.0.0")})
	w.run(w.bare, "update-ref", "refs/pull/7/head", "feature")
	w.run(w.clone, "push", "-q", "origin", ":feature")
	m := w.mirror(t.TempDir(), git.Limits{})
	reader, err := claims.NewReader(claims.Rules{Namespace: "team"})
	if err != nil {
		t.Fatal(err)
	}
	content := func() (string, []v1alpha1.ClaimReference) {
		look, err := m.Look(soon(t), "refs/heads/main", git.RequestRef(v1alpha1.ForgeGitea, 7))
		if err != nil {
			t.Fatal(err)
		}
		var sets [4]claims.Set
		for i, f := range []tree.Files{look.MergeBaseFiles, look.HeadFiles, look.BaseFiles, look.Merged.Files} {
			if sets[i], err = reader.Read(f, m); err != nil {
				t.Fatal(err)
			}
		}
		refs := claims.Touched(sets[0], sets[1], sets[2], sets[3])
		return claims.Content(refs, sets[3]), refs
	}
	before, refs := content()
	if len(refs) != 1 || refs[0].Name != "a" {
		t.Errorf("got %v", refs)
	}
	w.commit("main", "main", map[string]string{"b.yaml": app("b", "3.0.0")})
	if after, _ := content(); after != before {
		t.Error("The base moved elsewhere, and the content is another one")
	}
	w.commit("main", "main", map[string]string{"a.yaml": app("a", "2.0.0")})
	if after, _ := content(); after != before {
		t.Error("The base got the same change, and the content is another one")
	}
}

// A mirror that was damaged on disk says so, and is whole again after the next fetch.
func TestDamagedMirror(t *testing.T) {
	packs := func(dir, ext string) []string {
		out, _ := filepath.Glob(filepath.Join(dir, "mirror", "objects", "pack", "*."+ext))
		return out
	}
	cases := map[string]func(t *testing.T, dir string){
		"Flipped": func(t *testing.T, dir string) {
			for _, p := range packs(dir, "pack") {
				raw, err := os.ReadFile(p)
				if err != nil {
					t.Fatal(err)
				}
				for i := 12; i < len(raw); i += 7 {
					raw[i] ^= 0x55
				}
				_ = os.Chmod(p, 0o600)
				if err := os.WriteFile(p, raw, 0o600); err != nil {
					t.Fatal(err)
				}
			}
		},
		"Cut": func(t *testing.T, dir string) {
			for _, p := range packs(dir, "pack") {
				_ = os.Chmod(p, 0o600)
				if err := os.Truncate(p, 20); err != nil {
					t.Fatal(err)
				}
			}
		},
		"IndexGone": func(_ *testing.T, dir string) {
			for _, p := range packs(dir, "idx") {
				_ = os.Remove(p)
			}
		},
		"PacksGone": func(_ *testing.T, dir string) { _ = os.RemoveAll(filepath.Join(dir, "mirror", "objects")) },
		"AllGone":   func(_ *testing.T, dir string) { _ = os.RemoveAll(filepath.Join(dir, "mirror")) },
	}
	for name, damage := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.commit("main", "", map[string]string{"a": strings.Repeat("one\n", 100)})
			head := w.commit("main", "", map[string]string{"b": "2\n"})
			dir := t.TempDir()
			if _, err := w.mirror(dir, git.Limits{}).Fetch(soon(t), "refs/heads/main"); err != nil {
				t.Fatal(err)
			}
			damage(t, dir)
			m := w.mirror(dir, git.Limits{})
			if _, err := m.Files(head); err == nil {
				t.Error("a damaged mirror is read")
			}
			got, err := m.Look(soon(t), "refs/heads/main", "refs/heads/main")
			if err != nil || got.Head != head {
				t.Fatalf("after the next fetch: %s, %v", got.Head, err)
			}
			for p, f := range got.HeadFiles {
				if _, err := m.Read(f.ID); err != nil {
					t.Errorf("%s: %v", p, err)
				}
			}
		})
	}
}

func TestLimits(t *testing.T) {
	noise := func(n int) string {
		b, x := make([]byte, n), uint32(1)
		for i := range b {
			x = x*1664525 + 1013904223
			b[i] = byte(x >> 24)
		}
		return string(b)
	}
	cases := map[string]struct {
		reason string
		files  map[string]string
		limits git.Limits
		says   string
	}{
		"Repository": {reason: "A repository that is too large is not taken in.", files: map[string]string{"a": noise(3 << 20)}, limits: git.Limits{RepositoryBytes: 1 << 20}, says: "repository has more than 1 MiB: keep claims in one of their own"},
		"Object":     {reason: "What is small when packed may not be large unpacked.", files: map[string]string{"a": strings.Repeat("a", 3<<20)}, limits: git.Limits{ObjectBytes: 1 << 20}, says: "repository has a file of more than 1 MiB in its history: keep claims in one of their own"},
		"Files":      {reason: "Files are counted.", files: map[string]string{"a": "1", "b/c": "2", "d": "3"}, limits: git.Limits{Files: 2}, says: "repository has more than 2 files: keep claims in one of their own"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.commit("main", "", tc.files)
			dir := t.TempDir()
			_, err := w.mirror(dir, tc.limits).Look(soon(t), "refs/heads/main", "refs/heads/main")
			if git.ReasonOf(err) != git.TooLarge || !strings.HasSuffix(text(err), tc.says) {
				t.Errorf("\n%s\ngot %s: %v", tc.reason, git.ReasonOf(err), err)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, "*.tmp")); left != nil {
				t.Errorf("left %v", left)
			}
		})
	}
}

// A file of 50 MiB does not stand in the way until somebody reads it.
func TestLargeFile(t *testing.T) {
	w := newWorld(t)
	w.commit("main", "", map[string]string{"video": strings.Repeat("0123456789abcdef", 50<<16+1), "a": "1\n"})
	m := w.mirror(t.TempDir(), git.Limits{})
	got, err := m.Look(soon(t), "refs/heads/main", "refs/heads/main")
	if err != nil {
		t.Fatal(err)
	}
	_, err = m.Read(got.HeadFiles["video"].ID)
	if diff := cmp.Diff("file has 52428816 bytes, and at most 52428800 are read", text(err)); diff != "" {
		t.Error(diff)
	}
}

// Callers who come while a fetch runs share the next one.
func TestFetchesAreMadeAsOne(t *testing.T) {
	w := newWorld(t)
	w.commit("main", "", map[string]string{"a": "1\n"})
	refs := []string{"refs/heads/main"}
	for i := range 8 {
		b := fmt.Sprintf("b%d", i)
		w.commit(b, "main", map[string]string{"f": b})
		refs = append(refs, "refs/heads/"+b)
	}
	m := w.mirror(t.TempDir(), git.Limits{})
	arrived, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	var asked atomic.Int32
	w.before.Store(func(r *http.Request) {
		if r.Method == http.MethodGet {
			asked.Add(1)
			once.Do(func() { close(arrived); <-release })
		}
	})
	var wg sync.WaitGroup
	fetch := func(ref string) {
		wg.Go(func() {
			if got, err := m.Look(context.Background(), "refs/heads/main", ref); err != nil || got.Head == "" {
				t.Errorf("%s: %v", ref, err)
			}
		})
	}
	fetch(refs[0])
	<-arrived
	for range 5 {
		for _, r := range refs {
			fetch(r)
		}
	}
	time.AfterFunc(200*time.Millisecond, func() { close(release) })
	wg.Wait()
	if n := asked.Load(); n > 10 {
		t.Errorf("46 callers asked the forge %d times", n)
	}
}

func TestCrossedHistoryIsRefused(t *testing.T) {
	w := newWorld(t)
	w.commit("main", "", map[string]string{"a": "1\n"})
	w.commit("other", "main", map[string]string{"b": "1\n"})
	w.run(w.clone, "checkout", "-q", "--orphan", "stranger")
	w.commit("stranger", "", nil)
	_, err := w.mirror(t.TempDir(), git.Limits{}).Look(soon(t), "refs/heads/main", "refs/heads/stranger")
	if git.ReasonOf(err) != git.Refused || !strings.Contains(text(err), "rebase") {
		t.Errorf("got %v", err)
	}
}

func TestThreeThousandFiles(t *testing.T) {
	w := newWorld(t)
	w.commit("main", "", map[string]string{"a": "1\n"})
	files := map[string]string{}
	for i := range 3000 {
		files[fmt.Sprintf("c%02d/f%04d.yaml", i%40, i)] = fmt.Sprintf("n: %d\n", i)
	}
	w.run(w.clone, "checkout", "-q", "-b", "feature")
	for p, says := range files {
		full := filepath.Join(w.clone, p)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(says), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	w.run(w.clone, "add", ".")
	w.commit("feature", "", nil)
	got, err := w.mirror(t.TempDir(), git.Limits{}).Look(soon(t), "refs/heads/main", "refs/heads/feature")
	if err != nil || len(got.Merged.Files) != 3001 || got.Tree != w.run(w.clone, "rev-parse", "feature^{tree}") {
		t.Errorf("got %d files, tree %s, %v", len(got.Merged.Files), got.Tree, err)
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
