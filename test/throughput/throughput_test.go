package throughput

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/provider/backend/simulated/apiserver"
)

// number of something, from the environment.
func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	s := os.Getenv(name)
	if s == "" {
		return otherwise
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		t.Fatalf("%s is %q: want a number", name, s)
	}
	return n
}

// Merge requests of many sizes flow through a real Gitea to simulated clusters. Each ends: the
// good ones are merged once every one of their clusters runs what they say, those that fail
// are taken back. No cluster ever has what nobody merged for longer than that, no two have
// locks of the same, and in the end there is nobody in the queue.
func TestThroughput(t *testing.T) {
	log.SetLogger(logr.Discard())
	clusters, changes := number(t, "MAINSTAY_THROUGHPUT_CLUSTERS", 50), number(t, "MAINSTAY_THROUGHPUT_CHANGES", 20)
	authors, until := number(t, "MAINSTAY_THROUGHPUT_AUTHORS", 8), time.Duration(number(t, "MAINSTAY_THROUGHPUT_MINUTES", 0))*time.Minute
	seed := uint64(number(t, "SEED", 4))
	t.Logf("SEED=%d, %d changes on %d clusters, %d at a time", seed, changes, clusters, authors)

	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	binaries := os.Getenv("MAINSTAY_BINARIES")
	if binaries == "" {
		binaries = filepath.Join(root, "_output", "bin")
	}
	for _, b := range []string{"mainstay", "provider", "crossplane", "kube-apiserver", "gitea"} {
		if _, err := os.Stat(filepath.Join(binaries, b)); err != nil {
			t.Fatalf("cannot find %s: build it with: make binaries gitea build", b)
		}
	}
	w := newWorld(t, clusters, binaries, root)
	wishes := mix(rand.New(rand.NewPCG(seed, 0)), changes, clusters)
	w.script(wishes)
	starts := w.starts()

	m := &team{world: w, open: map[string]int{}, moving: map[string]int{}}
	began := time.Now()
	m.work(wishes, authors, until)
	took := time.Since(began)
	w.judge(m.done, starts)

	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(m.done)
	fmt.Printf("\n%s%.1f writes of its Change per change\n%s\n%s\n", tell(m.done, took, w.executing), per(w.writes, n), w.meter.told(n), w.hubWrites(n))
}

// work at merge requests, some at a time, until there are none or time is over: those that
// are open then are seen to their end.
func (m *team) work(wishes []wish, authors int, until time.Duration) {
	m.t.Helper()
	began := time.Now()
	todo := make(chan wish)
	go func() {
		defer close(todo)
		for _, w := range wishes {
			if until > 0 && time.Since(began) > until {
				return
			}
			todo <- w
		}
	}()
	var wg sync.WaitGroup
	for range authors {
		wg.Go(func() {
			for w := range todo {
				m.one(began, w)
			}
		})
	}
	wg.Wait()
}

// patienceWithOne merge request, on a machine that has other things to do.
const patienceWithOne = 15 * time.Minute

func (m *team) one(began time.Time, wish wish) {
	ctx, cancel := context.WithTimeout(m.t.Context(), patienceWithOne)
	defer cancel()
	r, err := m.see(ctx, wish)
	if err != nil {
		r.problem("it did not end: %v", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done = append(m.done, r)
	how := "given up"
	if r.merged {
		how = "merged"
	}
	fmt.Printf("%6s %3d: !%d %s %s of %d: %s after %s %s\n", time.Since(began).Round(time.Second), len(m.done), r.number, r.name, r.tag, r.clusters, how, r.lead.Round(100*time.Millisecond), strings.Join(r.wrong, "; "))
}

// starts are what applications are before any merge request, by their names.
func (w *world) starts() map[string]string {
	w.t.Helper()
	out := map[string]string{}
	for _, a := range w.all() {
		u, err := w.deployment(w.t.Context(), a.first, a.name)
		w.must(err)
		out[a.name] = apiserver.ContentOf(u)
	}
	return out
}

// judge by the records: of each merge request, of each cluster, and of the queue.
func (w *world) judge(done []*request, starts map[string]string) {
	w.t.Helper()
	byApp := map[string][]ending{}
	for _, r := range done {
		for _, p := range r.wrong {
			w.t.Errorf("!%d %s %s: %s", r.number, r.name, r.tag, p)
		}
		e := ending{number: r.number, epoch: r.epoch}
		if r.merged {
			e.content = r.content
		}
		byApp[r.name] = append(byApp[r.name], e)
	}
	audits, wrong := map[int][]apiserver.Entry{}, 0
	for _, a := range w.all() {
		for i := a.first; i < a.first+a.clusters; i++ {
			if audits[i] == nil {
				audit, err := w.simulator.Audit(w.t.Context(), platform, clusterName(i))
				w.must(err)
				audits[i] = audit
			}
			var of []apiserver.Entry
			for _, e := range audits[i] {
				if e.Kind == "Deployment" && e.Namespace == shop && e.Name == a.name {
					of = append(of, e)
				}
			}
			if p := judge(of, starts[a.name], byApp[a.name]); p != "" {
				if wrong++; wrong <= 20 {
					w.t.Errorf("%s on %s: %s", a.name, clusterName(i), p)
				}
			}
		}
	}
	fmt.Printf("records of %d clusters: %d of their applications are not as what was merged\n", len(audits), wrong)
	w.judgeQueue()
}

// judgeQueue: it is empty, and nobody ever shared.
func (w *world) judgeQueue() {
	w.t.Helper()
	q := &v1alpha1.ChangeQueue{}
	w.await("the queue to be empty", func(ctx context.Context) error {
		err := w.client.Get(ctx, client.ObjectKey{Name: v1alpha1.ChangeQueueName}, q)
		switch {
		case kerrors.IsNotFound(err):
			return nil
		case err != nil:
			return err
		case len(q.Spec.Changes) > 0:
			return fmt.Errorf("%d are left: %s", len(q.Spec.Changes), q.Spec.Changes[0].Change)
		}
		return nil
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.shared[:min(len(w.shared), 20)] {
		w.t.Error(p)
	}
}
