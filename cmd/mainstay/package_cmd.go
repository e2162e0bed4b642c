package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/spf13/afero"

	"github.com/mainstay-dev/mainstay/cmd/mainstay/xpkg"
	"github.com/mainstay-dev/mainstay/internal/version"
)

type packageCmd struct {
	Build packageBuildCmd `cmd:"" help:"Build all packages, with runtime images, to files."`
	Push  packagePushCmd  `cmd:"" help:"Build all packages and push them to a registry."`
	Stage packageStageCmd `cmd:"" help:"Write the files of the Configuration package to a folder."`
}

// packageFlags say what is built.
type packageFlags struct {
	Source   string   `default:"." help:"Root of the source tree." type:"path"`
	Version  string   `default:"" help:"Version of the packages, such as v0.1.0. Defaults to that of this command." name:"package-version"`
	Registry string   `default:"xpkg.mainstay.dev/mainstay" help:"Registry, with path, that packages refer to each other in."`
	Arch     []string `default:"amd64,arm64" help:"Architectures to build runtime images for."`
}

func (f *packageFlags) build(ctx context.Context) ([]xpkg.Built, error) {
	if f.Version == "" {
		f.Version = version.String()
	}
	source, err := filepath.Abs(f.Source)
	if err != nil {
		return nil, fmt.Errorf("cannot find source tree: %w", err)
	}
	c := xpkg.Compiler{Source: source, Output: filepath.Join(source, "_output", "runtimes"), Version: f.Version}
	b := xpkg.Builder{Source: afero.NewBasePathFs(afero.NewOsFs(), source), Registry: f.Registry, Version: f.Version, Runtime: c.Compile}
	return b.BuildAll(ctx, f.Arch)
}

type packageBuildCmd struct {
	packageFlags
	Output string `default:"_output/packages" help:"Folder to write package files to." type:"path"`
}

// Run builds the packages.
func (c *packageBuildCmd) Run(ctx context.Context) error {
	built, err := c.build(ctx)
	if err != nil {
		return err
	}
	for _, b := range built {
		file, err := xpkg.Write(c.Output, b)
		if err != nil {
			return err
		}
		fmt.Println(file)
	}
	return nil
}

type packagePushCmd struct{ packageFlags }

// Run builds and pushes the packages.
func (c *packagePushCmd) Run(ctx context.Context) error {
	built, err := c.build(ctx)
	if err != nil {
		return err
	}
	references, err := xpkg.Push(ctx, c.Registry, built)
	if err != nil {
		return err
	}
	for _, r := range references {
		fmt.Println(r)
	}
	return nil
}

type packageStageCmd struct {
	packageFlags
	Output string `help:"Folder to write to." required:"" type:"path"`
}

// Run stages the Configuration package.
func (c *packageStageCmd) Run() error {
	if c.Version == "" {
		c.Version = version.String()
	}
	fs := afero.NewOsFs()
	if err := fs.MkdirAll(c.Output, 0o755); err != nil {
		return fmt.Errorf("cannot make folder for staged files: %w", err)
	}
	return xpkg.Stage(afero.NewBasePathFs(fs, c.Source), afero.NewBasePathFs(fs, c.Output), xpkg.Configuration(), c.Registry, c.Version)
}
