package trees

import "container/list"

// recent keeps what was asked for lately, up to a weight.
type recent[K comparable, V any] struct {
	limit, weight int
	order         *list.List
	entries       map[K]*list.Element
}

type entry[K comparable, V any] struct {
	key    K
	value  V
	weight int
}

func newRecent[K comparable, V any](limit int) *recent[K, V] {
	return &recent[K, V]{limit: limit, order: list.New(), entries: map[K]*list.Element{}}
}

func (r *recent[K, V]) get(key K) (V, bool) {
	e, ok := r.entries[key]
	if !ok {
		var none V
		return none, false
	}
	r.order.MoveToFront(e)
	return e.Value.(*entry[K, V]).value, true //nolint:forcetypeassert // Nothing else is put there.
}

// put a value, and drop those that were not asked for the longest. What weighs more than
// there is room for is not kept.
func (r *recent[K, V]) put(key K, value V, weight int) {
	r.drop(r.entries[key])
	weight++
	if weight > r.limit {
		return
	}
	r.entries[key] = r.order.PushFront(&entry[K, V]{key: key, value: value, weight: weight})
	for r.weight += weight; r.weight > r.limit; {
		r.drop(r.order.Back())
	}
}

func (r *recent[K, V]) drop(e *list.Element) {
	if e == nil {
		return
	}
	old := e.Value.(*entry[K, V]) //nolint:forcetypeassert // Nothing else is put there.
	r.order.Remove(e)
	delete(r.entries, old.key)
	r.weight -= old.weight
}
