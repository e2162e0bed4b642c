// Package controlplane runs real Kubernetes control planes as plain processes: one
// kube-apiserver each, a controller manager, where pods are to run a scheduler and
// KWOK, and one etcd that many share, each under a prefix of its own.
//
// All state is in directories. Nothing is remembered in between: every call looks
// at files and processes, does what is missing and returns, so that whatever is
// killed at whatever moment, the next EnsureRunning puts it right. What cannot be
// made again, the objects, is in etcd; every file can, and one that cannot be read
// is.
//
// Everything listens on loopback only and asks for credentials: etcd for a client
// certificate, API servers for a token that was drawn at random. The key that
// signed a certificate is never written down.
//
// Deliberately absent: high availability, rotation of credentials (certificates
// are good for ten years), and anything about fleets. The demo's hub is such a
// control plane too.
package controlplane

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/mainstay-dev/mainstay/provider/backend/local/process"
	"github.com/mainstay-dev/mainstay/provider/backend/local/statedir"
)

// A Config says which control plane is wanted.
type Config struct {
	// Name that the kubeconfig gives the cluster.
	Name string
	// Dir is where all files are. It must be absolute, and nobody else's.
	Dir string
	// Binaries is the directory of kube-apiserver, kube-controller-manager and,
	// with Nodes, kube-scheduler and kwok.
	Binaries string
	// Etcd that the objects are kept in, and the prefix they are kept under. No
	// other control plane may have a prefix that begins with this one and a slash.
	Etcd   *Etcd
	Prefix string
	// Nodes says that pods are to run: a scheduler places them, and KWOK plays the
	// nodes that carry the annotation AnnotationFake, and what runs on them.
	Nodes bool
	// Controllers of the controller manager to run, as in its flag --controllers.
	// Defaults to those that are on by default.
	Controllers []string
	// APIServerArgs are added to the arguments of the API server.
	APIServerArgs []string
	// APIServerEnv is added to its environment. GOGC=100 undoes that it collects garbage
	// twice as often as others do, for the memory of many small ones.
	APIServerEnv []string
	// MemoryLimit is what the API server tries to stay under, such as 256MiB.
	// Empty is no limit.
	MemoryLimit string
}

// A ControlPlane is one control plane. It holds no state: two values with one
// Config are the same control plane, also in two programs.
type ControlPlane struct{ cfg Config }

// New returns a control plane that may or may not exist yet.
func New(cfg Config) *ControlPlane { return &ControlPlane{cfg: cfg} }

// EnsureRunning does what can be done now to have the control plane running, and
// returns. The rest can be done once the API server answers, by calling again.
func (c *ControlPlane) EnsureRunning(ctx context.Context) error {
	if err := c.cfg.Etcd.EnsureRunning(ctx); err != nil {
		return err
	}
	unlock, err := statedir.Lock(ctx, c.cfg.Dir)
	if err != nil {
		return err
	}
	defer unlock()

	if err := c.ensureFiles(); err != nil {
		return err
	}
	if err := c.ensurePort(ctx); err != nil {
		return err
	}
	if err := process.Ensure(ctx, c.apiServer()); err != nil {
		return err
	}
	// The others give up where they find no API server.
	if c.probe(ctx) != nil {
		return nil
	}
	for _, s := range c.clients() {
		if err := process.Ensure(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// Stop ends all processes of the control plane and keeps its objects.
func (c *ControlPlane) Stop(ctx context.Context) error {
	unlock, err := statedir.LockExisting(ctx, c.cfg.Dir)
	if errors.Is(err, statedir.ErrGone) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unlock()
	return c.stop(ctx)
}

// Destroy removes all there is of the control plane: processes, objects, files.
// It starts etcd where it does not run. That there is nothing is no error.
func (c *ControlPlane) Destroy(ctx context.Context) error {
	return c.remove(ctx, func() error {
		if err := c.cfg.Etcd.EnsureRunning(ctx); err != nil {
			return err
		}
		return c.cfg.Etcd.DeletePrefix(ctx, c.cfg.Prefix+"/")
	})
}

// Discard removes processes and files and leaves the objects: it is for a control
// plane whose etcd is destroyed, which need not even run.
func (c *ControlPlane) Discard(ctx context.Context) error {
	return c.remove(ctx, func() error { return nil })
}

// remove takes the files last: without the directory there is no control plane.
func (c *ControlPlane) remove(ctx context.Context, objects func() error) error {
	unlock, err := statedir.LockExisting(ctx, c.cfg.Dir)
	if errors.Is(err, statedir.ErrGone) {
		return statedir.Remove(c.cfg.Dir)
	}
	if err != nil {
		return err
	}
	defer unlock()
	if err := c.stop(ctx); err != nil {
		return err
	}
	if err := objects(); err != nil {
		return err
	}
	return statedir.Remove(c.cfg.Dir)
}

// Exists returns true where there is something to Destroy.
func (c *ControlPlane) Exists() (bool, error) { return statedir.Exists(c.cfg.Dir) }

// stop ends clients before what they are clients of.
func (c *ControlPlane) stop(ctx context.Context) error {
	for _, n := range []string{nameKWOK, nameScheduler, nameControllerManager, nameAPIServer} {
		if err := process.Stop(ctx, c.cfg.Dir, n); err != nil {
			return err
		}
	}
	return nil
}

// ensureFiles makes what is not there, or cannot be used.
func (c *ControlPlane) ensureFiles() error {
	if err := c.pki().ensure(); err != nil {
		return err
	}
	if err := ensureSigningKey(c.path(fileSigningKey)); err != nil {
		return err
	}
	if err := writeChanged(c.path(fileStages), stages); err != nil {
		return err
	}
	return ensureTokens(c.path(fileTokens))
}

// ensurePort finds the API server a port where it has none, or where a stranger
// has taken it, and tells those who need to know.
func (c *ControlPlane) ensurePort(ctx context.Context) error {
	running := process.Observe(process.Spec{Dir: c.cfg.Dir, Name: nameAPIServer}).Running
	if err := c.ports().ensure(ctx, running, portAPIServer); err != nil {
		return err
	}
	for id := range identities {
		b, err := c.kubeconfig(id)
		if err != nil {
			return err
		}
		if err := writeChanged(c.path(kubeconfigFile(id)), b); err != nil {
			return err
		}
	}
	return nil
}

func (c *ControlPlane) path(name string) string { return filepath.Join(c.cfg.Dir, name) }

func (c *ControlPlane) ports() ports { return ports{file: c.path(filePorts)} }

func (c *ControlPlane) pki() pki { return pki{dir: c.path("pki"), client: false} }
