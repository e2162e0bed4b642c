// Package examples holds what can be applied as it is. Each folder has a README with
// the command and what is to be expected.
package examples

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mainstay-dev/mainstay/test/schema"
)

// others are the groups of kinds that are not ours, and are checked by what runs them.
var others = map[string]bool{"": true, "rbac.authorization.k8s.io": true, "argoproj.io": true, "kustomize.config.k8s.io": true}

// manifests of all examples, by their paths.
func manifests(t *testing.T) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(".", func(path string, d os.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".yaml" {
			files = append(files, path)
		}
		return err
	})
	if err != nil || len(files) == 0 {
		t.Fatalf("cannot find examples: %v", err)
	}
	return files
}

// TestValid checks every manifest the way the API server would.
func TestValid(t *testing.T) {
	schemas, err := schema.Load("..")
	if err != nil {
		t.Fatal(err)
	}
	files := manifests(t)
	for _, f := range files {
		t.Run(f, func(t *testing.T) {
			raw, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			objects, err := schema.Objects(raw)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range objects {
				if !schemas.Knows(o) {
					if !others[o.GroupVersionKind().Group] {
						t.Errorf("%s %q is of no known kind", o.GetKind(), o.GetName())
					}
					continue
				}
				if err := schemas.Validate(o); err != nil {
					t.Errorf("%s %q is not valid: %v", o.GetKind(), o.GetName(), err)
				}
			}
		})
	}
}

// TestReadme checks that every example says what it is, how to apply it and what is
// to be expected, and that every manifest is mentioned.
func TestReadme(t *testing.T) {
	folders, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range folders {
		if !d.IsDir() {
			continue
		}
		t.Run(d.Name(), func(t *testing.T) {
			readme, err := os.ReadFile(filepath.Join(d.Name(), "README.md"))
			if err != nil {
				t.Fatal(err)
			}
			for _, part := range []string{"# ", "## Command", "```sh", "## Expected"} {
				if !strings.Contains(string(readme), part) {
					t.Errorf("README.md lacks %q", part)
				}
			}
			files, err := filepath.Glob(filepath.Join(d.Name(), "*.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range files {
				if !strings.Contains(string(readme), filepath.Base(f)) {
					t.Errorf("README.md does not mention %s", filepath.Base(f))
				}
			}
		})
	}
}
