package target

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"weak"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/restmapper"
)

// asking is a mapper that asks a cluster which kinds it serves, the first time and whenever it
// is asked for one that it does not know. What it was told it shares with every cluster that
// says the same: for each of a thousand to keep its own would take gigabytes.
//
// A group that could not be asked is not one that is not served: objects of a kind that is not
// served are gone.
type asking struct {
	discovery discovery.DiscoveryInterface

	now atomic.Pointer[served]

	mu       sync.Mutex // Held while it asks.
	failures atomic.Uint64
	failure  error // The last one.
}

// served is what a cluster says that it serves.
type served struct {
	kinds *kinds
	// failed are groups that it could not say anything of.
	failed map[schema.GroupVersion]error
}

// kinds of one cluster or of many.
type kinds struct{ meta.RESTMapper }

// find what is looked for in a group, and ask where it is not known.
func find[T any](a *asking, group string, in func(meta.RESTMapper) (T, error)) (T, error) {
	before := a.now.Load()
	if before != nil {
		if out, err := in(before.kinds); !meta.IsNoMatchError(err) {
			return out, err
		}
	}
	var none T
	now, err := a.ask(before, a.failures.Load())
	if err != nil {
		return none, err
	}
	out, err := in(now.kinds)
	if meta.IsNoMatchError(err) {
		for gv, why := range now.failed {
			if gv.Group == group {
				return none, fmt.Errorf("cannot ask which kinds of %s are served: %w", gv, why)
			}
		}
	}
	return out, err
}

// ask the cluster, unless somebody has since. Whoever waited while that failed does not wait for
// it to fail again: a cluster that does not answer takes its time.
func (a *asking) ask(before *served, failures uint64) (*served, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now := a.now.Load(); now != before {
		return now, nil
	}
	if a.failures.Load() != failures {
		return nil, a.failure
	}
	now, err := a.read()
	if err != nil {
		a.failure = err
		a.failures.Add(1)
		return nil, err
	}
	a.now.Store(now)
	return now, nil
}

// read what the cluster serves.
func (a *asking) read() (*served, error) {
	groups, lists, err := discovery.ServerGroupsAndResources(a.discovery)
	failed, partly := errors.AsType[*discovery.ErrGroupDiscoveryFailed](err)
	if err != nil && !partly {
		return nil, fmt.Errorf("cannot ask which kinds are served: %w", err)
	}
	now := &served{}
	if partly {
		now.failed = failed.Groups
	}
	if now.kinds, err = known.share(groups, lists); err != nil {
		return nil, err
	}
	return now, nil
}

// KindFor a resource.
func (a *asking) KindFor(r schema.GroupVersionResource) (schema.GroupVersionKind, error) {
	return find(a, r.Group, func(m meta.RESTMapper) (schema.GroupVersionKind, error) { return m.KindFor(r) })
}

// KindsFor a resource.
func (a *asking) KindsFor(r schema.GroupVersionResource) ([]schema.GroupVersionKind, error) {
	return find(a, r.Group, func(m meta.RESTMapper) ([]schema.GroupVersionKind, error) { return m.KindsFor(r) })
}

// ResourceFor what may be a part of a resource.
func (a *asking) ResourceFor(r schema.GroupVersionResource) (schema.GroupVersionResource, error) {
	return find(a, r.Group, func(m meta.RESTMapper) (schema.GroupVersionResource, error) { return m.ResourceFor(r) })
}

// ResourcesFor what may be a part of a resource.
func (a *asking) ResourcesFor(r schema.GroupVersionResource) ([]schema.GroupVersionResource, error) {
	return find(a, r.Group, func(m meta.RESTMapper) ([]schema.GroupVersionResource, error) { return m.ResourcesFor(r) })
}

// RESTMapping of a kind.
func (a *asking) RESTMapping(gk schema.GroupKind, versions ...string) (*meta.RESTMapping, error) {
	return find(a, gk.Group, func(m meta.RESTMapper) (*meta.RESTMapping, error) { return m.RESTMapping(gk, versions...) })
}

// RESTMappings of a kind.
func (a *asking) RESTMappings(gk schema.GroupKind, versions ...string) ([]*meta.RESTMapping, error) {
	return find(a, gk.Group, func(m meta.RESTMapper) ([]*meta.RESTMapping, error) { return m.RESTMappings(gk, versions...) })
}

// ResourceSingularizer of a resource.
func (a *asking) ResourceSingularizer(resource string) (string, error) {
	return find(a, "", func(m meta.RESTMapper) (string, error) { return m.ResourceSingularizer(resource) })
}

// known kinds, by the digest of what was said. They go when no cluster says so any more.
var known = &pool{by: map[[sha256.Size]byte]weak.Pointer[kinds]{}} //nolint:gochecknoglobals // It is there to be shared.

type pool struct {
	mu sync.Mutex
	by map[[sha256.Size]byte]weak.Pointer[kinds]
}

// share what was said with whoever was told the same.
func (p *pool) share(groups []*metav1.APIGroup, lists []*metav1.APIResourceList) (*kinds, error) {
	all := said(groups, lists)
	raw, err := json.Marshal(all)
	if err != nil {
		return nil, fmt.Errorf("cannot compare the kinds that are served: %w", err)
	}
	sum := sha256.Sum256(raw)
	p.mu.Lock()
	defer p.mu.Unlock()
	if k := p.by[sum].Value(); k != nil {
		return k, nil
	}
	for s, w := range p.by {
		if w.Value() == nil {
			delete(p.by, s)
		}
	}
	k := &kinds{RESTMapper: restmapper.NewDiscoveryRESTMapper(all)}
	p.by[sum] = weak.Make(k)
	return k, nil
}

// said of groups, and no more of each resource than a mapper needs.
func said(groups []*metav1.APIGroup, lists []*metav1.APIResourceList) []*restmapper.APIGroupResources {
	resources := map[string][]metav1.APIResource{}
	for _, l := range lists {
		for _, r := range l.APIResources {
			resources[l.GroupVersion] = append(resources[l.GroupVersion], metav1.APIResource{Name: r.Name, SingularName: r.SingularName, Kind: r.Kind, Namespaced: r.Namespaced})
		}
	}
	out := make([]*restmapper.APIGroupResources, 0, len(groups))
	for _, g := range groups {
		in := &restmapper.APIGroupResources{
			Group:              metav1.APIGroup{Name: g.Name, Versions: g.Versions, PreferredVersion: g.PreferredVersion},
			VersionedResources: map[string][]metav1.APIResource{},
		}
		for _, v := range g.Versions {
			if rs, ok := resources[v.GroupVersion]; ok {
				in.VersionedResources[v.Version] = rs
			}
		}
		out = append(out, in)
	}
	return out
}
