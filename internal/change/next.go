package change

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// maxTurns is how many phases one decision passes through. There is no way to need more.
const maxTurns = 20

// Next decides what to do, for a specification and what is observed at an instant.
func Next(spec Spec, o Observed, now time.Time) Decision {
	n := &run{spec: spec, o: o, now: now, is: *o.Status.DeepCopy()}
	if spec.Leaving {
		return n.leave()
	}
	n.look()
	n.obey()
	n.weigh()
	for range maxTurns {
		before := n.is.Phase
		if n.turn(); n.is.Phase == before {
			break
		}
		n.weigh()
	}
	n.act()
	return n.report()
}

// A run is a Decision in the making.
type run struct {
	spec Spec
	o    Observed
	now  time.Time
	// is the status as it is going to be.
	is v1alpha1.ChangeObservation
	// waits says in prose what is waited for.
	waits []string
	// approved is true where enough people agree to the plan; urgent where it is an
	// emergency.
	approved, urgent bool
	// took is true once an answer of the planner was taken.
	took     bool
	decision Decision
}

// turn decides the phase, from the phase that it is in.
func (n *run) turn() {
	n.waits = nil
	switch n.is.Phase {
	case "":
		n.to(v1alpha1.ChangePending)
	case v1alpha1.ChangePending, v1alpha1.ChangeRefused:
		n.plan()
	case v1alpha1.ChangePlanned:
		n.mayBegin()
	case v1alpha1.ChangeApproved, v1alpha1.ChangeQueued:
		n.queue()
	case v1alpha1.ChangeExecuting:
		n.execute()
	case v1alpha1.ChangeSuperseded:
		n.settleBatch()
	case v1alpha1.ChangeVerifying:
		n.verify()
	case v1alpha1.ChangeMerging:
		n.merge()
	case v1alpha1.ChangeHalted:
		n.halted()
	case v1alpha1.ChangeAbandoning:
		n.goBack()
	case v1alpha1.ChangeCompleted, v1alpha1.ChangeAbandoned:
		n.ended()
	}
}

// to a phase.
func (n *run) to(p v1alpha1.ChangePhase) {
	if n.is.Phase == p {
		return
	}
	n.is.Phase = p
	n.is.Timeline = latest(append(n.is.Timeline, v1alpha1.ChangeMoment{Phase: p, At: *n.stamp()}), 50)
}

// began is true where something of the change may have been written to the hub.
func (n *run) began() bool {
	return slices.ContainsFunc(n.is.Claims, func(c v1alpha1.ChangeClaim) bool { return c.Began })
}

// fenced is true where the change has its locks, in the epoch that is on record.
func (n *run) fenced() bool {
	return n.o.QueueProblem == "" && n.o.Place.Held && n.is.Epoch > 0 && n.o.Place.Epoch == n.is.Epoch
}

// open is true where the merge request is known to be.
func (n *run) open() bool { return n.o.Request != nil && n.o.Request.State == RequestOpen }

// do something, once everything that it rests on is on record.
func (n *run) do(a Action) {
	if a.Writes() {
		a.Epoch = n.is.Epoch
	}
	n.decision.Do = append(n.decision.Do, a)
}

// wait for something, in prose.
func (n *run) wait(what string) { n.waits = append(n.waits, what) }

// wakeAt an instant, if no other is earlier.
func (n *run) wakeAt(t time.Time) {
	if t.After(n.now) && (n.decision.Wake.IsZero() || t.Before(n.decision.Wake)) {
		n.decision.Wake = t
	}
}

// stamp is the present as a status has it: in whole seconds, and never too early.
func (n *run) stamp() *metav1.Time {
	t := metav1.NewTime(n.now.Add(time.Second - time.Nanosecond).Truncate(time.Second))
	return &t
}

// leave everything as it is, but for the locks.
func (n *run) leave() Decision {
	if n.o.Place.Asked || n.o.QueueProblem != "" {
		n.do(Action{Verb: DoUnlock})
	} else {
		n.decision.Done = true
	}
	n.is.Message = "being removed: what runs stays as it is"
	n.decision.Status = n.is
	return n.decision
}

// report how things stand.
func (n *run) report() Decision {
	n.progress()
	n.is.Queue = n.place()
	n.is.Next = n.next()
	n.is.Message = n.message()
	n.tell()
	n.decision.Status = n.is
	n.decision.PersistFirst = len(n.decision.Do) > 0 && !equality.Semantic.DeepEqual(n.is, n.o.Status)
	n.decision.Done = n.over() && len(n.decision.Do) == 0 && !n.o.Place.Asked
	return n.decision
}

// over is true where the change ended.
func (n *run) over() bool {
	return n.is.Phase == v1alpha1.ChangeCompleted || n.is.Phase == v1alpha1.ChangeAbandoned
}

// latest of a list, so many at most.
func latest[T any](in []T, limit int) []T {
	if len(in) > limit {
		in = slices.Clone(in[len(in)-limit:])
	}
	return in
}
