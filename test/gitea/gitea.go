// Package gitea runs a real Gitea as a plain process on this machine: a forge for
// tests, benchmarks and the demo. It listens on loopback, keeps all it has in one
// directory, and outlives the program that started it. Starting one that runs is
// nothing; one that was stopped, or killed, starts on the same port with the same
// content, which is how a forge that is down for a while is played.
//
// Deliberately absent: mail, SSH, actions, packages, and the built front end. Its pages
// have a style sheet of our own and no scripts; its API and its Git are whole.
package gitea

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/mainstay-dev/mainstay/provider/backend/local/process"
	"github.com/mainstay-dev/mainstay/provider/backend/local/statedir"
)

const (
	// processName in the directory: the log is gitea.log.
	processName = "gitea"
	// Administrator of the Gitea.
	Administrator = "steward"
	// startPatience is how long a Gitea may take until it answers, on a machine that
	// has other things to do.
	startPatience = 90 * time.Second
	startPoll     = 50 * time.Millisecond
)

// A Server is a Gitea that runs.
type Server struct {
	// URL of its start page, without a slash at the end.
	URL string
	// Token of the administrator.
	Token string

	dir string
}

// Start a Gitea whose state is in dir, an absolute path, from the directory with its
// program and the folder gitea.d beside it, as `make gitea` builds them.
func Start(ctx context.Context, dir, binaries string) (*Server, error) {
	if _, err := os.Stat(filepath.Join(binaries, "gitea")); err != nil {
		return nil, fmt.Errorf("cannot find Gitea: build it with make gitea: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make directory of Gitea: %w", err)
	}
	unlock, err := statedir.Lock(ctx, dir)
	if err != nil {
		return nil, fmt.Errorf("cannot lock directory of Gitea: %w", err)
	}
	defer unlock()

	in := installation{dir: dir, binaries: binaries}
	port, err := in.configure(ctx)
	if err != nil {
		return nil, err
	}
	if err := in.assets(); err != nil {
		return nil, err
	}
	s := &Server{URL: fmt.Sprintf("http://127.0.0.1:%d", port), dir: dir}
	if s.Token, err = in.administrator(ctx); err != nil {
		return nil, err
	}
	if err := process.Ensure(ctx, in.spec()); err != nil {
		return nil, fmt.Errorf("cannot start Gitea: %w", err)
	}
	return s, s.await(ctx)
}

// Stop a Gitea. What it has stays in its directory.
func Stop(ctx context.Context, dir string) error { return process.Stop(ctx, dir, processName) }

// Stop the Gitea.
func (s *Server) Stop(ctx context.Context) error { return Stop(ctx, s.dir) }

// await its first answer.
func (s *Server) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	tick := time.NewTicker(startPoll)
	defer tick.Stop()
	for {
		err := s.ping(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("cannot reach Gitea: see %s: %w", process.LogFile(s.dir, processName), errors.Join(ctx.Err(), err))
		case <-tick.C:
		}
	}
}

func (s *Server) ping(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/api/v1/user", nil)
	if err != nil {
		return err
	}
	// As the administrator: one that has just started, on a machine that is busy, answers others before it
	// knows its users.
	req.Header.Set("Authorization", "token "+s.Token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers with %s", resp.Status)
	}
	return nil
}

// An installation is a Gitea that need not run.
type installation struct{ dir, binaries string }

func (in installation) program() string { return filepath.Join(in.binaries, "gitea") }
func (in installation) ini() string     { return filepath.Join(in.dir, "app.ini") }

func (in installation) spec() process.Spec {
	return process.Spec{
		Dir: in.dir, Name: processName, Path: in.program(),
		Args: []string{"--config", in.ini(), "web"}, Env: in.env(),
	}
}

// env of Gitea, which refuses to run as root unless it is told that this is meant.
func (in installation) env() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "USER=mainstay", "GITEA_I_AM_BEING_UNSAFE_RUNNING_AS_ROOT=true"}
}

// run a command of Gitea to its end.
func (in installation) run(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, in.program(), append([]string{"--config", in.ini()}, args...)...)
	cmd.Dir, cmd.Env = in.dir, append(in.env(), "HOME="+in.dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("gitea %s: %w: %s", args[0], err, strings.TrimSpace(string(out)))
	}
	return string(out), nil
}

// administrator makes the database and the administrator, once, and returns its token.
func (in installation) administrator(ctx context.Context) (string, error) {
	file := filepath.Join(in.dir, "token")
	if b, err := os.ReadFile(file); err == nil {
		return string(b), nil
	}
	// A setup that was interrupted starts anew.
	if err := os.RemoveAll(filepath.Join(in.dir, "gitea.db")); err != nil {
		return "", fmt.Errorf("cannot remove the database of a setup that was interrupted: %w", err)
	}
	if _, err := in.run(ctx, "migrate"); err != nil {
		return "", fmt.Errorf("cannot make the database: %w", err)
	}
	if _, err := in.run(ctx, "admin", "user", "create", "--admin", "--username", Administrator,
		"--email", Administrator+"@example.test", "--password", random(), "--must-change-password=false"); err != nil {
		return "", fmt.Errorf("cannot make the administrator: %w", err)
	}
	out, err := in.run(ctx, "admin", "user", "generate-access-token", "--username", Administrator,
		"--token-name", "mainstay", "--scopes", "all", "--raw")
	if err != nil {
		return "", fmt.Errorf("cannot make the administrator's token: %w", err)
	}
	lines := strings.Fields(out)
	if len(lines) == 0 {
		return "", errors.New("cannot make the administrator's token: gitea printed none")
	}
	token := lines[len(lines)-1]
	return token, statedir.WriteFile(file, []byte(token))
}

func random() string {
	b := make([]byte, 20)
	// It never fails.
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}
