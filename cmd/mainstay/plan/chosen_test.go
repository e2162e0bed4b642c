package plan

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// lay files into a folder. One whose text begins with "-> " is a link.
func lay(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			t.Fatal(err)
		}
		var err error
		if to, ok := strings.CutPrefix(text, "-> "); ok {
			err = os.Symlink(to, file)
		} else {
			err = os.WriteFile(file, []byte(text), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

const repositoryManifest = `apiVersion: v1
kind: Namespace
metadata: {name: team}
---
apiVersion: m.mainstay.dev/v1alpha1
kind: Repository
metadata: {name: claims, namespace: team}
spec:
  forProvider:
    claims:
      include: ["apps/**/*.yaml"]
      exclude: ["**/values.yaml"]
      kustomize: [env/*]
`

// TestChosen reads the files that a Repository says, of a folder and of a revision alike.
func TestChosen(t *testing.T) {
	app := func(name string) string {
		return "apiVersion: mainstay.dev/v1alpha1\nkind: ProductApplication\nmetadata: {name: " + name + "}\nspec: {version: 1.0.0}\n"
	}
	cases := map[string]struct {
		reason string
		files  map[string]string
		want   map[string]string
		err    string
	}{
		"Patterns": {
			reason: "What is not included, and what is excluded, is no claim and not read.",
			files:  map[string]string{"apps/a.yaml": app("a"), "apps/x/values.yaml": "image: [", "ci.yaml": "on: [push]\n", "README.md": "# Claims"},
			want:   map[string]string{"apps/a.yaml": app("a")},
		},
		"Kustomize": {
			reason: "A folder gives what its build makes of files elsewhere; what lies in it is not read by itself.",
			files: map[string]string{
				"base/kustomization.yaml": "resources: [b.yaml]\n", "base/b.yaml": app("b"),
				"env/prod/kustomization.yaml": "resources: [../../base]\nnamePrefix: prod-\n",
			},
			want: map[string]string{"env/prod": "apiVersion: mainstay.dev/v1alpha1\nkind: ProductApplication\nmetadata:\n  name: prod-b\nspec:\n  version: 1.0.0\n"},
		},
		"Link": {
			reason: "A link within the tree is followed, as on the forge.",
			files:  map[string]string{"shared/a.yaml": app("a"), "apps/a.yaml": "-> ../shared/a.yaml"},
			want:   map[string]string{"apps/a.yaml": app("a")},
		},
		"LinkOut": {
			reason: "One that leads out is refused.",
			files:  map[string]string{"apps/a.yaml": "-> ../../../etc/hostname"},
			err:    "apps/a.yaml: apps/a.yaml is a symlink out of the repository: put the file itself there",
		},
		"Large": {
			reason: "A file that is too large to hold claims matters only where it is chosen.",
			files:  map[string]string{"apps/a.yaml": app("a"), "data/table.yaml": strings.Repeat("x", 5<<20)},
			want:   map[string]string{"apps/a.yaml": app("a")},
		},
		"LargeChosen": {
			reason: "Where it is chosen, it is refused by name.",
			files:  map[string]string{"apps/table.yaml": strings.Repeat("x", 5<<20)},
			err:    "apps/table.yaml: file has 5242880 bytes, and one that holds claims has at most 4194304: exclude it or split it",
		},
		"Remote": {
			reason: "A build reaches nothing outside.",
			files:  map[string]string{"env/prod/kustomization.yaml": "resources: ['https://example.org/x.yaml']\n"},
			err:    `"https://example.org/x.yaml" is not a path inside the repository`,
		},
	}
	manifest := filepath.Join(t.TempDir(), "repository.yaml")
	if err := os.WriteFile(manifest, []byte(repositoryManifest), 0o600); err != nil {
		t.Fatal(err)
	}
	by, err := Choose(manifest)
	if err != nil {
		t.Fatal(err)
	}
	if by.Namespace != "team" {
		t.Errorf("Choose(...): namespace %q", by.Namespace)
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			lay(t, dir, tc.files)
			check := func(how string, got map[string][]byte, err error) {
				t.Helper()
				if tc.err != "" {
					if err == nil || !strings.Contains(err.Error(), tc.err) {
						t.Errorf("\n%s\n%s: want %q, got %v", tc.reason, how, tc.err, err)
					}
					return
				}
				texts := map[string]string{}
				for _, n := range slices.Sorted(maps.Keys(got)) {
					texts[n] = string(got[n])
				}
				if diff := cmp.Diff(tc.want, texts); err != nil || diff != "" {
					t.Errorf("\n%s\n%s: %v, -want, +got:\n%s", tc.reason, how, err, diff)
				}
			}
			got, err := Folder(dir, by)
			check("Folder(...)", got, err)
			if _, err := exec.LookPath("git"); err != nil {
				t.Skip("there is no git")
			}
			for _, args := range [][]string{{"init", "-q"}, {"add", "."}, {"commit", "-q", "-m", "claims"}} {
				cmd := exec.CommandContext(t.Context(), "git", append([]string{"-C", dir, "-c", "user.name=a", "-c", "user.email=a@example.org"}, args...)...)
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("git %v: %v\n%s", args, err, out)
				}
			}
			got, err = Revision(t.Context(), dir, "HEAD", by)
			check("Revision(...)", got, err)
		})
	}
}

// TestChoose refuses manifests that say nothing, or not what they should.
func TestChoose(t *testing.T) {
	cases := map[string]struct{ reason, text, err string }{
		"None":    {"There has to be a Repository.", "apiVersion: v1\nkind: Namespace\n", "there is none of m.mainstay.dev/v1alpha1"},
		"Two":     {"It has to be clear which.", repositoryManifest + "---\n" + repositoryManifest, "there are several"},
		"Unknown": {"A field that is written wrong would choose other files.", strings.Replace(repositoryManifest, "exclude:", "excludes:", 1), `unknown field "excludes"`},
		"Pattern": {"A pattern that matches nothing is refused as the Repository refuses it.", strings.Replace(repositoryManifest, "apps/**/*.yaml", "apps/[", 1), "is not a pattern: close its brackets"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "repository.yaml")
			if err := os.WriteFile(file, []byte(tc.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Choose(file); err == nil || !strings.Contains(err.Error(), tc.err) {
				t.Errorf("\n%s\nChoose(...): want %q, got %v", tc.reason, tc.err, err)
			}
		})
	}
}
