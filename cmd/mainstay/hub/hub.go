// Package hub runs a hub on one machine: a Kubernetes API server with its controller
// manager, real Crossplane, a registry, and Mainstay's functions and provider, all
// as plain processes on loopback, without root.
//
// It is what the demo and the end-to-end tests stand on, and so installs Mainstay
// as a user would: packages are pushed to the registry, and Crossplane's package
// manager installs the Configuration and resolves what it depends on. Only the
// runtimes differ: since no kubelet could run their images, Crossplane is told that
// runtimes are external, and the hub starts the programs that are in those images.
//
// All state is in one folder and every step can be repeated, so that whatever is
// killed at whatever moment, the next Up puts it right. Deliberately absent: high
// availability, and upgrades of the objects in it.
package hub

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/mainstay-dev/mainstay/cmd/mainstay/step"
	"github.com/mainstay-dev/mainstay/provider/backend/local/controlplane"
	"github.com/mainstay-dev/mainstay/provider/backend/local/process"
	"github.com/mainstay-dev/mainstay/provider/backend/local/statedir"
)

// RegistryPath is the path that packages have in the hub's registry. Crossplane
// names dependencies by it, and the Compositions use those names.
const RegistryPath = "mainstay"

// A Config says what a hub consists of.
type Config struct {
	// State is the folder of everything the hub keeps. It must be absolute.
	State string
	// Binaries is the folder of control planes, of Crossplane and of Mainstay's own
	// programs: mainstay, provider and function-<name>.
	Binaries string
	// Source is the root of the source tree, whose packages are installed.
	Source string
	// DefaultCircuitBreaker leaves Crossplane's circuit breaker as Crossplane has
	// it, instead of setting what Mainstay recommends.
	DefaultCircuitBreaker bool
	// Simulator gives the hub a simulator of clusters in a process of its own.
	Simulator bool
	// SimulatorArgs and ProviderArgs are given to these programs, besides those they need.
	SimulatorArgs, ProviderArgs []string
	// Log of steps. It may be nil.
	Log *step.Log
}

// A Hub is one hub. It holds no state: two values with one Config are one hub.
type Hub struct{ cfg Config }

// New returns a hub that may or may not run yet.
func New(cfg Config) *Hub { return &Hub{cfg: cfg} }

// Kubeconfig is the path of the administrator's kubeconfig.
func (h *Hub) Kubeconfig() string { return h.path("kubeconfig") }

// Clusters is the folder that the local backend keeps its clusters in.
func (h *Hub) Clusters() string { return h.path("clusters") }

// Webhooks is the URL that forges on this machine tell the provider at that something
// happened; below it are the namespace and the name of a Repository.
func (h *Hub) Webhooks(ctx context.Context) (string, error) {
	port, err := h.port(ctx, portProviderHooks)
	if err != nil {
		return "", err
	}
	return "http://" + address(port) + "/webhooks", nil
}

// Up brings the hub up, and returns once Mainstay is installed and healthy.
func (h *Hub) Up(ctx context.Context) error {
	if err := h.UpCrossplane(ctx); err != nil {
		return err
	}
	return h.Install(ctx)
}

// UpCrossplane brings up a hub with Crossplane, and nothing installed on it.
func (h *Hub) UpCrossplane(ctx context.Context) error {
	if err := h.check(); err != nil {
		return err
	}
	unlock, err := statedir.Lock(ctx, h.cfg.State)
	if err != nil {
		return err
	}
	defer unlock()
	if err := h.dropTaken(ctx); err != nil {
		return err
	}
	if err := h.cfg.Log.Do(ctx, "Kubernetes API server and controller manager run", h.upControlPlane); err != nil {
		return err
	}
	if err := h.cfg.Log.Do(ctx, "Crossplane is set up", h.initCrossplane); err != nil {
		return err
	}
	if err := h.cfg.Log.Do(ctx, "Crossplane runs", h.startCrossplane); err != nil {
		return err
	}
	return h.cfg.Log.Do(ctx, "Package registry runs", h.startRegistry)
}

// Down ends every process below the state folder, local clusters included, and
// removes the folder. It does so whatever state they are in.
func (h *Hub) Down(ctx context.Context) error {
	for {
		n, err := process.StopAll(ctx, h.cfg.State)
		if err != nil {
			return err
		}
		// The provider may have started one while it was being stopped.
		if n == 0 {
			break
		}
	}
	if err := os.RemoveAll(h.cfg.State); err != nil {
		return fmt.Errorf("cannot remove state: %w", err)
	}
	return nil
}

// check that all programs are there, and say how to get those that are not.
func (h *Hub) check() error {
	if !filepath.IsAbs(h.cfg.State) || !filepath.IsAbs(h.cfg.Binaries) {
		return fmt.Errorf("cannot use folders %q and %q: their paths must be absolute", h.cfg.State, h.cfg.Binaries)
	}
	needs := []struct{ target, name string }{
		{"binaries", "etcd"}, {"binaries", "kube-apiserver"}, {"binaries", "kube-controller-manager"},
		{"binaries", "kube-scheduler"}, {"binaries", "kubectl"}, {"binaries", "crossplane"}, {"binaries", "kwok"},
		{"build", "mainstay"}, {"build", "provider"}, {"build", "function-cluster-fleet"},
		{"build", "function-fleet-cell"}, {"build", "function-product-application"},
	}
	for _, n := range needs {
		if _, err := os.Stat(filepath.Join(h.cfg.Binaries, n.name)); err != nil {
			return fmt.Errorf("cannot find program %q: build it with: make %s", n.name, n.target)
		}
	}
	return nil
}

func (h *Hub) path(parts ...string) string {
	return filepath.Join(append([]string{h.cfg.State}, parts...)...)
}

func (h *Hub) binary(name string) string { return filepath.Join(h.cfg.Binaries, name) }

func (h *Hub) controlPlane() *controlplane.ControlPlane {
	return controlplane.New(controlplane.Config{
		Name:     "hub",
		Dir:      h.path("apiserver"),
		Binaries: h.cfg.Binaries,
		Etcd:     controlplane.NewEtcd(h.path("etcd"), h.cfg.Binaries),
		Prefix:   "/hub",
		// What Crossplane needs: nothing composed is ever deleted without garbage
		// collection, and no role is ever filled without aggregation.
		Controllers: []string{
			"garbage-collector-controller", "namespace-controller",
			"clusterrole-aggregation-controller", "serviceaccount-controller", "serviceaccount-token-controller",
		},
	})
}

func (h *Hub) upControlPlane(ctx context.Context, waiting step.Waiting) error {
	waiting("the API server to answer")
	c := h.controlPlane()
	if err := c.WaitReady(ctx); err != nil {
		return err
	}
	k, err := c.Kubeconfig()
	if err != nil {
		return err
	}
	return statedir.WriteFile(h.Kubeconfig(), k)
}
