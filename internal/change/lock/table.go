package lock

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// MaxChanges is how many changes the table has room for.
const MaxChanges = 1000

// A Request is what a change asks for.
type Request struct {
	// UID, name and label of the change.
	UID, Change, Label string
	// Group that it belongs to, and how many of it may have locks at once. 0 is no limit.
	Group string
	Limit int32
	// Wants these locks. Without any it keeps its ticket, and has and blocks nothing,
	// unless Keep is true.
	Wants []v1alpha1.LockKey
	// Keep what it has, whatever it wants.
	Keep bool
	// Renew draws another epoch for what it has in this one, so that whoever still acts
	// in it is refused.
	Renew int64
	// Urgent is served before all others. Idle writes nothing for now.
	Urgent, Idle bool
	// Takes is how long it should take.
	Takes time.Duration
}

// Ask for locks, or say something else than before. It gives what can be given, to
// whoever it is. The table that it was called with stays as it is.
func Ask(t v1alpha1.ChangeQueueSpec, r Request, now time.Time) (v1alpha1.ChangeQueueSpec, error) {
	out := *t.DeepCopy()
	i := index(out, r.UID)
	if i < 0 {
		if len(out.Changes) >= MaxChanges {
			return t, fmt.Errorf("cannot queue %s: %d changes have locks or wait for some, which is the most there can be: complete or close some", r.Label, MaxChanges)
		}
		out.Ticket++
		out.Changes = append(out.Changes, v1alpha1.QueuedChange{UID: r.UID, Ticket: out.Ticket})
		i = len(out.Changes) - 1
	}
	c := &out.Changes[i]
	c.Change, c.Label, c.Group, c.Limit = r.Change, r.Label, r.Group, r.Limit
	c.Urgent, c.Idle = r.Urgent, r.Idle
	c.Takes = nil
	if r.Takes > 0 {
		c.Takes = &metav1.Duration{Duration: r.Takes}
	}
	if !r.Keep {
		c.Wants = Tidy(r.Wants)
		switch {
		case len(c.Wants) == 0:
			drop(c)
		case Covers(c.Has, c.Wants):
			// What is not wanted any more is free for others.
			c.Has = c.Wants
		}
	}
	if r.Renew > 0 && c.Epoch == r.Renew {
		out.Epoch++
		c.Epoch = out.Epoch
	}
	settle(&out, now)
	return out, nil
}

// Leave the table. It gives what can be given to others.
func Leave(t v1alpha1.ChangeQueueSpec, uid string, now time.Time) v1alpha1.ChangeQueueSpec {
	out := *t.DeepCopy()
	out.Changes = slices.DeleteFunc(out.Changes, func(c v1alpha1.QueuedChange) bool { return c.UID == uid })
	settle(&out, now)
	return out
}

// settle gives locks to all who can have them.
func settle(t *v1alpha1.ChangeQueueSpec, now time.Time) {
	order := ordered(t)
	for i, c := range order {
		if !waits(c) {
			continue
		}
		takes, ok := may(t, order[:i], c)
		if !ok {
			continue
		}
		for _, other := range takes {
			drop(other)
		}
		t.Epoch++
		c.Epoch = t.Epoch
		c.Has = c.Wants
		c.Idle = false
		if c.Takes != nil {
			c.Ends = &metav1.Time{Time: now.Add(c.Takes.Duration).Truncate(time.Second)}
		}
	}
}

// may a change have what it wants, given those that come before it? It says from whom it
// has to be taken.
func may(t *v1alpha1.ChangeQueueSpec, before []*v1alpha1.QueuedChange, c *v1alpha1.QueuedChange) ([]*v1alpha1.QueuedChange, bool) {
	for _, b := range before {
		if waits(b) && Overlap(b.Wants, c.Wants) {
			return nil, false
		}
	}
	var takes []*v1alpha1.QueuedChange
	var members []*v1alpha1.QueuedChange
	for i := range t.Changes {
		other := &t.Changes[i]
		if other.UID == c.UID || other.Epoch == 0 {
			continue
		}
		if Overlap(other.Has, c.Wants) {
			if !yields(other, c) {
				return nil, false
			}
			takes = append(takes, other)
			continue
		}
		if other.Group == c.Group {
			members = append(members, other)
		}
	}
	if c.Limit <= 0 || c.Urgent || c.Epoch > 0 {
		return takes, true
	}
	// A younger member that waits, too, waits for this one, perhaps: it must not be the
	// one that holds it up.
	for range max(0, len(members)-int(c.Limit)+1) {
		i := slices.IndexFunc(members, func(o *v1alpha1.QueuedChange) bool {
			return waits(o) && less(c, o) < 0 && !slices.Contains(takes, o)
		})
		if i < 0 {
			return nil, false
		}
		takes = append(takes, members[i])
	}
	return takes, true
}

// yields is true where a change that has locks gives them to another.
func yields(has, wants *v1alpha1.QueuedChange) bool {
	if waits(has) && less(wants, has) < 0 {
		return true
	}
	return wants.Urgent && !has.Urgent && has.Idle
}

// waits is true where a change wants what it does not have.
func waits(c *v1alpha1.QueuedChange) bool {
	return len(c.Wants) > 0 && (c.Epoch == 0 || !Covers(c.Has, c.Wants))
}

// drop what a change has.
func drop(c *v1alpha1.QueuedChange) { c.Has, c.Epoch, c.Ends = nil, 0, nil }

// less says who is served first.
func less(a, b *v1alpha1.QueuedChange) int {
	switch {
	case a.Urgent && !b.Urgent:
		return -1
	case b.Urgent && !a.Urgent:
		return 1
	}
	return cmp.Compare(a.Ticket, b.Ticket)
}

func ordered(t *v1alpha1.ChangeQueueSpec) []*v1alpha1.QueuedChange {
	out := make([]*v1alpha1.QueuedChange, len(t.Changes))
	for i := range t.Changes {
		out[i] = &t.Changes[i]
	}
	slices.SortFunc(out, less)
	return out
}

func index(t v1alpha1.ChangeQueueSpec, uid string) int {
	return slices.IndexFunc(t.Changes, func(c v1alpha1.QueuedChange) bool { return c.UID == uid })
}
