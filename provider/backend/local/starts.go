package local

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/mainstay-dev/mainstay/provider/backend"
)

const (
	// maxStarts is how many clusters are started at a time. Starting costs a CPU
	// some seconds, and more at once are not ready sooner.
	maxStarts = 2
	// startTimeout is how long one cluster may hold up the others.
	startTimeout = 2 * time.Minute
)

// starts are the clusters that are being started, by key. They go on after the
// call that began them, and are lost with the provider, which begins them again.
type starts struct {
	slots chan struct{}

	mu    sync.Mutex
	byKey map[string]*start
}

// A start of one cluster.
type start struct {
	cancel context.CancelFunc
	// done is closed when the start is over, then err says how it went.
	done chan struct{}
	err  error
	// waiting is true until it is its turn.
	waiting bool
}

func newStarts() *starts {
	return &starts{slots: make(chan struct{}, maxStarts), byKey: map[string]*start{}}
}

// begin runs a function when it is its turn, unless it is being run already.
func (s *starts) begin(key string, fn func(context.Context) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.byKey[key]; st != nil && !st.over() {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	st := &start{cancel: cancel, done: make(chan struct{}), waiting: true}
	s.byKey[key] = st
	go func() {
		defer cancel()
		defer close(st.done)
		st.err = s.run(ctx, st, fn)
	}()
}

func (s *starts) run(ctx context.Context, st *start, fn func(context.Context) error) error {
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.slots }()
	s.mu.Lock()
	st.waiting = false
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	return fn(ctx)
}

// end waits until a start has stopped, and forgets it.
func (s *starts) end(ctx context.Context, key string) error {
	s.mu.Lock()
	st := s.byKey[key]
	s.mu.Unlock()
	if st == nil {
		return nil
	}
	st.cancel()
	select {
	case <-st.done:
	case <-ctx.Done():
		return fmt.Errorf("cannot wait for cluster to stop being started: %w", ctx.Err())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byKey[key] == st {
		delete(s.byKey, key)
	}
	return nil
}

// describe adds to the state of a cluster that is not ready what is known of its
// start. There is nothing to do for a cluster that is being started.
func (s *starts) describe(key string, c *backend.ClusterState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.byKey[key]
	switch {
	case st == nil:
	case !st.over() && st.waiting:
		c.UpToDate, c.Message = true, "waiting for other clusters to start"
	case !st.over():
		c.UpToDate, c.Message = true, "starting: "+c.Message
	case st.err != nil:
		c.Message = st.err.Error()
	}
}

func (st *start) over() bool {
	select {
	case <-st.done:
		return true
	default:
		return false
	}
}
