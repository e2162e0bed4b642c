package changes

import (
	"time"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/change/lock"
)

// A Place is where a change stands in the queue.
type Place struct {
	// Change as <namespace>/<name>, and the label that people name it by.
	Change string `json:"change"`
	Label  string `json:"label"`
	Ticket int64  `json:"ticket"`
	// Epoch in which it got its locks. 0 where it waits.
	Epoch int64 `json:"epoch,omitempty"`
	// Has locks, and wants others.
	Has   []v1alpha1.LockKey `json:"has,omitempty"`
	Wants []v1alpha1.LockKey `json:"wants,omitempty"`
	// Held is true where it has all that it wants.
	Held   bool `json:"held,omitempty"`
	Urgent bool `json:"urgent,omitempty"`
	Idle   bool `json:"idle,omitempty"`
	// Position where it waits, behind whom, and for how many seconds about.
	Position int32    `json:"position,omitempty"`
	Behind   []string `json:"behind,omitempty"`
	Wait     int64    `json:"wait,omitempty"`
	// Left is in how many seconds it should be done, where it has locks.
	Left int64 `json:"left,omitempty"`
}

// Queue of all changes, in the order in which they are served.
func Queue(q v1alpha1.ChangeQueueSpec, now time.Time) []Place {
	out := make([]Place, 0, len(q.Changes))
	for i := range q.Changes {
		c := &q.Changes[i]
		at := lock.Look(q, c.UID, now)
		p := Place{
			Change: c.Change, Label: c.Label, Ticket: c.Ticket, Epoch: c.Epoch, Has: c.Has, Wants: c.Wants, Held: at.Held,
			Urgent: c.Urgent, Idle: c.Idle, Position: at.Position, Behind: at.Behind, Wait: seconds(at.Takes),
		}
		if c.Epoch > 0 && c.Ends != nil {
			p.Left = seconds(c.Ends.Sub(now))
		}
		out = append(out, p)
	}
	return out
}
