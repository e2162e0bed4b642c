package release

import (
	"context"
	"math/rand/v2"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/bundle"
)

// An executor is a controller of its own, that can be stopped in the midst of what it does.
type executor struct {
	h *harness
	// sees is what it takes the Release for. Its cache may be behind.
	sees *v1alpha1.Release
	a    *applier
}

// executor that sees the Release as it is now.
func (h *harness) executor() *executor {
	h.t.Helper()
	r := &v1alpha1.Release{}
	h.must(h.hub.Get(h.ctx, client.ObjectKeyFromObject(newRelease("")), r))
	return &executor{h: h, sees: r}
}

// connect and observe, and stop there.
func (e *executor) observe() {
	e.h.t.Helper()
	ext, err := newConnector(e.h.hub, e.h.hub, e.h.far, e.h.clock).Connect(e.h.ctx, e.sees)
	e.h.must(err)
	e.a = ext.(*applier)
	_, err = e.a.Observe(e.h.ctx, e.sees)
	e.h.must(err)
}

func one(t *testing.T, value string) bundle.Content {
	t.Helper()
	return bundle.Content{Components: []bundle.Component{component(t, "web", nil, configMap("a", value), configMap("same", "x"))}}
}

func TestStaleExecutorIsRefused(t *testing.T) {
	cases := map[string]struct {
		reason string
		// stale does what it does with an old view, after the new epoch was applied.
		stale func(h *harness, e *executor) error
		early bool
	}{
		"OldCache": {
			reason: "One that begins with an old view finds the epoch on the objects.",
			stale:  func(h *harness, e *executor) error { e.observe(); _, err := e.a.Update(h.ctx, e.sees); return err },
		},
		"Paused": {
			reason: "One that had looked already cannot write over what has changed since.", early: true,
			stale: func(h *harness, e *executor) error { _, err := e.a.Update(h.ctx, e.sees); return err },
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			h := with(t, one(t, "old"))
			h.wants(1, one(t, "old"))
			h.settle()
			// Somebody's edit gives the old executor something to do.
			h.edit(configMapRef("a"), func(u *unstructured.Unstructured) { u.Object["data"] = map[string]any{"key": "edited"} })
			old := h.executor()
			if tc.early {
				old.observe()
			}
			h.wants(2, one(t, "new"))
			r := h.settle()
			if r.Status.AtProvider.Epoch != 2 || r.Status.AtProvider.Target != r.Spec.ForProvider.Bundle {
				t.Errorf("the epoch is on record: got %+v", r.Status.AtProvider)
			}
			if err := tc.stale(h, old); err == nil {
				t.Errorf("%s: want it to be refused", tc.reason)
			}
			if got := data(h.live(configMapRef("a")), "key"); got != "new" {
				t.Errorf("%s: want what the new epoch applied, got %v", tc.reason, got)
			}
		})
	}
}

func TestOldCacheMakesNothing(t *testing.T) {
	more := one(t, "new")
	more.Components[0].Objects = append(more.Components[0].Objects, parse(t, configMap("more", "x")))
	less := bundle.Content{Components: []bundle.Component{component(t, "web", nil, configMap("a", "new"))}}
	cases := map[string]struct {
		reason string
		wrong  bundle.Content
	}{
		"New":    {"What is not on record is put there first, which fails.", more},
		"Pruned": {"What is on record and not there is made only after the Release was read anew.", one(t, "old")},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			h := with(t, one(t, "old"))
			h.wants(1, one(t, "old"))
			h.settle()
			stale := h.executor()
			h.wants(2, less)
			h.settle()
			stale.sees.Spec.ForProvider.Bundle = h.content(tc.wrong)
			stale.observe()
			if _, err := stale.a.Update(h.ctx, stale.sees); err == nil || h.live(configMapRef("more")) != nil || h.live(configMapRef("same")) != nil {
				t.Errorf("%s: got %v", tc.reason, err)
			}
		})
	}
	h := with(t, one(t, "old"))
	h.settle()
	stale := h.executor()
	h.wants(0, less)
	h.settle()
	h.must(h.far.Delete(h.ctx, h.live(configMapRef("a"))))
	stale.observe()
	if _, err := stale.a.Update(h.ctx, stale.sees); err == nil || h.live(configMapRef("a")) != nil {
		t.Errorf("without any mark of an epoch it is the Release itself that tells: got %v", err)
	}
}

func TestLongReconcileLooksAgain(t *testing.T) {
	h := with(t, one(t, "old"))
	e := h.executor()
	e.observe()
	h.must(e.a.writeAhead(h.ctx, e.sees))
	h.wants(1, one(t, "new"))
	h.clock.SetTime(h.clock.Now().Add(2 * lease))
	if err := e.a.applyAll(h.ctx, e.sees); !isSuperseded(err) || h.farWrites != 0 {
		t.Errorf("after a while it is made sure that the Release is what it was: got %v, %d writes", err, h.farWrites)
	}
}

// TestTwoExecutors lets an old and a new executor take turns, call by call, in an order
// that is random, and makes sure that what the new one applied is never undone.
func TestTwoExecutors(t *testing.T) {
	for seed := range uint64(20) {
		h := with(t, one(t, "old"))
		h.wants(1, one(t, "old"))
		h.settle()
		h.edit(configMapRef("a"), func(u *unstructured.Unstructured) { u.Object["data"] = map[string]any{"key": "edited"} })

		turns := make(chan struct{})
		done := make(chan struct{})
		old := h.executor()
		slow := &cluster{Client: interceptor.NewClient(h.far.Client.(client.WithWatch), interceptor.Funcs{
			Get: func(ctx context.Context, c client.WithWatch, k client.ObjectKey, o client.Object, opts ...client.GetOption) error {
				<-turns
				return c.Get(ctx, k, o, opts...)
			},
		})}
		c := newConnector(h.hub, h.hub, slow, h.clock)
		ext, err := c.Connect(h.ctx, old.sees)
		h.must(err)
		go func() {
			defer close(done)
			if _, err := ext.Observe(h.ctx, old.sees); err == nil {
				_, _ = ext.Update(h.ctx, old.sees) // It may or may not be refused.
			}
		}()
		r := rand.New(rand.NewPCG(seed, 1))
		for range r.IntN(4) {
			select {
			case turns <- struct{}{}:
			case <-done:
			}
		}
		h.wants(2, one(t, "new"))
		h.settle()
		close(turns)
		<-done
		if got := data(h.live(configMapRef("a")), "key"); got != "new" {
			t.Fatalf("seed %d: the old executor undid what the new one applied: got %v", seed, got)
		}
	}
}
