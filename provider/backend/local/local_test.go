package local_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/mainstay-dev/mainstay/provider/backend"
	"github.com/mainstay-dev/mainstay/provider/backend/backendtest"
	"github.com/mainstay-dev/mainstay/provider/backend/local"
)

func TestConformance(t *testing.T) {
	state := stateFolder(t)
	backendtest.Run(t, backendtest.Harness{
		New:          func(t *testing.T) backend.Backend { t.Helper(); return open(t, state) },
		Cluster:      func(_ *testing.T, i int) backend.Cluster { return cluster(i) },
		Kill:         func(t *testing.T, i int) { t.Helper(); backendtest.Kill(t, dir(state, i), "kube-apiserver") },
		Makes:        true,
		OtherVersion: "v1.99.0",
	})
	nothingLeft(t, state)
}

// stateFolder is cleared of processes also where a test fails.
func stateFolder(t *testing.T) string {
	t.Helper()
	state := t.TempDir()
	t.Cleanup(func() {
		b := open(t, state)
		for i := range 2 {
			if err := b.DeleteCluster(context.Background(), cluster(i)); err != nil {
				t.Errorf("DeleteCluster(...): %v", err)
			}
		}
	})
	return state
}

func open(t *testing.T, state string) *local.Backend {
	t.Helper()
	b, err := local.New(local.Config{Binaries: backendtest.Binaries(t), State: state})
	if err != nil {
		t.Fatalf("New(...): %v", err)
	}
	return b
}

func cluster(i int) backend.Cluster {
	return backend.Cluster{Namespace: "team", Name: "fleet.eu-" + strconv.Itoa(i)}
}

func dir(state string, i int) string {
	c := cluster(i)
	return filepath.Join(state, "clusters", c.Namespace, c.Name)
}

// nothingLeft fails where a process or a file of a state folder is left.
func nothingLeft(t *testing.T, state string) {
	t.Helper()
	err := filepath.WalkDir(state, func(path string, _ fs.DirEntry, err error) error {
		if err == nil && path != state {
			t.Errorf("Left in the state folder: %s", strings.TrimPrefix(path, state))
		}
		return err
	})
	if err != nil {
		t.Fatalf("Cannot read state folder: %v", err)
	}
	procs, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatalf("Cannot list processes: %v", err)
	}
	for _, p := range procs {
		// Processes may have gone meanwhile.
		if b, err := os.ReadFile(p); err == nil && strings.Contains(string(b), state) {
			t.Errorf("Left running: %s", strings.ReplaceAll(string(b), "\x00", " "))
		}
	}
}
