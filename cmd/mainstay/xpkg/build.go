package xpkg

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/spf13/afero"

	rxpkg "github.com/crossplane/crossplane-runtime/v2/pkg/xpkg"
	"github.com/crossplane/crossplane-runtime/v2/pkg/xpkg/parser"
	"github.com/crossplane/crossplane-runtime/v2/pkg/xpkg/parser/examples"
	"github.com/crossplane/crossplane-runtime/v2/pkg/xpkg/parser/yaml"
)

// A Builder builds packages.
type Builder struct {
	// Source is the root of the source tree.
	Source afero.Fs
	// Registry, with path, that packages refer to each other in.
	Registry string
	// Version of all packages, such as v0.1.0.
	Version string
	// Runtime gives the static binary of a package for an architecture.
	Runtime func(ctx context.Context, p Package, arch string) (string, error)
}

// A Built package is one image of a package.
type Built struct {
	Package Package
	Version string
	// Arch is empty where the package has no runtime, and so serves all.
	Arch  string
	Image v1.Image
}

// File is what the file of the package is called.
func (b Built) File() string {
	if b.Arch == "" {
		return b.Package.Name + "-" + b.Version + rxpkg.XpkgExtension
	}
	return b.Package.Name + "-" + b.Version + "-" + b.Arch + rxpkg.XpkgExtension
}

// BuildAll builds every package for every architecture, in the order of Packages.
func (b Builder) BuildAll(ctx context.Context, archs []string) ([]Built, error) {
	all := []Built{}
	for _, p := range Packages() {
		if p.Main == "" {
			built, err := b.Build(ctx, p, "")
			if err != nil {
				return nil, err
			}
			all = append(all, built)
			continue
		}
		for _, arch := range archs {
			built, err := b.Build(ctx, p, arch)
			if err != nil {
				return nil, err
			}
			all = append(all, built)
		}
	}
	return all, nil
}

// Build builds one package for one architecture.
func (b Builder) Build(ctx context.Context, p Package, arch string) (Built, error) {
	if err := CheckRegistry(b.Registry); err != nil {
		return Built{}, err
	}
	staged := afero.NewMemMapFs()
	if err := Stage(b.Source, staged, p, b.Registry, b.Version); err != nil {
		return Built{}, err
	}

	opts := []rxpkg.BuildOpt{}
	if p.Main != "" {
		binary, err := b.Runtime(ctx, p, arch)
		if err != nil {
			return Built{}, err
		}
		runtime, err := RuntimeImage(binary, arch)
		if err != nil {
			return Built{}, fmt.Errorf("cannot build %s: %w", p.Name, err)
		}
		opts = append(opts, rxpkg.WithBase(runtime))
	}

	objects, err := yaml.New()
	if err != nil {
		return Built{}, fmt.Errorf("cannot build %s: %w", p.Name, err)
	}
	filters := []parser.FilterFn{parser.SkipDirs(), parser.SkipNotYAML(), parser.SkipEmpty()}
	img, _, err := rxpkg.New(
		parser.NewFsBackend(staged, parser.FsDir("."), parser.FsFilters(append(filters, rxpkg.SkipContains(stagedExamples+"/"))...)),
		parser.NewFsBackend(staged, parser.FsDir(stagedExamples), parser.FsFilters(filters...)),
		objects, examples.New(),
	).Build(ctx, opts...)
	if err != nil {
		return Built{}, fmt.Errorf("cannot build %s: %w", p.Name, err)
	}
	return Built{Package: p, Version: b.Version, Arch: arch, Image: img}, nil
}

// Write saves a package in a folder, and returns the path of its file. The folder
// is made where there is none.
func Write(dir string, b Built) (string, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return "", fmt.Errorf("cannot make folder for packages: %w", err)
	}
	path := filepath.Join(dir, b.File())
	file, err := os.Create(path)
	if err != nil {
		return "", fmt.Errorf("cannot create package file: %w", err)
	}
	if err := tarball.Write(nil, b.Image, file); err != nil {
		_ = file.Close()
		return "", fmt.Errorf("cannot write package file %s: %w", path, err)
	}
	if err := file.Close(); err != nil {
		return "", fmt.Errorf("cannot write package file %s: %w", path, err)
	}
	return path, nil
}
