package forge

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

const (
	// maxBody is how many bytes of an answer are read: a page of a hundred merge
	// requests with long descriptions has its place.
	maxBody = 8 << 20
	// maxErrorBody is how much of a refusal is looked at, maxErrorText told.
	maxErrorBody = 64 << 10
	maxErrorText = 300
)

// transport turns whatever a forge does into a whole answer or an *Error. That a
// RoundTripper interprets answers is unusual; but three SDKs would need three ways of
// doing so, and one of them loses the text of a refused merge.
type transport struct {
	next    http.RoundTripper
	timeout time.Duration
	now     func() time.Time
	token   string
	limit   limiter
}

// RoundTrip sends one request and reads its answer to the end.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := t.limit.check(t.now()); err != nil {
		closeBody(req)
		return nil, err
	}
	parent := req.Context()
	ctx, cancel := context.WithTimeout(parent, t.timeout)
	defer cancel()
	req = req.Clone(ctx)
	req.Header.Set("User-Agent", userAgent)

	resp, body, err := t.exchange(req)
	if err != nil {
		if parent.Err() != nil {
			return nil, parent.Err()
		}
		if e, ok := errors.AsType[*Error](err); ok {
			return nil, e
		}
		return nil, &Error{Reason: Unavailable, Message: t.clean("forge cannot be reached: " + err.Error()), Cause: err}
	}
	t.limit.observe(resp.Header, t.now())
	if resp.StatusCode >= 400 {
		e := t.refusal(req, resp, body)
		if e.Reason == RateLimited {
			t.limit.block(t.now(), e.RetryAfter)
		}
		return nil, e
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// exchange sends a request and reads the answer, bounded.
func (t *transport) exchange(req *http.Request) (*http.Response, []byte, error) {
	resp, err := t.next.RoundTrip(req)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode >= 400 {
		// How it ends does not matter: the status says enough.
		body, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
		return resp, body, nil
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		return nil, nil, fmt.Errorf("cannot read the answer to its end: %w", err)
	}
	if len(body) > maxBody {
		return nil, nil, &Error{Reason: Unavailable, Status: resp.StatusCode, Message: fmt.Sprintf("forge answers %s with more than %d MiB", operation(req), maxBody>>20)}
	}
	if resp.StatusCode < 300 && len(bytes.TrimSpace(body)) > 0 && !json.Valid(body) {
		return nil, nil, &Error{Reason: Unavailable, Status: resp.StatusCode, Message: fmt.Sprintf("forge answers %s with something that is not JSON: check the url, and what stands in between", operation(req))}
	}
	return resp, body, nil
}

// refusal is the Error for a status.
func (t *transport) refusal(req *http.Request, resp *http.Response, body []byte) *Error {
	said := Cut(t.clean(refusalText(body)), maxErrorText)
	e := &Error{Status: resp.StatusCode, RetryAfter: retryAfter(resp.Header, t.now())}
	e.Reason = reasonFor(resp, said, t.now())
	if e.Reason == RateLimited && e.RetryAfter == 0 {
		e.RetryAfter = untilReset(resp.Header, t.now())
	}
	e.Message = fmt.Sprintf("forge refuses %s with %d", operation(req), resp.StatusCode)
	if said != "" {
		e.Message += ": " + said
	}
	if a := advice[e.Reason]; a != "" {
		e.Message += ": " + a
	}
	return e
}

// reasonFor a status. GitHub says 403 for asking too often.
func reasonFor(resp *http.Response, said string, now time.Time) Reason {
	switch code := resp.StatusCode; {
	case code == http.StatusTooManyRequests:
		return RateLimited
	case code == http.StatusForbidden && (retryAfter(resp.Header, now) > 0 || headerNumber(resp.Header, "X-Ratelimit-Remaining") == 0 ||
		strings.Contains(strings.ToLower(said), "rate limit")):
		return RateLimited
	case code == http.StatusUnauthorized:
		return Unauthorized
	case code == http.StatusForbidden:
		return Forbidden
	case code == http.StatusNotFound || code == http.StatusGone:
		return NotFound
	case code == http.StatusMethodNotAllowed || code == http.StatusNotAcceptable || code == http.StatusConflict ||
		code == http.StatusPreconditionFailed || code == http.StatusLocked:
		return Conflict
	case code >= 500 || code == http.StatusRequestTimeout:
		return Unavailable
	default:
		return Invalid
	}
}

var advice = map[Reason]string{
	Unauthorized: "the token is wrong or has expired: put a new one into the Secret",
	Forbidden:    "the token's user may not do this: give it the right, or another token",
	NotFound:     "it is not there, or the token's user cannot see it",
}

// refusalText is what a forge says about a refusal: "message" or "error", which
// GitLab makes a text, a list or an object of lists.
func refusalText(body []byte) string {
	var m map[string]any
	if json.Unmarshal(body, &m) != nil {
		return ""
	}
	parts := []string{}
	for _, k := range []string{"message", "error", "errors"} {
		if v, ok := m[k]; ok && v != nil {
			parts = append(parts, flat(v))
		}
	}
	return strings.Join(strings.Fields(strings.Join(parts, ", ")), " ")
}

func flat(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return strings.Trim(string(b), "[]{}")
}

// clean takes the token out of a text, where somebody has put it in.
func (t *transport) clean(s string) string {
	if t.token == "" {
		return s
	}
	return strings.ReplaceAll(s, t.token, "[secret]")
}

// operation names a request without its query, which may be long.
func operation(req *http.Request) string { return req.Method + " " + req.URL.Path }

func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}
