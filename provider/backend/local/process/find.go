package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A found process is one that carries a mark.
type found struct {
	pid int
	// born is when it started, in clock ticks since the machine did. An id and
	// this are never given to two processes.
	born string

	mark   string
	digest string
}

// find looks where the process was last known to be, then everywhere.
func find(dir, name string) (found, bool) {
	m := mark(dir, name)
	if b, err := os.ReadFile(pidFile(dir, name)); err == nil {
		if pid, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil {
			if p, ok := inspect(pid); ok && p.mark == m {
				return p, true
			}
		}
	}
	// A glob error means a bad pattern, which this is not.
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, d := range dirs {
		pid, err := strconv.Atoi(filepath.Base(d))
		if err != nil {
			continue
		}
		if p, ok := inspect(pid); ok && p.mark == m {
			return p, true
		}
	}
	return found{}, false
}

// inspect reads the mark of a process. A process that is ending has no environment
// any more, and one of another user has none for us.
func inspect(pid int) (found, bool) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil || !bytes.Contains(b, []byte(envMark+"=")) {
		return found{}, false
	}
	born, ok := alive(pid)
	if !ok {
		return found{}, false
	}
	p := found{pid: pid, born: born}
	for kv := range bytes.SplitSeq(b, []byte{0}) {
		k, v, _ := strings.Cut(string(kv), "=")
		switch k {
		case envMark:
			p.mark = v
		case envDigest:
			p.digest = v
		}
	}
	return p, p.mark != ""
}

// alive says since when there is a process of an id. One that has ended and waits
// for its parent to notice is not alive, once all its threads are gone and with
// them its files and ports.
func alive(pid int) (born string, ok bool) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", false
	}
	// The name of the program is in parentheses and may hold anything, so count
	// from behind it: state is the 1st field, threads the 18th, start the 20th.
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(f) < 20 {
		return "", false
	}
	ended := f[0] == "Z" || f[0] == "X"
	if ended && (f[17] == "0" || f[17] == "1") {
		return "", false
	}
	return f[19], true
}

// signal sends a signal to this process, never to another that got its id: the
// handle is taken first, then what it is the handle of is looked at.
func (p found) signal(s syscall.Signal) error {
	h, err := os.FindProcess(p.pid)
	if err != nil {
		return err
	}
	defer h.Release() //nolint:errcheck // Nothing is lost with the handle.
	if !p.there() {
		return nil
	}
	if err := h.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

func (p found) there() bool {
	born, ok := alive(p.pid)
	return ok && born == p.born
}

// waitGone returns false where the process is still there after the given time.
func (p found) waitGone(ctx context.Context, d time.Duration) (bool, error) {
	t := time.NewTicker(stopPoll)
	defer t.Stop()
	late := time.NewTimer(d)
	defer late.Stop()
	for p.there() {
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-late.C:
			return false, nil
		case <-t.C:
		}
	}
	return true, nil
}

// A Listed process is one that was found by its mark.
type Listed struct {
	// PID is its process id.
	PID int
	// Name is the path of its directory and its name.
	Name string
}

// List every process whose directory is a root or below it, in order of name. It
// is for looking and cleaning up where state cannot be read any more: processes are
// found by their marks alone.
func List(root string) []Listed {
	out := []Listed{}
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, d := range dirs {
		pid, err := strconv.Atoi(filepath.Base(d))
		if err != nil {
			continue
		}
		if p, ok := inspect(pid); ok && strings.HasPrefix(p.mark, strings.TrimSuffix(root, "/")+"/") {
			out = append(out, Listed{PID: p.pid, Name: p.mark})
		}
	}
	slices.SortFunc(out, func(a, b Listed) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// StopAll ends every process whose directory is a root or below it, and returns how
// many there were.
func StopAll(ctx context.Context, root string) (int, error) {
	all := List(root)
	errs := make([]error, len(all))
	// Most of stopping is waiting.
	wg := sync.WaitGroup{}
	for i, p := range all {
		wg.Go(func() { errs[i] = Stop(ctx, filepath.Dir(p.Name), filepath.Base(p.Name)) })
	}
	wg.Wait()
	return len(all), errors.Join(errs...)
}
