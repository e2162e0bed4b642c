package lock

import (
	"time"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// A Place is where a change stands.
type Place struct {
	// Asked is true where the change is in the table.
	Asked bool
	// Held is true where it has all that it wants, and wants something. Epoch is the
	// one in which it was given.
	Held  bool
	Epoch int64
	// Wants is what it asked for, and how.
	Wants        []v1alpha1.LockKey
	Urgent, Idle bool
	// Position among those that it waits for: 1 is next.
	Position int32
	// Behind these, as people name them.
	Behind []string
	// Takes is about how long it waits. 0 where that cannot be said.
	Takes time.Duration
}

// Look where a change stands.
func Look(t v1alpha1.ChangeQueueSpec, uid string, now time.Time) Place {
	i := index(t, uid)
	if i < 0 {
		return Place{}
	}
	c := &t.Changes[i]
	p := Place{Asked: true, Epoch: c.Epoch, Wants: c.Wants, Urgent: c.Urgent, Idle: c.Idle}
	p.Held = c.Epoch > 0 && len(c.Wants) > 0 && !waits(c)
	if !waits(c) {
		return p
	}
	ahead := ahead(&t, c)
	p.Position = 1
	for _, a := range ahead {
		p.Behind = append(p.Behind, a.Label)
		if waits(a) {
			p.Position++
		}
	}
	p.Takes = wait(&t, c, now, map[string]time.Duration{})
	return p
}

// ahead of a change are those that it waits for.
func ahead(t *v1alpha1.ChangeQueueSpec, c *v1alpha1.QueuedChange) []*v1alpha1.QueuedChange {
	var out, members []*v1alpha1.QueuedChange
	for _, o := range ordered(t) {
		if o.UID == c.UID {
			continue
		}
		switch {
		case o.Epoch > 0 && Overlap(o.Has, c.Wants) && !yields(o, c), waits(o) && less(o, c) < 0 && Overlap(o.Wants, c.Wants):
			out = append(out, o)
		case o.Epoch > 0 && o.Group == c.Group:
			members = append(members, o)
		}
	}
	if len(out) == 0 && c.Limit > 0 && len(members) >= int(c.Limit) {
		return members
	}
	return out
}

// wait of a change: until the last of those ahead is through. 0 where one of them
// cannot say.
func wait(t *v1alpha1.ChangeQueueSpec, c *v1alpha1.QueuedChange, now time.Time, known map[string]time.Duration) time.Duration {
	if d, ok := known[c.UID]; ok {
		return d
	}
	known[c.UID] = 0
	longest := time.Duration(0)
	for _, a := range ahead(t, c) {
		d := time.Duration(0)
		switch {
		case a.Epoch > 0 && a.Ends != nil:
			// What is late is through in a minute, until it says otherwise.
			d = max(a.Ends.Sub(now), time.Minute)
		case a.Epoch == 0 && a.Takes != nil:
			if before := wait(t, a, now, known); before > 0 || len(ahead(t, a)) == 0 {
				d = before + a.Takes.Duration
			}
		}
		if d == 0 {
			return 0
		}
		longest = max(longest, d)
	}
	known[c.UID] = longest
	return longest
}
