package claims_test

import (
	"crypto/sha1"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/claims"
	"github.com/mainstay-dev/mainstay/internal/tree"
)

// A repo is a tree with its contents.
type repo struct {
	files tree.Files
	says  map[string]string
	sizes map[string]int64
	fail  error
}

func newRepo(says map[string]string) *repo {
	r := &repo{files: tree.Files{}, says: map[string]string{}, sizes: map[string]int64{}}
	for p, s := range says {
		r.put(p, tree.Regular, s)
	}
	return r
}

func (r *repo) put(p string, mode tree.Mode, s string) {
	id := fmt.Sprintf("%x", sha1.Sum([]byte(s)))
	r.files[p], r.says[id] = tree.File{Mode: mode, ID: id}, s
}

func (r *repo) Size(id string) (int64, error) {
	if n, ok := r.sizes[id]; ok {
		return n, r.fail
	}
	return int64(len(r.says[id])), r.fail
}
func (r *repo) Read(id string) ([]byte, error) { return []byte(r.says[id]), r.fail }

func app(name string, more ...string) string {
	return "apiVersion: mainstay.dev/v1alpha1\nkind: ProductApplication\nmetadata:\n  name: " + name + "\n" + strings.Join(append(more, "spec: {version: 1.0.0}\n"), "")
}

var rules = claims.Rules{Namespace: "team", Namespaces: []string{"team", "other"}}

func read(t *testing.T, r *repo, rules claims.Rules) (claims.Set, error) {
	t.Helper()
	reader, err := claims.NewReader(rules)
	if err != nil {
		t.Fatal(err)
	}
	return reader.Read(r.files, r)
}

// where each claim of a set is.
func where(s claims.Set) []string {
	var out []string
	for ref, c := range s {
		out = append(out, ref.String()+": "+c.String())
	}
	slices.Sort(out)
	return out
}

func TestRead(t *testing.T) {
	cases := map[string]struct {
		reason string
		files  map[string]string
		paths  v1alpha1.ClaimPaths
		want   []string
		err    string
	}{
		"Documents": {
			reason: "A file has any number of claims. What is empty does not count, and a claim without a namespace is in the repository's own.",
			files:  map[string]string{"a.yaml": "# first\n---\n" + app("x") + "---\n# nothing\n---\n" + app("w", "  namespace: other\n") + "...\n--- # third\n" + app("z"), "README.md": "hello"},
			want:   []string{"ProductApplication other/w: a.yaml, document 2, line 11", "ProductApplication team/x: a.yaml, document 1, line 3", "ProductApplication team/z: a.yaml, document 3, line 18"},
		},
		"Windows":  {reason: "Line ends and marks of other systems are read.", files: map[string]string{"a.yml": "\xef\xbb\xbf" + strings.ReplaceAll("---\n"+app("x"), "\n", "\r\n")}, want: []string{"ProductApplication team/x: a.yml, document 1, line 2"}},
		"Patterns": {reason: "Exclude goes before include.", files: map[string]string{"apps/a.yaml": app("a"), "apps/b/b.yaml": app("b"), "apps/b/no.yaml": "x", "ci.yaml": "x"}, paths: v1alpha1.ClaimPaths{Include: []string{"apps/**"}, Exclude: []string{"**/no.yaml"}}, want: []string{"ProductApplication team/a: apps/a.yaml, document 1, line 1", "ProductApplication team/b: apps/b/b.yaml, document 1, line 1"}},
		"Broken":   {reason: "What does not parse is named by file, document and line.", files: map[string]string{"a.yaml": app("x") + "---\nkind: X\nspec:\n  a: 1\n b: 2\n"}, err: "a.yaml, document 2, line 9: cannot parse YAML: did not find expected key"},
		"Twice":    {reason: "A key that is there twice is refused.", files: map[string]string{"a.yaml": app("x", "spec: {}\n")}, err: `a.yaml, document 1, line 6: cannot parse YAML: key "spec" already set in map`},
		"NoObject": {reason: "A list is no claim.", files: map[string]string{"a.yaml": "- 1\n"}, err: "a.yaml, document 1, line 1: is no object: a claim has apiVersion, kind, metadata and spec"},
		"Foreign":  {reason: "A kind that is no claim is refused.", files: map[string]string{"a.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: x}\n"}, err: "a.yaml, document 1, line 1: is a Secret of v1, which is no claim: exclude the file in spec.forProvider.claims.exclude, or take it out"},
		"Unknown":  {reason: "So is a kind of our group that is none.", files: map[string]string{"a.yaml": "apiVersion: mainstay.dev/v1alpha1\nkind: Produkt\nmetadata: {name: x}\n"}, err: "a.yaml, document 1, line 1: is a Produkt of mainstay.dev/v1alpha1, which is no claim: exclude the file in spec.forProvider.claims.exclude, or take it out"},
		"Values":   {reason: "What is no manifest is refused, not left out.", files: map[string]string{"values.yaml": "replicas: 1\n"}, err: "values.yaml, document 1, line 1: has no apiVersion and kind, so it is no claim: exclude the file in spec.forProvider.claims.exclude"},
		"Kustomization": {reason: "A folder that is to be built has to be named.", files: map[string]string{"kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"},
			err: "kustomization.yaml, document 1, line 1: is a Kustomization: name its folder in spec.forProvider.claims.kustomize, or exclude the file"},
		"SameClaim": {reason: "Two files with one claim are both named.", files: map[string]string{"a.yaml": app("x"), "b.yaml": "\n" + app("x", "  namespace: team\n")}, err: "b.yaml, document 1, line 2: ProductApplication team/x is in a.yaml, document 1, line 1, too: keep one of them"},
		"Namespace": {reason: "A namespace that the repository may not write is refused.", files: map[string]string{"a.yaml": app("x", "  namespace: kube-system\n")},
			err: `a.yaml, document 1, line 1: ProductApplication x: namespace "kube-system" is not one that this repository may write: it may team, other; see spec.forProvider.targetNamespaces`},
		"Served":     {reason: "What the API server sets is not for a repository.", files: map[string]string{"a.yaml": app("x", "  resourceVersion: \"1\"\n")}, err: "a.yaml, document 1, line 1: ProductApplication: metadata.resourceVersion is not for a repository: take it out"},
		"Status":     {reason: "Nor is a status.", files: map[string]string{"a.yaml": app("x", "status: {}\n")}, err: "a.yaml, document 1, line 1: ProductApplication: status is not for a repository: take it out"},
		"Null":       {reason: "What programs write as null is nothing.", files: map[string]string{"a.yaml": app("x", "  creationTimestamp: null\n")}, want: []string{"ProductApplication team/x: a.yaml, document 1, line 1"}},
		"Label":      {reason: "A label that is no string is refused.", files: map[string]string{"a.yaml": app("x", "  labels: {on: yes}\n")}, err: `a.yaml, document 1, line 1: ProductApplication: metadata.labels: "true" is not a string: put it in quotes`},
		"Bool":       {reason: "A name that YAML takes for something else is named as such.", files: map[string]string{"a.yaml": app("y")}, err: "a.yaml, document 1, line 1: ProductApplication: metadata.name is not a string: put it in quotes"},
		"Name":       {reason: "A name must be one.", files: map[string]string{"a.yaml": app("X_x")}, err: `a.yaml, document 1, line 1: ProductApplication: metadata.name "X_x" is not a name: a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`},
		"NoSpec":     {reason: "A claim has a spec.", files: map[string]string{"a.yaml": "apiVersion: mainstay.dev/v1alpha1\nkind: FleetCell\nmetadata: {name: x}\n"}, err: "a.yaml, document 1, line 1: FleetCell team/x: spec is missing or no object"},
		"Everything": {reason: "All that is wrong is said at once.", files: map[string]string{"b.yaml": "x: 1\n", "a.yaml": "{\n---\n- 1\n"}, err: "a.yaml, document 1, line 1: cannot parse YAML: did not find expected node content\na.yaml, document 2, line 3: is no object: a claim has apiVersion, kind, metadata and spec\nb.yaml, document 1, line 1: has no apiVersion and kind, so it is no claim: exclude the file in spec.forProvider.claims.exclude"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			rules := rules
			rules.Paths = tc.paths
			got, err := read(t, newRepo(tc.files), rules)
			if diff := cmp.Diff(tc.err, text(err)); diff != "" {
				t.Errorf("\n%s\nRead(...): error: -want, +got:\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(tc.want, where(got)); tc.err == "" && diff != "" {
				t.Errorf("\n%s\nRead(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestReadSpecialFiles(t *testing.T) {
	r := newRepo(map[string]string{"real/a.yaml": app("a")})
	r.put("link.yaml", tree.Symlink, "real/a.yaml")
	r.put("out.yaml", tree.Symlink, "../../etc/passwd")
	r.put("sub.yaml", tree.Submodule, "")
	r.put("large.yaml", tree.Regular, "large")
	r.sizes[r.files["large.yaml"].ID] = 50 << 20
	_, err := read(t, r, rules)
	want := strings.Join([]string{
		"large.yaml: file has 52428800 bytes, and one that holds claims has at most 4194304: exclude it or split it",
		"out.yaml: out.yaml is a symlink out of the repository: put the file itself there",
		"real/a.yaml, document 1, line 1: ProductApplication team/a is in link.yaml, document 1, line 1, too: keep one of them",
		"sub.yaml: sub.yaml is a submodule, which is not read: put the files themselves there, or exclude it",
	}, "\n")
	if diff := cmp.Diff(want, text(err)); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
}

// What can be read of a base branch that has a bad file is there: the merge request that mends
// it has to be planned.
func TestReadInParts(t *testing.T) {
	got, err := read(t, newRepo(map[string]string{"a.yaml": app("a"), "bad.yaml": "{", "c.yaml": app("c")}), rules)
	if _, ok := errors.AsType[claims.Problems](err); !ok {
		t.Errorf("got %v", err)
	}
	if diff := cmp.Diff([]string{"ProductApplication team/a: a.yaml, document 1, line 1", "ProductApplication team/c: c.yaml, document 1, line 1"}, where(got)); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
}

// A mirror that cannot be read is no fault of the author's.
func TestReadFails(t *testing.T) {
	for name, mode := range map[string]tree.Mode{"a.yaml": tree.Regular, "symlink a.yaml": tree.Symlink} {
		r := newRepo(nil)
		r.put("a.yaml", mode, app("a"))
		r.fail = errors.New("disk is gone")
		_, err := read(t, r, rules)
		if _, ok := errors.AsType[claims.Problems](err); ok || !strings.HasSuffix(text(err), "a.yaml: disk is gone") || !errors.Is(err, r.fail) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// Aliases that unfold to more than fits are refused, before they unfold.
func TestAliases(t *testing.T) {
	bomb := "a: &a [x, x, x, x, x, x, x, x, x]\n"
	for c := 'b'; c <= 'j'; c++ {
		bomb += fmt.Sprintf("%c: &%c [*%c, *%c, *%c, *%c, *%c, *%c, *%c, *%c]\n", c, c, c-1, c-1, c-1, c-1, c-1, c-1, c-1, c-1)
	}
	long := "a: &a " + strings.Repeat("x", 100_000) + "\nb: [" + strings.Repeat("*a, ", 5000) + "]\n"
	for name, raw := range map[string]string{"Many": bomb, "Long": long} {
		_, err := read(t, newRepo(map[string]string{"a.yaml": raw}), rules)
		if diff := cmp.Diff("a.yaml, document 1, line 1: cannot parse YAML: aliases unfold to more than a claim may have: write out less", text(err)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if _, err := read(t, newRepo(map[string]string{"a.yaml": "a: &a [*a]\n"}), rules); err == nil {
		t.Error("an alias that contains itself is taken")
	}
	few := app("x", "  labels: &l {a: b}\n  annotations: *l\n")
	if got, err := read(t, newRepo(map[string]string{"a.yaml": few}), rules); err != nil || len(got) != 1 {
		t.Errorf("A few aliases are fine: %v", err)
	}
}

func TestMatch(t *testing.T) {
	cases := []struct {
		pattern, name string
		want          bool
	}{
		{"**/*.yaml", "a.yaml", true}, {"**/*.yaml", "x/y/a.yaml", true}, {"**/*.yaml", "a.yml", false}, {"*.yaml", "x/a.yaml", false},
		{"a/**", "a/b", true}, {"a/**", "a/b/c", true}, {"a/**", "a", false}, {"a/**", "ab/c", false}, {"a/**/b", "a/b", true}, {"a/**/b", "a/x/y/b", true}, {"a/**/b", "a/x/y", false},
		{"**", "a/b", true}, {"**/**/x", "x", true}, {"a/?.yaml", "a/b.yaml", true}, {"a/[bc]", "a/c", true}, {"a/[bc]", "a/d", false}, {"a**", "ab", true}, {"a**", "a/b", false}, {"a", "a", true},
	}
	for _, tc := range cases {
		if got := claims.Match(tc.pattern, tc.name); got != tc.want {
			t.Errorf("Match(%s, %s): got %t", tc.pattern, tc.name, got)
		}
	}
	for _, bad := range []string{"/a", "../a", "a/../b", "a[", "", "a//b"} {
		if _, err := claims.NewReader(claims.Rules{Paths: v1alpha1.ClaimPaths{Include: []string{bad}}}); err == nil {
			t.Errorf("pattern %q is taken", bad)
		}
	}
}

func TestDifferences(t *testing.T) {
	set := func(files map[string]string) claims.Set {
		out, err := read(t, newRepo(files), rules)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	before := set(map[string]string{"a.yaml": app("same") + "---\n" + app("edited") + "---\n" + app("gone") + "---\n" + app("moved")})
	after := set(map[string]string{"z.yaml": app("same") + "---\n" + app("edited", "  labels: {a: b}\n") + "---\n" + app("new") + "---\n" + app("moved", "  namespace: other\n")})
	var got []string
	for _, d := range claims.Differences(before, after) {
		got = append(got, d.Message())
	}
	want := []string{
		"ProductApplication other/moved is created: it moves here from namespace team, where it is deleted",
		"ProductApplication team/edited changes",
		"ProductApplication team/gone is deleted",
		"ProductApplication team/moved is deleted: it moves to namespace other, where it is created anew",
		"ProductApplication team/new is created",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
}

// What a merge request says stays the same when the base branch moves elsewhere, and does not when it
// moves in the same claims.
func TestContent(t *testing.T) {
	v := func(version string) string { return strings.ReplaceAll(app("x"), "1.0.0", version) }
	set := func(files map[string]string) claims.Set {
		out, err := read(t, newRepo(files), rules)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	root := set(map[string]string{"x.yaml": v("1"), "y.yaml": app("w")})
	head := set(map[string]string{"x.yaml": v("2"), "y.yaml": app("w")})
	refs := claims.Touched(root, head, root, head)
	if len(refs) != 1 || refs[0].Name != "x" {
		t.Fatalf("got %v", refs)
	}
	content := claims.Content(refs, head)
	elsewhere := set(map[string]string{"moved/x.yaml": "# comment\n" + v("2"), "y.yaml": app("w", "  labels: {a: b}\n"), "z.yaml": app("z")})
	if got := claims.Content(refs, elsewhere); got != content {
		t.Error("The base moved elsewhere, and the content is another one")
	}
	for name, other := range map[string]claims.Set{"edited": set(map[string]string{"x.yaml": v("3")}), "gone": {}} {
		if claims.Content(refs, other) == content {
			t.Errorf("%s: the content is the same", name)
		}
	}
	if claims.Content([]v1alpha1.ClaimReference{refs[0], refs[0]}, head) != content {
		t.Error("A claim that is named twice counts twice")
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
