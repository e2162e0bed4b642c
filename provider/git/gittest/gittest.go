// Package gittest serves a bare repository over HTTP to tests, by the git command that is
// installed. It is the Git half of a forge; package contract has the other.
package gittest

import (
	"bytes"
	"context"
	"net/http"
	"net/http/cgi" //nolint:gosec // Go has mended what it warns of, and these are tests.
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/mainstay-dev/mainstay/provider/git"
)

// A Server of one repository, and a clone of it to make commits in.
type Server struct {
	// URL of the repository.
	URL string

	t           testing.TB
	bare, clone string
	mu          sync.Mutex
	down        int
}

// New serves an empty repository, until the test ends.
func New(t testing.TB) *Server {
	t.Helper()
	root := t.TempDir()
	s := &Server{t: t, bare: filepath.Join(root, "claims.git"), clone: filepath.Join(root, "clone")}
	s.Run(root, "init", "-q", "--bare", "-b", "main", s.bare)
	s.Run(s.bare, "config", "http.receivepack", "true")
	path, err := exec.CommandContext(t.Context(), "git", "--exec-path").Output()
	if err != nil {
		t.Fatal(err)
	}
	backend := &cgi.Handler{Path: filepath.Join(strings.TrimSpace(string(path)), "git-http-backend"), Env: []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_NOSYSTEM=1"}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		code := s.down
		s.mu.Unlock()
		if code != 0 {
			http.Error(w, "down", code)
			return
		}
		backend.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	s.URL = server.URL + "/claims.git"
	s.Run(root, "init", "-q", "-b", "main", s.clone)
	s.Run(s.clone, "remote", "add", "origin", s.bare)
	return s
}

// Down answers everything with a status from now on. 0 is as usual.
func (s *Server) Down(code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = code
}

// Mirror of it, in a folder of its own.
func (s *Server) Mirror() *git.Mirror {
	s.t.Helper()
	m, err := git.Open(git.Config{URL: s.URL, Dir: s.t.TempDir(), Token: "token"})
	if err != nil {
		s.t.Fatal(err)
	}
	return m
}

// Commit files to a branch that begins at another, or goes on where from is empty, and push it.
// An empty file is deleted. It returns the commit.
func (s *Server) Commit(branch, from string, files map[string]string) string {
	s.t.Helper()
	switch {
	case from != "":
		s.Run(s.clone, "checkout", "-q", "-B", branch, from)
	case s.Run(s.clone, "for-each-ref", "refs/heads/"+branch) != "":
		s.Run(s.clone, "checkout", "-q", branch)
	default:
		s.Run(s.clone, "symbolic-ref", "HEAD", "refs/heads/"+branch)
	}
	for p, says := range files {
		full := filepath.Join(s.clone, p)
		if says == "" {
			s.Run(s.clone, "rm", "-q", p)
			continue
		}
		if err := os.MkdirAll(filepath.Dir(full), 0o750); err != nil {
			s.t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(says), 0o600); err != nil {
			s.t.Fatal(err)
		}
		s.Run(s.clone, "add", p)
	}
	s.Run(s.clone, "commit", "-q", "--allow-empty", "-m", "change "+branch)
	s.Push(branch)
	return s.Run(s.clone, "rev-parse", "HEAD")
}

// Merge a branch into another with a commit of its own, and push it. It returns the commit.
func (s *Server) Merge(into, branch string) string {
	s.t.Helper()
	s.Run(s.clone, "checkout", "-q", into)
	s.Run(s.clone, "merge", "-q", "--no-ff", "-m", "merge "+branch, branch)
	s.Push(into)
	return s.Run(s.clone, "rev-parse", "HEAD")
}

// Push a branch, whatever it was.
func (s *Server) Push(branch string) {
	s.t.Helper()
	s.Run(s.clone, "push", "-q", "-f", "origin", branch)
}

// Ref of the bare repository is a commit from now on, such as refs/pull/7/head. Without a commit
// it is gone.
func (s *Server) Ref(name, commit string) {
	s.t.Helper()
	if commit == "" {
		s.Run(s.bare, "update-ref", "-d", name)
		return
	}
	s.Run(s.bare, "update-ref", name, commit)
}

// At is the commit that a ref of the bare repository is at, or empty.
func (s *Server) At(name string) string {
	s.t.Helper()
	return s.Run(s.bare, "for-each-ref", "--format=%(objectname)", name)
}

// Show a file of a commit.
func (s *Server) Show(commit, path string) string {
	s.t.Helper()
	return s.Run(s.bare, "show", commit+":"+path)
}

// Run a git command in a folder, at a time and as people that are always the same.
func (s *Server) Run(dir string, args ...string) string {
	s.t.Helper()
	cmd := exec.CommandContext(context.Background(), "git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=mara", "GIT_AUTHOR_EMAIL=mara@example.org",
		"GIT_COMMITTER_NAME=mara", "GIT_COMMITTER_EMAIL=mara@example.org", "GIT_AUTHOR_DATE=2026-01-02T03:04:05Z", "GIT_COMMITTER_DATE=2026-01-02T03:04:05Z")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("git %v: %v\n%s%s", args, err, out, stderr.String())
	}
	return strings.TrimSpace(string(out))
}
