package workload

import (
	"container/heap"
	"context"
	"hash/fnv"
	"runtime"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/clock"

	"github.com/mainstay-dev/mainstay/provider/backend/simulated/apiserver"
)

// A Config of an Engine.
type Config struct {
	Clock clock.Clock
	// StartAfter is how long pods take to start where nothing says otherwise.
	StartAfter time.Duration
	// Pods is how many pods of a workload are made. The others are only counted.
	Pods int
}

// An Engine plays the controllers of many clusters.
type Engine struct {
	cfg    Config
	shards []*shard
}

// A shard plays those of some clusters, one thing at a time.
type shard struct {
	engine *Engine

	mu     sync.Mutex
	queue  queue
	due    map[task]time.Time
	wake   chan struct{}
	memory map[task]memory
}

// A task is an object to look at.
type task struct {
	player          *Player
	kind            schema.GroupKind
	namespace, name string
}

// A memory of a workload: when what it wants was first seen, and how it was then.
type memory struct {
	uid           string
	generation    int64
	since         time.Time
	before        int64
	revision, old string
}

// A Player plays the controllers of one cluster.
type Player struct {
	shard   *shard
	cluster *apiserver.Cluster

	mu     sync.Mutex
	script []Rule
	gone   bool
}

// NewEngine returns an engine that plays for nobody yet.
func NewEngine(cfg Config) *Engine {
	e := &Engine{cfg: cfg}
	for range runtime.GOMAXPROCS(0) {
		e.shards = append(e.shards, &shard{engine: e, due: map[task]time.Time{}, wake: make(chan struct{}, 1), memory: map[task]memory{}})
	}
	return e
}

// Player for a cluster of a name. Its Changed is for the cluster's Config, and Attach
// must be called before anything else happens.
func (e *Engine) Player(name string) *Player {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	return &Player{shard: e.shards[h.Sum32()%uint32(len(e.shards))]} //nolint:gosec // There are a few.
}

// Attach a cluster. What is on it already is looked at.
func (p *Player) Attach(c *apiserver.Cluster) {
	p.cluster = c
	p.lookAtAll(func(schema.GroupKind) bool { return true })
}

// Leave a cluster for good.
func (p *Player) Leave() {
	p.mu.Lock()
	p.gone = true
	p.mu.Unlock()
	s := p.shard
	s.mu.Lock()
	defer s.mu.Unlock()
	for t := range s.memory {
		if t.player == p {
			delete(s.memory, t)
		}
	}
}

// SetScript by which workloads behave from now on.
func (p *Player) SetScript(rules []Rule) {
	p.mu.Lock()
	p.script = rules
	p.mu.Unlock()
	p.lookAtAll(isWorkload)
}

func (p *Player) rules() []Rule {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.script
}

// Changed is told of a change on the cluster.
func (p *Player) Changed(ch apiserver.Change) {
	if p.cluster == nil || !plays(ch.Kind) {
		return
	}
	t := task{p, ch.Kind, ch.Namespace, ch.Name}
	switch {
	case ch.Deleted && isWorkload(ch.Kind):
		p.shard.forget(t)
		return
	case ch.Kind == node && !ch.Own:
		// There may be room now for what had none.
		defer p.lookAtAll(isWorkload)
	case ch.Deleted:
		return
	case ch.Own && ch.Kind != pod:
		return
	}
	p.shard.add(t, p.shard.engine.cfg.Clock.Now())
}

func (p *Player) lookAtAll(of func(schema.GroupKind) bool) {
	if p.cluster == nil {
		return
	}
	now := p.shard.engine.cfg.Clock.Now()
	p.cluster.Each(func(gk schema.GroupKind, namespace, name string) bool {
		if plays(gk) && of(gk) {
			p.shard.add(task{p, gk, namespace, name}, now)
		}
		return true
	})
}

// Run the engine until its context ends.
func (e *Engine) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, s := range e.shards {
		wg.Go(func() { s.run(ctx) })
	}
	wg.Wait()
}

// Settle does all that is due by the clock, and returns when nothing is. Tests that
// move the clock call it instead of Run.
func (e *Engine) Settle() {
	for _, s := range e.shards {
		for s.step() == 0 {
			continue
		}
	}
}

func (s *shard) run(ctx context.Context) {
	for {
		wait := s.step()
		if wait == 0 {
			if ctx.Err() != nil {
				return
			}
			continue
		}
		t := s.engine.cfg.Clock.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-s.wake:
		case <-t.C():
		}
		t.Stop()
	}
}

// idle is how long a shard sleeps that has nothing to do.
const idle = time.Hour

// step does one thing that is due, and returns 0, or how long there is none.
func (s *shard) step() time.Duration {
	s.mu.Lock()
	if len(s.queue) == 0 {
		s.mu.Unlock()
		return idle
	}
	first := s.queue[0]
	if wait := first.at.Sub(s.engine.cfg.Clock.Now()); wait > 0 {
		s.mu.Unlock()
		return wait
	}
	heap.Pop(&s.queue)
	if !s.due[first.task].Equal(first.at) {
		s.mu.Unlock()
		return 0 // It was moved.
	}
	delete(s.due, first.task)
	s.mu.Unlock()

	p := first.task.player
	p.mu.Lock()
	gone := p.gone
	p.mu.Unlock()
	if gone {
		return 0
	}
	if next := s.play(first.task); next > 0 {
		s.add(first.task, s.engine.cfg.Clock.Now().Add(next))
	}
	return 0
}

// add a task, or move it to an earlier time.
func (s *shard) add(t task, at time.Time) {
	s.mu.Lock()
	if was, ok := s.due[t]; ok && !at.Before(was) {
		s.mu.Unlock()
		return
	}
	s.due[t] = at
	heap.Push(&s.queue, entry{t, at})
	first := s.queue[0].at.Equal(at)
	s.mu.Unlock()
	if first {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

func (s *shard) forget(t task) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.memory, t)
	delete(s.due, t)
}

type entry struct {
	task task
	at   time.Time
}

type queue []entry

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].at.Before(q[j].at) }
func (q queue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }

// Push an entry.
func (q *queue) Push(x any) { *q = append(*q, x.(entry)) } //nolint:forcetypeassert // Holds nothing else.

// Pop the last entry.
func (q *queue) Pop() any {
	n := len(*q) - 1
	e := (*q)[n]
	*q = (*q)[:n]
	return e
}
