package forge

import (
	"sync"
	"time"
)

const (
	// deliveryWindow is how long deliveries are remembered: forges deliver again
	// within minutes, and polling finds what is lost.
	deliveryWindow = time.Hour
	// maxDeliveries that are remembered, per source.
	maxDeliveries = 4096
)

// Deliveries remembers which webhooks have been seen, by delivery and by content, so
// that one that comes twice, or is replayed under another id, costs nothing. Its
// memory is bounded: under a flood the oldest are forgotten, and then a replay is
// once more no more than a hint. The zero value is ready, and safe for concurrent use.
type Deliveries struct {
	mu   sync.Mutex
	seen map[string]time.Time
	// order of keys as they came, for the oldest to go first.
	order []string
}

// New says whether an event has not been seen before, and remembers it.
func (d *Deliveries) New(e Event, now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.forget(now)
	keys := [...]string{"delivery " + e.Delivery, "digest " + e.Digest}
	fresh := true
	for _, k := range keys {
		if _, ok := d.seen[k]; ok {
			fresh = false
		}
	}
	for _, k := range keys {
		d.remember(k, now)
	}
	return fresh
}

func (d *Deliveries) remember(key string, now time.Time) {
	if d.seen == nil {
		d.seen = map[string]time.Time{}
	}
	if _, ok := d.seen[key]; ok {
		return
	}
	d.seen[key] = now
	d.order = append(d.order, key)
}

// forget what is old, and the oldest where there are too many.
func (d *Deliveries) forget(now time.Time) {
	n := 0
	for n < len(d.order) && (len(d.order)-n > maxDeliveries || now.Sub(d.seen[d.order[n]]) > deliveryWindow) {
		delete(d.seen, d.order[n])
		n++
	}
	if n > 0 {
		d.order = append([]string(nil), d.order[n:]...)
	}
}
