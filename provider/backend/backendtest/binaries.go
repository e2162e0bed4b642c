package backendtest

import (
	"os"
	"path/filepath"
	"testing"
)

// EnvBinaries names the directory of the control plane's programs. Without it they
// are looked for in _output/bin of the module.
const EnvBinaries = "MAINSTAY_BINARIES"

// Binaries returns the directory of the programs that control planes are made of.
// A test that needs them fails where one is missing.
func Binaries(t *testing.T) string {
	t.Helper()
	return Directory(t, "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok")
}

// Directory returns the directory of programs that a test needs, and fails it where
// one is missing.
func Directory(t *testing.T, programs ...string) string {
	t.Helper()
	dir := os.Getenv(EnvBinaries)
	if dir == "" {
		dir = filepath.Join(moduleRoot(t), "_output", "bin")
	}
	for _, name := range programs {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Fatalf("cannot find %s: build it with make binaries gitea, or say in %s where it is: %v", name, EnvBinaries, err)
		}
	}
	return dir
}

func moduleRoot(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatalf("cannot get working directory: %v", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("cannot find go.mod above the working directory")
		}
		dir = parent
	}
}
