// Package process runs programs that outlive the program that started them.
//
// A process is known by a mark in its environment, which names its directory and
// its name. A process id is only where to look first: an id that another process
// got since carries no such mark, and a process whose id was never written down,
// because its parent was killed right after starting it, is found by its mark. So
// there is never a second process of one name, whoever is killed and whenever.
//
// Callers hold the lock of the directory while they Ensure or Stop. Deliberately
// absent: restarting by itself, and knowing whether a process is any good. Callers
// observe and ensure again.
package process

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/mainstay-dev/mainstay/provider/backend/local/statedir"
)

// Environment variables that mark a process.
const (
	envMark   = "MAINSTAY_PROCESS"
	envDigest = "MAINSTAY_PROCESS_DIGEST"
)

const (
	// stopGrace is how long a process may take to end before it is killed.
	stopGrace = 3 * time.Second
	// killGrace is how long a killed process may take to be gone.
	killGrace = 5 * time.Second
	// stopPoll is how often a process that should end is looked at.
	stopPoll = 10 * time.Millisecond
	// markGrace is how long a process that was just started may take to carry its mark, and
	// markPoll how often it is looked at.
	markGrace = 5 * time.Second
	markPoll  = time.Millisecond
	// maxLog is the size in bytes from which a log starts anew.
	maxLog = 8 << 20
)

// A Spec says which process is wanted.
type Spec struct {
	// Dir is where the process runs and where its files are: <name>.pid, and
	// <name>.log with the one before it, <name>.log.1. It must be absolute.
	Dir string
	// Name of the process, unique in its directory.
	Name string
	// Path of the program, and its arguments.
	Path string
	Args []string
	// Env is all of the environment of the process: nothing is inherited.
	Env []string
	// Files that the process reads when it starts, and only then. A process that
	// started with other content is not the one that is wanted.
	Files []string
}

// A State says what is observed of a process.
type State struct {
	// Running is true where there is such a process.
	Running bool
	// Current is true where it runs what its Spec says.
	Current bool
}

// Observe says what is there.
func Observe(s Spec) State {
	p, ok := find(s.Dir, s.Name)
	if !ok {
		return State{}
	}
	d, err := s.digest()
	return State{Running: true, Current: err == nil && p.digest == d}
}

// Ensure starts a process that does not run, and starts one anew that runs
// something else. It does not wait for the process to be of any use.
func Ensure(ctx context.Context, s Spec) error {
	d, err := s.digest()
	if err != nil {
		return err
	}
	if p, ok := find(s.Dir, s.Name); ok {
		if p.digest == d {
			return s.limitLog()
		}
		if err := Stop(ctx, s.Dir, s.Name); err != nil {
			return err
		}
	}
	return s.start(d)
}

// Stop ends a process, politely first, and returns once it is gone. That there is
// none is no error.
func Stop(ctx context.Context, dir, name string) error {
	p, ok := find(dir, name)
	if !ok {
		return removeFile(pidFile(dir, name))
	}
	for _, try := range []struct {
		signal syscall.Signal
		wait   time.Duration
	}{{syscall.SIGTERM, stopGrace}, {syscall.SIGKILL, killGrace}} {
		if err := p.signal(try.signal); err != nil {
			return fmt.Errorf("cannot stop %s: %w", name, err)
		}
		gone, err := p.waitGone(ctx, try.wait)
		if err != nil {
			return fmt.Errorf("cannot wait for %s to stop: %w", name, err)
		}
		if gone {
			return removeFile(pidFile(dir, name))
		}
	}
	return fmt.Errorf("cannot stop %s: process %d is still there after SIGKILL", name, p.pid)
}

// LogFile returns the path of the log of a process.
func LogFile(dir, name string) string { return filepath.Join(dir, name+".log") }

func (s Spec) start(digest string) error {
	log := LogFile(s.Dir, s.Name)
	if err := os.Rename(log, log+".1"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot keep last log of %s: %w", s.Name, err)
	}
	out, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("cannot open log of %s: %w", s.Name, err)
	}
	defer out.Close() //nolint:errcheck // The process has a descriptor of its own.

	// Not CommandContext: the process must outlive every context.
	cmd := exec.Command(s.Path, s.Args...) //nolint:noctx // Starting programs is what this package is for.
	cmd.Dir = s.Dir
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Env = append([]string{
		"HOME=" + s.Dir,
		envMark + "=" + mark(s.Dir, s.Name),
		envDigest + "=" + digest,
	}, s.Env...)
	if err := keepDescriptors(); err != nil {
		return fmt.Errorf("cannot start %s: %w", s.Name, err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("cannot start %s: %w", s.Name, err)
	}
	// While this program lives the process is its child, and must be reaped.
	go func() { _ = cmd.Wait() }()
	awaitMark(cmd.Process.Pid)

	return statedir.WriteFile(pidFile(s.Dir, s.Name), []byte(strconv.Itoa(cmd.Process.Pid)))
}

// awaitMark until a process that was just started carries its mark, or has ended. It runs its program
// a moment before the kernel shows its environment: who looked for it in between would not find it, and
// start another one.
func awaitMark(pid int) {
	t := time.NewTicker(markPoll)
	defer t.Stop()
	for range int(markGrace / markPoll) {
		if _, marked := inspect(pid); marked {
			return
		}
		if _, there := alive(pid); !there {
			return
		}
		<-t.C
	}
}

// keepDescriptors keeps from the process what this program was itself given by its
// parent, such as a pipe whose reader would wait until the process ends. What Go
// opens is kept from it anyway.
func keepDescriptors() error {
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return fmt.Errorf("cannot list descriptors: %w", err)
	}
	for _, e := range fds {
		if fd, err := strconv.Atoi(e.Name()); err == nil && fd > 2 {
			syscall.CloseOnExec(fd)
		}
	}
	return nil
}

// limitLog empties a log that has grown too large. The process appends, so what it
// writes next is at the beginning.
func (s Spec) limitLog() error {
	log := LogFile(s.Dir, s.Name)
	fi, err := os.Stat(log)
	if errors.Is(err, fs.ErrNotExist) || (err == nil && fi.Size() < maxLog) {
		return nil
	}
	return errors.Join(err, os.Truncate(log, 0))
}

// digest is over all that the process is started with.
func (s Spec) digest() (string, error) {
	h := sha256.New()
	add := func(b []byte) { _, _ = fmt.Fprintf(h, "%d:%s", len(b), b) }
	add([]byte(s.Path))
	for _, l := range [][]string{s.Args, s.Env} {
		_, _ = fmt.Fprintf(h, "[%d]", len(l))
		for _, v := range l {
			add([]byte(v))
		}
	}
	for _, f := range s.Files {
		b, err := os.ReadFile(f)
		if err != nil {
			return "", fmt.Errorf("cannot read file that %s needs: %w", s.Name, err)
		}
		add(b)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func pidFile(dir, name string) string { return filepath.Join(dir, name+".pid") }

func mark(dir, name string) string { return filepath.Join(dir, name) }

func removeFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot remove file: %w", err)
	}
	return nil
}
