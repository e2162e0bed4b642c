package fleet

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/mainstay-dev/mainstay/provider/backend/local/process"
	"github.com/mainstay-dev/mainstay/provider/backend/simulated/simulator"
)

// Folders of processes.
const (
	simulatorDir = "simulator"
	providerDir  = "provider"
)

// Names of processes, by their part.
const (
	Provider  = "provider"
	Targets   = "targets"
	APIServer = "kube-apiserver"
	Etcd      = "etcd"
)

// Role of a process in the world: that of the clusters, or its own.
func (w *World) Role(name string) string {
	for _, dir := range []string{simulatorDir, "local"} {
		if strings.HasPrefix(name, filepath.Join(w.State, dir)+"/") {
			return Targets
		}
	}
	return filepath.Base(name)
}

func (w *World) startSimulator(ctx context.Context) error {
	dir := filepath.Join(w.State, simulatorDir)
	err := w.start(ctx, "simulator", dir, process.Spec{
		Path: filepath.Join(w.Binaries, "mainstay"),
		Args: []string{"simulator", "--state", dir, "--start-after", "0s", "--pods", "0"},
	})
	if err != nil {
		return err
	}
	return w.Await(ctx, "the simulator", func(ctx context.Context) (bool, error) {
		a, err := simulator.ReadAccess(dir)
		if err != nil {
			return false, nil //nolint:nilerr // It has not started yet.
		}
		if w.Simulator, err = simulator.NewClient(a); err != nil {
			return false, err
		}
		_, err = w.Simulator.Statistics(ctx)
		return err == nil, nil
	})
}

// StopProvider politely.
func (w *World) StopProvider(ctx context.Context) error {
	return process.Stop(ctx, filepath.Join(w.State, providerDir), Provider)
}

// StartProvider and wait until it is up. One that runs stays.
func (w *World) StartProvider(ctx context.Context) error {
	for _, p := range []*int{&w.ports.health, &w.ports.metrics, &w.ports.profiles} {
		if *p != 0 {
			continue
		}
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return fmt.Errorf("cannot find port: %w", err)
		}
		*p = l.Addr().(*net.TCPAddr).Port //nolint:forcetypeassert // It listens on TCP.
		_ = l.Close()
	}
	err := w.start(ctx, Provider, filepath.Join(w.State, providerDir), process.Spec{
		Path: filepath.Join(w.Binaries, "provider"),
		Args: []string{
			"--simulator=" + filepath.Join(w.State, simulatorDir),
			"--local-binaries=" + w.Binaries, "--local-state=" + filepath.Join(w.State, "local"),
			"--health-address=127.0.0.1:" + strconv.Itoa(w.ports.health), "--metrics-address=127.0.0.1:" + strconv.Itoa(w.ports.metrics),
			"--profiling-address=127.0.0.1:" + strconv.Itoa(w.ports.profiles),
			"--max-reconcile-rate=1000",
		},
		Env: []string{"KUBECONFIG=" + filepath.Join(w.State, "kubeconfig"), "POD_NAMESPACE=" + Platform, "HOME=" + w.State},
	})
	if err != nil {
		return err
	}
	return w.Await(ctx, "the provider", func(ctx context.Context) (bool, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:"+strconv.Itoa(w.ports.health)+"/healthz", nil)
		if err != nil {
			return false, err
		}
		rsp, err := http.DefaultClient.Do(r)
		if err != nil {
			return false, nil //nolint:nilerr // It has not started yet.
		}
		return rsp.StatusCode == http.StatusOK, rsp.Body.Close()
	})
}

func (w *World) start(ctx context.Context, name, dir string, s process.Spec) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("cannot make folder: %w", err)
	}
	s.Name, s.Dir = name, dir
	if err := process.Ensure(ctx, s); err != nil {
		return fmt.Errorf("cannot start %s: %w", name, err)
	}
	return nil
}
