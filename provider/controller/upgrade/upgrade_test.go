package upgrade

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	testclock "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/rollout"
	rolloutcontroller "github.com/mainstay-dev/mainstay/provider/controller/rollout"
)

var now = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// answer is a gate that says the same to everybody.
type answer bool

func (a answer) Ask(context.Context, *v1alpha1.Rollout, rollout.Question) rollout.Answer {
	return rollout.Answer{Yes: bool(a), Message: "says the test"}
}

func newRollout(change func(r *v1alpha1.Rollout)) *v1alpha1.Rollout {
	r := &v1alpha1.Rollout{ObjectMeta: metav1.ObjectMeta{Namespace: "platform", Name: "eu.upgrade"}}
	r.Spec.ForProvider = v1alpha1.RolloutParameters{Fleet: "eu", Strategy: v1alpha1.RolloutStrategy{
		MaxConcurrent: ptr.To(intstr.FromInt32(1)), Preflight: v1alpha1.PreflightOff,
	}}
	change(r)
	return r
}

// What the claim may say, and what somebody made it say.
var (
	approved = strings.Repeat("a", 64)
	edited   = strings.Repeat("e", 64)
	required = map[string]string{v1alpha1.LabelRequireChange: "true"}
)

func platform(labels map[string]string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "platform", Labels: labels}}
}

// granted by a change that was approved.
func granted() *v1alpha1.ClaimGrant {
	return &v1alpha1.ClaimGrant{ObjectMeta: metav1.ObjectMeta{Namespace: "platform", Name: "clusterfleet.eu"}, Spec: v1alpha1.ClaimGrantSpec{
		Claim: v1alpha1.ClaimReference{Kind: "ClusterFleet", Namespace: "platform", Name: "eu"}, Digest: approved, Change: "platform/fleets-7", Epoch: 1,
	}}
}

// cluster that has the old shape and is asked to have the new one.
func cluster(name string, change func(c *v1alpha1.Cluster)) *v1alpha1.Cluster {
	c := &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: "platform", Name: "eu." + name, Labels: map[string]string{v1alpha1.LabelFleet: "eu"}}}
	c.Spec.ForProvider = v1alpha1.ClusterParameters{Fleet: "eu", Name: name, KubernetesVersion: "v1.35.3", Shape: "new"}
	c.Status.AtProvider = v1alpha1.ClusterObservation{Version: "v1.34.1", Shape: "old"}
	c.SetConditions(xpv2.Available())
	change(c)
	return c
}

func TestReconcileWaitsForAllToBeTold(t *testing.T) {
	// The first was not told yet, and is the canary: the second must not be taken for it.
	told := cluster("b", func(c *v1alpha1.Cluster) { c.Spec.ForProvider.Revision = "2" })
	untold := cluster("a", func(c *v1alpha1.Cluster) { c.Spec.ForProvider.Revision, c.Spec.ForProvider.Shape = "1", "old" })
	ro := newRollout(func(r *v1alpha1.Rollout) {
		r.Spec.ForProvider.Revision = "2"
		r.Spec.ForProvider.Strategy.Waves = []v1alpha1.Wave{{Name: "canary", Size: ptr.To(intstr.FromInt32(1))}, {Name: "rest"}}
	})
	s := runtime.NewScheme()
	if err := errors.Join(v1alpha1.AddToScheme(s), corev1.AddToScheme(s)); err != nil {
		t.Fatal(err)
	}
	c := fake.NewClientBuilder().WithScheme(s).WithObjects(told, untold, ro, platform(nil)).WithStatusSubresource(&v1alpha1.Rollout{}).Build()
	r := NewReconciler(c, c, testclock.NewFakePassiveClock(now), nil)
	if _, err := r.Reconcile(t.Context(), reconcile.Request{NamespacedName: types.NamespacedName{Namespace: "platform", Name: "eu.upgrade"}}); err != nil {
		t.Fatal(err)
	}
	got := &v1alpha1.Cluster{}
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(told), got); err != nil {
		t.Fatal(err)
	}
	if got.Spec.ForProvider.Admitted != nil {
		t.Error("A cluster was admitted before all were told of the change.")
	}
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(ro), ro); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("waits for 1 of 2 clusters to be told of the change", ro.Status.AtProvider.Message); diff != "" {
		t.Errorf("The Rollout says what it waits for (-want +got):\n%s", diff)
	}
}

func TestReconcile(t *testing.T) {
	same := func(*v1alpha1.Cluster) {}
	there := func(c *v1alpha1.Cluster) {
		c.Spec.ForProvider.Admitted = &v1alpha1.AdmittedShape{Shape: "new", Epoch: 1, At: metav1.NewTime(now)}
		c.Status.AtProvider = v1alpha1.ClusterObservation{Version: "v1.35.3", Shape: "new"}
	}
	gated := func(r *v1alpha1.Rollout) {
		r.Spec.ForProvider.Strategy.Waves = []v1alpha1.Wave{
			{Name: "all", Gates: []v1alpha1.Gate{{Name: "errors", When: v1alpha1.GateBefore, Webhook: &v1alpha1.WebhookGate{URL: "http://example.org"}}}},
		}
	}
	cases := map[string]struct {
		reason  string
		rollout func(r *v1alpha1.Rollout)
		objects []client.Object
		// labels of the namespace.
		labels map[string]string
		gates  rolloutcontroller.Gates
		// admitted clusters by name, and the phase.
		want  []string
		phase v1alpha1.RolloutPhase
	}{
		"OneAtATime": {
			reason:  "As many are admitted as may be in motion.",
			objects: []client.Object{cluster("a", same), cluster("b", same)},
			want:    []string{"eu.a"}, phase: v1alpha1.RolloutProgressing,
		},
		"Done": {
			reason:  "Nothing is written where all have their shape.",
			objects: []client.Object{cluster("a", there)},
			want:    []string{"eu.a"}, phase: v1alpha1.RolloutCompleted,
		},
		"Paused": {
			reason:  "A pause admits nobody.",
			rollout: func(r *v1alpha1.Rollout) { r.Spec.ForProvider.Strategy.Paused = true },
			objects: []client.Object{cluster("a", same)}, phase: v1alpha1.RolloutPaused,
		},
		"GateClosed": {
			reason: "A closed gate admits nobody.", rollout: gated, gates: answer(false),
			objects: []client.Object{cluster("a", same)}, phase: v1alpha1.RolloutWaiting,
		},
		"GateOpen": {
			reason: "An open one does.", rollout: gated, gates: answer(true),
			objects: []client.Object{cluster("a", same)}, want: []string{"eu.a"}, phase: v1alpha1.RolloutProgressing,
		},
		"NoGates": {
			reason: "Where nobody can be asked the gate is closed.", rollout: gated,
			objects: []client.Object{cluster("a", same)}, phase: v1alpha1.RolloutWaiting,
		},
		"NotGated": {
			reason:  "Clusters without a shape are nobody's to move.",
			objects: []client.Object{cluster("a", func(c *v1alpha1.Cluster) { c.Spec.ForProvider.Shape = "" })},
			phase:   v1alpha1.RolloutCompleted,
		},
		"HeldBack": {
			reason:  "Where only approved changes may say what runs, one that nobody approved admits nobody.",
			rollout: func(r *v1alpha1.Rollout) { r.Spec.ForProvider.ClaimDigest = edited },
			objects: []client.Object{cluster("a", same), granted()}, labels: required, phase: v1alpha1.RolloutBlocked,
		},
		"Granted": {
			reason:  "One that an approved change carries does.",
			rollout: func(r *v1alpha1.Rollout) { r.Spec.ForProvider.ClaimDigest = approved },
			objects: []client.Object{cluster("a", same), granted()}, labels: required, want: []string{"eu.a"}, phase: v1alpha1.RolloutProgressing,
		},
		"OtherFleet": {
			reason:  "Clusters of another fleet are another's.",
			objects: []client.Object{cluster("a", func(c *v1alpha1.Cluster) { c.Labels[v1alpha1.LabelFleet] = "us" })},
			phase:   v1alpha1.RolloutCompleted,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if tc.rollout == nil {
				tc.rollout = func(*v1alpha1.Rollout) {}
			}
			s := runtime.NewScheme()
			if err := errors.Join(v1alpha1.AddToScheme(s), corev1.AddToScheme(s)); err != nil {
				t.Fatal(err)
			}
			ro := newRollout(tc.rollout)
			c := fake.NewClientBuilder().WithScheme(s).WithObjects(append(tc.objects, ro, platform(tc.labels))...).WithStatusSubresource(&v1alpha1.Rollout{}).Build()
			r := NewReconciler(c, c, testclock.NewFakePassiveClock(now), tc.gates)
			for range 2 {
				if _, err := r.Reconcile(t.Context(), reconcile.Request{NamespacedName: types.NamespacedName{Namespace: "platform", Name: "eu.upgrade"}}); err != nil {
					t.Fatal(err)
				}
			}
			l := &v1alpha1.ClusterList{}
			if err := c.List(t.Context(), l); err != nil {
				t.Fatal(err)
			}
			var got []string
			for i := range l.Items {
				if l.Items[i].Spec.ForProvider.Admitted != nil {
					got = append(got, l.Items[i].GetName())
				}
			}
			if err := c.Get(t.Context(), client.ObjectKeyFromObject(ro), ro); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s admitted (-want +got):\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(tc.phase, ro.Status.AtProvider.Phase); diff != "" {
				t.Errorf("%s phase (-want +got):\n%s\n%s", tc.reason, diff, ro.Status.AtProvider.Message)
			}
		})
	}
}
