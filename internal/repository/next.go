package repository

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// A Decision says what to do now, and how things stand.
type Decision struct {
	// Status to report, and the condition Ready.
	Status v1alpha1.RepositoryObservation
	Ready  Condition
	// Create Changes of merge requests with these numbers. More is true where there are
	// others, which the next look is for.
	Create []int64
	More   bool
	// Wake Changes with these names: the forge has something new of them.
	Wake []string
	// Look at Changes with these names: the base branch moved below them.
	Look []string
	// Remove Changes with these names.
	Remove []string
	// Gone is true where nothing keeps the Repository any more that is being deleted.
	Gone bool
}

// A Condition says whether things are as they should be. Reason is empty where they are.
type Condition struct {
	Reason, Message string
}

// LeavingReason is the reason of the condition Ready while a Repository waits to be deleted.
const LeavingReason = "ChangesUnderWay"

// Name of the Change of a merge request.
func Name(repository string, number int64) string { return fmt.Sprintf("%s-%d", repository, number) }

// Next decides what follows from what is observed.
func Next(spec Spec, o Observed, now time.Time) Decision {
	n := next{spec: spec, o: o, now: now, d: Decision{Status: o.Status}}
	n.learn()
	if !spec.Leaving {
		n.create()
		n.remove()
	}
	n.wake()
	n.count()
	n.tell()
	return n.d
}

// next is one decision in the making.
type next struct {
	spec Spec
	o    Observed
	now  time.Time
	d    Decision
}

// open merge requests, where this look could read them.
func (n *next) open() (map[int64]Request, bool) {
	if n.o.Look == nil || n.o.Look.Open == nil {
		return nil, false
	}
	return n.o.Look.Open, true
}

// learn what the look found. What it did not find stays as it was known last.
func (n *next) learn() {
	s, l := &n.d.Status, n.o.Look
	if l == nil {
		return
	}
	s.BaseSHA, s.User = cmp.Or(l.BaseSHA, s.BaseSHA), cmp.Or(l.User, s.User)
	if l.Protected != nil {
		s.Protected = *l.Protected
	}
	at := metav1.NewTime(n.now.Truncate(time.Second))
	switch {
	case n.o.Problem == nil:
		s.Polled, s.UnreachableSince = &at, nil
	case s.UnreachableSince == nil:
		s.UnreachableSince = &at
	}
}

// create a Change for each open merge request that has none.
func (n *next) create() {
	open, ok := n.open()
	if !ok {
		return
	}
	has := map[int64]bool{}
	for _, c := range n.o.Changes {
		has[c.Number] = true
	}
	for number := range open {
		if !has[number] {
			n.d.Create = append(n.d.Create, number)
		}
	}
	slices.Sort(n.d.Create)
	if len(n.d.Create) > MaxCreate {
		n.d.Create, n.d.More = n.d.Create[:MaxCreate], true
	}
}

// remove Changes that ended long ago, and the oldest where too many did. One whose merge
// request is open again is not removed: it would only be made anew, without its history.
func (n *next) remove() {
	open, ok := n.open()
	if !ok || n.o.Problem != nil {
		return
	}
	var ended []Change
	for _, c := range n.o.Changes {
		if _, again := open[c.Number]; c.ended() && !again && !c.Going {
			ended = append(ended, c)
		}
	}
	slices.SortFunc(ended, func(a, b Change) int { return cmp.Or(b.Since.Compare(a.Since), cmp.Compare(b.Number, a.Number)) })
	for i, c := range ended {
		if i >= MaxEnded || n.now.Sub(c.Since) > KeepEnded {
			n.d.Remove = append(n.d.Remove, c.Name)
		}
	}
	slices.Sort(n.d.Remove)
}

// wake Changes whose merge request is not what it was, or all that have not ended where
// the forge is back. Where the base branch moved the forge has nothing new to say of the others: a merge
// would have all that wait for theirs ask at once.
func (n *next) wake() {
	open, ok := n.open()
	if !ok {
		return
	}
	all := n.o.Before == nil || n.o.Status.UnreachableSince != nil && n.o.Problem == nil
	base := n.d.Status.BaseSHA != n.o.Status.BaseSHA
	for _, c := range n.o.Changes {
		is, listed := open[c.Number]
		was, known := n.o.Before[c.Number]
		moved := listed != known || !is.same(was)
		switch {
		case moved && (listed || !c.ended()) || all && !c.ended():
			n.d.Wake = append(n.d.Wake, c.Name)
		case base && !c.ended():
			n.d.Look = append(n.d.Look, c.Name)
		}
	}
	slices.Sort(n.d.Wake)
	slices.Sort(n.d.Look)
}

// count Changes by what they do.
func (n *next) count() {
	count := v1alpha1.ChangeCount{}
	for _, c := range n.o.Changes {
		if !c.ended() {
			count.Open++
		}
		switch {
		case c.Phase == v1alpha1.ChangeHalted:
			count.Halted++
		case c.Phase == v1alpha1.ChangeQueued:
			count.Queued++
		case c.UnderWay:
			count.Executing++
		}
	}
	n.d.Status.Changes = count
}

// tell how things stand.
func (n *next) tell() {
	n.d.Status.Message = n.standing()
	if p := n.o.Problem; p != nil {
		n.d.Ready = Condition{Reason: string(p.Kind), Message: n.d.Status.Message}
	}
	if !n.spec.Leaving {
		return
	}
	var busy []string
	for _, c := range n.o.Changes {
		if c.UnderWay {
			busy = append(busy, c.Name)
		}
	}
	n.d.Gone = len(busy) == 0 || n.spec.LetGo
	n.d.Status.Message = "being deleted"
	if !n.d.Gone {
		slices.Sort(busy)
		n.d.Status.Message = fmt.Sprintf("deletion waits for %s: let each end, or /abandon it; annotation %s: \"true\" lets the Repository go and leaves what runs as it is",
			list(busy), v1alpha1.AnnotationLeaveChanges)
	}
	n.d.Ready = Condition{Reason: LeavingReason, Message: n.d.Status.Message}
}

// standing in one line.
func (n *next) standing() string {
	if p := n.o.Problem; p != nil {
		message := p.message(n.spec)
		if since := n.d.Status.UnreachableSince; since != nil {
			message += fmt.Sprintf(" (since %s)", stamp(since.Time))
		}
		return message
	}
	c := n.d.Status.Changes
	parts := []string{fmt.Sprintf("%d open, %d queued, %d executing, %d halted", c.Open, c.Queued, c.Executing, c.Halted)}
	return strings.Join(append(parts, n.o.Notes...), "; ")
}

// maxNamed is how many are named before the rest is counted.
const maxNamed = 3

// list of names, cut.
func list(names []string) string {
	if len(names) <= maxNamed {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:maxNamed], ", "), len(names)-maxNamed)
}
