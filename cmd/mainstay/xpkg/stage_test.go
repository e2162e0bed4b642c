package xpkg

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/afero"
)

func TestStage(t *testing.T) {
	packages := map[string]Package{}
	for _, p := range Packages() {
		packages[p.Name] = p
	}
	cases := map[string]struct {
		reason string
		pkg    string
		want   []string
	}{
		"Configuration": {
			reason: "Definitions, compositions, the activation policy and examples, and no other YAML.",
			pkg:    "mainstay",
			want: []string{
				"apis/activation.yaml", "apis/things/composition.yaml", "apis/things/definition.yaml",
				"crossplane.yaml", "examples/one/claim.yaml",
			},
		},
		"Provider": {
			reason: "Metadata and CRDs.",
			pkg:    "mainstay-provider",
			want:   []string{"crossplane.yaml", "package/provider/crds/things.yaml"},
		},
		"Function": {
			reason: "Metadata only.",
			pkg:    "mainstay-function-fleet-cell",
			want:   []string{"crossplane.yaml"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			staged := afero.NewMemMapFs()
			if err := Stage(source(t), staged, packages[tc.pkg], DefaultRegistry, "v0.1.0"); err != nil {
				t.Fatalf("Stage(...): %v", err)
			}
			got := []string{}
			_ = afero.Walk(staged, ".", func(path string, info fs.FileInfo, err error) error {
				if err == nil && !info.IsDir() {
					got = append(got, path)
				}
				return err
			})
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\nStage(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// What is staged on disk is what is built in memory: the official command builds
// from the former.
func TestStageOnDisk(t *testing.T) {
	dir := t.TempDir()
	memory, disk := afero.NewMemMapFs(), afero.NewBasePathFs(afero.NewOsFs(), dir)
	for _, staged := range []afero.Fs{memory, disk} {
		if err := Stage(source(t), staged, Configuration(), "127.0.0.1:5000/mainstay", "v1.2.3"); err != nil {
			t.Fatalf("Stage(...): %v", err)
		}
	}
	for _, file := range []string{"crossplane.yaml", "apis/activation.yaml", "apis/things/composition.yaml", "examples/one/claim.yaml"} {
		want, err := afero.ReadFile(memory, file)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(dir, file))
		if diff := cmp.Diff(string(want), string(got)); diff != "" || err != nil {
			t.Errorf("%s: %v: -in memory, +on disk:\n%s", file, err, diff)
		}
	}
}

func TestStageRewritesReferences(t *testing.T) {
	cases := map[string]struct {
		reason      string
		registry    string
		version     string
		composition []string
		meta        []string
	}{
		"AsReleased": {
			reason:      "Nothing is rewritten where nothing differs: the files keep their comments.",
			registry:    DefaultRegistry,
			version:     "v0.1.0",
			composition: []string{"# A comment.", "mainstay-function-cluster-fleet", "somebody-elses"},
			meta:        []string{"# The Configuration package", "package: xpkg.mainstay.dev/mainstay/provider"},
		},
		"OtherHost": {
			reason:      "Another host leaves the names of the functions alone.",
			registry:    "127.0.0.1:5000/mainstay",
			version:     "v0.2.0-dev.0123456789ab",
			composition: []string{"# A comment.", "name: mainstay-function-cluster-fleet"},
			meta:        []string{"package: 127.0.0.1:5000/mainstay/function-fleet-cell", "version: v0.2.0-dev.0123456789ab"},
		},
		"OtherPath": {
			reason:      "Another path changes the names that Crossplane gives to the functions.",
			registry:    "registry.example.org/acme/platform",
			version:     "v0.1.0",
			composition: []string{"name: acme-platform-function-cluster-fleet", "name: somebody-elses"},
			meta:        []string{"package: registry.example.org/acme/platform/provider"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			staged := afero.NewMemMapFs()
			if err := Stage(source(t), staged, Configuration(), tc.registry, tc.version); err != nil {
				t.Fatalf("Stage(...): %v", err)
			}
			for file, wants := range map[string][]string{"apis/things/composition.yaml": tc.composition, "crossplane.yaml": tc.meta} {
				content, err := afero.ReadFile(staged, file)
				if err != nil {
					t.Fatal(err)
				}
				for _, want := range wants {
					if !strings.Contains(string(content), want) {
						t.Errorf("\n%s\n%s lacks %q:\n%s", tc.reason, file, want, content)
					}
				}
			}
		})
	}
}

func TestInstalledNames(t *testing.T) {
	want := []string{
		"mainstay-provider", "mainstay-function-cluster-fleet", "mainstay-function-fleet-cell",
		"mainstay-function-product-application", "mainstay-configuration",
	}
	for _, registry := range []string{DefaultRegistry, "127.0.0.1:5000/mainstay"} {
		got := []string{}
		for _, p := range Packages() {
			got = append(got, p.InstalledName(registry))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Names are the same in every registry whose path is mainstay: %s: -want, +got:\n%s", registry, diff)
		}
	}
}

func TestCompile(t *testing.T) {
	dir := t.TempDir()
	for path, content := range map[string]string{
		"go.mod":                    "module example.org/thing\n\ngo 1.26\n",
		"functions/thing/main.go":   "package main\n\nfunc main() {}\n",
		"functions/broken/main.go":  "package main\n\nfunc main() { nothing() }\n",
		"functions/broken/other.go": "package main\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, path)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, path), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := Compiler{Source: dir, Output: filepath.Join(dir, "out"), Version: "v0.1.0"}

	for _, arch := range Architectures() {
		path, err := c.Compile(t.Context(), function("thing"), arch)
		if err != nil {
			t.Fatalf("Compile(%s): %v", arch, err)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(content), "\x7fELF") {
			t.Errorf("Compile(%s): %s is no program for Linux", arch, path)
		}
	}

	_, err := c.Compile(t.Context(), function("broken"), "amd64")
	if err == nil || !strings.Contains(err.Error(), "undefined: nothing") {
		t.Errorf("Compile(...): want the compiler's message, got %v", err)
	}
}
