package local

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"time"

	"github.com/mainstay-dev/mainstay/provider/backend"
)

// versionTimeout is how long a program may take to say its version.
const versionTimeout = 20 * time.Second

var versionLine = regexp.MustCompile(`^Kubernetes (v[0-9]+\.[0-9]+\.[0-9]+\S*)\s*$`)

// checkVersion returns an InvalidError where another version is asked for than
// there are binaries of.
func (b *Backend) checkVersion(ctx context.Context, c backend.Cluster) error {
	v, err := b.binariesVersion(ctx)
	if err != nil {
		return err
	}
	if c.Version != "" && c.Version != v {
		return &backend.InvalidError{Message: fmt.Sprintf("kubernetesVersion %s: no control plane of that version here, there is %s", c.Version, v)}
	}
	return nil
}

// binariesVersion asks until it is answered, then never again.
func (b *Backend) binariesVersion(ctx context.Context) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.version != "" {
		return b.version, nil
	}
	ctx, cancel := context.WithTimeout(ctx, versionTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, filepath.Join(b.binaries, "kube-apiserver"), "--version").Output()
	if err != nil {
		return "", fmt.Errorf("cannot run kube-apiserver of the local backend: build the control plane's binaries, and start the provider with their directory: %w", err)
	}
	m := versionLine.FindSubmatch(out)
	if m == nil {
		return "", fmt.Errorf("cannot tell version of kube-apiserver: it does not say one")
	}
	b.version = string(m[1])
	return b.version, nil
}
