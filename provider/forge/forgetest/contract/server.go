package contract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mainstay-dev/mainstay/provider/forge"
	"github.com/mainstay-dev/mainstay/provider/forge/forgetest"
)

// FullName of the repository on every server.
const FullName = "data/claims"

// pageLimit is the largest page of GitHub and GitLab.
const pageLimit = 100

// A server answers for one repository, in the words of one forge.
type server struct {
	*httptest.Server

	t      *testing.T
	mux    *http.ServeMux
	repo   *Repository
	tokens map[string]string
	// who a request is from, by how this forge authenticates, and whether it is a
	// request as this forge wants it.
	who     func(*http.Request) (token string)
	headers func(*http.Request) error
	// message of an error, as this forge writes it.
	message func(code int, text string) any
}

// newServer for a repository as the suite wants it.
func newServer(t *testing.T) *server {
	t.Helper()
	people := map[string]string{
		forgetest.Bot: "admin", forgetest.Author: "write", forgetest.Reviewer: "write",
		forgetest.Reader: "read", forgetest.Stranger: "none",
	}
	s := &server{t: t, mux: http.NewServeMux(), tokens: map[string]string{}, repo: NewRepository(map[string]string{
		"README.md": "# Claims\n", "claims/orders.yaml": "kind: ProductApplication\n",
	}, people)}
	s.repo.Branch(forgetest.OtherBase, forgetest.Base)
	for p := range people {
		s.tokens["token-of-"+p+"-0123456789abcdef"] = p
	}
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.URL.Path, "-that-is-not-there") {
			t.Errorf("contract: no such operation: %s %s", r.Method, r.URL.Path)
		}
		s.write(w, http.StatusNotFound, s.message(http.StatusNotFound, "404 Not Found"))
	})
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.headers(r); err != nil {
			t.Errorf("contract: %s %s: %v", r.Method, r.URL.Path, err)
		}
		if _, ok := s.tokens[s.who(r)]; !ok {
			s.write(w, http.StatusUnauthorized, s.message(http.StatusUnauthorized, "Bad credentials"))
			return
		}
		s.mux.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// A call is one request, to be answered with the repository locked.
type call struct {
	*server

	w      http.ResponseWriter
	r      *http.Request
	person string
	// q is the merge request that the path names.
	q *request
	// after is called once the answer is given, without the lock.
	after func()
}

// on an operation: the rights it needs, the query it takes, and how it is answered.
// Who may not read gets 404, who may not write gets 403.
func (s *server) on(operation string, rights int, query string, answer func(*call)) {
	s.mux.HandleFunc(operation, func(w http.ResponseWriter, r *http.Request) {
		s.repo.mu.Lock()
		c := &call{server: s, w: w, r: r, person: s.tokens[s.who(r)], after: func() {}}
		s.serve(c, rights, strings.Fields(query), answer)
		s.repo.mu.Unlock()
		c.after()
	})
}

func (s *server) serve(c *call, rights int, query []string, answer func(*call)) {
	for k := range c.r.URL.Query() {
		if !slices.Contains(query, k) {
			s.t.Errorf("contract: %s %s takes no %q", c.r.Method, c.r.URL.Path, k)
		}
	}
	have := s.repo.people[c.person]
	number := c.r.PathValue("number")
	if number != "" {
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			s.t.Errorf("contract: %s %s: %v", c.r.Method, c.r.URL.Path, err)
		}
		c.q = s.repo.find(n)
	}
	switch {
	case rights > noRights && have == noRights, number != "" && c.q == nil:
		c.refuse(http.StatusNotFound, "Not Found")
	case have < rights:
		c.refuse(http.StatusForbidden, "Forbidden")
	default:
		answer(c)
	}
}

func (s *server) write(w http.ResponseWriter, code int, body any) {
	b, err := json.Marshal(body)
	if err != nil {
		s.t.Errorf("contract: %v", err)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(code)
	_, _ = w.Write(b)
}

func (c *call) give(code int, body any) { c.write(c.w, code, body) }

func (c *call) refuse(code int, text string) { c.give(code, c.message(code, text)) }

// take the body, in which every field must be one that the operation knows.
func (c *call) take(into any) {
	if ct := c.r.Header.Get("Content-Type"); ct != "application/json" {
		c.t.Errorf("contract: %s %s: a body of type %q", c.r.Method, c.r.URL.Path, ct)
	}
	b, err := io.ReadAll(c.r.Body)
	if err != nil {
		c.t.Errorf("contract: %v", err)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		c.t.Errorf("contract: %s %s: %v in %.500s", c.r.Method, c.r.URL.Path, err, b)
	}
}

// paged gives one page of a list and links to the next, and says how long it is.
func paged[T any](c *call, all []T) {
	query := c.r.URL.Query()
	number := func(name string, def int) int {
		n, err := strconv.Atoi(query.Get(name))
		if err != nil || n < 1 {
			return def
		}
		return n
	}
	page, size := number("page", 1), min(number("per_page", 30), pageLimit)
	from := min((page-1)*size, len(all))
	to := min(from+size, len(all))
	if to < len(all) {
		query.Set("page", strconv.Itoa(page+1))
		next := url.URL{Scheme: "http", Host: c.r.Host, Path: c.r.URL.Path, RawQuery: query.Encode()}
		c.w.Header().Set("Link", fmt.Sprintf("<%s>; rel=\"next\"", next.String()))
		c.w.Header().Set("X-Next-Page", strconv.Itoa(page+1))
	}
	c.give(http.StatusOK, append([]T{}, all[from:to]...))
}

// members of a team, which only they see. Nil where there is none.
func (c *call) members(organization, team string) []string {
	owner, _, _ := strings.Cut(FullName, "/")
	all := c.repo.teams[team]
	if organization != owner || !slices.Contains(all, c.person) {
		c.refuse(http.StatusNotFound, "Not Found")
		return nil
	}
	return all
}

// A World for the suite, on a server.
type World struct {
	s      *server
	driver forge.Driver
}

// Driver under test.
func (w *World) Driver() forge.Driver { return w.driver }

// Config of somebody.
func (w *World) Config(person string) forge.Config {
	return forge.Config{URL: w.s.URL + "/" + FullName, Token: forge.Secret("token-of-" + person + "-0123456789abcdef")}
}

// Push a commit.
func (w *World) Push(_ *testing.T, p forgetest.Push) string {
	if p.Fork {
		p.Branch = "fork:" + p.Branch
	}
	sha := w.s.repo.Push(p.Branch, p.Files, p.Force)
	for _, b := range p.Also {
		w.s.repo.Branch(b, p.Branch)
	}
	return sha
}

// DeleteBranch removes a branch.
func (w *World) DeleteBranch(_ *testing.T, branch string) { w.s.repo.DeleteBranch(branch) }

// Propose a merge request.
func (w *World) Propose(t *testing.T, p forgetest.Proposal) int64 {
	t.Helper()
	if p.Into == "" {
		p.Into = forgetest.Base
	}
	if p.Fork {
		p.Head = "fork:" + p.Head
	}
	n, err := w.s.repo.Propose(forgetest.Author, p.Title, p.Body, p.Head, p.Into, p.Fork, p.Draft)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// SetDraft of a merge request.
func (w *World) SetDraft(_ *testing.T, number int64, draft bool) { w.s.repo.SetDraft(number, draft) }

// Say something.
func (w *World) Say(_ *testing.T, person string, number int64, text string) {
	w.s.repo.Say(person, number, text)
}

// Unsay a comment.
func (w *World) Unsay(_ *testing.T, number, comment int64) { w.s.repo.Unsay(number, comment) }

// Review the head.
func (w *World) Review(_ *testing.T, person string, number int64, v forge.Verdict) {
	w.s.repo.Review(person, number, string(v))
}

// Team of members.
func (w *World) Team(_ *testing.T, name string, members ...string) string {
	w.s.repo.Team(name, members...)
	owner, _, _ := strings.Cut(FullName, "/")
	return owner + "/" + name
}
