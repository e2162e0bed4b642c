package xpkg

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/spf13/afero"
)

const (
	testDefinition = `apiVersion: apiextensions.crossplane.io/v1
kind: CompositeResourceDefinition
metadata:
  name: xthings.mainstay.dev
spec:
  group: mainstay.dev
  names: {kind: XThing, plural: xthings}
  versions:
    - name: v1alpha1
      served: true
      referenceable: true
      schema: {openAPIV3Schema: {type: object}}
`
	testComposition = `# A comment.
apiVersion: apiextensions.crossplane.io/v1
kind: Composition
metadata:
  name: things
spec:
  compositeTypeRef: {apiVersion: mainstay.dev/v1alpha1, kind: XThing}
  mode: Pipeline
  pipeline:
    - step: compose
      functionRef: {name: mainstay-function-cluster-fleet}
    - step: ready
      functionRef: {name: somebody-elses}
`
	testActivation = `apiVersion: apiextensions.crossplane.io/v1alpha1
kind: ManagedResourceActivationPolicy
metadata: {name: mainstay}
spec:
  activate: ["*.m.mainstay.dev"]
`
	testCRD = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.m.mainstay.dev}
spec:
  group: m.mainstay.dev
  scope: Namespaced
  names: {kind: Thing, plural: things}
  versions:
    - {name: v1alpha1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}
`
	testExample = `apiVersion: mainstay.dev/v1alpha1
kind: Thing
metadata: {name: example}
`
)

// source is a source tree: the real metadata, with one kind of everything else.
func source(t *testing.T) afero.Fs {
	t.Helper()
	fs := afero.NewMemMapFs()
	for path, content := range map[string]string{
		"apis/things/definition.yaml":        testDefinition,
		"apis/things/composition.yaml":       testComposition,
		"apis/things/notes.yaml":             "not: part of the package",
		"apis/v1alpha1/types.go":             "package v1alpha1",
		"apis/activation.yaml":               testActivation,
		"examples/one/claim.yaml":            testExample,
		"examples/one/README.md":             "# One",
		"package/provider/crds/things.yaml":  testCRD,
		"package/provider/values-local.yaml": "not: part of the package",
	} {
		write(t, fs, path, content)
	}
	root := afero.NewBasePathFs(afero.NewOsFs(), filepath.Join("..", "..", ".."))
	for _, p := range Packages() {
		content, err := afero.ReadFile(root, p.Meta)
		if err != nil {
			t.Fatal(err)
		}
		write(t, fs, p.Meta, string(content))
	}
	return fs
}

func write(t *testing.T, fs afero.Fs, path, content string) {
	t.Helper()
	if err := afero.WriteFile(fs, path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// binaries stand in for compiled runtimes.
func binaries(t *testing.T) func(context.Context, Package, string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	return func(_ context.Context, p Package, arch string) (string, error) {
		path := filepath.Join(dir, p.Binary)
		return path, os.WriteFile(path, []byte("a binary for "+arch), 0o755)
	}
}
