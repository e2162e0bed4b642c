package backendtest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// Kill a process whose id is in <name>.pid of a directory, as a machine that runs
// out of memory would, and wait until it is gone.
func Kill(t *testing.T, dir, name string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name+".pid"))
	if err != nil {
		t.Fatalf("Cannot find %s: %v", name, err)
	}
	pid, err := strconv.Atoi(string(b))
	if err != nil {
		t.Fatalf("Cannot find %s: %v", name, err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatalf("Cannot kill %s: %v", name, err)
	}
	err = wait.PollUntilContextTimeout(t.Context(), 5*time.Millisecond, 10*time.Second, true, func(context.Context) (bool, error) {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		return err != nil || bytes.Contains(b, []byte(") Z ")), nil
	})
	if err != nil {
		t.Fatalf("Killed %s does not go: %v", name, err)
	}
}
