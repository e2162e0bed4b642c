package scale

import (
	"context"
	"fmt"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	corev1 "k8s.io/api/core/v1"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/test/fleet"
)

// maxProblems that are told. More say the same.
const maxProblems = 20

// An observer sees each change of each Release, in the order in which they were made,
// and of the Rollout. A cache would not do: it may show several changes as one, and
// those of different objects in another order.
type observer struct {
	budget int

	mu sync.Mutex
	// bundles that Releases want, and those of them that were started and have not
	// come to rest since.
	bundles map[string]string
	moving  map[string]bool
	// epochs of Releases and of the Rollout.
	epochs   map[string]int64
	most     int
	problems []string
}

// observe the hub until the context ends.
func observe(ctx context.Context, t *testing.T, w *fleet.World, budget int) *observer {
	t.Helper()
	o := &observer{budget: budget, bundles: map[string]string{}, moving: map[string]bool{}, epochs: map[string]int64{}}
	c, err := client.NewWithWatch(w.HubConfig, client.Options{Scheme: w.Hub.Scheme()})
	if err != nil {
		t.Fatalf("cannot watch hub: %v", err)
	}
	for _, l := range []client.ObjectList{&v1alpha1.ReleaseList{}, &v1alpha1.RolloutList{}} {
		// There is nothing yet, so that from here on all is seen. A hub ends a watch that
		// is slow for a moment: then it goes on from the last change that was seen.
		if err := c.List(ctx, l, client.InNamespace(fleet.Tenant)); err != nil {
			t.Fatalf("cannot list what there is: %v", err)
		}
		events, err := watchtools.NewRetryWatcherWithContext(ctx, l.GetResourceVersion(), &cache.ListWatch{
			WatchFuncWithContext: func(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error) {
				return c.Watch(ctx, l, client.InNamespace(fleet.Tenant), &client.ListOptions{Raw: &opts})
			},
		})
		if err != nil {
			t.Fatalf("cannot watch hub: %v", err)
		}
		go o.read(ctx, events)
	}
	return o
}

func (o *observer) read(ctx context.Context, w watch.Interface) {
	defer w.Stop()
	for e := range w.ResultChan() {
		o.mu.Lock()
		switch obj := e.Object.(type) {
		case *v1alpha1.Release:
			o.release(e.Type, obj)
		case *v1alpha1.Rollout:
			o.epoch("the Rollout", obj.Status.AtProvider.Epoch)
		default:
			o.problem("the hub said %s: %v", e.Type, e.Object)
		}
		o.mu.Unlock()
	}
	if ctx.Err() == nil {
		o.mu.Lock()
		o.problem("the hub ended a watch: what happened since was not seen")
		o.mu.Unlock()
	}
}

// release was made, or changed. What it is that is started and has not come to rest is
// worked out here anew, not asked of the provider.
func (o *observer) release(what watch.EventType, r *v1alpha1.Release) {
	name := r.GetName()
	if what == watch.Deleted {
		o.problem("Release %s was removed", name)
		return
	}
	o.epoch(name, r.Spec.ForProvider.Epoch)
	if o.bundles[name] != r.Spec.ForProvider.Bundle {
		o.bundles[name] = r.Spec.ForProvider.Bundle
		o.moving[name] = true
		if n := len(o.moving); n > o.most {
			o.most = n
			if n > o.budget {
				o.problem("%d clusters are in motion, %d are allowed", n, o.budget)
			}
		}
	}
	if rests(r) {
		delete(o.moving, name)
	}
}

// rests is true where a Release has what it wants, or gave up for now.
func rests(r *v1alpha1.Release) bool {
	at := r.Status.AtProvider
	ready, synced := r.GetCondition(xpv2.TypeReady), r.GetCondition(xpv2.TypeSynced)
	if synced.ObservedGeneration == r.GetGeneration() && synced.Status == corev1.ConditionFalse {
		return true
	}
	return ready.ObservedGeneration == r.GetGeneration() &&
		(at.Health == v1alpha1.Degraded || at.Health == v1alpha1.Healthy && at.Bundle == r.Spec.ForProvider.Bundle)
}

func (o *observer) epoch(of string, is int64) {
	if was := o.epochs[of]; is < was {
		o.problem("the epoch of %s went from %d back to %d", of, was, is)
	}
	o.epochs[of] = is
}

func (o *observer) problem(format string, args ...any) {
	if len(o.problems) < maxProblems {
		o.problems = append(o.problems, fmt.Sprintf(format, args...))
	}
}

// wanting is how many Releases want a Bundle.
func (o *observer) wanting(bundle string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := 0
	for _, b := range o.bundles {
		if b == bundle {
			n++
		}
	}
	return n
}

// report what was seen: how many were in motion at most, the epoch, and what was wrong.
func (o *observer) report() (most int, epoch int64, problems []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.most, o.epochs["the Rollout"], append([]string{}, o.problems...)
}
