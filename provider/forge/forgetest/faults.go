package forgetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstay-dev/mainstay/provider/forge"
)

const faultToken = "token-that-nobody-may-read"

// A fault is how a forge, or what stands before it, can fail.
type fault struct {
	reason string
	answer http.HandlerFunc
	want   forge.Reason
	// after is what RetryAfter must say.
	after time.Duration
	// timeout of requests. Default: long.
	timeout time.Duration
}

// RunFaults holds every call of a driver to every fault: the reason is right, nothing
// hangs or grows without bound, and the token stays where it belongs.
func RunFaults(t *testing.T, d forge.Driver) {
	var elsewhere atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer other.Close()
	for name, f := range faults(other.URL) {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewServer(f.answer)
			defer srv.Close()
			for call, do := range calls {
				// Each call on a forge of its own: limits are remembered.
				err := do(t.Context(), newForge(t, d, forge.Config{URL: srv.URL, Timeout: f.timeout}))
				if got := forge.ReasonOf(err); got != f.want {
					t.Errorf("%s: %s: want %s, got %q: %v", f.reason, call, f.want, got, err)
				}
				if got := forge.RetryAfter(err); got != f.after {
					t.Errorf("%s: %s: want to be told to wait %s, got %s", f.reason, call, f.after, got)
				}
				if err != nil && (strings.Contains(err.Error(), faultToken) || len(err.Error()) > 1000) {
					t.Errorf("%s: %s: a message that is long or tells the token: %v", f.reason, call, err)
				}
			}
		})
	}
	if n := elsewhere.Load(); n > 0 {
		t.Errorf("another host was asked %d times", n)
	}
	t.Run("Gone", func(t *testing.T) { gone(t, d) })
	t.Run("EndedContext", func(t *testing.T) { endedContext(t, d) })
	t.Run("AskedTooOften", func(t *testing.T) { askedTooOften(t, d) })
	t.Run("BadConfig", func(t *testing.T) { badConfig(t, d) })
}

func newForge(t *testing.T, d forge.Driver, c forge.Config) forge.Forge {
	t.Helper()
	c.URL, c.Token = c.URL+"/data/claims", faultToken
	f, err := d.New(c)
	if err != nil {
		t.Fatalf("New(...): %v", err)
	}
	return f
}

const faultSHA = "0123456789012345678901234567890123456789"

// calls are all that ask a forge.
var calls = map[string]func(context.Context, forge.Forge) error{
	"OpenMergeRequests": func(ctx context.Context, f forge.Forge) error { _, err := f.OpenMergeRequests(ctx, Base); return err },
	"MergeRequest":      func(ctx context.Context, f forge.Forge) error { _, err := f.MergeRequest(ctx, 1); return err },
	"ChangedFiles":      func(ctx context.Context, f forge.Forge) error { _, err := f.ChangedFiles(ctx, 1); return err },
	"Merge": func(ctx context.Context, f forge.Forge) error {
		_, err := f.Merge(ctx, 1, forge.Merge{ExpectedHead: faultSHA})
		return err
	},
	"Close":    func(ctx context.Context, f forge.Forge) error { return f.Close(ctx, 1) },
	"Reopen":   func(ctx context.Context, f forge.Forge) error { return f.Reopen(ctx, 1) },
	"Comments": func(ctx context.Context, f forge.Forge) error { _, err := f.Comments(ctx, 1, time.Time{}); return err },
	"UpsertComment": func(ctx context.Context, f forge.Forge) error {
		_, err := f.UpsertComment(ctx, 1, forge.MarkedComment{Mark: "plan", Body: "x"})
		return err
	},
	"UpsertComment known": func(ctx context.Context, f forge.Forge) error {
		_, err := f.UpsertComment(ctx, 1, forge.MarkedComment{Mark: "plan", Body: "x", ID: 7})
		return err
	},
	"Approvals": func(ctx context.Context, f forge.Forge) error { _, err := f.Approvals(ctx, 1); return err },
	"Rights":    func(ctx context.Context, f forge.Forge) error { _, err := f.Rights(ctx, Author); return err },
	"Members":   func(ctx context.Context, f forge.Forge) error { _, err := f.Members(ctx, "data/sre"); return err },
	"Statuses":  func(ctx context.Context, f forge.Forge) error { _, err := f.Statuses(ctx, faultSHA); return err },
	"SetStatus": func(ctx context.Context, f forge.Forge) error {
		return f.SetStatus(ctx, faultSHA, forge.Status{Context: "mainstay/plan", State: forge.StatusPending})
	},
	"Protection":       func(ctx context.Context, f forge.Forge) error { _, err := f.Protection(ctx, Base); return err },
	"EnsureProtection": func(ctx context.Context, f forge.Forge) error { return f.EnsureProtection(ctx, Base, []string{"a"}) },
	"EnsureWebhook": func(ctx context.Context, f forge.Forge) error {
		return f.EnsureWebhook(ctx, forge.Webhook{URL: "https://mainstay.example/hook", Secret: "0123456789abcdef"})
	},
	"CurrentUser": func(ctx context.Context, f forge.Forge) error { _, err := f.CurrentUser(ctx); return err },
}

func refuse(code int, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(code)
		// A proxy that repeats what it was sent.
		_, _ = fmt.Fprintf(w, `{"message":"refused: %s %s %s"}`, r.Header.Get("Authorization"), r.Header.Get("Private-Token"), strings.Repeat("long ", 1000))
	}
}

func faults(other string) map[string]fault {
	reset := fmt.Sprint(time.Now().Add(90 * time.Second).Unix())
	return map[string]fault{
		"ExpiredToken": {reason: "a token that expired", answer: refuse(http.StatusUnauthorized), want: forge.Unauthorized},
		"Forbidden":    {reason: "rights that are missing", answer: refuse(http.StatusForbidden), want: forge.Forbidden},
		"NoRepository": {reason: "a repository that vanished", answer: refuse(http.StatusNotFound), want: forge.NotFound},
		"TooOften":     {reason: "asked too often", answer: refuse(http.StatusTooManyRequests, "Retry-After", "7"), want: forge.RateLimited, after: 7 * time.Second},
		"TooOftenSecondary": {
			reason: "asked too often, in GitHub's way", answer: refuse(http.StatusForbidden, "Retry-After", "60"),
			want: forge.RateLimited, after: time.Minute,
		},
		"Broken":      {reason: "an error of the forge", answer: refuse(http.StatusInternalServerError), want: forge.Unavailable},
		"Maintenance": {reason: "a forge under maintenance", answer: refuse(http.StatusServiceUnavailable, "Retry-After", "30"), want: forge.Unavailable, after: 30 * time.Second},
		"Truncated": {reason: "a body that ends early", want: forge.Unavailable, answer: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte(`{"number":`))
		}},
		"Huge": {reason: "a body of 50 MB", want: forge.Unavailable, answer: func(w http.ResponseWriter, _ *http.Request) {
			block := []byte(strings.Repeat(" ", 1<<20))
			for range 50 {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
		}},
		"NotJSON": {reason: "a proxy's page", want: forge.Unavailable, answer: func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("<html>Please log in</html>"))
		}},
		"OtherJSON": {reason: "JSON of another shape", want: forge.Unavailable, answer: func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`"hello"`))
		}},
		"Silent": {reason: "no answer", want: forge.Unavailable, timeout: 50 * time.Millisecond, answer: func(_ http.ResponseWriter, r *http.Request) {
			// Until the body is read nobody sees that the client has gone.
			_, _ = io.Copy(io.Discard, r.Body)
			select {
			case <-r.Context().Done():
			case <-time.After(10 * time.Second):
			}
		}},
		"Moved": {reason: "a redirect to another host", want: forge.NotFound, answer: func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other+r.URL.Path, http.StatusTemporaryRedirect)
		}},
		"Loop": {reason: "a redirect without end", want: forge.Unavailable, answer: func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet {
				refuse(http.StatusInternalServerError)(w, r)
				return
			}
			http.Redirect(w, r, r.URL.Path, http.StatusTemporaryRedirect)
		}},
		"MovedWrite": {reason: "a redirect of a write", want: forge.NotFound, answer: func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				refuse(http.StatusNotFound)(w, r)
				return
			}
			http.Redirect(w, r, "/elsewhere", http.StatusMovedPermanently)
		}},
		"UsedUp": {reason: "a rate limit that is used up", answer: refuse(http.StatusForbidden, "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", reset, "Retry-After", "5"), want: forge.RateLimited, after: 5 * time.Second},
	}
}

// gone: nobody listens.
func gone(t *testing.T, d forge.Driver) {
	srv := httptest.NewServer(http.NotFoundHandler())
	srv.Close()
	for call, do := range calls {
		if err := do(t.Context(), newForge(t, d, forge.Config{URL: srv.URL})); !forge.Is(err, forge.Unavailable) || !forge.Passes(err) {
			t.Errorf("%s: want an error that passes, got %v", call, err)
		}
	}
}

// endedContext: who no longer wants an answer is told so, not that the forge is down.
func endedContext(t *testing.T, d forge.Driver) {
	srv := httptest.NewServer(http.NotFoundHandler())
	defer srv.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for call, do := range calls {
		if err := do(ctx, newForge(t, d, forge.Config{URL: srv.URL})); !errors.Is(err, context.Canceled) || forge.ReasonOf(err) != "" {
			t.Errorf("%s: want that the context is canceled, got %v", call, err)
		}
	}
}

// askedTooOften: once a forge has said so it is left alone until its time, and then
// asked again.
func askedTooOften(t *testing.T, d forge.Driver) {
	var asked atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		refuse(http.StatusTooManyRequests, "Retry-After", "120")(w, r)
	}))
	defer srv.Close()
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	f := newForge(t, d, forge.Config{URL: srv.URL, Now: func() time.Time { return now }})
	for range 5 {
		if _, err := f.CurrentUser(t.Context()); !forge.Is(err, forge.RateLimited) || !forge.Passes(err) {
			t.Errorf("CurrentUser(): want RateLimited, got %v", err)
		}
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("it was asked %d times", n)
	}
	if diff := cmp.Diff(now.Add(2*time.Minute), f.RateLimit().BlockedUntil); diff != "" {
		t.Errorf("BlockedUntil: -want, +got:\n%s", diff)
	}
	now = now.Add(119 * time.Second)
	_, err := f.CurrentUser(t.Context())
	if diff := cmp.Diff(time.Second, forge.RetryAfter(err)); diff != "" {
		t.Errorf("RetryAfter: -want, +got:\n%s", diff)
	}
	now = now.Add(time.Second)
	if _, err := f.CurrentUser(t.Context()); err == nil || asked.Load() != 2 {
		t.Errorf("it was asked %d times after its time: %v", asked.Load(), err)
	}
}

// badConfig is refused before anybody is asked, without repeating what may be secret.
func badConfig(t *testing.T, d forge.Driver) {
	good := forge.Config{URL: "https://forge.example/data/claims", Token: faultToken}
	for name, change := range map[string]func(*forge.Config){
		"no token":       func(c *forge.Config) { c.Token = "" },
		"plain http":     func(c *forge.Config) { c.URL = "http://forge.example/data/claims" },
		"no repository":  func(c *forge.Config) { c.URL = "https://forge.example/data" },
		"credentials":    func(c *forge.Config) { c.URL = "https://me:" + faultToken + "@forge.example/data/claims" },
		"no certificate": func(c *forge.Config) { c.CA = []byte("not PEM") },
	} {
		c := good
		change(&c)
		if _, err := d.New(c); !forge.Is(err, forge.Invalid) || strings.Contains(err.Error(), faultToken) {
			t.Errorf("New(...) with %s: want Invalid, got %v", name, err)
		}
	}
	if _, err := d.New(good); err != nil {
		t.Errorf("New(...): %v", err)
	}
}
