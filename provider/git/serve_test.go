package git_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mainstay-dev/mainstay/provider/git"
)

const token = "s3cret-t0ken"

// A world is a repository that is served over HTTP by Git itself, and somebody's clone of it.
type world struct {
	t           *testing.T
	url         string
	bare, clone string

	// ways in which the forge misbehaves.
	status  atomic.Int32
	hang    atomic.Bool
	breaks  atomic.Bool
	token   atomic.Value
	before  atomic.Value // func(*http.Request), called with each request.
	fetches atomic.Int32
}

func newWorld(t *testing.T) *world {
	t.Helper()
	root := t.TempDir()
	w := &world{t: t, bare: filepath.Join(root, "claims.git"), clone: filepath.Join(root, "clone")}
	w.token.Store(token)
	w.before.Store(func(*http.Request) {})
	w.run(root, "init", "-q", "--bare", "-b", "main", w.bare)
	w.run(w.bare, "config", "http.receivepack", "true")
	w.run(w.bare, "config", "uploadpack.allowReachableSHA1InWant", "true")
	path, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		t.Fatal(err)
	}
	backend := &cgi.Handler{Path: filepath.Join(strings.TrimSpace(string(path)), "git-http-backend"), Env: []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_NOSYSTEM=1"}}
	done := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.before.Load().(func(*http.Request))(r)
		if strings.HasSuffix(r.URL.Path, "git-upload-pack") {
			w.fetches.Add(1)
		}
		if w.hang.Load() {
			select {
			case <-r.Context().Done():
			case <-done:
			}
			return
		}
		if code := w.status.Load(); code != 0 {
			http.Error(rw, "down for maintenance", int(code))
			return
		}
		if _, got, _ := r.BasicAuth(); got != w.token.Load() {
			rw.Header().Set("WWW-Authenticate", "Basic")
			http.Error(rw, "who are you?", http.StatusUnauthorized)
			return
		}
		if w.breaks.Load() && r.Method == http.MethodPost {
			rec := httptest.NewRecorder()
			backend.ServeHTTP(rec, r)
			rw.Header().Set("Content-Type", rec.Header().Get("Content-Type"))
			_, _ = rw.Write(rec.Body.Bytes()[:rec.Body.Len()/2])
			return
		}
		backend.ServeHTTP(rw, r)
	}))
	t.Cleanup(func() { close(done); s.CloseClientConnections(); s.Close() })
	w.url = s.URL + "/claims.git"
	w.run(root, "init", "-q", "-b", "main", w.clone)
	w.run(w.clone, "remote", "add", "origin", w.bare)
	return w
}

// run a git command and return what it says.
func (w *world) run(dir string, args ...string) string {
	w.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.org",
		"GIT_COMMITTER_NAME=Bob", "GIT_COMMITTER_EMAIL=bob@example.org", "GIT_AUTHOR_DATE=2026-01-02T03:04:05Z", "GIT_COMMITTER_DATE=2026-01-02T03:04:05Z")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		w.t.Fatalf("git %v: %v\n%s%s", args, err, out, stderr.String())
	}
	return strings.TrimSpace(string(out))
}

// commit files on a branch that begins at another, and push it. An empty file is deleted.
func (w *world) commit(branch, from string, files map[string]string) string {
	w.t.Helper()
	switch {
	case from != "":
		w.run(w.clone, "checkout", "-q", "-B", branch, from)
	case w.run(w.clone, "for-each-ref", "refs/heads/"+branch) != "":
		w.run(w.clone, "checkout", "-q", branch)
	default:
		w.run(w.clone, "symbolic-ref", "HEAD", "refs/heads/"+branch)
	}
	for p, says := range files {
		full := filepath.Join(w.clone, p)
		if says == "" {
			w.run(w.clone, "rm", "-q", p)
			continue
		}
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			w.t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(says), 0o644); err != nil {
			w.t.Fatal(err)
		}
		w.run(w.clone, "add", p)
	}
	w.run(w.clone, "commit", "-q", "--allow-empty", "-m", "change "+branch)
	w.run(w.clone, "push", "-q", "-f", "origin", branch)
	return w.run(w.clone, "rev-parse", "HEAD")
}

func (w *world) mirror(dir string, limits git.Limits) *git.Mirror {
	w.t.Helper()
	m, err := git.Open(git.Config{URL: w.url, Dir: dir, Token: token, Limits: limits})
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}
