// Package argocd runs a real Argo CD as plain processes on this machine: a GitOps
// engine for tests and demos. It lives on a hub, as it would in a cluster of its own:
// its kinds and settings are there, in the namespace argocd, and it has an account of
// its own, with the rights that the settings give it. Its processes outlive the program
// that started them; starting one that runs is nothing.
//
// Deliberately absent: its web pages and its API server, single sign-on, notifications,
// ApplicationSets, signatures of commits, and passwords of the cache. An Application is
// made, watched and refreshed as an object on the hub.
package argocd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mainstay-dev/mainstay/provider/backend/local/process"
	"github.com/mainstay-dev/mainstay/provider/backend/local/statedir"
)

// Namespace that Argo CD and its Applications are in.
const Namespace = "argocd"

const (
	// startPatience is how long it may take until all of it answers, on a machine that
	// has other things to do.
	startPatience = 2 * time.Minute
	startPoll     = 100 * time.Millisecond
)

// A Config says what an Argo CD is made of.
type Config struct {
	// Dir of its state: an absolute path.
	Dir string
	// Binaries is where `make argocd` put its programs, and the folder argocd.d.
	Binaries string
	// Kubeconfig of the hub's administrator.
	Kubeconfig string
	// Settings are files with manifests that are applied last: ConfigMaps in place of
	// those that an installation begins with, projects, rights. Without rights for it
	// the account may do nothing but keep Applications.
	Settings []string
	// Poll is how often Git is asked for something new. Defaults to Argo CD's own, of
	// two to three minutes.
	Poll time.Duration
}

// A Server is an Argo CD that runs.
type Server struct {
	// Hub that it is on, with the rights of the administrator.
	Hub client.Client
	// Dir of its state and its logs.
	Dir string
}

// Start an Argo CD.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	for _, name := range []string{"argocd", "argocd-redis", "argocd.d"} {
		if _, err := os.Stat(filepath.Join(cfg.Binaries, name)); err != nil {
			return nil, fmt.Errorf("cannot find Argo CD: build it with make argocd: %w", err)
		}
	}
	unlock, err := statedir.Lock(ctx, cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("cannot lock directory of Argo CD: %w", err)
	}
	defer unlock()

	in, err := newInstallation(cfg)
	if err != nil {
		return nil, err
	}
	if err := in.install(ctx); err != nil {
		return nil, err
	}
	ports, err := in.drawPorts(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range in.processes(ports) {
		if err := process.Ensure(ctx, s); err != nil {
			return nil, fmt.Errorf("cannot start Argo CD: %w", err)
		}
	}
	return &Server{Hub: in.hub, Dir: cfg.Dir}, in.await(ctx, ports)
}

// Stop an Argo CD. What it keeps on the hub stays there, and all that it applied.
func Stop(ctx context.Context, dir string) error {
	var errs []error
	for _, name := range []string{controller, repoServer, cache} {
		errs = append(errs, process.Stop(ctx, dir, name))
	}
	if err := os.Remove(socket(dir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Stop the Argo CD.
func (s *Server) Stop(ctx context.Context) error { return Stop(ctx, s.Dir) }

// Logs are the files with what its processes say.
func (s *Server) Logs() []string {
	var out []string
	for _, name := range []string{cache, repoServer, controller} {
		out = append(out, process.LogFile(s.Dir, name))
	}
	return out
}

// await the first answer of each process.
func (in *installation) await(ctx context.Context, p ports) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	answers := []struct {
		name string
		try  func(context.Context) error
	}{
		{cache, func(ctx context.Context) error { return dial(ctx, p.Cache) }},
		{repoServer, func(ctx context.Context) error { return get(ctx, p.RepoServerMetrics, "/healthz?full=true") }},
		{controller, func(ctx context.Context) error { return get(ctx, p.ControllerMetrics, "/healthz") }},
	}
	tick := time.NewTicker(startPoll)
	defer tick.Stop()
	for _, a := range answers {
		for {
			err := a.try(ctx)
			if err == nil {
				break
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("cannot reach %s: see %s: %w", a.name, process.LogFile(in.cfg.Dir, a.name), errors.Join(ctx.Err(), err))
			case <-tick.C:
			}
		}
	}
	return nil
}

func dial(ctx context.Context, port int) error {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", address(port))
	if err != nil {
		return err
	}
	return c.Close()
}

func get(ctx context.Context, port int, path string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address(port)+path, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers with %s", resp.Status)
	}
	return nil
}
