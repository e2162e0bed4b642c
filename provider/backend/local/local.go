// Package local makes clusters out of processes beside the provider: real control
// planes, on loopback, whose nodes and pods are played by KWOK.
//
// A cluster is a directory below the state folder, <namespace>/<name>, and all its
// processes and objects follow from that. The backend remembers nothing that it
// could not do without: one that is started on the same folder finds the same
// clusters, running or not. The last cluster that goes takes the shared etcd along,
// so that nothing is left.
//
// Deliberately absent: more than one version of Kubernetes. There is the one that
// the binaries are of.
package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/utils/clock"

	"github.com/mainstay-dev/mainstay/provider/backend"
	"github.com/mainstay-dev/mainstay/provider/backend/local/controlplane"
	"github.com/mainstay-dev/mainstay/provider/backend/local/statedir"
)

// memoryLimit is what the API server of a cluster tries to stay under. A machine
// holds many of them.
const memoryLimit = "256MiB"

// A Config says where the backend finds its parts.
type Config struct {
	// Binaries is the directory of etcd, kube-apiserver, kube-controller-manager,
	// kube-scheduler and kwok.
	Binaries string
	// State is the directory that clusters are kept in. It is made where it does
	// not exist. Two providers must not share one.
	State string
}

// A Backend makes clusters out of processes.
type Backend struct {
	binaries string
	state    string
	etcd     *controlplane.Etcd
	clock    clock.PassiveClock
	starts   *starts

	mu      sync.Mutex
	version string
}

var _ backend.Backend = &Backend{}

// New returns a backend that finds the clusters that an earlier one made.
func New(cfg Config) (*Backend, error) {
	binaries, err := filepath.Abs(cfg.Binaries)
	if err != nil {
		return nil, fmt.Errorf("cannot find binaries: %w", err)
	}
	state, err := filepath.Abs(cfg.State)
	if err != nil {
		return nil, fmt.Errorf("cannot find state folder: %w", err)
	}
	return &Backend{
		binaries: binaries,
		state:    state,
		etcd:     controlplane.NewEtcd(filepath.Join(state, "etcd"), binaries),
		clock:    clock.RealClock{},
		starts:   newStarts(),
	}, nil
}

// ObserveCluster says what is there.
func (b *Backend) ObserveCluster(ctx context.Context, c backend.Cluster) (backend.ClusterState, error) {
	if validate(c) != nil {
		return backend.ClusterState{}, nil
	}
	cp := b.controlPlane(c)
	s, err := cp.Status(ctx)
	if err != nil || !s.Exists {
		return backend.ClusterState{}, err
	}
	out := backend.ClusterState{
		Exists:   true,
		UpToDate: s.Current,
		Ready:    s.Ready,
		Version:  s.Version,
		Endpoint: s.Endpoint,
		Message:  s.Message,
	}
	// Where there is none yet its files are still being made.
	out.Kubeconfig, _ = cp.Kubeconfig()
	if !s.Ready {
		b.starts.describe(key(c), &out)
	}
	if b.checkVersion(ctx, c) != nil {
		out.UpToDate = false
	}
	return out, nil
}

// EnsureCluster starts what does not run, in the background. Only a few clusters
// are started at a time, the others wait for their turn.
func (b *Backend) EnsureCluster(ctx context.Context, c backend.Cluster) error {
	if err := validate(c); err != nil {
		return err
	}
	if err := b.checkVersion(ctx, c); err != nil {
		return err
	}
	if err := b.makeDir(ctx, c); err != nil {
		return err
	}
	cp := b.controlPlane(c)
	s, err := cp.Status(ctx)
	if err != nil || s.Ready {
		return err
	}
	b.starts.begin(key(c), cp.WaitReady)
	return nil
}

// DeleteCluster removes processes, objects and files.
func (b *Backend) DeleteCluster(ctx context.Context, c backend.Cluster) error {
	if validate(c) != nil {
		return nil
	}
	if err := b.starts.end(ctx, key(c)); err != nil {
		return err
	}
	// This takes longest, and needs no lock that others wait for.
	cp := b.controlPlane(c)
	if err := cp.Stop(ctx); err != nil {
		return err
	}
	unlock, err := statedir.LockExisting(ctx, b.state)
	if errors.Is(err, statedir.ErrGone) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unlock()
	if err := b.destroy(ctx, c, cp); err != nil {
		return err
	}
	return b.removeEmpty(c.Namespace)
}

// destroy does not need etcd where nobody else does: it may be beyond repair.
func (b *Backend) destroy(ctx context.Context, c backend.Cluster, cp *controlplane.ControlPlane) error {
	others, err := b.others(c)
	if err != nil {
		return err
	}
	if others {
		return cp.Destroy(ctx)
	}
	if err := b.etcd.Destroy(ctx); err != nil {
		return err
	}
	return cp.Discard(ctx)
}

// others returns true where a cluster other than the given one exists.
func (b *Backend) others(c backend.Cluster) (bool, error) {
	namespaces, err := readDir(b.clusters())
	if err != nil {
		return false, err
	}
	for _, ns := range namespaces {
		names, err := readDir(filepath.Join(b.clusters(), ns))
		if err != nil {
			return false, err
		}
		for _, n := range names {
			// A directory that is being removed needs etcd no more.
			if !strings.HasPrefix(n, ".") && (ns != c.Namespace || n != c.Name) {
				return true, nil
			}
		}
	}
	return false, nil
}

// makeDir makes a cluster exist. Whoever destroys the last one holds the same lock.
func (b *Backend) makeDir(ctx context.Context, c backend.Cluster) error {
	unlock, err := statedir.Lock(ctx, b.state)
	if err != nil {
		return err
	}
	defer unlock()
	if err := os.MkdirAll(b.dir(c), 0o700); err != nil {
		return fmt.Errorf("cannot make directory of cluster: %w", err)
	}
	return nil
}

// removeEmpty leaves the state folder as empty as it was found.
func (b *Backend) removeEmpty(namespace string) error {
	for _, d := range []string{filepath.Join(b.clusters(), namespace), b.clusters()} {
		if err := statedir.RemoveEmpty(d); err != nil {
			return err
		}
	}
	if _, err := os.Stat(b.clusters()); err == nil {
		return nil
	}
	return statedir.RemoveLock(b.state)
}

func (b *Backend) controlPlane(c backend.Cluster) *controlplane.ControlPlane {
	return controlplane.New(controlplane.Config{
		Name:        c.Name,
		Dir:         b.dir(c),
		Binaries:    b.binaries,
		Etcd:        b.etcd,
		Prefix:      "/" + key(c),
		Nodes:       true,
		MemoryLimit: memoryLimit,
	})
}

func (b *Backend) clusters() string { return filepath.Join(b.state, "clusters") }

func (b *Backend) dir(c backend.Cluster) string {
	return filepath.Join(b.clusters(), c.Namespace, c.Name)
}

// readDir returns no names where there is no such directory.
func readDir(dir string) ([]string, error) {
	es, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot list clusters: %w", err)
	}
	out := make([]string, 0, len(es))
	for _, e := range es {
		out = append(out, e.Name())
	}
	return out, nil
}

func key(c backend.Cluster) string { return c.Namespace + "/" + c.Name }

// validate refuses names that are not those of Kubernetes resources: they become
// names of directories.
func validate(c backend.Cluster) error {
	if len(validation.IsDNS1123Label(c.Namespace)) > 0 || len(validation.IsDNS1123Subdomain(c.Name)) > 0 {
		return &backend.InvalidError{Message: fmt.Sprintf("%q in %q is not a name that a cluster can have", c.Name, c.Namespace)}
	}
	return nil
}
