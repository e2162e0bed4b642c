package process_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/mainstay-dev/mainstay/provider/backend/local/process"
)

// envParent makes this program a parent that starts a process in the named
// directory, and waits to be killed.
const envParent = "PROCESS_TEST_PARENT"

const name = "sleeper"

func TestMain(m *testing.M) {
	if dir := os.Getenv(envParent); dir != "" {
		if err := process.Ensure(context.Background(), sleeper(dir)); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("started")
		select {}
	}
	os.Exit(m.Run())
}

func sleeper(dir string) process.Spec {
	return process.Spec{Dir: dir, Name: name, Path: "/bin/sleep", Args: []string{"300"}, Env: []string{"A=b"}}
}

// TestEnsure tells what becomes of a process that is ensured, changed in some way,
// and ensured again.
func TestEnsure(t *testing.T) {
	type args struct {
		// between what Ensure is called twice.
		between func(t *testing.T, dir string, pid int)
		second  func(process.Spec) process.Spec
	}
	type want struct {
		// before the second call.
		before process.State
		same   bool
	}
	nothing := func(*testing.T, string, int) {}
	asItIs := func(s process.Spec) process.Spec { return s }
	cases := map[string]struct {
		reason string
		args   args
		want   want
	}{
		"Unchanged": {
			reason: "What runs goes on.",
			args:   args{between: nothing, second: asItIs},
			want:   want{before: process.State{Running: true, Current: true}, same: true},
		},
		"OtherArguments": {
			reason: "What runs with other arguments is started anew.",
			args:   args{between: nothing, second: func(s process.Spec) process.Spec { s.Args = []string{"301"}; return s }},
			want:   want{before: process.State{Running: true}},
		},
		"OtherEnvironment": {
			reason: "What runs with another environment is started anew.",
			args:   args{between: nothing, second: func(s process.Spec) process.Spec { s.Env = []string{"A=c"}; return s }},
			want:   want{before: process.State{Running: true}},
		},
		"OtherFile": {
			reason: "What has read another file is started anew.",
			args: args{
				between: func(t *testing.T, dir string, _ int) { t.Helper(); writeFile(t, filepath.Join(dir, "read"), "other") },
				second:  asItIs,
			},
			want: want{before: process.State{Running: true}},
		},
		"Killed": {
			reason: "What was killed is started.",
			args:   args{between: func(t *testing.T, _ string, pid int) { t.Helper(); kill(t, pid) }, second: asItIs},
			want:   want{},
		},
		"NoPIDFile": {
			reason: "A parent that was killed before it wrote down the id has a process all the same.",
			args: args{
				between: func(t *testing.T, dir string, _ int) { t.Helper(); writeFile(t, pidFile(dir), "") },
				second:  asItIs,
			},
			want: want{before: process.State{Running: true, Current: true}, same: true},
		},
		"Garbage": {
			reason: "What cannot be read is not needed.",
			args: args{
				between: func(t *testing.T, dir string, _ int) { t.Helper(); writeFile(t, pidFile(dir), "\x00-1") },
				second:  asItIs,
			},
			want: want{before: process.State{Running: true, Current: true}, same: true},
		},
		"IDOfAnother": {
			reason: "An id that another process has is not taken for this one's.",
			args: args{
				between: func(t *testing.T, dir string, pid int) {
					t.Helper()
					kill(t, pid)
					writeFile(t, pidFile(dir), strconv.Itoa(os.Getpid()))
				},
				second: asItIs,
			},
			want: want{},
		},
	}
	for n, tc := range cases {
		t.Run(n, func(t *testing.T) {
			dir := processDir(t)
			writeFile(t, filepath.Join(dir, "read"), "this")
			spec := sleeper(dir)
			spec.Files = []string{filepath.Join(dir, "read")}
			if err := process.Ensure(t.Context(), spec); err != nil {
				t.Fatalf("\n%s\nEnsure(...): %v", tc.reason, err)
			}
			first := readPID(t, dir)
			tc.args.between(t, dir, first)

			spec = tc.args.second(spec)
			if diff := cmp.Diff(tc.want.before, process.Observe(spec)); diff != "" {
				t.Errorf("\n%s\nObserve(...) before: -want, +got:\n%s", tc.reason, diff)
			}
			if err := process.Ensure(t.Context(), spec); err != nil {
				t.Fatalf("\n%s\nEnsure(...) again: %v", tc.reason, err)
			}
			if diff := cmp.Diff(process.State{Running: true, Current: true}, process.Observe(spec)); diff != "" {
				t.Errorf("\n%s\nObserve(...) after: -want, +got:\n%s", tc.reason, diff)
			}
			if alive := syscall.Kill(first, 0) == nil; alive != tc.want.same {
				t.Errorf("\n%s\nThe first process is there: want %t, got %t", tc.reason, tc.want.same, alive)
			}
			if err := process.Stop(t.Context(), dir, name); err != nil {
				t.Errorf("\n%s\nStop(...): %v", tc.reason, err)
			}
			if diff := cmp.Diff(process.State{}, process.Observe(spec)); diff != "" {
				t.Errorf("\n%s\nObserve(...) after Stop: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestEnsureErrors(t *testing.T) {
	cases := map[string]struct {
		reason string
		change func(*process.Spec)
		want   string
	}{
		"NoProgram": {
			reason: "A program that is not there is named.",
			change: func(s *process.Spec) { s.Path = filepath.Join(s.Dir, "none") },
			want:   "cannot start " + name,
		},
		"NoFile": {
			reason: "A process is not started without what it reads.",
			change: func(s *process.Spec) { s.Files = []string{filepath.Join(s.Dir, "none")} },
			want:   "cannot read file that " + name + " needs",
		},
	}
	for n, tc := range cases {
		t.Run(n, func(t *testing.T) {
			s := sleeper(processDir(t))
			tc.change(&s)
			err := process.Ensure(t.Context(), s)
			if err == nil || !strings.HasPrefix(err.Error(), tc.want) {
				t.Errorf("\n%s\nEnsure(...): want error %q, got %v", tc.reason, tc.want, err)
			}
			if diff := cmp.Diff(process.State{}, process.Observe(s)); diff != "" {
				t.Errorf("\n%s\nObserve(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestStopStubborn stops a process that does not listen.
func TestStopStubborn(t *testing.T) {
	s := sleeper(processDir(t))
	s.Path, s.Args = "/bin/sh", []string{"-c", `trap "" TERM; echo deaf; while :; do sleep 1; done`}
	if err := process.Ensure(t.Context(), s); err != nil {
		t.Fatalf("Ensure(...): %v", err)
	}
	awaitLog(t, s.Dir, "deaf")
	if err := process.Stop(t.Context(), s.Dir, name); err != nil {
		t.Errorf("Stop(...): %v", err)
	}
	// What it has started carries its mark too, and is not left behind.
	for process.Observe(s).Running {
		if err := process.Stop(t.Context(), s.Dir, name); err != nil {
			t.Fatalf("Stop(...) of its child: %v", err)
		}
	}
	if err := process.Stop(t.Context(), s.Dir, name); err != nil {
		t.Errorf("Stop(...) of nothing: %v", err)
	}
}

// TestOutlivesParent kills the parent, and finds the process from here.
func TestOutlivesParent(t *testing.T) {
	dir := processDir(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envParent+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatalf("Cannot read from parent: %v", err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("Cannot start parent: %v", err)
	}
	line := make([]byte, 7)
	if _, err := out.Read(line); err != nil || string(line) != "started" {
		t.Fatalf("Parent says %q: %v", line, err)
	}
	kill(t, cmd.Process.Pid)
	_ = cmd.Wait()

	if diff := cmp.Diff(process.State{Running: true, Current: true}, process.Observe(sleeper(dir))); diff != "" {
		t.Errorf("Observe(...) without its parent: -want, +got:\n%s", diff)
	}
	pid := readPID(t, dir)
	if sid, err := getsid(pid); err != nil || sid != pid {
		t.Errorf("Session of process %d: got %d, %v", pid, sid, err)
	}
	// While it starts it reads files of its own.
	err = wait.PollUntilContextTimeout(t.Context(), 5*time.Millisecond, 5*time.Second, true, func(context.Context) (bool, error) {
		fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		return len(fds) == 3, err
	})
	if err != nil {
		t.Errorf("Process has other descriptors than the three it should: %v", err)
	}
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil || bytes.Contains(env, []byte(envParent)) || bytes.Contains(env, []byte("PATH=")) {
		t.Errorf("Environment of the process holds its parent's: %v", err)
	}
}

// TestLog keeps the log of the process before, and no more than it has room for.
func TestLog(t *testing.T) {
	s := sleeper(processDir(t))
	log := process.LogFile(s.Dir, name)
	writeFile(t, log, "before")
	if err := process.Ensure(t.Context(), s); err != nil {
		t.Fatalf("Ensure(...): %v", err)
	}
	if b, err := os.ReadFile(log + ".1"); err != nil || string(b) != "before" {
		t.Errorf("Log of the process before: got %q, %v", b, err)
	}
	if err := os.Truncate(log, 9<<20); err != nil {
		t.Fatalf("Cannot make log large: %v", err)
	}
	if err := process.Ensure(t.Context(), s); err != nil {
		t.Fatalf("Ensure(...): %v", err)
	}
	if fi, err := os.Stat(log); err != nil || fi.Size() != 0 {
		t.Errorf("Log that was too large: got %d bytes, %v", fi.Size(), err)
	}
}

// processDir is cleared of processes when the test ends.
func processDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Cleanup(func() {
		if err := process.Stop(context.Background(), dir, name); err != nil {
			t.Errorf("Stop(...): %v", err)
		}
	})
	return dir
}

func pidFile(dir string) string { return filepath.Join(dir, name+".pid") }

func readPID(t *testing.T, dir string) int {
	t.Helper()
	b, err := os.ReadFile(pidFile(dir))
	if err != nil {
		t.Fatalf("Cannot read id: %v", err)
	}
	pid, err := strconv.Atoi(string(b))
	if err != nil {
		t.Fatalf("Cannot read id: %v", err)
	}
	return pid
}

// kill a process and wait until it is gone.
func kill(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatalf("Cannot kill process: %v", err)
	}
	err := wait.PollUntilContextTimeout(t.Context(), time.Millisecond, 10*time.Second, true, func(context.Context) (bool, error) {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		return err != nil || bytes.Contains(b, []byte(") Z ")), nil
	})
	if err != nil {
		t.Fatalf("Process does not go: %v", err)
	}
}

func awaitLog(t *testing.T, dir, text string) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), 10*time.Millisecond, 10*time.Second, true, func(context.Context) (bool, error) {
		b, err := os.ReadFile(process.LogFile(dir, name))
		return bytes.Contains(b, []byte(text)), err
	})
	if err != nil {
		t.Fatalf("Process does not say %q: %v", text, err)
	}
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatalf("Cannot write file: %v", err)
	}
}

func getsid(pid int) (int, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	return strconv.Atoi(f[3])
}
