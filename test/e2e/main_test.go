package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Where things are. They are set once, before the first test.
var (
	root     string // of the repository
	binaries string // control planes, kubectl and Mainstay's own commands
	state    string // of the demo that the suite starts
	hub      kubectl
)

func TestMain(m *testing.M) {
	// A signal ends the context, not the process, so that the demo is stopped
	// even where somebody stops the tests.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code, err := run(ctx, m)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(code)
}

func run(ctx context.Context, m *testing.M) (code int, err error) {
	if root, err = filepath.Abs("../.."); err != nil {
		return 0, err
	}
	binaries = os.Getenv("MAINSTAY_BINARIES")
	if binaries == "" {
		binaries = filepath.Join(root, "_output", "bin")
	}
	for _, b := range []string{"mainstay", "provider", "kubectl", "kube-apiserver", "crossplane", "kwok"} {
		if _, err := os.Stat(filepath.Join(binaries, b)); err != nil {
			return 0, fmt.Errorf("cannot find %s: build it with: make binaries build", b)
		}
	}
	if err := os.MkdirAll(filepath.Join(root, "_output"), 0o700); err != nil {
		return 0, err
	}
	if state, err = os.MkdirTemp(filepath.Join(root, "_output"), "e2e-"); err != nil {
		return 0, err
	}

	started := time.Now()
	defer func() {
		if code != 0 || err != nil {
			keepLogs()
		}
		// Not ctx: it may be why we are here.
		if out, downErr := mainstay(context.Background(), "demo", "down"); downErr != nil && err == nil {
			err = fmt.Errorf("cannot stop the demo: %w: %s", downErr, out)
		}
		if left := processesOf(state); len(left) > 0 && err == nil {
			err = fmt.Errorf("demo down left processes behind:\n%s", strings.Join(left, "\n"))
		}
		if rmErr := os.RemoveAll(state); rmErr != nil && err == nil {
			err = rmErr
		}
	}()
	if out, err := mainstay(ctx, "demo", "up", "--no-releases"); err != nil {
		return 0, fmt.Errorf("cannot start the demo: %w: %s", err, out)
	}
	fmt.Printf("demo is up after %s\n", time.Since(started).Round(time.Second))
	hub = kubectl{kubeconfig: filepath.Join(state, "kubeconfig")}
	return m.Run(), nil
}

// mainstay runs the command against the suite's demo.
func mainstay(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(binaries, "mainstay"), append(args, "--state", state)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = time.Minute
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// keepLogs of a failed run where the next run does not remove them.
func keepLogs() {
	to := filepath.Join(root, "_output", "e2e-logs")
	if err := os.RemoveAll(to); err != nil {
		return
	}
	_ = filepath.WalkDir(state, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".log" {
			return nil //nolint:nilerr // What cannot be read is not kept.
		}
		rel, _ := filepath.Rel(state, path)
		if data, err := os.ReadFile(path); err == nil {
			_ = os.MkdirAll(filepath.Dir(filepath.Join(to, rel)), 0o700)
			_ = os.WriteFile(filepath.Join(to, rel), data, 0o600)
		}
		return nil
	})
	fmt.Fprintf(os.Stderr, "logs of the demo are kept in %s\n", to)
}

// processesOf lists the processes whose command line names a folder.
func processesOf(dir string) []string {
	found := []string{}
	cmdlines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range cmdlines {
		data, err := os.ReadFile(f)
		if err != nil || !strings.Contains(string(data), dir) {
			continue
		}
		found = append(found, filepath.Base(filepath.Dir(f))+" "+strings.ReplaceAll(string(data), "\x00", " "))
	}
	return found
}
