package fleet

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/mainstay-dev/mainstay/provider/backend/local/process"
	"github.com/mainstay-dev/mainstay/provider/backend/simulated/simulator"
)

// simulatorDir is the folder of the simulator. That of a provider has its name.
const simulatorDir = "simulator"

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
	args := []string{"simulator", "--state", dir, "--start-after", "0s", "--pods", "0"}
	if w.Audit {
		args = append(args, "--audit")
	}
	err := w.start(ctx, simulatorDir, dir, process.Spec{Path: filepath.Join(w.Binaries, "mainstay"), Args: args})
	if err != nil {
		return err
	}
	ended := w.ended(simulatorDir)
	return w.Await(ctx, "the simulator", func(ctx context.Context) (bool, error) {
		a, err := simulator.ReadAccess(dir)
		if err != nil {
			return false, ended()
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
	return process.Stop(ctx, filepath.Join(w.State, Provider), Provider)
}

// StartProvider and wait until it is up. One that runs stays.
func (w *World) StartProvider(ctx context.Context) error {
	return w.StartProviderAs(ctx, Provider)
}

// StartProviderAs starts a provider of a name of its own, with more arguments, and
// waits until it is up. Several can run, and contend where they elect a leader.
func (w *World) StartProviderAs(ctx context.Context, name string, args ...string) error {
	if w.Running(name) {
		return nil
	}
	for try := 1; ; try++ {
		err := w.tryProvider(ctx, name, args)
		// A port that was free may be taken when it is used.
		if err == nil || try == 3 || !strings.Contains(err.Error(), syscall.EADDRINUSE.Error()) {
			return err
		}
	}
}

// tryProvider on ports that are free.
func (w *World) tryProvider(ctx context.Context, name string, args []string) error {
	health, err := freeAddress(ctx)
	if err != nil {
		return err
	}
	profiles, err := freeAddress(ctx)
	if err != nil {
		return err
	}
	metrics, err := freeAddress(ctx)
	if err != nil {
		return err
	}
	if w.profiles == nil {
		w.profiles, w.metrics = map[string]string{}, map[string]string{}
	}
	w.profiles[name], w.metrics[name] = profiles, metrics
	err = w.start(ctx, name, filepath.Join(w.State, name), process.Spec{
		Path: filepath.Join(w.Binaries, "provider"),
		Args: append([]string{
			"--simulator=" + filepath.Join(w.State, simulatorDir),
			"--local-binaries=" + w.Binaries, "--local-state=" + filepath.Join(w.State, "local"),
			"--health-address=" + health, "--metrics-address=" + metrics, "--profiling-address=" + profiles,
		}, slices.Concat(w.ProviderArgs, args)...),
		Env: []string{"KUBECONFIG=" + filepath.Join(w.State, "kubeconfig"), "POD_NAMESPACE=" + Platform, "HOME=" + w.State},
	})
	if err != nil {
		return err
	}
	ended := w.ended(name)
	return w.Await(ctx, "the provider", func(ctx context.Context) (bool, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+health+"/healthz", nil)
		if err != nil {
			return false, err
		}
		rsp, err := http.DefaultClient.Do(r)
		if err != nil {
			return false, ended()
		}
		return rsp.StatusCode == http.StatusOK, rsp.Body.Close()
	})
}

// Reconciled is how many Releases the provider has reconciled since it started, by its
// own metrics.
func (w *World) Reconciled(ctx context.Context) (int, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+w.metrics[Provider]+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	rsp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, fmt.Errorf("cannot read metrics of the provider: %w", err)
	}
	defer rsp.Body.Close() //nolint:errcheck // It was only read.
	sum, lines := 0.0, bufio.NewScanner(rsp.Body)
	for lines.Scan() {
		if !strings.HasPrefix(lines.Text(), "controller_runtime_reconcile_total{") || !strings.Contains(lines.Text(), `"managed/release.`) {
			continue
		}
		_, v, _ := strings.Cut(lines.Text(), "} ")
		n, err := strconv.ParseFloat(v, 64)
		if err != nil {
			return 0, fmt.Errorf("cannot read metrics of the provider: %w", err)
		}
		sum += n
	}
	return int(sum), lines.Err()
}

// freeAddress of this machine.
func freeAddress(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("cannot find port: %w", err)
	}
	return l.Addr().String(), l.Close()
}

// Running is true where there is a provider of a name, or the simulator.
func (w *World) Running(name string) bool {
	_, ok := w.find(name)
	return ok
}

// Signal a provider. SIGSTOP has it stand still and SIGCONT go on.
func (w *World) Signal(name string, s syscall.Signal) error {
	pid, ok := w.find(name)
	if !ok {
		return fmt.Errorf("cannot signal %s: it does not run", name)
	}
	if err := syscall.Kill(pid, s); err != nil {
		return fmt.Errorf("cannot signal %s: %w", name, err)
	}
	return nil
}

// Kill a provider in the midst of what it does, and wait until it is gone.
func (w *World) Kill(ctx context.Context, name string) error {
	if err := w.Signal(name, syscall.SIGKILL); err != nil {
		return err
	}
	return w.Await(ctx, name+" to be gone", func(context.Context) (bool, error) { return !w.Running(name), nil })
}

// patienceWithDead is how often a process that should start is looked for, in vain, until
// it has ended. At first it is not to be seen.
const patienceWithDead = 20

// ended returns an error, once it has been called often enough, where a process that
// should start has ended instead.
func (w *World) ended(name string) func() error {
	misses := 0
	return func() error {
		if w.Running(name) {
			misses = 0
			return nil
		}
		if misses++; misses < patienceWithDead {
			return nil
		}
		log, _ := os.ReadFile(process.LogFile(filepath.Join(w.State, name), name))
		return fmt.Errorf("%s has ended: %s", name, log[max(0, len(log)-1000):])
	}
}

func (w *World) find(name string) (pid int, ok bool) {
	dir := filepath.Join(w.State, name)
	for _, p := range process.List(dir) {
		if p.Name == filepath.Join(dir, name) {
			return p.PID, true
		}
	}
	return 0, false
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
