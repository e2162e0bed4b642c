package repository

import (
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/provider/forge"
	"github.com/mainstay-dev/mainstay/provider/forge/forgetest"
	"github.com/mainstay-dev/mainstay/provider/forge/forgetest/contract"
	"github.com/mainstay-dev/mainstay/provider/forge/github"
)

const namespace = "shop"

// A site is a forge that speaks as GitHub does, with a real Git beside it, behind one
// address at which it can be broken.
type site struct {
	*contract.World

	t   *testing.T
	url string
	// bare is the repository that Git serves, and clone somebody's clone of it.
	bare, clone string
	// breaks answers instead of the forge. It holds an http.HandlerFunc, or nil.
	breaks atomic.Value
	// requests to the API that came.
	requests atomic.Int32
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{World: contract.NewGitHub(t, github.Driver()), t: t}
	s.breaks.Store(http.HandlerFunc(nil))
	s.serveGit()
	to, err := url.Parse(s.World.Config(forgetest.Bot).URL)
	if err != nil {
		t.Fatal(err)
	}
	forward := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: to.Scheme, Host: to.Host})
	backend := s.gitBackend()
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if broken, ok := s.breaks.Load().(http.HandlerFunc); ok && broken != nil {
			broken(w, r)
			return
		}
		if strings.HasPrefix(r.URL.Path, "/"+contract.FullName+".git/") {
			backend.ServeHTTP(w, r)
			return
		}
		s.requests.Add(1)
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	s.url = front.URL + "/" + contract.FullName
	return s
}

// answer all that is asked with a status, until mend is called.
func (s *site) answer(code int, headers ...string) {
	s.breaks.Store(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_, _ = w.Write([]byte(`{"message":"broken by the test"}`))
	}))
}

func (s *site) mend() { s.breaks.Store(http.HandlerFunc(nil)) }

// propose a merge request, and return its number.
func (s *site) propose(branch string) int64 {
	s.Push(s.t, forgetest.Push{Branch: branch, Files: map[string]string{"claims/" + branch + ".yaml": "kind: ProductApplication\n"}})
	return s.Propose(s.t, forgetest.Proposal{Title: branch, Head: branch})
}

func (s *site) git(dir string, args ...string) string {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), "git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_AUTHOR_NAME=Mara", "GIT_AUTHOR_EMAIL=mara@example.test",
		"GIT_COMMITTER_NAME=Mara", "GIT_COMMITTER_EMAIL=mara@example.test", "GIT_CONFIG_NOSYSTEM=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("git %s: %v\n%s", args[0], err, out)
	}
	return strings.TrimSpace(string(out))
}

func (s *site) serveGit() {
	root := s.t.TempDir()
	s.bare, s.clone = filepath.Join(root, contract.FullName+".git"), filepath.Join(root, "clone")
	s.git(root, "init", "-q", "--bare", "-b", "main", s.bare)
	s.git(root, "init", "-q", "-b", "main", s.clone)
	s.advance()
}

// advance the base branch by a commit, and return it.
func (s *site) advance() string {
	s.git(s.clone, "commit", "-q", "--allow-empty", "-m", "Go on")
	s.git(s.clone, "push", "-q", s.bare, "main")
	return s.git(s.clone, "rev-parse", "HEAD")
}

func (s *site) gitBackend() http.Handler {
	path := s.git(s.clone, "--exec-path")
	root := strings.TrimSuffix(s.bare, "/"+contract.FullName+".git")
	return &cgi.Handler{Path: filepath.Join(path, "git-http-backend"), Env: []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_NOSYSTEM=1"}}
}

// token of somebody.
func (s *site) token(person string) forge.Secret { return s.World.Config(person).Token }

// repository on the hub, and the Secret with the bot's token.
func (s *site) repository(name string) []client.Object {
	r := &v1alpha1.Repository{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	r.Spec.ManagementPolicies = xpv2.ManagementPolicies{xpv2.ManagementActionAll}
	r.Spec.ForProvider = v1alpha1.RepositoryParameters{
		Forge: v1alpha1.ForgeGitHub, URL: s.url, BaseBranch: forgetest.Base,
		CredentialsSecretRef: v1alpha1.SecretKeyReference{Name: "forge", Key: "token"},
	}
	return []client.Object{r, s.secret(forgetest.Bot)}
}

func (s *site) secret(person string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "forge"}, Data: map[string][]byte{"token": []byte(s.token(person))}}
}
