// Package simulated makes clusters that are played: a thousand and more of them in one
// process, for tests of scale and of chaos, and for whoever wants to see a big fleet on
// a small machine. What is applied to them is stored, owned and refused as on a real
// API server; what runs on them is made up (see packages apiserver and workload).
//
// The clusters are kept by a simulator, in this process or in another one. The backend
// itself remembers nothing of them.
//
// Clusters can be of several versions of Kubernetes, and are upgraded at once, one minor
// version at a time as real ones are.
package simulated

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"sync"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/mainstay-dev/mainstay/provider/backend"
	"github.com/mainstay-dev/mainstay/provider/backend/probe"
	"github.com/mainstay-dev/mainstay/provider/backend/simulated/simulator"
)

// Minor versions of Kubernetes that a cluster can be of.
const (
	oldestMinor = 33
	newestMinor = 35
)

var versionPattern = regexp.MustCompile(`^v1\.([0-9]{1,3})\.([0-9]{1,3})$`)

// A Backend makes clusters in a simulator.
type Backend struct {
	open func() (simulator.Access, error)

	mu     sync.Mutex
	access simulator.Access
	client *simulator.Client
	own    *simulator.Simulator
}

var _ backend.Backend = &Backend{}

// New returns a backend with a simulator of its own, which starts when it is first
// needed.
func New(cfg simulator.Config) *Backend {
	b := &Backend{}
	b.open = func() (simulator.Access, error) {
		if b.own == nil {
			own, err := simulator.Start(cfg)
			if err != nil {
				return simulator.Access{}, fmt.Errorf("cannot start simulator: %w", err)
			}
			b.own = own
		}
		return b.own.Access(), nil
	}
	return b
}

// At returns a backend on the simulator of a folder, which another process runs, now or
// later.
func At(dir string) *Backend {
	return &Backend{open: func() (simulator.Access, error) { return simulator.ReadAccess(dir) }}
}

// Close the backend's own simulator, if it has one.
func (b *Backend) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.own == nil {
		return nil
	}
	own := b.own
	b.own, b.client = nil, nil
	return own.Close()
}

// Simulator to make trouble with.
func (b *Backend) Simulator() (*simulator.Client, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	a, err := b.open()
	if err != nil {
		return nil, err
	}
	if b.client != nil && a.Address == b.access.Address && a.Token == b.access.Token {
		return b.client, nil
	}
	c, err := simulator.NewClient(a)
	if err != nil {
		return nil, err
	}
	b.access, b.client = a, c
	return c, nil
}

// ObserveCluster says what is there.
func (b *Backend) ObserveCluster(ctx context.Context, c backend.Cluster) (backend.ClusterState, error) {
	if validate(c) != nil {
		return backend.ClusterState{}, nil
	}
	sim, err := b.Simulator()
	if err != nil {
		return backend.ClusterState{}, err
	}
	found, err := sim.Get(ctx, c.Namespace, c.Name)
	if err != nil || found == nil {
		return backend.ClusterState{}, err
	}
	out := backend.ClusterState{Exists: true, UpToDate: c.Version == "" || c.Version == found.Version, Endpoint: found.Endpoint}
	if out.Kubeconfig, err = sim.Kubeconfig(c.Name, found); err != nil {
		return backend.ClusterState{}, err
	}
	if out.Version, err = probe.Version(ctx, sim.Config(found)); err != nil {
		out.Version, out.Message = found.Version, err.Error()
		return out, nil
	}
	out.Ready = true
	return out, nil
}

// EnsureCluster makes a cluster, or upgrades it.
func (b *Backend) EnsureCluster(ctx context.Context, c backend.Cluster) error {
	if err := validate(c); err != nil {
		return err
	}
	if err := checkVersion(c.Version); err != nil {
		return err
	}
	sim, err := b.Simulator()
	if err != nil {
		return err
	}
	found, err := sim.Get(ctx, c.Namespace, c.Name)
	if err != nil {
		return err
	}
	if found != nil {
		if c.Version == "" || c.Version == found.Version {
			return nil
		}
		if err := checkUpgrade(found.Version, c.Version); err != nil {
			return err
		}
	}
	return sim.Ensure(ctx, c.Namespace, c.Name, c.Version)
}

// DeleteCluster removes a cluster and all that is on it.
func (b *Backend) DeleteCluster(ctx context.Context, c backend.Cluster) error {
	if validate(c) != nil {
		return nil
	}
	sim, err := b.Simulator()
	if err != nil {
		return err
	}
	return sim.Delete(ctx, c.Namespace, c.Name)
}

// validate refuses names that are not those of Kubernetes resources: they become parts
// of paths.
func validate(c backend.Cluster) error {
	if len(validation.IsDNS1123Label(c.Namespace)) > 0 || len(validation.IsDNS1123Subdomain(c.Name)) > 0 {
		return &backend.InvalidError{Message: fmt.Sprintf("%q in %q is not a name that a cluster can have", c.Name, c.Namespace)}
	}
	return nil
}

func checkVersion(v string) error {
	if v == "" {
		return nil
	}
	if minor, _, ok := parse(v); !ok || minor < oldestMinor || minor > newestMinor {
		return &backend.InvalidError{Message: fmt.Sprintf("kubernetesVersion %s: simulated clusters are of v1.%d to v1.%d, such as %s", v, oldestMinor, newestMinor, simulator.DefaultVersion)}
	}
	return nil
}

// checkUpgrade refuses what real clusters cannot do: go back, or leave out a minor version.
func checkUpgrade(from, to string) error {
	fromMinor, fromPatch, ok1 := parse(from)
	toMinor, toPatch, ok2 := parse(to)
	switch {
	case !ok1 || !ok2:
		return nil
	case toMinor < fromMinor || toMinor == fromMinor && toPatch < fromPatch:
		return &backend.InvalidError{Message: fmt.Sprintf("kubernetesVersion %s: the cluster runs %s, and a control plane cannot go back", to, from)}
	case toMinor > fromMinor+1:
		return &backend.InvalidError{Message: fmt.Sprintf("kubernetesVersion %s: the cluster runs %s: upgrade one minor version at a time, to v1.%d first", to, from, fromMinor+1)}
	}
	return nil
}

func parse(v string) (minor, patch int, ok bool) {
	m := versionPattern.FindStringSubmatch(v)
	if m == nil {
		return 0, 0, false
	}
	minor, _ = strconv.Atoi(m[1])
	patch, _ = strconv.Atoi(m[2])
	return minor, patch, true
}
