package hooks

import (
	"sync"
	"time"
)

// A bucket of tokens that fills by so many in a second, up to its size.
type bucket struct {
	mu         sync.Mutex
	rate, size float64
	tokens     float64
	at         time.Time
}

func newBucket(rate, size int, now time.Time) *bucket {
	return &bucket{rate: float64(rate), size: float64(size), tokens: float64(size), at: now}
}

// take a token, if there is one.
func (b *bucket) take(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if passed := now.Sub(b.at).Seconds(); passed > 0 {
		b.tokens, b.at = min(b.size, b.tokens+passed*b.rate), now
	}
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}
