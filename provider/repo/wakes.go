package repo

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
)

// maxWakes that nobody has heard yet. More are lost, and polling finds what they were about.
const maxWakes = 8192

// wakes of one kind of resource.
type wakes struct {
	events chan event.GenericEvent

	mu    sync.Mutex
	woken map[types.NamespacedName]bool
}

func newWakes() *wakes {
	return &wakes{events: make(chan event.GenericEvent, maxWakes), woken: map[types.NamespacedName]bool{}}
}

// wake a resource, without waiting.
func (w *wakes) wake(key types.NamespacedName, o client.Object) {
	w.mu.Lock()
	if len(w.woken) < maxWakes {
		w.woken[key] = true
	}
	w.mu.Unlock()
	w.look(o)
}

// look at a resource that was not woken.
func (w *wakes) look(o client.Object) {
	select {
	case w.events <- event.GenericEvent{Object: o}:
	default:
	}
}

// take says whether a resource was woken, and forgets it.
func (w *wakes) take(key types.NamespacedName) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	was := w.woken[key]
	delete(w.woken, key)
	return was
}
