package forge

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// defaultBlock is how long a forge is left alone that says "too often" and not
	// how long.
	defaultBlock = time.Minute
	// maxBlock bounds what a forge can ask for, lest a wrong clock silence us.
	maxBlock = time.Hour
)

// A limiter remembers what a forge said about how often it may be asked.
type limiter struct {
	mu    sync.Mutex
	state RateLimit
}

func (l *limiter) get() RateLimit {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state
}

// check refuses a request that the forge would refuse.
func (l *limiter) check(now time.Time) error {
	s := l.get()
	until := s.BlockedUntil
	if s.Known && s.Remaining == 0 && s.Reset.After(until) && s.Reset.Before(now.Add(maxBlock)) {
		until = s.Reset
	}
	if !now.Before(until) {
		return nil
	}
	return &Error{Reason: RateLimited, RetryAfter: until.Sub(now), Message: "forge wants not to be asked for a while"}
}

// block asks nothing for a while.
func (l *limiter) block(now time.Time, d time.Duration) {
	if d <= 0 {
		d = defaultBlock
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state.BlockedUntil = now.Add(min(d, maxBlock))
}

// observe reads the headers of an answer. GitHub writes X-Ratelimit-…, GitLab
// Ratelimit-…, Gitea none.
func (l *limiter) observe(h http.Header, now time.Time) {
	for _, prefix := range []string{"X-Ratelimit-", "Ratelimit-"} {
		remaining := headerNumber(h, prefix+"Remaining")
		if remaining < 0 {
			continue
		}
		l.mu.Lock()
		l.state.Known = true
		l.state.Remaining = int(remaining)
		l.state.Limit = int(max(headerNumber(h, prefix+"Limit"), 0))
		l.state.Reset = resetTime(headerNumber(h, prefix+"Reset"), now)
		l.mu.Unlock()
		return
	}
}

// resetTime of a header that holds seconds since 1970 or, where it is small, from now.
func resetTime(n int64, now time.Time) time.Time {
	switch {
	case n <= 0:
		return time.Time{}
	case n < 1e9:
		return now.Add(time.Duration(n) * time.Second)
	default:
		return time.Unix(n, 0)
	}
}

// untilReset of the rate limit, or zero.
func untilReset(h http.Header, now time.Time) time.Duration {
	n := max(headerNumber(h, "X-Ratelimit-Reset"), headerNumber(h, "Ratelimit-Reset"))
	if r := resetTime(n, now); r.After(now) {
		return r.Sub(now)
	}
	return 0
}

// retryAfter of an answer: seconds or a date. Zero where it does not say.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if n, err := strconv.ParseInt(v, 10, 32); err == nil && n > 0 {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(v); err == nil && at.After(now) {
		return at.Sub(now)
	}
	return 0
}

// headerNumber is a header that is a whole number from zero, else -1.
func headerNumber(h http.Header, name string) int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(h.Get(name)), 10, 64)
	if err != nil || n < 0 {
		return -1
	}
	return n
}
