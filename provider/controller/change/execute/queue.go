package execute

import (
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/change"
	"github.com/mainstay-dev/mainstay/internal/change/lock"
)

// How often the queue is written where others write it, too, and how long that may take.
const (
	queueTries   = 20
	queueTimeout = 30 * time.Second
)

// Queue as it is now. One that is not there is empty.
func Queue(ctx context.Context, live client.Reader) (v1alpha1.ChangeQueueSpec, error) {
	q, err := readQueue(ctx, live)
	return q.Spec, err
}

func readQueue(ctx context.Context, live client.Reader) (*v1alpha1.ChangeQueue, error) {
	q := &v1alpha1.ChangeQueue{}
	err := live.Get(ctx, types.NamespacedName{Name: v1alpha1.ChangeQueueName}, q)
	if kerrors.IsNotFound(err) {
		return &v1alpha1.ChangeQueue{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.ChangeQueueName}}, nil
	}
	if err != nil {
		return q, fmt.Errorf("cannot read the queue: %w", err)
	}
	return q, nil
}

// looks at the queue that fences take. Those who ask while one is under way share the next one: each
// has what the queue says after it asked, and a hundred changes do not read it a hundred times.
type looks struct {
	mu      sync.Mutex
	waiting *look
	looking bool
}

// A look at the queue, for all who asked before it began.
type look struct {
	done  chan struct{}
	queue v1alpha1.ChangeQueueSpec
	err   error
}

// look at the queue as it is from now on. What it returns is shared: do not change it.
func (l *looks) look(ctx context.Context, live client.Reader) (v1alpha1.ChangeQueueSpec, error) {
	l.mu.Lock()
	if l.waiting == nil {
		l.waiting = &look{done: make(chan struct{})}
	}
	mine := l.waiting
	if !l.looking {
		l.looking = true
		go l.run(context.WithoutCancel(ctx), live)
	}
	l.mu.Unlock()
	select {
	case <-mine.done:
		return mine.queue, mine.err
	case <-ctx.Done():
		return v1alpha1.ChangeQueueSpec{}, ctx.Err()
	}
}

// run one look after the other until nobody waits.
func (l *looks) run(ctx context.Context, live client.Reader) {
	for {
		l.mu.Lock()
		next := l.waiting
		l.waiting, l.looking = nil, next != nil
		l.mu.Unlock()
		if next == nil {
			return
		}
		ctx, cancel := context.WithTimeout(ctx, queueTimeout)
		next.queue, next.err = Queue(ctx, live)
		cancel()
		close(next.done)
	}
}

// lock says to the queue what is wanted.
func (e *Executor) lock(ctx context.Context, in Input, a change.Action) error {
	if a.Lock == nil {
		return fmt.Errorf("it is not said what is wanted")
	}
	r := *a.Lock
	r.UID, r.Change, r.Label, r.Group = string(in.Change.UID), in.name(), in.label(), in.repository()
	return e.ask(ctx, func(q v1alpha1.ChangeQueueSpec) (v1alpha1.ChangeQueueSpec, error) { return lock.Ask(q, r, e.Now()) })
}

// unlock leaves the queue.
func (e *Executor) unlock(ctx context.Context, in Input) error {
	return e.ask(ctx, func(q v1alpha1.ChangeQueueSpec) (v1alpha1.ChangeQueueSpec, error) {
		return lock.Leave(q, string(in.Change.UID), e.Now()), nil
	})
}

// asks of changes to the queue. Those that come while it is written are written together, so that
// a hundred changes do not write one object a hundred times, each against the others.
type asks struct {
	mu      sync.Mutex
	waiting []*ask
	writing bool
}

// An ask is what one change wants of the queue.
type ask struct {
	do   func(v1alpha1.ChangeQueueSpec) (v1alpha1.ChangeQueueSpec, error)
	done chan error
}

func (e *Executor) ask(ctx context.Context, do func(v1alpha1.ChangeQueueSpec) (v1alpha1.ChangeQueueSpec, error)) error {
	w := &ask{do: do, done: make(chan error, 1)}
	e.queue.mu.Lock()
	e.queue.waiting = append(e.queue.waiting, w)
	first := !e.queue.writing
	e.queue.writing = true
	e.queue.mu.Unlock()
	if first {
		// It is written for others as well, who still want it when this one does not.
		go e.answer(context.WithoutCancel(ctx))
	}
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// answer all who ask, until nobody does.
func (e *Executor) answer(ctx context.Context) {
	for {
		e.queue.mu.Lock()
		all := e.queue.waiting
		e.queue.waiting = nil
		e.queue.writing = len(all) > 0
		e.queue.mu.Unlock()
		if len(all) == 0 {
			return
		}
		for i, err := range e.write(ctx, all) {
			all[i].done <- err
		}
	}
}

// write what all of them ask for, at once. Where one cannot be had that is its own error.
func (e *Executor) write(ctx context.Context, all []*ask) []error {
	ctx, cancel := context.WithTimeout(ctx, queueTimeout)
	defer cancel()
	out := make([]error, len(all))
	err := again(ctx, queueTries, func() error {
		q, err := readQueue(ctx, e.Live)
		if err != nil {
			return err
		}
		before := q.Spec.DeepCopy()
		for i, w := range all {
			q.Spec, out[i] = w.do(q.Spec)
		}
		switch {
		case equality.Semantic.DeepEqual(*before, q.Spec):
			return nil
		case q.ResourceVersion == "":
			return e.Hub.Create(ctx, q, client.FieldOwner(v1alpha1.FieldManagerChange))
		}
		return e.Hub.Update(ctx, q, client.FieldOwner(v1alpha1.FieldManagerChange))
	})
	if err != nil {
		for i := range out {
			out[i] = fmt.Errorf("cannot write the queue: %w", err)
		}
	}
	return out
}
