package release

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/crossplane/crossplane-runtime/v2/pkg/resource"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// running is an application that is there, and healthy, on a cluster that is ready.
func running(t *testing.T, manifest string) *harness {
	t.Helper()
	h := newHarness(t, newCluster(func(c *v1alpha1.Cluster) {
		c.Spec.ForProvider.Region = "here"
		c.SetConditions(xpv2.Available())
	}))
	h.must(h.hub.Create(h.ctx, newRelease(h.bundle(component(t, "web", nil, manifest)))))
	h.settle()
	return h
}

func TestBelievesWhatIsOnRecord(t *testing.T) {
	cases := map[string]struct {
		reason string
		change func(h *harness)
		want   bool
	}{
		"AsItWas": {
			reason: "What is on record as there and healthy is not looked at because the provider starts.",
			change: func(*harness) {},
			want:   true,
		},
		"AnotherBundle": {
			reason: "What is to change is.",
			change: func(h *harness) {
				next := h.bundle(component(h.t, "web", nil, configMap("web", "y")))
				h.update(func(r *v1alpha1.Release) { r.Spec.ForProvider.Bundle = next })
			},
		},
		"AnotherGeneration": {
			reason: "So is what anything else is wanted of than was reported on.",
			change: func(h *harness) { h.update(func(r *v1alpha1.Release) { r.Spec.ForProvider.Epoch++ }) },
		},
		"NotHealthy": {
			reason: "Of what was not healthy it is asked how it is.",
			change: func(h *harness) {
				r := h.reconcile()
				r.Status.AtProvider.Health = v1alpha1.Degraded
				h.must(h.hub.Status().Update(h.ctx, r))
			},
		},
		"NotReady": {
			reason: "A cluster that is not ready is found out about.",
			change: func(h *harness) {
				c := newCluster(func(c *v1alpha1.Cluster) { c.Spec.ForProvider.Region = "here" })
				h.must(h.hub.Delete(h.ctx, c.DeepCopy()))
				h.updateCluster(func(c *v1alpha1.Cluster) { c.SetFinalizers(nil) })
				h.must(h.hub.Create(h.ctx, c))
			},
		},
		"AnotherFact": {
			reason: "What is bound into a manifest may be another by now.",
			change: func(h *harness) {
				h.updateCluster(func(c *v1alpha1.Cluster) { c.Spec.ForProvider.Region = "elsewhere" })
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			h := running(t, configMap("web", `"${cluster.region}"`))
			tc.change(h)
			h.restart(h.hub.Scheme())
			h.farReads = 0
			h.reconcile()
			if diff := cmp.Diff(tc.want, h.farReads == 0); diff != "" {
				t.Errorf("\n%s\nbelieved: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestLooksAfterBelieving(t *testing.T) {
	h := running(t, configMap("web", "x"))
	h.restart(h.hub.Scheme())
	h.edit(configMapRef("web"), func(u *unstructured.Unstructured) { u.Object["data"] = map[string]any{"key": "edited"} })
	h.farWrites = 0
	if h.reconcile(); h.farWrites != 0 {
		t.Errorf("what is believed is not repaired: got %d writes", h.farWrites)
	}
	if h.reconcile(); h.farWrites != 1 {
		t.Errorf("at its turn it is: got %d writes", h.farWrites)
	}
}

func TestTurns(t *testing.T) {
	ready := func(resource.Managed, time.Duration) time.Duration { return time.Hour }
	as := func(_ resource.Managed, interval time.Duration) time.Duration { return interval }
	c := newConnector(nil, nil, nil, nil)
	r := newRelease("")
	r.SetUID("0")
	r.SetConditions(xpv2.Condition{Type: xpv2.TypeReady, Status: corev1.ConditionTrue})
	for i := range 6000 {
		c.looks.looked(types.UID(time.Duration(i).String()), time.Unix(1, 0))
	}
	if diff := cmp.Diff(2*time.Minute, c.poll(as, 50)(r, 30*time.Second)); diff != "" {
		t.Errorf("many Releases are looked at less often: -want, +got:\n%s", diff)
	}
	if diff := cmp.Diff(30*time.Second, c.poll(as, 0)(r, 30*time.Second)); diff != "" {
		t.Errorf("unless there is no bound: -want, +got:\n%s", diff)
	}
	c.looks.believe(r.GetUID())
	if got := c.poll(ready, 50)(r, 30*time.Second); got > 2*time.Minute {
		t.Errorf("what is believed is looked at within one interval: got %s", got)
	}
}

func TestCanWait(t *testing.T) {
	now := time.Unix(100000, 0)
	cases := map[string]struct {
		reason  string
		looked  time.Duration // How long ago. Zero is never.
		changes int
		want    bool
	}{
		"Starts":  {reason: "What nothing is known of yet can wait.", want: true},
		"Quiet":   {reason: "Whoever has nothing else to do looks.", looked: time.Minute, changes: busy - 1},
		"Busy":    {reason: "Changes go before looks that nobody waits for.", looked: time.Minute, changes: busy, want: true},
		"TooLong": {reason: "Not for ever.", looked: putOff, changes: busy},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := newConnector(nil, nil, nil, clocktesting.NewFakePassiveClock(now))
			if tc.looked > 0 {
				c.looks.looked("uid", now.Add(-tc.looked))
			}
			for i := range tc.changes {
				r := newRelease("")
				r.SetUID(types.UID(time.Duration(i).String()))
				c.pending.begin(r, now)
			}
			if diff := cmp.Diff(tc.want, c.canWait("uid")); diff != "" {
				t.Errorf("\n%s\ncanWait(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
