package release

import (
	"context"
	"fmt"
	"sync"

	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/lru"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/bundle"
	"github.com/mainstay-dev/mainstay/internal/drift"
)

// A memory of what was applied last. It is lost in a restart: then everything is
// applied once more, which changes nothing where nothing has changed.
type memory struct {
	mu       sync.Mutex
	releases map[types.UID]map[objectKey]trace
}

// A trace of an application: what was asked for, and what came back.
type trace struct{ wanted, live string }

// An objectKey is an object on a cluster. The cluster's UID is part of it, because
// another cluster of the same name has other objects.
type objectKey struct {
	cluster types.UID
	ref     v1alpha1.ObjectReference
}

func newMemory() *memory { return &memory{releases: map[types.UID]map[objectKey]trace{}} }

// remember that an object was applied.
func (m *memory) remember(release types.UID, key objectKey, wanted, live *unstructured.Unstructured) error {
	t, err := traceOf(wanted, live)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.releases[release] == nil {
		m.releases[release] = map[objectKey]trace{}
	}
	m.releases[release][key] = t
	return nil
}

// settled is true where an object is as it was when it was applied last, and what is
// wanted of it is the same.
func (m *memory) settled(release types.UID, key objectKey, wanted, live *unstructured.Unstructured) (bool, error) {
	m.mu.Lock()
	before, ok := m.releases[release][key]
	m.mu.Unlock()
	if !ok {
		return false, nil
	}
	now, err := traceOf(wanted, live)
	return before == now, err
}

// retain nothing of a Release but some objects.
func (m *memory) retain(release types.UID, keys map[objectKey]bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for k := range m.releases[release] {
		if !keys[k] {
			delete(m.releases[release], k)
		}
	}
}

// forget a Release.
func (m *memory) forget(release types.UID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.releases, release)
}

func traceOf(wanted, live *unstructured.Unstructured) (trace, error) {
	w, err := drift.HashWanted(wanted)
	if err != nil {
		return trace{}, fmt.Errorf("cannot compare %s %q: %w", wanted.GetKind(), wanted.GetName(), err)
	}
	l, err := drift.Hash(live, wanted)
	if err != nil {
		return trace{}, fmt.Errorf("cannot compare %s %q: %w", wanted.GetKind(), wanted.GetName(), err)
	}
	return trace{wanted: w, live: l}, nil
}

// maxBundles is how many opened Bundles are kept. Most Releases share a few.
const maxBundles = 128

// bundles opens Bundles, and keeps those that were opened lately. They never change.
type bundles struct {
	hub    client.Reader
	opened *lru.Cache // of bundle.Content, by UID
}

func newBundles(hub client.Reader) *bundles { return &bundles{hub: hub, opened: lru.New(maxBundles)} }

// open the Bundle that a Release wants. The content is shared and must not be changed.
// It also returns the digest of the content.
func (b *bundles) open(ctx context.Context, mg *v1alpha1.Release) (bundle.Content, string, error) {
	p := mg.Spec.ForProvider
	bd := &v1alpha1.Bundle{}
	err := b.hub.Get(ctx, types.NamespacedName{Namespace: mg.GetNamespace(), Name: p.Bundle}, bd)
	if kerrors.IsNotFound(err) {
		return bundle.Content{}, "", fmt.Errorf("waits for bundle %q to be there", p.Bundle)
	}
	if err != nil {
		return bundle.Content{}, "", fmt.Errorf("cannot get bundle %q: %w", p.Bundle, err)
	}
	if bd.Spec.Application != p.Application {
		return bundle.Content{}, "", fmt.Errorf("bundle %q is of application %q and not of %q", p.Bundle, bd.Spec.Application, p.Application)
	}
	if v, ok := b.opened.Get(bd.GetUID()); ok && bd.GetUID() != "" {
		return v.(bundle.Content), bd.Spec.Digest, nil //nolint:forcetypeassert // Holds nothing else.
	}
	c, err := bundle.Open(bd, func(name string) (*v1alpha1.Bundle, error) {
		part := &v1alpha1.Bundle{}
		return part, b.hub.Get(ctx, types.NamespacedName{Namespace: mg.GetNamespace(), Name: name}, part)
	})
	if err != nil {
		return bundle.Content{}, "", err
	}
	b.opened.Add(bd.GetUID(), c)
	return c, bd.Spec.Digest, nil
}
