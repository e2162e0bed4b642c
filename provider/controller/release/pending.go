package release

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// glance is how long an object that was healthy need not be looked at again, while others
// of the same change are waited for.
const glance = 10 * time.Second

// pending remembers of changes that are under way when they began, what was healthy at
// the last look, and whether their status can wait. What a restart loses is looked at
// once more.
type pending struct {
	mu       sync.Mutex
	releases map[types.UID]*underWay
}

// An underWay change is that of a Release to one generation.
type underWay struct {
	generation int64
	began      time.Time
	waits      bool
	// identity of what was applied when objects were seen to be healthy.
	identity string
	healthy  map[objectKey]glimpse
}

// A glimpse is an object as it was seen.
type glimpse struct {
	live *unstructured.Unstructured
	at   time.Time
}

func newPending() *pending { return &pending{releases: map[types.UID]*underWay{}} }

// begin a look at a Release, which may be that at a new change.
func (p *pending) begin(mg *v1alpha1.Release, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	u := p.releases[mg.GetUID()]
	if u == nil || u.generation != mg.GetGeneration() {
		p.releases[mg.GetUID()] = &underWay{generation: mg.GetGeneration(), began: now}
		return
	}
	u.waits = false
}

// begun is when the change to a Release's generation was seen first.
func (p *pending) begun(mg *v1alpha1.Release) time.Time { return p.since(mg.GetUID()) }

// since when a Release has been changing. It is zero where it is not.
func (p *pending) since(uid types.UID) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if u := p.releases[uid]; u != nil {
		return u.began
	}
	return time.Time{}
}

// saw objects that are healthy.
func (p *pending) saw(mg *v1alpha1.Release, identity string, now time.Time, healthy map[objectKey]*unstructured.Unstructured) {
	p.mu.Lock()
	defer p.mu.Unlock()
	u := p.releases[mg.GetUID()]
	if u == nil {
		return
	}
	was := u.healthy
	if u.identity != identity {
		was = nil
	}
	u.identity, u.healthy = identity, make(map[objectKey]glimpse, len(healthy))
	for key, live := range healthy {
		if g, ok := was[key]; ok && g.live == live {
			u.healthy[key] = g // It was not looked at again.
			continue
		}
		u.healthy[key] = glimpse{live: live, at: now}
	}
}

// lately returns an object that was healthy a moment ago. It is nil where that is not known.
func (p *pending) lately(mg *v1alpha1.Release, identity string, key objectKey, now time.Time) *unstructured.Unstructured {
	p.mu.Lock()
	defer p.mu.Unlock()
	u := p.releases[mg.GetUID()]
	if u == nil || identity == "" || u.identity != identity || u.generation != mg.GetGeneration() {
		return nil
	}
	if g, ok := u.healthy[key]; ok && now.Sub(g.at) < glance {
		return g.live
	}
	return nil
}

// wait with what there is to say of a Release.
func (p *pending) wait(mg *v1alpha1.Release) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if u := p.releases[mg.GetUID()]; u != nil {
		u.waits = true
	}
}

// waits is true, once, where there is nothing to say of a Release that could not wait.
func (p *pending) waits(o client.Object) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	u := p.releases[o.GetUID()]
	if u == nil || !u.waits {
		return false
	}
	u.waits = false
	return u.generation == o.GetGeneration()
}

// count of the changes that are under way.
func (p *pending) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.releases)
}

// end of a change.
func (p *pending) end(uid types.UID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.releases, uid)
}
