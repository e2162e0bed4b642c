// Package turn has the merge requests of one repository merged one after the other.
//
// A forge looks at every open merge request anew when its base branch has moved, and refuses
// to merge one until it has done so. Where many try at once each merge sets back all others: they
// wait for minutes, and ask all the time. Taking turns costs nothing and needs no promise:
// a merge is safe without one, so that turns need not survive a restart.
//
// The invariants: somebody who waits has a turn, and whoever cannot merge, for
// whatever reason, holds up others for a moment only, and each time for a shorter one.
//
// Deliberately absent: locks. What is merged is guarded by its head and by the queue of claims.
package turn

import (
	"slices"
	"time"
)

const (
	// patience with one whose turn it is, the first time. It halves each time.
	patience = 30 * time.Second
	// leastPatience with one that could never merge.
	leastPatience = 2 * time.Second
	// lost is after how long one that does not ask any more is forgotten.
	lost = time.Minute
)

// Turns of one repository. The zero value has nobody in it.
type Turns struct {
	// waiting in order. It is the first one's turn.
	waiting []waiting
}

type waiting struct {
	id string
	// asked last, and first since when.
	asked, first time.Time
	// had so many turns in vain.
	had int
}

// Ask for a turn, and how many are ahead. With none it has come. Ask again until it has been used, or leave.
func (t *Turns) Ask(id string, now time.Time) (ahead int) {
	t.waiting = slices.DeleteFunc(t.waiting, func(w waiting) bool {
		return w.id != id && (now.Sub(w.asked) >= lost || w.asked.After(now.Add(lost)))
	})
	i := t.find(id)
	if i < 0 {
		t.waiting = append(t.waiting, waiting{id: id})
		i = len(t.waiting) - 1
	}
	t.waiting[i].asked = now
	if f := &t.waiting[0]; f.first.IsZero() || f.first.After(now) {
		f.first = now
	} else if len(t.waiting) > 1 && now.Sub(f.first) >= max(patience>>min(f.had, 10), leastPatience) {
		late := *f
		late.first, late.had = time.Time{}, late.had+1
		t.waiting = append(t.waiting[1:], late)
		t.waiting[0].first = now
	}
	return t.find(id)
}

// Leave after a merge, or where none is to come.
func (t *Turns) Leave(id string) {
	t.waiting = slices.DeleteFunc(t.waiting, func(w waiting) bool { return w.id == id })
}

func (t *Turns) find(id string) int {
	return slices.IndexFunc(t.waiting, func(w waiting) bool { return w.id == id })
}
