package git_test

import (
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstay-dev/mainstay/provider/git"
)

func aPut(expected string, files map[string][]byte) git.Put {
	return git.Put{Branch: "fleet", Expected: expected, Files: files, By: git.Person{Name: "Mainstay", Email: "mainstay@example.org"}, Message: "Change !7\n", At: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)}
}

func TestPush(t *testing.T) {
	w := newWorld(t)
	main := w.commit("main", "", map[string]string{"a": "1\n", "d/b": "1\n", "d/c": "1\n"})
	m := w.mirror(t.TempDir(), git.Limits{})
	if _, err := m.Fetch(soon(t), "refs/heads/main"); err != nil {
		t.Fatal(err)
	}

	first := aPut("", map[string][]byte{"d/b": []byte("2\n"), "d/c": nil, "e/f": []byte("new\n")})
	first.From = main
	tip, err := m.Push(soon(t), first)
	if err != nil {
		t.Fatal(err)
	}
	if got := w.run(w.bare, "rev-parse", "fleet"); got != tip {
		t.Errorf("branch is at %s, want %s", got, tip)
	}
	w.run(w.bare, "fsck", "--strict")
	if diff := cmp.Diff("a\nd/b\ne/f", w.run(w.bare, "ls-tree", "-r", "--name-only", "fleet")); diff != "" {
		t.Errorf("files: %s", diff)
	}
	if diff := cmp.Diff("Mainstay <mainstay@example.org> 1767323045|Mainstay|Change !7|"+main, w.run(w.bare, "log", "-1", "--format=%an <%ae> %at|%cn|%s|%P", "fleet")); diff != "" {
		t.Errorf("commit: %s", diff)
	}

	if again, err := m.Push(soon(t), first); err != nil || again != tip {
		t.Errorf("Pushed again, as after a crash, it is the same and no error: %s, %v", again, err)
	}
	if same, err := m.Push(soon(t), aPut(tip, map[string][]byte{"a": []byte("1\n")})); err != nil || same != tip {
		t.Errorf("What is there already makes no commit: %s, %v", same, err)
	}
	next, err := m.Push(soon(t), aPut(tip, map[string][]byte{"a": []byte("2\n")}))
	if err != nil {
		t.Fatal(err)
	}
	_, err = m.Push(soon(t), aPut(tip, map[string][]byte{"a": []byte("3\n")}))
	if git.ReasonOf(err) != git.Conflict || !strings.Contains(text(err), "branch fleet is at "+next[:12]+", and was expected to be at "+tip[:12]) {
		t.Errorf("A branch that moved is not written: %v", err)
	}
}

// Where somebody else pushes in the very moment, one of the two wins and the other is told.
func TestPushRace(t *testing.T) {
	w := newWorld(t)
	tip := w.commit("fleet", "", map[string]string{"a": "1\n"})
	m := w.mirror(t.TempDir(), git.Limits{})
	var once sync.Once
	var theirs string
	w.before.Store(func(r *http.Request) {
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "git-receive-pack") {
			once.Do(func() { theirs = w.commit("fleet", "", map[string]string{"b": "1\n"}) })
		}
	})
	_, err := m.Push(soon(t), aPut(tip, map[string][]byte{"a": []byte("2\n")}))
	if git.ReasonOf(err) != git.Conflict {
		t.Errorf("got %s: %v", git.ReasonOf(err), err)
	}
	if got := w.run(w.bare, "rev-parse", "fleet"); got != theirs {
		t.Errorf("branch is at %s, want %s", got, theirs)
	}
}

// Many who push side by side to one branch put one commit on top of the other, and lose nothing.
func TestPushSideBySide(t *testing.T) {
	w := newWorld(t)
	tip := w.commit("fleet", "", map[string]string{"start": "1\n"})
	var wg sync.WaitGroup
	want := map[string]bool{"start": true}
	for i := range 4 {
		m, file := w.mirror(t.TempDir(), git.Limits{}), string(rune('a'+i))
		want[file] = true
		wg.Go(func() {
			at := tip
			for range 20 {
				_, err := m.Push(soon(t), aPut(at, map[string][]byte{file: []byte(file)}))
				if err == nil {
					return
				}
				if git.ReasonOf(err) != git.Conflict {
					t.Errorf("got %s: %v", git.ReasonOf(err), err)
					return
				}
				tips, err := m.Fetch(soon(t), "refs/heads/fleet")
				if err != nil {
					t.Error(err)
					return
				}
				at = tips["refs/heads/fleet"]
			}
			t.Errorf("%s was never pushed", file)
		})
	}
	wg.Wait()
	if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), strings.Fields(w.run(w.bare, "ls-tree", "--name-only", "fleet"))); diff != "" {
		t.Errorf("files: %s", diff)
	}
}

func TestDelete(t *testing.T) {
	w := newWorld(t)
	w.commit("main", "", map[string]string{"a": "1\n"})
	tip := w.commit("feature", "main", map[string]string{"a": "2\n"})
	m := w.mirror(t.TempDir(), git.Limits{})
	later := w.commit("feature", "", map[string]string{"a": "3\n"})
	if err := m.Delete(soon(t), "feature", tip); git.ReasonOf(err) != git.Conflict {
		t.Errorf("One that moved stays: %v", err)
	}
	if err := m.Delete(soon(t), "feature", ""); git.ReasonOf(err) != git.Refused {
		t.Errorf("A branch is never deleted wherever it is: %v", err)
	}
	for range 2 {
		if err := m.Delete(soon(t), "feature", later); err != nil {
			t.Errorf("That it is gone is no error: %v", err)
		}
	}
	if got := w.run(w.bare, "for-each-ref", "--format=%(refname)"); got != "refs/heads/main" {
		t.Errorf("got %s", got)
	}
}

func TestPushRefuses(t *testing.T) {
	w := newWorld(t)
	tip := w.commit("fleet", "", map[string]string{"a": "1\n"})
	hook := filepath.Join(w.bare, "hooks", "pre-receive")
	cases := map[string]struct {
		reason string
		change func(*git.Put)
		hook   string
		want   string
	}{
		"Escape":    {reason: "No file leads out.", change: func(p *git.Put) { p.Files = map[string][]byte{"../x": nil} }, want: `path "../x" is not one inside the repository`},
		"GitFolder": {reason: "Nothing is put into Git's own folder.", change: func(p *git.Put) { p.Files = map[string][]byte{".git/hooks/x": nil} }, want: `path ".git/hooks/x" is inside Git's own folder`},
		"NoOld":     {reason: "A branch is never moved from wherever it is.", change: func(p *git.Put) { p.Expected = "" }, want: "either the commit that branch fleet is at must be named, or that where it begins"},
		"Header":    {reason: "A name adds no line to the commit.", change: func(p *git.Put) { p.By.Name = "x\nparent y" }, want: "who pushes must have a name and an address, without angle brackets"},
		"Protected": {reason: "A forge that does not let us push says so.", change: func(*git.Put) {}, hook: "#!/bin/sh\nexit 1\n", want: "cannot push branch fleet: forge refuses to move branch fleet: let the token's user push there, also where it is protected"},
		"Clash":     {reason: "A path is a file or a folder.", change: func(p *git.Put) { p.Files = map[string][]byte{"a/b": []byte("1")} }, want: "cannot put files on branch fleet: a is a file and a folder"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_ = os.Remove(hook)
			if tc.hook != "" {
				if err := os.WriteFile(hook, []byte(tc.hook), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			p := aPut(tip, map[string][]byte{"a": []byte("2\n")})
			tc.change(&p)
			_, err := w.mirror(t.TempDir(), git.Limits{}).Push(soon(t), p)
			if diff := cmp.Diff(tc.want, text(err)); diff != "" || git.ReasonOf(err) != git.Refused {
				t.Errorf("\n%s\nPush(...): %s: -want, +got:\n%s", tc.reason, git.ReasonOf(err), diff)
			}
		})
	}
}
