// Package snapshot reads what a cluster is, as far as a content needs to know, and
// remembers it for a while.
//
// Clusters are read as their administrator, because quotas, nodes and classes are not
// a tenant's to list. What is kept is little: of ConfigMaps the names of keys, of
// Secrets the type and the names of keys, of pods what they ask for. Values of Secrets
// are dropped as they are read; nothing here has a place for them, and no error quotes
// them. Each part is read only where it is needed, and read again when it is old.
//
// What cannot be read is left unknown, which preflight takes as no reason to refuse. Only
// a cluster that does not answer at all is an error.
//
// Deliberately absent: watches. A snapshot is needed when something changes, on a few
// clusters at a time.
package snapshot

import (
	"context"
	"fmt"
	"hash/fnv"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"k8s.io/utils/lru"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/preflight"
	"github.com/mainstay-dev/mainstay/provider/target"
)

const (
	// TTL is how old a part of a snapshot may be. Each is read again at a time of its own
	// between this and three quarters of it, so that clusters are not all read at once.
	TTL = 30 * time.Second
	// maxClusters is how many clusters are remembered.
	maxClusters = 4096
	// maxParts is how many parts of one cluster are.
	maxParts = 4096
)

// A Cache of snapshots.
type Cache struct {
	targets target.Connector
	clock   clock.PassiveClock
	// random number from 0 to 1.
	random func() float64
	images *Images

	mu       sync.Mutex
	clusters *lru.Cache // of *cluster, by types.NamespacedName
	schemas  *schemas
}

// New returns a Cache. Images may be nil: then no registry is asked.
func New(targets target.Connector, cl clock.PassiveClock, random func() float64, images *Images) *Cache {
	return &Cache{targets: targets, clock: cl, random: random, images: images, clusters: lru.New(maxClusters), schemas: newSchemas()}
}

// Snapshot of a cluster, as far as it is needed. Growing is true where nodes are still
// to come. The error is a target's where the cluster cannot be reached.
func (c *Cache) Snapshot(ctx context.Context, cr *v1alpha1.Cluster, growing bool, n preflight.Needs) (*preflight.Snapshot, error) {
	t, err := c.targets.Admin(ctx, cr)
	if err != nil {
		return nil, err
	}
	cl := c.cluster(cr)
	cl.mu.Lock()
	defer cl.mu.Unlock()
	cl.expire()
	r := &reader{cluster: cl, cache: c, target: t, client: t.Client(), used: fnv.New64a()}
	s, err := r.read(ctx, cr.Status.AtProvider.Version, n)
	if err != nil {
		return nil, fmt.Errorf("cannot look at cluster %q: %w", cr.GetName(), err)
	}
	if growing && s.Capacity != nil && !s.Capacity.Elastic {
		elastic := *s.Capacity
		elastic.Elastic = true
		s.Capacity = &elastic
		r.note("growing", 1)
	}
	if c.images != nil {
		s.Images = c.images.look(ctx, n.Images)
		for _, name := range slices.Sorted(maps.Keys(s.Images)) {
			r.note(fmt.Sprintf("image %s %v", name, *s.Images[name]), 1)
		}
	}
	s.Generation = r.used.Sum64()
	return s, nil
}

// Forget what is known of a cluster, so that it is read anew.
func (c *Cache) Forget(key types.NamespacedName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clusters.Remove(key)
}

func (c *Cache) cluster(cr *v1alpha1.Cluster) *cluster {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := types.NamespacedName{Namespace: cr.GetNamespace(), Name: cr.GetName()}
	if v, ok := c.clusters.Get(key); ok {
		if cl := v.(*cluster); cl.uid == cr.GetUID() { //nolint:forcetypeassert // Holds nothing else.
			return cl
		}
	}
	cl := &cluster{uid: cr.GetUID(), cache: c, parts: map[string]*part{}}
	c.clusters.Remove(key)
	c.clusters.Add(key, cl)
	return cl
}

// A cluster is what is remembered of one.
type cluster struct {
	uid   types.UID
	cache *Cache

	mu    sync.Mutex
	parts map[string]*part
	// reads counts what was read and was another than before.
	reads uint64
}

// A part of a snapshot.
type part struct {
	value      any
	until      time.Time
	generation uint64
}

// expire parts that are old. What is still needed is read again.
func (c *cluster) expire() {
	if len(c.parts) <= maxParts {
		return
	}
	now := c.cache.clock.Now()
	maps.DeleteFunc(c.parts, func(_ string, p *part) bool { return !now.Before(p.until) })
	if len(c.parts) > maxParts {
		clear(c.parts)
	}
}

// stale has a part read again when it is needed next.
func (r *reader) stale(key string) {
	if p := r.cluster.parts[key]; p != nil {
		p.until = time.Time{}
	}
}

// fresh returns a part that is remembered, or reads it. Its generation stays the same
// where what is read is.
func fresh[T any](r *reader, key string, read func() (T, error)) (T, error) {
	now := r.cache.clock.Now()
	p := r.cluster.parts[key]
	if p != nil && now.Before(p.until) {
		r.note(key, p.generation)
		return p.value.(T), nil //nolint:forcetypeassert // The key says what it is.
	}
	v, err := read()
	if err != nil {
		var none T
		return none, err
	}
	next := &part{value: v, until: now.Add(TTL - time.Duration(r.cache.random()*float64(TTL/4)))}
	if p != nil && reflect.DeepEqual(p.value, v) {
		next.value, next.generation = p.value, p.generation
	} else {
		r.cluster.reads++
		next.generation = r.cluster.reads
	}
	r.cluster.parts[key] = next
	r.note(key, next.generation)
	return next.value.(T), nil //nolint:forcetypeassert // It was just made so.
}
