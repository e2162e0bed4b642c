package statedir_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstay-dev/mainstay/provider/backend/local/statedir"
)

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	for _, want := range []string{"first", "second, and longer", ""} {
		if err := statedir.WriteFile(path, []byte(want)); err != nil {
			t.Fatalf("WriteFile(...): %v", err)
		}
		got, err := os.ReadFile(path)
		if diff := cmp.Diff(want, string(got)); diff != "" || err != nil {
			t.Errorf("WriteFile(...): %v, -want, +got:\n%s", err, diff)
		}
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("Mode of file: %v, %v", fi.Mode(), err)
	}
	if es, err := os.ReadDir(dir); err != nil || len(es) != 1 {
		t.Errorf("Files that are left: %v, %v", es, err)
	}
	if err := statedir.WriteFile(filepath.Join(dir, "none", "file"), nil); err == nil {
		t.Errorf("WriteFile(...) into no directory: want an error")
	}
	// A directory cannot be replaced by a file, and nothing is left of the attempt.
	if err := os.Mkdir(filepath.Join(dir, "dir"), 0o700); err != nil {
		t.Fatalf("Cannot make directory: %v", err)
	}
	if err := statedir.WriteFile(filepath.Join(dir, "dir"), nil); err == nil {
		t.Errorf("WriteFile(...) over a directory: want an error")
	}
	if es, err := os.ReadDir(dir); err != nil || len(es) != 2 {
		t.Errorf("Files that are left: %v, %v", es, err)
	}
}

// TestLock has one holder at a time, also across the removal of the directory.
func TestLock(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	if _, err := statedir.LockExisting(t.Context(), dir); !errors.Is(err, statedir.ErrGone) {
		t.Errorf("LockExisting(...) of no directory: want ErrGone, got %v", err)
	}
	unlock, err := statedir.Lock(t.Context(), dir)
	if err != nil {
		t.Fatalf("Lock(...): %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := statedir.Lock(ctx, dir); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Lock(...) of what is held: want DeadlineExceeded, got %v", err)
	}

	existing, fresh := make(chan error), make(chan error)
	go func() {
		_, err := statedir.LockExisting(t.Context(), dir)
		existing <- err
	}()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatalf("Cannot remove directory: %v", err)
	}
	unlock()
	if err := <-existing; !errors.Is(err, statedir.ErrGone) {
		t.Errorf("LockExisting(...) of what was removed meanwhile: want ErrGone, got %v", err)
	}
	unlock, err = statedir.Lock(t.Context(), dir)
	if err != nil {
		t.Fatalf("Lock(...) of what was removed: %v", err)
	}
	go func() {
		_, err := statedir.Lock(t.Context(), dir)
		fresh <- err
	}()
	unlock()
	if err := <-fresh; err != nil {
		t.Errorf("Lock(...) of what is held no more: %v", err)
	}
}

func TestRemoveEmpty(t *testing.T) {
	dir := t.TempDir()
	full, empty := filepath.Join(dir, "full"), filepath.Join(dir, "empty")
	for _, d := range []string{filepath.Join(full, "x"), empty} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatalf("Cannot make directory: %v", err)
		}
	}
	for _, d := range []string{full, empty, filepath.Join(dir, "none")} {
		if err := statedir.RemoveEmpty(d); err != nil {
			t.Errorf("RemoveEmpty(...): %v", err)
		}
	}
	es, err := os.ReadDir(dir)
	if err != nil || len(es) != 1 || es[0].Name() != "full" {
		t.Errorf("Directories that are left: %v, %v", es, err)
	}
}

// TestRemove finishes what an earlier one did not.
func TestRemove(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "dir")
	exists := func() bool {
		ok, err := statedir.Exists(dir)
		if err != nil {
			t.Fatalf("Exists(...): %v", err)
		}
		return ok
	}
	got := []bool{exists()}
	half := filepath.Join(filepath.Dir(dir), ".removing-dir", "x")
	if err := os.MkdirAll(half, 0o700); err != nil {
		t.Fatalf("Cannot make directory: %v", err)
	}
	got = append(got, exists())
	if err := os.MkdirAll(filepath.Join(dir, "x"), 0o700); err != nil {
		t.Fatalf("Cannot make directory: %v", err)
	}
	for range 2 {
		if err := statedir.Remove(dir); err != nil {
			t.Errorf("Remove(...): %v", err)
		}
	}
	got = append(got, exists())
	if diff := cmp.Diff([]bool{false, true, false}, got); diff != "" {
		t.Errorf("Exists before there is anything, with a part of it, and after: -want, +got:\n%s", diff)
	}
	if es, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(es) != 0 {
		t.Errorf("Left: %v, %v", es, err)
	}
}
