package throughput

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A meter stands between the provider and the forge, and counts what is asked, by kind.
type meter struct {
	mu    sync.Mutex
	calls map[string]int
	took  map[string]time.Duration // together
}

// meterOf a forge, and the URL that it is reached by.
func meterOf(t *testing.T, forge string) (*meter, string) {
	t.Helper()
	to, err := url.Parse(forge)
	if err != nil {
		t.Fatal(err)
	}
	m := &meter{calls: map[string]int{}, took: map[string]time.Duration{}}
	p := httputil.NewSingleHostReverseProxy(to)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		p.ServeHTTP(w, r)
		m.mu.Lock()
		defer m.mu.Unlock()
		kind := kindOf(r.Method, r.URL.Path)
		m.calls[kind]++
		m.took[kind] += time.Since(began)
	}))
	t.Cleanup(s.Close)
	return m, s.URL
}

var (
	names  = regexp.MustCompile(`^/api/v1/repos/[^/]+/[^/]+`)
	hashes = regexp.MustCompile(`/([0-9a-f]{40}|[0-9]+)(/|$)`)
)

// kindOf a call: its method and path, without what is special to one repository or merge request.
func kindOf(method, path string) string {
	if strings.Contains(path, ".git/") {
		return "git " + path[strings.Index(path, ".git/")+len(".git/"):]
	}
	path = names.ReplaceAllString(path, "")
	return method + " " + strings.TrimPrefix(hashes.ReplaceAllString(path, "/*$2"), "/api/v1")
}

// told per change, the most frequent first.
func (m *meter) told(changes int) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	kinds := slices.SortedFunc(maps.Keys(m.calls), func(a, b string) int { return m.calls[b] - m.calls[a] })
	all := 0
	for _, n := range m.calls {
		all += n
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%.1f calls of the forge per change", per(all, changes))
	for _, k := range kinds[:min(len(kinds), 14)] {
		fmt.Fprintf(&b, "\n  %6.2f  %s (%d ms)", per(m.calls[k], changes), k, m.took[k].Milliseconds()/int64(m.calls[k]))
	}
	return b.String()
}

func per(n, of int) float64 { return float64(n) / float64(max(of, 1)) }

func TestKindOf(t *testing.T) {
	for path, want := range map[string]string{
		"/api/v1/repos/shop/claims/pulls/41":                                          "GET /pulls/*",
		"/api/v1/repos/shop/claims/pulls":                                             "GET /pulls",
		"/api/v1/repos/shop/claims/issues/41/comments":                                "GET /issues/*/comments",
		"/api/v1/repos/shop/claims/statuses/0123456789012345678901234567890123456789": "GET /statuses/*",
		"/api/v1/user":                     "GET /user",
		"/shop/claims.git/git-upload-pack": "git git-upload-pack",
	} {
		if got := kindOf(http.MethodGet, path); got != want {
			t.Errorf("kindOf(%s): got %q, want %q", path, got, want)
		}
	}
}
