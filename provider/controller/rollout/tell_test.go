package rollout

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/crossplane/crossplane-runtime/v2/pkg/event"

	"github.com/mainstay-dev/mainstay/internal/events"
	"github.com/mainstay-dev/mainstay/provider/metrics"
)

// recorded reasons of events.
type recorded []string

func (r *recorded) Event(_ runtime.Object, e event.Event)      { *r = append(*r, string(e.Reason)) }
func (r *recorded) WithAnnotations(_ ...string) event.Recorder { return r }

func TestTells(t *testing.T) {
	h := newHarness(t, append(fleet(3), newRollout(), newBundle("shop.1"))...)
	said := &recorded{}
	set, reg := metrics.New(h.clock), prometheus.NewRegistry()
	h.must(set.Register(reg))
	h.r.events, h.r.metrics = said, set.Rollouts

	// A status that cannot be written has not come to be, and is not told.
	good := h.r.client
	broken := true
	h.r.client = interceptor.NewClient(h.hub, interceptor.Funcs{
		SubResourceUpdate: func(ctx context.Context, c client.Client, sub string, o client.Object, opts ...client.SubResourceUpdateOption) error {
			if broken {
				return errors.New("boom") //nolint:err113 // Nobody asks.
			}
			return c.SubResource(sub).Update(ctx, o, opts...)
		},
	})
	if _, err := h.r.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(newRollout())}); err == nil {
		t.Fatal("want an error")
	}
	if len(*said) > 0 {
		t.Errorf("what was not written is not told: got %v", *said)
	}
	broken, h.r.client = false, good

	for range 3 {
		h.reconcile()
		h.finish()
		h.reconcile()
	}
	want := []string{events.RevisionStarted, events.Completed}
	if diff := cmp.Diff(want, []string(*said)); diff != "" {
		t.Errorf("each transition is told once: -want, +got:\n%s", diff)
	}

	if measured(t, reg) == 0 {
		t.Error("a Rollout is measured")
	}
	h.must(h.hub.Delete(t.Context(), h.rollout()))
	for h.reconcile() != nil {
		h.finish()
	}
	if n := measured(t, reg); n > 0 {
		t.Errorf("a Rollout that is gone is not measured any more: got %d series", n)
	}
}

// measured series of any Rollout.
func measured(t *testing.T, g prometheus.Gatherer) int {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "mainstay_rollout_clusters" {
			return len(f.GetMetric())
		}
	}
	return 0
}
