package release

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/crossplane/crossplane-runtime/v2/pkg/resource"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// changing is an application that is settled, and is then given another image.
func changing(t *testing.T) *harness {
	t.Helper()
	h := started(t, component(t, "web", nil, deployment("web", "nginx:1"), configMap("web", "x")))
	h.reconcile()
	h.run("web")
	h.settle()
	next := h.bundle(component(t, "web", nil, deployment("web", "nginx:2"), configMap("web", "x")))
	h.update(func(r *v1alpha1.Release) { r.Spec.ForProvider.Bundle = next })
	// Its pods are old ones, as soon as there is a change.
	u := h.live(deploymentRef("web"))
	u.Object["status"].(map[string]any)["updatedReplicas"] = int64(0)
	h.must(h.far.Status().Update(h.ctx, u))
	h.hubWrites, h.farWrites, h.farReads = 0, 0, 0
	return h
}

func TestSoonOver(t *testing.T) {
	h := changing(t)
	r := h.reconcile()
	if h.hubWrites != 0 || h.farWrites != 1 {
		t.Errorf("that a change has begun is nothing to write: got %d on the hub, %d on the cluster", h.hubWrites, h.farWrites)
	}
	if c := r.GetCondition("Ready"); c.ObservedGeneration == r.GetGeneration() {
		t.Errorf("nor does anything say that it is through: got %+v", c)
	}
	h.farReads = 0
	h.reconcile()
	if h.hubWrites != 0 {
		t.Errorf("while it is under way neither: got %d", h.hubWrites)
	}
	h.run("web")
	r = h.reconcile()
	if h.hubWrites != 1 || r.Status.AtProvider.Health != v1alpha1.Healthy || r.Status.AtProvider.Bundle != r.Spec.ForProvider.Bundle {
		t.Errorf("that it is there is the one thing to write: got %d, %+v", h.hubWrites, r.Status.AtProvider)
	}
}

func TestTakesLong(t *testing.T) {
	h := changing(t)
	h.reconcile()
	h.clock.SetTime(h.clock.Now().Add(unsaid))
	r := h.reconcile()
	if c := r.GetCondition("Ready"); h.hubWrites != 1 || c.Status != corev1.ConditionFalse || c.ObservedGeneration != r.GetGeneration() {
		t.Errorf("what takes longer says so: got %d writes, %+v", h.hubWrites, c)
	}
	h.run("web")
	if h.reconcile(); h.hubWrites != 2 {
		t.Errorf("and with the Release itself there are three: got %d", h.hubWrites)
	}
}

func TestGlance(t *testing.T) {
	h := changing(t)
	h.reconcile()
	look := func(want int, reason string) {
		t.Helper()
		h.farReads = 0
		h.reconcile()
		if diff := cmp.Diff(want, h.farReads); diff != "" {
			t.Errorf("%s\nreads: -want, +got:\n%s", reason, diff)
		}
	}
	look(1, "What is healthy is not looked at again while something else is waited for.")
	h.clock.SetTime(h.clock.Now().Add(glance))
	look(2, "Not for long.")
	h.run("web")
	look(1, "What was looked at just now is known.")
	look(2, "Once all is there everything is looked at.")
	h.edit(configMapRef("web"), func(u *unstructured.Unstructured) { u.Object["data"] = map[string]any{"key": "edited"} })
	look(2, "So that drift is seen.")
}

func TestPoll(t *testing.T) {
	slow := func(resource.Managed, time.Duration) time.Duration { return 2 * time.Second }
	cases := map[string]struct {
		reason string
		// begun and notReady are how long ago the change began and the Release stopped being ready.
		begun, notReady time.Duration
		want            time.Duration
	}{
		"JustBegun":  {reason: "What has just begun may be through in a moment.", begun: time.Millisecond, want: soonest},
		"UnderWay":   {reason: "The longer it takes the longer it may still take.", begun: 1500 * time.Millisecond, want: 1500 * time.Millisecond},
		"TakesLong":  {reason: "It is looked at as often as anything that is not ready.", begun: 10 * time.Second, notReady: 5 * time.Second, want: 2 * time.Second},
		"TakesAges":  {reason: "And less often after a while.", begun: 3 * time.Minute, notReady: 2 * time.Minute, want: stale},
		"NotAChange": {reason: "What is not ready for another reason is looked at as anything is.", notReady: 5 * time.Second, want: 2 * time.Second},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			now := time.Unix(10000, 0)
			c := newConnector(nil, nil, nil, clocktesting.NewFakePassiveClock(now))
			r := newRelease("")
			r.SetUID("uid")
			if tc.begun > 0 {
				c.pending.begin(r, now.Add(-tc.begun))
			}
			r.SetConditions(xpv2.Condition{Type: xpv2.TypeReady, Status: corev1.ConditionFalse, LastTransitionTime: metav1.NewTime(now.Add(-tc.notReady))})
			if diff := cmp.Diff(tc.want, c.poll(slow, 50)(r, 30*time.Second)); diff != "" {
				t.Errorf("\n%s\npoll(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
