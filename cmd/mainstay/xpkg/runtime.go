package xpkg

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// runtimeUser is the user that runtime images run as: nobody in particular, but
// not root.
const runtimeUser = "65532"

// Architectures that packages are released for.
func Architectures() []string { return []string{"amd64", "arm64"} }

// A Compiler builds the static binaries of runtimes with the Go toolchain.
type Compiler struct {
	// Source is the root of the source tree.
	Source string
	// Output is the folder that binaries go to, one folder in it for each
	// architecture.
	Output string
	// Version that is stamped into the binaries.
	Version string
}

// Binary is where the binary of a package is, or will be.
func (c Compiler) Binary(p Package, arch string) string {
	return filepath.Join(c.Output, "linux-"+arch, p.Binary)
}

// Compile builds the binary of a package and returns where it is. Nothing of the
// machine that builds goes into it.
func (c Compiler) Compile(ctx context.Context, p Package, arch string) (string, error) {
	out, err := filepath.Abs(c.Binary(p, arch))
	if err != nil {
		return "", fmt.Errorf("cannot find folder for binaries: %w", err)
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false",
		"-ldflags", "-s -w -X github.com/mainstay-dev/mainstay/internal/version.version="+c.Version, "-o", out, p.Main)
	cmd.Dir = c.Source
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	if output, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("cannot compile %s for %s: %w\n%s", p.Main, arch, err, output)
	}
	return out, nil
}

// RuntimeImage is an image that holds and runs one static binary. It has a folder /tmp, which
// that may write to.
func RuntimeImage(binary, arch string) (v1.Image, error) {
	content, err := os.ReadFile(binary)
	if err != nil {
		return nil, fmt.Errorf("cannot read runtime binary: %w", err)
	}
	entrypoint := "/" + filepath.Base(binary)

	archive := &bytes.Buffer{}
	w := tar.NewWriter(archive)
	if err := w.WriteHeader(&tar.Header{Name: entrypoint[1:], Mode: 0o755, Size: int64(len(content))}); err != nil {
		return nil, fmt.Errorf("cannot archive runtime binary: %w", err)
	}
	if _, err := w.Write(content); err != nil {
		return nil, fmt.Errorf("cannot archive runtime binary: %w", err)
	}
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777}); err != nil {
		return nil, fmt.Errorf("cannot archive folder for temporary files: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("cannot archive runtime binary: %w", err)
	}

	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(archive.Bytes())), nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot make runtime layer: %w", err)
	}
	img, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return nil, fmt.Errorf("cannot make runtime image: %w", err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("cannot read configuration of runtime image: %w", err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", arch
	config.Config.Entrypoint = []string{entrypoint}
	config.Config.User = runtimeUser
	img, err = mutate.ConfigFile(img, config)
	if err != nil {
		return nil, fmt.Errorf("cannot configure runtime image: %w", err)
	}
	return img, nil
}
