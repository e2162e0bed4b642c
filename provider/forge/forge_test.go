package forge

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestLocate(t *testing.T) {
	cases := map[string]struct {
		reason    string
		url, base string
		want      Location
		invalid   bool
	}{
		"Plain":      {reason: "owner and name", url: "https://forge.example/data/claims", want: Location{"https://forge.example", "data/claims", "https://forge.example/data/claims.git"}},
		"Git":        {reason: "as it is cloned", url: "https://forge.example/data/claims.git/", want: Location{"https://forge.example", "data/claims", "https://forge.example/data/claims.git"}},
		"Groups":     {reason: "GitLab nests groups", url: "https://forge.example/a/b/c/claims", want: Location{"https://forge.example", "a/b/c/claims", "https://forge.example/a/b/c/claims.git"}},
		"Below":      {reason: "a forge below a path", url: "https://example.com/git/data/claims", base: "https://example.com/git/", want: Location{"https://example.com/git", "data/claims", "https://example.com/git/data/claims.git"}},
		"API":        {reason: "an API elsewhere", url: "https://ghe.example/data/claims", base: "https://ghe.example/api/v3", want: Location{"https://ghe.example/api/v3", "data/claims", "https://ghe.example/data/claims.git"}},
		"Loopback":   {reason: "plain HTTP on this machine", url: "http://127.0.0.1:3000/data/claims", want: Location{"http://127.0.0.1:3000", "data/claims", "http://127.0.0.1:3000/data/claims.git"}},
		"HTTP":       {reason: "plain HTTP would show the token", url: "http://forge.example/data/claims", invalid: true},
		"NotLocal":   {reason: "a name that only looks like loopback", url: "http://localhost.example/data/claims", invalid: true},
		"SSH":        {reason: "not HTTP", url: "git@forge.example:data/claims.git", invalid: true},
		"OneSegment": {reason: "no owner", url: "https://forge.example/claims", invalid: true},
		"Dots":       {reason: "a way out of the path", url: "https://forge.example/data/../claims", invalid: true},
		"Odd":        {reason: "characters of a query", url: "https://forge.example/data/cl%3Faims", invalid: true},
		"Query":      {reason: "a query", url: "https://forge.example/data/claims?a=b", invalid: true},
		"User":       {reason: "credentials", url: "https://me:secret@forge.example/data/claims", invalid: true},
		"BadBase":    {reason: "a base without TLS", url: "https://forge.example/data/claims", base: "http://forge.example", invalid: true},
		"Empty":      {reason: "nothing", invalid: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := Config{URL: tc.url, BaseURL: tc.base}.Locate()
			if Is(err, Invalid) != tc.invalid || (err != nil) != tc.invalid {
				t.Errorf("%s: Locate(): %v", tc.reason, err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s: Locate(): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestDiffers(t *testing.T) {
	have := []Status{
		{Context: "mainstay/plan", State: StatusSuccess, Description: "3 clusters"},
		{Context: "mainstay/execute", State: StatusPending, Description: strings.Repeat("x", MaxDescription-1) + "…"},
	}
	cases := map[string]struct {
		reason string
		want   Status
		differ bool
	}{
		"Same":        {"what is there is not posted again", have[0], false},
		"State":       {"a state is a transition", Status{Context: "mainstay/plan", State: StatusFailure, Description: "3 clusters"}, true},
		"Description": {"so are other words", Status{Context: "mainstay/plan", State: StatusSuccess, Description: "4 clusters"}, true},
		"URL":         {"and another link", Status{Context: "mainstay/plan", State: StatusSuccess, Description: "3 clusters", URL: "https://x"}, true},
		"Spaces":      {"forges keep one line", Status{Context: "mainstay/plan", State: StatusSuccess, Description: " 3\n clusters "}, false},
		"Cut":         {"what was cut is not longer again", Status{Context: "mainstay/execute", State: StatusPending, Description: strings.Repeat("x", 500)}, false},
		"New":         {"a context that is not there", Status{Context: "mainstay/other", State: StatusPending}, true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := Differs(have, tc.want); got != tc.differ {
				t.Errorf("%s: Differs(...): got %t", tc.reason, got)
			}
		})
	}
}

func TestCountsFor(t *testing.T) {
	const head = "a"
	cases := map[string]struct {
		reason string
		a      Approval
		sha    string
		want   bool
	}{
		"Same":      {"it was of this head", Approval{Verdict: Approved, SHA: head}, head, true},
		"Other":     {"it was of another", Approval{Verdict: Approved, SHA: "b"}, head, false},
		"Unknown":   {"nobody knows of which", Approval{Verdict: Approved}, "", false},
		"Stale":     {"the forge says that it is old", Approval{Verdict: Approved, SHA: head, Stale: true}, head, false},
		"Dismissed": {"it was taken back", Approval{Verdict: Dismissed, SHA: head}, head, false},
		"Refused":   {"it is the contrary", Approval{Verdict: ChangesRequested, SHA: head}, head, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := tc.a.CountsFor(tc.sha); got != tc.want {
				t.Errorf("%s: CountsFor(...): got %t", tc.reason, got)
			}
		})
	}
}

func TestDeliveries(t *testing.T) {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	event := func(id, digest int) Event {
		return Event{Delivery: fmt.Sprint(id), Digest: fmt.Sprint(digest), Repository: "data/claims"}
	}
	steps := []struct {
		reason string
		after  time.Duration
		e      Event
		want   bool
	}{
		{"the first", 0, event(1, 1), true},
		{"delivered again", time.Minute, event(1, 1), false},
		{"replayed under another id", 0, event(2, 1), false},
		{"another body under a known id", 0, event(2, 2), false},
		{"another one", 0, event(3, 3), true},
		{"after an hour it is no more than a hint again", 2 * time.Hour, event(1, 1), true},
	}
	var d Deliveries
	for _, s := range steps {
		now = now.Add(s.after)
		if got := d.New(s.e, now); got != s.want {
			t.Errorf("%s: New(...): got %t", s.reason, got)
		}
	}
	for i := range 5 * maxDeliveries {
		d.New(event(1000+i, 1000+i), now)
	}
	if len(d.seen) > maxDeliveries+2 || len(d.order) != len(d.seen) {
		t.Errorf("after a flood: it remembers %d, in order %d", len(d.seen), len(d.order))
	}
}

func TestSigned(t *testing.T) {
	// echo -n '{"a":1}' | openssl dgst -sha256 -hmac 0123456789abcdef
	const signature = "1c76fbb930d3aa8b1633728fae212c68ca68a6752bb319b98be6fe17e86cf5b8"
	body := []byte(`{"a":1}`)
	cases := map[string]struct {
		reason    string
		body      []byte
		signature string
		secret    Secret
		want      bool
	}{
		"Good":     {"signed with the secret", body, signature, "0123456789abcdef", true},
		"Prefix":   {"as GitHub writes it", body, "sha256=" + signature, "0123456789abcdef", true},
		"Secret":   {"another secret", body, signature, "0123456789abcdeF", false},
		"Body":     {"another body", []byte(`{"a":2}`), signature, "0123456789abcdef", false},
		"Short":    {"part of it", body, signature[:32], "0123456789abcdef", false},
		"NotHex":   {"no digits", body, "zz", "0123456789abcdef", false},
		"None":     {"no signature", body, "", "0123456789abcdef", false},
		"NoSecret": {"no secret signs nothing", body, signature, "", false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := Signed(tc.body, tc.signature, tc.secret); got != tc.want {
				t.Errorf("%s: Signed(...): got %t", tc.reason, got)
			}
		})
	}
	for _, tc := range []struct {
		token  string
		secret Secret
		want   bool
	}{{"0123456789abcdef", "0123456789abcdef", true}, {"0123", "0123456789abcdef", false}, {"", "", false}} {
		if got := SameSecret(tc.token, tc.secret); got != tc.want {
			t.Errorf("SameSecret(%q, ...): got %t", tc.token, got)
		}
	}
}

func TestSecretHides(t *testing.T) {
	c := CloneAccess{URL: "https://forge.example/data/claims.git", Username: "mainstay", Password: "very secret"}
	j, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprint(c), fmt.Sprintf("%+v", c), fmt.Sprintf("%#v", c), fmt.Sprintf("%s %q", c.Password, c.Password), string(j)} {
		if strings.Contains(text, "very secret") {
			t.Errorf("a secret prints itself: %s", text)
		}
	}
}

func TestLimiter(t *testing.T) {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	headers := func(kv ...string) http.Header {
		h := http.Header{}
		for i := 0; i < len(kv); i += 2 {
			h.Set(kv[i], kv[i+1])
		}
		return h
	}
	cases := map[string]struct {
		reason string
		h      http.Header
		want   RateLimit
		wait   time.Duration
	}{
		"None":   {"a forge without a limit", headers(), RateLimit{}, 0},
		"GitHub": {"what is left", headers("X-RateLimit-Limit", "5000", "X-RateLimit-Remaining", "4999", "X-RateLimit-Reset", "1772445600"), RateLimit{Known: true, Limit: 5000, Remaining: 4999, Reset: time.Unix(1772445600, 0)}, 0},
		"GitLab": {"in other words", headers("RateLimit-Limit", "60", "RateLimit-Remaining", "0", "RateLimit-Reset", fmt.Sprint(now.Add(time.Minute).Unix())), RateLimit{Known: true, Limit: 60, Reset: now.Add(time.Minute)}, time.Minute},
		"Past":   {"used up, but that is over", headers("RateLimit-Limit", "60", "RateLimit-Remaining", "0", "RateLimit-Reset", fmt.Sprint(now.Add(-time.Minute).Unix())), RateLimit{Known: true, Limit: 60, Reset: now.Add(-time.Minute)}, 0},
		"Clock":  {"a reset in a far future silences nobody", headers("RateLimit-Remaining", "0", "RateLimit-Reset", "99999999999"), RateLimit{Known: true, Reset: time.Unix(99999999999, 0)}, 0},
		"Words":  {"no numbers", headers("X-RateLimit-Remaining", "many", "RateLimit-Remaining", "-3"), RateLimit{}, 0},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var l limiter
			l.observe(tc.h, now)
			if diff := cmp.Diff(tc.want, l.get(), cmpopts.EquateApproxTime(0)); diff != "" {
				t.Errorf("%s: observe(...): -want, +got:\n%s", tc.reason, diff)
			}
			if got := RetryAfter(l.check(now)); got != tc.wait {
				t.Errorf("%s: check(...): want to wait %s, got %s", tc.reason, tc.wait, got)
			}
		})
	}
	var l limiter
	l.block(now, 365*24*time.Hour)
	if err := l.check(now.Add(maxBlock)); err != nil {
		t.Errorf("a forge that asks for a year is asked again within %s: %v", maxBlock, err)
	}
	if at := now.UTC().Add(90 * time.Second).Format(http.TimeFormat); retryAfter(headers("Retry-After", at), now) != 90*time.Second {
		t.Errorf("Retry-After as a date is not understood: %s", at)
	}
}

func TestClientTrustsCA(t *testing.T) {
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/old" {
			http.Redirect(w, r, "/new", http.StatusMovedPermanently)
			return
		}
		_, _ = fmt.Fprintf(w, `{"agent":%q}`, r.UserAgent())
	}))
	defer srv.Close()
	get := func(c Config) (string, error) {
		hc, err := c.Client()
		if err != nil {
			return "", err
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+"/old", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := hc.Do(req)
		if err != nil {
			return "", err
		}
		var b bytes.Buffer
		_, err = b.ReadFrom(resp.Body)
		_ = resp.Body.Close()
		return b.String(), err
	}
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	got, err := get(Config{Token: "t", CA: ca})
	if err != nil || got != `{"agent":"mainstay"}` {
		t.Errorf("Get(...) with its CA, redirected on the same host: %q, %v", got, err)
	}
	if _, err := get(Config{Token: "t"}); !Is(err, Unavailable) {
		t.Errorf("Get(...) without its CA: want Unavailable, got %v", err)
	}
}

func TestWrap(t *testing.T) {
	inner := &Error{Reason: NotFound, Message: "forge refuses GET /x with 404"}
	cases := map[string]struct {
		reason string
		err    error
		want   string
		is     Reason
	}{
		"Ours":     {"what SDKs put around it is left out", fmt.Errorf("sdk: %w", inner), "cannot read it: forge refuses GET /x with 404", NotFound},
		"Canceled": {"who stopped asking is told so", fmt.Errorf("sdk: %w", context.Canceled), "cannot read it: context canceled", ""},
		"Deadline": {"or when", fmt.Errorf("sdk: %w", context.DeadlineExceeded), "cannot read it: context deadline exceeded", ""},
		"Other":    {"what an SDK cannot read is not a forge's", errors.New("json: cannot unmarshal"), "cannot read it: forge does not answer as a forge does: check the url", Unavailable},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			err := Wrap(tc.err, "read %s", "it")
			if diff := cmp.Diff(tc.want, err.Error()); diff != "" {
				t.Errorf("%s: Wrap(...): -want, +got:\n%s", tc.reason, diff)
			}
			if got := ReasonOf(err); got != tc.is {
				t.Errorf("%s: ReasonOf(...): want %q, got %q", tc.reason, tc.is, got)
			}
		})
	}
	if Wrap(nil, "read") != nil {
		t.Error("Wrap(nil) is an error")
	}
}
