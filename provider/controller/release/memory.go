package release

import (
	"fmt"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/apply"
	"github.com/mainstay-dev/mainstay/internal/drift"
)

// A memory of what was applied and is not in a Release's status yet. There it is written
// with the next news. What a restart loses is applied once more, which changes nothing.
type memory struct {
	mu       sync.Mutex
	releases map[types.UID]map[objectKey]string
}

// An objectKey is an object on a cluster. The cluster's UID is part of it, because
// another cluster of the same name has other objects.
type objectKey struct {
	cluster types.UID
	ref     v1alpha1.ObjectReference
}

func newMemory() *memory { return &memory{releases: map[types.UID]map[objectKey]string{}} }

// remember the trace of an object that was applied.
func (m *memory) remember(release types.UID, key objectKey, trace string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.releases[release] == nil {
		m.releases[release] = map[objectKey]string{}
	}
	m.releases[release][key] = trace
}

// trace of an object that was applied, or the one that is on record where none is
// remembered. What is on record need not be remembered.
func (m *memory) trace(release types.UID, key objectKey, recorded string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, ok := m.releases[release][key]
	switch {
	case !ok:
		return recorded
	case t == recorded:
		delete(m.releases[release], key)
		if len(m.releases[release]) == 0 {
			delete(m.releases, release)
		}
	}
	return t
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

// digits of each hash in a trace. They tell revisions of one object apart.
const digits = 16

// wantedTrace is the first half of a trace: what is asked for.
func wantedTrace(o apply.Object) (string, error) {
	h, err := drift.HashWanted(o.Without(o.Unstructured))
	if err != nil {
		return "", fmt.Errorf("cannot compare %s %q: %w", o.GetKind(), o.GetName(), err)
	}
	return h[:digits], nil
}

// traceOf an application: what was asked for, and what came back.
func traceOf(o apply.Object, live *unstructured.Unstructured) (string, error) {
	w, err := wantedTrace(o)
	if err != nil {
		return "", err
	}
	l, err := drift.Hash(o.Without(live), o.Without(o.Unstructured))
	if err != nil {
		return "", fmt.Errorf("cannot compare %s %q: %w", o.GetKind(), o.GetName(), err)
	}
	return w + "." + l[:digits], nil
}
