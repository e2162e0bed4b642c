package tree_test

import (
	"crypto/sha1"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstay-dev/mainstay/internal/tree"
)

// files of a tree by what they say.
func files(says map[string]string) tree.Files {
	out := tree.Files{}
	for p, s := range says {
		out[p] = tree.File{Mode: tree.Regular, ID: id(s)}
	}
	return out
}

func id(s string) string {
	return fmt.Sprintf("%x", sha1.Sum(fmt.Appendf(nil, "blob %d\x00%s", len(s), s)))
}

func TestMerge(t *testing.T) {
	base := map[string]string{"a": "1", "b": "1", "d/c": "1"}
	with := func(changes ...string) map[string]string {
		out := maps.Clone(base)
		for _, c := range changes {
			p, s, _ := strings.Cut(c, "=")
			if out[p] = s; s == "" {
				delete(out, p)
			}
		}
		return out
	}
	cases := map[string]struct {
		reason       string
		ours, theirs map[string]string
		want         map[string]string
		conflicts    []string
	}{
		"Theirs":        {reason: "What only the merge request changed is as it has it.", ours: base, theirs: with("a=2"), want: with("a=2")},
		"Ours":          {reason: "What only the base branch changed stays: a stale merge request takes nothing back.", ours: with("b=2"), theirs: with("a=2"), want: with("a=2", "b=2")},
		"Same":          {reason: "The same change on both sides is none to argue about.", ours: with("a=2"), theirs: with("a=2"), want: with("a=2")},
		"Both":          {reason: "A file that both changed is a conflict, and stays as it is.", ours: with("a=2"), theirs: with("a=3"), want: with("a=2"), conflicts: []string{"a"}},
		"BothAdded":     {reason: "A file that both added is a conflict.", ours: with("n=1"), theirs: with("n=2"), want: with("n=1"), conflicts: []string{"n"}},
		"Deleted":       {reason: "A deletion is a change.", ours: base, theirs: with("a="), want: with("a=")},
		"DeletedOurs":   {reason: "What the base branch deleted stays deleted.", ours: with("a="), theirs: with("b=2"), want: with("a=", "b=2")},
		"DeleteEdit":    {reason: "A file that one side edits and the other deletes is a conflict.", ours: with("a=2"), theirs: with("a="), want: with("a=2"), conflicts: []string{"a"}},
		"Renamed":       {reason: "A rename is a file that goes and one that comes.", ours: base, theirs: with("a=", "z=1"), want: with("a=", "z=1")},
		"RenameEdit":    {reason: "A rename on one side and an edit on the other name the old path.", ours: with("a=2"), theirs: with("a=", "z=1"), want: with("a=2", "z=1"), conflicts: []string{"a"}},
		"FileAndFolder": {reason: "A file where the other side has a folder cannot be merged.", ours: with("x/y=1"), theirs: with("x=1"), want: with("x/y=1", "x=1"), conflicts: []string{"x"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := tree.Merge(files(base), files(tc.ours), files(tc.theirs))
			if diff := cmp.Diff(tree.Merged{Files: files(tc.want), Conflicts: tc.conflicts}, got); diff != "" {
				t.Errorf("\n%s\nMerge(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestMergeModes(t *testing.T) {
	base := files(map[string]string{"a": "1"})
	executable := tree.Files{"a": {Mode: tree.Executable, ID: base["a"].ID}}
	edited := files(map[string]string{"a": "2"})
	if got := tree.Merge(base, base, executable); got.Files["a"].Mode != tree.Executable || got.Conflicts != nil {
		t.Errorf("A mode is a change: got %v", got)
	}
	if got := tree.Merge(base, edited, executable); !slices.Equal(got.Conflicts, []string{"a"}) {
		t.Errorf("A mode on one side and an edit on the other is a conflict: got %v", got.Conflicts)
	}
}

// Merging takes no side: whoever is merged into whom, the same files come out or conflict.
func TestMergeIsSymmetric(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		some := func() tree.Files {
			out := map[string]string{}
			for _, p := range []string{"a", "a/b", "c", "d/e", "d/f"} {
				if p == "a" && out["a/b"] != "" || p == "a/b" && out["a"] != "" {
					continue
				}
				if n := r.IntN(4); n > 0 {
					out[p] = fmt.Sprint(n)
				}
			}
			return files(out)
		}
		base, a, b := some(), some(), some()
		ab, ba := tree.Merge(base, a, b), tree.Merge(base, b, a)
		if (len(ab.Conflicts) == 0) != (len(ba.Conflicts) == 0) {
			t.Fatalf("seed %d: conflicts %v and %v", seed, ab.Conflicts, ba.Conflicts)
		}
		if len(ab.Conflicts) == 0 && ab.Files.Hash() != ba.Files.Hash() {
			t.Fatalf("seed %d: %v and %v", seed, ab.Files, ba.Files)
		}
		if got := tree.Merge(base, a, base); got.Files.Hash() != a.Hash() || got.Conflicts != nil {
			t.Fatalf("seed %d: merging nothing changes something", seed)
		}
	}
}

func TestHashOfNothing(t *testing.T) {
	if got, want := (tree.Files{}).Hash(), "4b825dc642cb6eb9a060e54bf8d69288fbee4904"; got != want {
		t.Errorf("Git's empty tree is %s: got %s", want, got)
	}
}

func TestCheckPath(t *testing.T) {
	for _, p := range []string{"", ".", "..", "../a", "/a", "a/../b", "a//b", "a/", ".git/config", "x/.GIT/y", "a\\b", "a\nb"} {
		if tree.CheckPath(p) == nil {
			t.Errorf("%q is taken", p)
		}
	}
	for _, p := range []string{"a", "a/b.yaml", ".github/x", "ä/ö"} {
		if err := tree.CheckPath(p); err != nil {
			t.Errorf("%q is refused: %v", p, err)
		}
	}
}

// contents by id.
type contents map[string]string

func (c contents) Size(id string) (int64, error) { return int64(len(c[id])), nil }
func (c contents) Read(id string) ([]byte, error) {
	s, ok := c[id]
	if !ok {
		return nil, errors.New("not there")
	}
	return []byte(s), nil
}

func TestResolve(t *testing.T) {
	link := func(target string) tree.File { return tree.File{Mode: tree.Symlink, ID: target} }
	c := contents{}
	f := files(map[string]string{"d/a": "1"})
	for p, target := range map[string]string{"in": "d/a", "d/up": "../in", "out": "../../etc/passwd", "abs": "/etc/passwd", "gone": "d/zzz", "folder": "d", "loop": "loop", "long": strings.Repeat("x", 5000)} {
		f[p], c[target] = link(target), target
	}
	f["sub"], f["fifo"] = tree.File{Mode: tree.Submodule, ID: "x"}, tree.File{Mode: 0o010000, ID: "x"}

	cases := map[string]struct{ path, err string }{
		"Plain":     {path: "d/a"},
		"Inside":    {path: "in"},
		"Twice":     {path: "d/up"},
		"Out":       {path: "out", err: "out is a symlink out of the repository: put the file itself there"},
		"Absolute":  {path: "abs", err: "abs is a symlink out of the repository: put the file itself there"},
		"Gone":      {path: "gone", err: "gone is a symlink to d/zzz, which is no file of the repository: put the file itself there"},
		"Folder":    {path: "folder", err: "folder is a symlink to d, which is no file of the repository: put the file itself there"},
		"Loop":      {path: "loop", err: "loop is a symlink that leads to more than 8 others: put the file itself there"},
		"Long":      {path: "long", err: "long is a symlink whose target is too long"},
		"Submodule": {path: "sub", err: "sub is a submodule, which is not read: put the files themselves there, or exclude it"},
		"Special":   {path: "fifo", err: "fifo is a special file of mode 10000, which is not read: put the files themselves there, or exclude it"},
		"Missing":   {path: "nope", err: "nope is not in the repository"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := f.Resolve(tc.path, c)
			if diff := cmp.Diff(tc.err, text(err)); diff != "" {
				t.Errorf("Resolve(%s): %s", tc.path, diff)
			}
			if err == nil && got != f["d/a"] {
				t.Errorf("Resolve(%s): got %v", tc.path, got)
			}
		})
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestRelate(t *testing.T) {
	// Each commit with its parents.
	graph := map[string]string{"r": "", "a": "r", "b": "a", "c": "a", "d": "c", "m": "b c", "x": "b c", "y": "c b", "o": ""}
	parents := func(c string) ([]string, error) { return strings.Fields(graph[c]), nil }
	cases := map[string]struct {
		reason, base, head string
		want               tree.History
	}{
		"Same":      {reason: "A commit stems from itself.", base: "a", head: "a", want: tree.History{Bases: []string{"a"}}},
		"Behind":    {reason: "What the base has is contained.", base: "b", head: "a", want: tree.History{Bases: []string{"a"}}},
		"Ahead":     {reason: "The base is what the head stems from.", base: "a", head: "d", want: tree.History{Bases: []string{"a"}, Ahead: []string{"c", "d"}}},
		"Apart":     {reason: "Both went on.", base: "b", head: "d", want: tree.History{Bases: []string{"a"}, Ahead: []string{"c", "d"}}},
		"MergedIn":  {reason: "A branch that took the base in stems from there, not from where it began.", base: "b", head: "m", want: tree.History{Bases: []string{"b"}, Ahead: []string{"c", "m"}}},
		"Crossed":   {reason: "Where each took the other in, there are two.", base: "x", head: "y", want: tree.History{Bases: []string{"b", "c"}, Ahead: []string{"y"}}},
		"Unrelated": {reason: "Nothing in common.", base: "a", head: "o", want: tree.History{Ahead: []string{"o"}}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := tree.Relate(tc.base, tc.head, parents)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\nRelate(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
