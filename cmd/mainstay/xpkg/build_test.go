package xpkg

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/spf13/afero"

	rxpkg "github.com/crossplane/crossplane-runtime/v2/pkg/xpkg"
	"github.com/crossplane/crossplane-runtime/v2/pkg/xpkg/parser/yaml"
)

func TestBuildAll(t *testing.T) {
	b := Builder{Source: source(t), Registry: "127.0.0.1:5000/mainstay", Version: "v1.2.3", Runtime: binaries(t)}
	all, err := b.BuildAll(t.Context(), Architectures())
	if err != nil {
		t.Fatalf("BuildAll(...): %v", err)
	}

	files := []string{}
	for _, built := range all {
		files = append(files, built.File())
	}
	want := []string{
		"mainstay-provider-v1.2.3-amd64.xpkg",
		"mainstay-provider-v1.2.3-arm64.xpkg",
		"mainstay-function-cluster-fleet-v1.2.3-amd64.xpkg",
		"mainstay-function-cluster-fleet-v1.2.3-arm64.xpkg",
		"mainstay-function-fleet-cell-v1.2.3-amd64.xpkg",
		"mainstay-function-fleet-cell-v1.2.3-arm64.xpkg",
		"mainstay-function-product-application-v1.2.3-amd64.xpkg",
		"mainstay-function-product-application-v1.2.3-arm64.xpkg",
		"mainstay-v1.2.3.xpkg",
	}
	if diff := cmp.Diff(want, files); diff != "" {
		t.Errorf("BuildAll(...): files: -want, +got:\n%s", diff)
	}

	linters := map[Kind]func(t *testing.T, stream []byte){
		KindConfiguration: func(t *testing.T, s []byte) { t.Helper(); lint(t, KindConfiguration, s) },
		KindFunction:      func(t *testing.T, s []byte) { t.Helper(); lint(t, KindFunction, s) },
		KindProvider:      func(t *testing.T, s []byte) { t.Helper(); lint(t, KindProvider, s) },
	}
	for _, built := range all {
		t.Run(built.File(), func(t *testing.T) {
			path, err := Write(t.TempDir(), built)
			if err != nil {
				t.Fatalf("Write(...): %v", err)
			}
			img, err := tarball.ImageFromPath(path, nil)
			if err != nil {
				t.Fatalf("cannot read what was written: %v", err)
			}
			linters[built.Package.Kind](t, annotated(t, img, "base")["package.yaml"])
			checkRuntime(t, img, built)
		})
	}

	t.Run("ConfigurationContents", func(t *testing.T) {
		img := all[len(all)-1].Image
		stream := string(annotated(t, img, "base")["package.yaml"])
		for _, want := range []string{
			"package: 127.0.0.1:5000/mainstay/provider",
			"package: 127.0.0.1:5000/mainstay/function-fleet-cell",
			"version: v1.2.3",
			"kind: ManagedResourceActivationPolicy",
			"kind: CompositeResourceDefinition",
			"name: mainstay-function-cluster-fleet",
		} {
			if !strings.Contains(stream, want) {
				t.Errorf("package.yaml lacks %q:\n%s", want, stream)
			}
		}
		examples := string(annotated(t, img, "upbound")[".up/examples.yaml"])
		if !strings.Contains(examples, "name: example") {
			t.Errorf(".up/examples.yaml lacks the example:\n%s", examples)
		}
	})
}

// lint checks a package's stream with the linter that Crossplane installs it with.
func lint(t *testing.T, kind Kind, stream []byte) {
	t.Helper()
	p, err := yaml.New()
	if err != nil {
		t.Fatal(err)
	}
	pkg, err := p.Parse(t.Context(), io.NopCloser(bytes.NewReader(stream)))
	if err != nil {
		t.Fatalf("cannot parse package: %v", err)
	}
	linter := rxpkg.NewConfigurationLinter()
	switch kind {
	case KindFunction:
		linter = rxpkg.NewFunctionLinter()
	case KindProvider:
		linter = rxpkg.NewProviderLinter()
	case KindConfiguration:
	}
	if err := linter.Lint(pkg); err != nil {
		t.Errorf("package does not lint: %v", err)
	}
}

// annotated returns the files in the layer that carries an annotation.
func annotated(t *testing.T, img v1.Image, annotation string) map[string][]byte {
	t.Helper()
	img, err := rxpkg.AnnotateLayers(img)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range manifest.Layers {
		if l.Annotations[rxpkg.AnnotationKey] != annotation {
			continue
		}
		layer, err := img.LayerByDigest(l.Digest)
		if err != nil {
			t.Fatal(err)
		}
		return untar(t, layer)
	}
	return nil
}

func untar(t *testing.T, layer v1.Layer) map[string][]byte {
	t.Helper()
	r, err := layer.Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	files := map[string][]byte{}
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[h.Name], err = io.ReadAll(tr); err != nil {
			t.Fatal(err)
		}
	}
}

func checkRuntime(t *testing.T, img v1.Image, built Built) {
	t.Helper()
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if built.Arch == "" {
		if len(config.Config.Entrypoint) > 0 {
			t.Errorf("a package without runtime has entrypoint %v", config.Config.Entrypoint)
		}
		return
	}
	got := []string{config.OS, config.Architecture, config.Config.User, strings.Join(config.Config.Entrypoint, " ")}
	want := []string{"linux", built.Arch, "65532", "/" + built.Package.Binary}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("runtime configuration: -want, +got:\n%s", diff)
	}
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(untar(t, layers[0])[built.Package.Binary]), "a binary for "+built.Arch; got != want {
		t.Errorf("runtime binary: want %q, got %q", want, got)
	}
}

func TestBuildIsDeterministic(t *testing.T) {
	digests := func() []string {
		b := Builder{Source: source(t), Registry: DefaultRegistry, Version: "v1.2.3", Runtime: binaries(t)}
		all, err := b.BuildAll(t.Context(), Architectures())
		if err != nil {
			t.Fatal(err)
		}
		digests := []string{}
		for _, built := range all {
			digest, err := built.Image.Digest()
			if err != nil {
				t.Fatal(err)
			}
			path, err := Write(t.TempDir(), built)
			if err != nil {
				t.Fatal(err)
			}
			file, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			sum, _, err := v1.SHA256(bytes.NewReader(file))
			if err != nil {
				t.Fatal(err)
			}
			digests = append(digests, built.File(), digest.String(), sum.String())
		}
		return digests
	}
	if diff := cmp.Diff(digests(), digests()); diff != "" {
		t.Errorf("the same inputs must give the same digests: -first, +second:\n%s", diff)
	}
}

func TestBuildRefusals(t *testing.T) {
	cases := map[string]struct {
		reason   string
		registry string
		spoil    func(fs afero.Fs)
		want     string
	}{
		"NoPath": {
			reason:   "A registry without path cannot hold packages that Crossplane can name.",
			registry: "registry.example.org",
			want:     "has no path",
		},
		"NoDot": {
			reason:   "Crossplane refuses package references whose host has no dot.",
			registry: "localhost:5000/mainstay",
			want:     "has no dot",
		},
		"BadReference": {
			reason:   "What is no image reference is refused before anything is built.",
			registry: "registry.example.org/UPPER",
			want:     "cannot be used",
		},
		"StrayKind": {
			reason:   "A package with a kind in it that Crossplane would filter out does not build.",
			registry: DefaultRegistry,
			spoil: func(fs afero.Fs) {
				_ = afero.WriteFile(fs, "apis/activation.yaml", []byte(testCRD), 0o644)
			},
			want: "failed to lint package",
		},
		"MissingMeta": {
			reason:   "Without metadata there is no package.",
			registry: DefaultRegistry,
			spoil:    func(fs afero.Fs) { _ = fs.Remove("crossplane.yaml") },
			want:     "cannot read metadata",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			fs := source(t)
			if tc.spoil != nil {
				tc.spoil(fs)
			}
			b := Builder{Source: fs, Registry: tc.registry, Version: "v1.2.3", Runtime: binaries(t)}
			_, err := b.Build(t.Context(), Configuration(), "")
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("\n%s\nBuild(...): want error with %q, got %v", tc.reason, tc.want, err)
			}
		})
	}
}

func TestPush(t *testing.T) {
	server := httptest.NewServer(registry.New())
	defer server.Close()
	prefix := strings.TrimPrefix(server.URL, "http://") + "/mainstay"

	b := Builder{Source: source(t), Registry: prefix, Version: "v1.2.3", Runtime: binaries(t)}
	all, err := b.BuildAll(t.Context(), Architectures())
	if err != nil {
		t.Fatal(err)
	}
	references, err := Push(t.Context(), prefix, all)
	if err != nil {
		t.Fatalf("Push(...): %v", err)
	}
	if want := prefix + "/configuration:v1.2.3"; references[len(references)-1] != want {
		t.Errorf("Push(...): want the Configuration last, got %v", references)
	}

	for _, reference := range references {
		ref, err := name.ParseReference(reference, name.StrictValidation)
		if err != nil {
			t.Fatal(err)
		}
		// Crossplane takes what a registry gives to a machine of no particular kind.
		img, err := remote.Image(ref)
		if err != nil {
			t.Fatalf("cannot pull %s: %v", reference, err)
		}
		manifest, err := img.Manifest()
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(manifest.Layers, func(d v1.Descriptor) bool {
			return d.Annotations[rxpkg.AnnotationKey] == rxpkg.PackageAnnotation
		}) {
			t.Errorf("%s has no layer annotated as package", reference)
		}
	}

	index, err := remote.Index(mustReference(t, references[0]))
	if err != nil {
		t.Fatalf("%s is no index: %v", references[0], err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	platforms := []string{}
	for _, m := range manifest.Manifests {
		platforms = append(platforms, m.Platform.String())
	}
	if diff := cmp.Diff([]string{"linux/amd64", "linux/arm64"}, platforms); diff != "" {
		t.Errorf("platforms: -want, +got:\n%s", diff)
	}
}

func mustReference(t *testing.T, s string) name.Reference {
	t.Helper()
	ref, err := name.ParseReference(s)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}
