package forgetest

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/mainstay-dev/mainstay/provider/forge"
)

// statuses: the newest of each context.
func (s *suite) statuses(t *testing.T) {
	mr := s.open(t)
	get := func() []forge.Status {
		t.Helper()
		all, err := s.f.Statuses(t.Context(), mr.HeadSHA)
		noError(t, "Statuses(...)", err)
		return all
	}
	same(t, "Statuses(...) of none", 0, len(get()))
	plan := forge.Status{Context: "mainstay/plan", State: forge.StatusSuccess, Description: "3 clusters, low risk", URL: "https://mainstay.example/plan"}
	for _, state := range []forge.StatusState{forge.StatusPending, forge.StatusFailure, forge.StatusPending, forge.StatusSuccess} {
		execute := forge.Status{Context: "mainstay/execute", State: state, Description: "now " + string(state)}
		noError(t, "SetStatus(...)", s.f.SetStatus(t.Context(), mr.HeadSHA, plan))
		noError(t, "SetStatus(...)", s.f.SetStatus(t.Context(), mr.HeadSHA, execute))
		got := get()
		same(t, "Statuses(...)", []forge.Status{execute, plan}, got)
		same(t, "Differs(...) of what was posted", false, forge.Differs(got, execute))
	}
	// What is the same is taken, whatever the forge thinks of it.
	for range 2 {
		noError(t, "SetStatus(...) again", s.f.SetStatus(t.Context(), mr.HeadSHA, forge.Status{Context: "mainstay/slow", State: forge.StatusPending, Description: "waiting"}))
	}
	long := forge.Status{Context: "mainstay/long", State: forge.StatusFailure, Description: strings.Repeat("clüster ", 40)}
	noError(t, "SetStatus(...) of a long one", s.f.SetStatus(t.Context(), mr.HeadSHA, long))
	same(t, "Differs(...) of a long one", false, forge.Differs(get(), long))
}

// statusRefused: what no forge takes, or has.
func (s *suite) statusRefused(t *testing.T) {
	mr := s.open(t)
	good := forge.Status{Context: "mainstay/plan", State: forge.StatusSuccess}
	s.want(t, "SetStatus(main)", s.f.SetStatus(t.Context(), "main", good), forge.Invalid)
	s.want(t, "SetStatus(no state)", s.f.SetStatus(t.Context(), mr.HeadSHA, forge.Status{Context: "a"}), forge.Invalid)
	s.want(t, "SetStatus(no context)", s.f.SetStatus(t.Context(), mr.HeadSHA, forge.Status{State: forge.StatusPending}), forge.Invalid)
	s.want(t, "SetStatus(...) of no commit", s.f.SetStatus(t.Context(), strings.Repeat("1", 40), good), forge.Invalid, forge.NotFound)
	s.want(t, "SetStatus(...) by a reader", s.as(t, Reader).SetStatus(t.Context(), mr.HeadSHA, good), forge.Forbidden, forge.NotFound)
}

// protection: required contexts hold a merge back until they are successful, and
// nothing is taken away.
func (s *suite) protection(t *testing.T) {
	const context, second = "mainstay/execute", "mainstay/plan"
	get := func() forge.Protection {
		t.Helper()
		p, err := s.f.Protection(t.Context(), OtherBase)
		noError(t, "Protection(...)", err)
		return p
	}
	same(t, "Requires(...) before", false, get().Requires(context))
	s.want(t, "EnsureProtection(...) by a writer", s.as(t, Author).EnsureProtection(t.Context(), OtherBase, []string{context}), forge.Forbidden, forge.NotFound)
	for _, contexts := range [][]string{{context}, {context}, {second}, {second, context}} {
		noError(t, "EnsureProtection(...)", s.f.EnsureProtection(t.Context(), OtherBase, contexts))
		p := get()
		if !p.Protected || !p.Requires(context) || !p.RequiresAll(contexts) {
			t.Errorf("Protection(...) after %v: got %+v", contexts, p)
		}
	}
	_, err := s.f.Protection(t.Context(), "no-such-branch")
	if err != nil {
		s.want(t, "Protection(no-such-branch)", err, forge.NotFound)
	}

	sha := s.Push(t, Push{Branch: "guarded", Files: map[string]string{"claims/guarded.yaml": "g"}})
	n := s.Propose(t, Proposal{Title: "Guarded", Head: "guarded", Into: OtherBase})
	set := func(context string, state forge.StatusState) {
		t.Helper()
		noError(t, "SetStatus(...)", s.f.SetStatus(t.Context(), sha, forge.Status{Context: context, State: state}))
	}
	set(second, forge.StatusSuccess)
	for _, state := range []forge.StatusState{forge.StatusPending, forge.StatusFailure} {
		set(context, state)
		_, err := s.f.Merge(t.Context(), n, forge.Merge{ExpectedHead: sha})
		s.want(t, "Merge(...) while it is "+string(state), err, forge.Conflict)
	}
	set(context, forge.StatusSuccess)
	await(t, "it merges", func() bool {
		_, err := s.f.Merge(t.Context(), n, forge.Merge{ExpectedHead: sha})
		return err == nil
	})
}

// webhook: the forge calls, the call is verified, and believed once.
func (s *suite) webhook(t *testing.T) {
	type call struct {
		r    *http.Request
		body []byte
	}
	calls := make(chan call, 100)
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err == nil {
			calls <- call{r, b}
		}
	}))
	defer srv.Close()
	mr := s.open(t)
	for _, secret := range []forge.Secret{"the first secret, which leaked", "the second secret, which is good"} {
		noError(t, "EnsureWebhook(...)", s.f.EnsureWebhook(t.Context(), forge.Webhook{URL: srv.URL + "/hook", Secret: secret}))
	}
	for _, w := range []forge.Webhook{{URL: "http://example.com/hook", Secret: "0123456789abcdef"}, {URL: srv.URL, Secret: "short"}} {
		s.want(t, "EnsureWebhook(...) of a wrong one", s.f.EnsureWebhook(t.Context(), w), forge.Invalid)
	}
	parse := func(c call, body []byte, secret forge.Secret) (forge.Event, error) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/hook", bytes.NewReader(body))
		r.Header = c.r.Header.Clone()
		return s.Driver().ParseWebhook(r, secret)
	}
	var seen forge.Deliveries
	for _, act := range []struct {
		name string
		do   func()
	}{
		{"comment", func() { s.Say(t, Reviewer, mr.Number, "/retry") }},
		{"review", func() { s.Review(t, Reviewer, mr.Number, forge.Approved) }},
		{"push", func() {
			s.Push(t, Push{Branch: mr.HeadRef, Files: map[string]string{"claims/hook.yaml": "h"}})
		}},
		{"close", func() { noError(t, "Close(...)", s.f.Close(t.Context(), mr.Number)) }},
	} {
		act.do()
		for got := int64(0); got != mr.Number; {
			var c call
			select {
			case c = <-calls:
			case <-time.After(patience):
				t.Fatalf("no webhook for a %s", act.name)
			}
			e, err := parse(c, c.body, "the second secret, which is good")
			noError(t, "ParseWebhook(...) of a "+act.name, err)
			same(t, "Repository", true, strings.EqualFold(e.Repository, mr.HeadRepository))
			same(t, "New(...) of a "+act.name, true, seen.New(e, time.Now()))
			same(t, "New(...) of a "+act.name+", replayed", false, seen.New(e, time.Now()))
			s.forged(t, e, &seen, func(change func(*http.Request), body []byte, secret forge.Secret) (forge.Event, error) {
				r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/hook", bytes.NewReader(body))
				r.Header = c.r.Header.Clone()
				change(r)
				return s.Driver().ParseWebhook(r, secret)
			}, c.body)
			got = e.Number
		}
	}
}

// forged: what is not from the forge is refused, and what is replayed is known.
func (s *suite) forged(t *testing.T, good forge.Event, seen *forge.Deliveries, parse func(func(*http.Request), []byte, forge.Secret) (forge.Event, error), body []byte) {
	t.Helper()
	const secret = "the second secret, which is good"
	nothing := func(*http.Request) {}
	for name, try := range map[string]func() (forge.Event, error){
		"wrong secret": func() (forge.Event, error) { return parse(nothing, body, "the first secret, which leaked") },
		"no secret":    func() (forge.Event, error) { return parse(nothing, body, "") },
		"empty body":   func() (forge.Event, error) { return parse(nothing, nil, secret) },
		"long body":    func() (forge.Event, error) { return parse(nothing, make([]byte, forge.MaxWebhook+1), secret) },
		"not a POST": func() (forge.Event, error) {
			return parse(func(r *http.Request) { r.Method = http.MethodGet }, body, secret)
		},
		"no signature": func() (forge.Event, error) {
			return parse(func(r *http.Request) { s.strip(r, "X-Gitea-Signature", "X-Hub-Signature-256", "X-Gitlab-Token") }, body, secret)
		},
		"no delivery": func() (forge.Event, error) {
			return parse(func(r *http.Request) { s.strip(r, deliveryHeaders...) }, body, secret)
		},
		"not from here": func() (forge.Event, error) {
			return s.Driver().ParseWebhook(httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader("{}")), secret)
		},
	} {
		if e, err := try(); err == nil || err.Error() != forge.ErrWebhook.Error() {
			t.Errorf("ParseWebhook(...) with %s: got %+v, %v", name, e, err)
		}
	}
	again, err := parse(func(r *http.Request) {
		for _, h := range deliveryHeaders {
			if r.Header.Get(h) != "" {
				r.Header.Set(h, "another-"+h)
			}
		}
	}, body, secret)
	noError(t, "ParseWebhook(...) under another id", err)
	same(t, "Delivery under another id", false, again.Delivery == good.Delivery)
	same(t, "New(...) under another id", false, seen.New(again, time.Now()))
}

var deliveryHeaders = []string{"X-Gitea-Delivery", "X-GitHub-Delivery", "X-Gitlab-Event-UUID", "X-Gitlab-Webhook-UUID", "Idempotency-Key"}

func (s *suite) strip(r *http.Request, headers ...string) {
	for _, h := range headers {
		r.Header.Del(h)
	}
}

// strangers: tokens that are not good, and repositories that are not there.
func (s *suite) strangers(t *testing.T) {
	mr := s.open(t)
	c := s.Config(Bot)
	c.Token = "wrong0123456789wrong0123456789wrong01234"
	_, err := s.with(t, c).MergeRequest(t.Context(), mr.Number)
	s.want(t, "MergeRequest(...) with a wrong token", err, forge.Unauthorized)
	if err != nil && strings.Contains(err.Error(), string(c.Token)) {
		t.Errorf("MergeRequest(...) with a wrong token: the message tells it: %v", err)
	}
	_, err = s.with(t, c).CurrentUser(t.Context())
	s.want(t, "CurrentUser() with a wrong token", err, forge.Unauthorized)

	c = s.Config(Bot)
	c.URL += "-that-is-not-there"
	gone := s.with(t, c)
	_, err = gone.OpenMergeRequests(t.Context(), Base)
	s.want(t, "OpenMergeRequests(...) of no repository", err, forge.NotFound)
	_, err = gone.Rights(t.Context(), Author)
	s.want(t, "Rights(...) of no repository", err, forge.NotFound)
	_, err = s.as(t, Stranger).MergeRequest(t.Context(), mr.Number)
	s.want(t, "MergeRequest(...) by a stranger", err, forge.NotFound, forge.Forbidden)
}
