package rollout

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

var (
	approved = strings.Repeat("a", 64)
	edited   = strings.Repeat("e", 64)
)

func newGrant(digest string, o ...func(*v1alpha1.ClaimGrant)) *v1alpha1.ClaimGrant {
	g := &v1alpha1.ClaimGrant{ObjectMeta: metav1.ObjectMeta{Namespace: tenant, Name: "productapplication.shop"}, Spec: v1alpha1.ClaimGrantSpec{
		Claim:  v1alpha1.ClaimReference{Kind: "ProductApplication", Namespace: tenant, Name: "shop"},
		Digest: digest, Change: "ops/claims-41", Epoch: 1,
	}}
	for _, fn := range o {
		fn(g)
	}
	return g
}

func saying(digest string) func(*v1alpha1.Rollout) {
	return func(ro *v1alpha1.Rollout) { ro.Spec.ForProvider.ClaimDigest = digest }
}

// require changes in the tenant's namespace, or do not.
func (h *harness) require(value string) {
	h.t.Helper()
	ns := &corev1.Namespace{}
	h.must(h.hub.Get(h.t.Context(), types.NamespacedName{Name: tenant}, ns))
	ns.SetLabels(map[string]string{v1alpha1.LabelRequireChange: value})
	h.must(h.hub.Update(h.t.Context(), ns))
	h.clock.SetTime(h.clock.Now().Add(believeLabels))
}

// TestHeldBack edits a claim by hand, in a namespace where only changes may.
func TestHeldBack(t *testing.T) {
	h := newHarness(t, append(fleet(3), newRollout(saying(approved)), newBundle("shop.1"), newBundle("shop.2"), newGrant(approved))...)
	h.require("true")
	for range 4 {
		h.reconcile()
		h.finish()
	}
	if ro := h.reconcile(); ro.Status.AtProvider.Phase != v1alpha1.RolloutCompleted || ro.Status.AtProvider.Held != nil {
		t.Fatalf("what an approved change carries rolls out: %s", ro.Status.AtProvider.Message)
	}
	before := h.rollout().Status.AtProvider.Digest

	h.update(func(ro *v1alpha1.Rollout) {
		ro.Spec.ForProvider.ClaimDigest, ro.Spec.ForProvider.Variants = edited, []v1alpha1.Variant{{Bundle: "shop.2"}}
	})
	h.must(h.hub.Create(t.Context(), newCluster("c-9")))
	ro := h.reconcile()
	if diff := cmp.Diff([]string{"c-1=shop.1", "c-2=shop.1", "c-3=shop.1"}, h.releases()); diff != "" {
		t.Errorf("an edit begins nowhere, also not on a cluster that joins: -want, +got:\n%s", diff)
	}
	at := ro.Status.AtProvider
	want := &v1alpha1.RolloutHold{
		Message:     "held back: the claim was edited since change ops/claims-41: open a merge request with what it says now, or set it back",
		ClaimDigest: edited, Granted: approved, Change: "ops/claims-41",
	}
	if diff := cmp.Diff(want, at.Held); diff != "" {
		t.Errorf("it says why: -want, +got:\n%s", diff)
	}
	if at.Phase != v1alpha1.RolloutBlocked || at.Digest != before || !strings.HasPrefix(at.Message, want.Message) {
		t.Errorf("want Blocked in revision %s, got %s in %s: %s", before, at.Phase, at.Digest, at.Message)
	}

	g := &v1alpha1.ClaimGrant{}
	h.must(h.hub.Get(t.Context(), client.ObjectKeyFromObject(newGrant("")), g))
	g.Spec.Digest, g.Spec.Before, g.Spec.Epoch, g.Spec.Change = edited, approved, 2, "ops/claims-42"
	h.must(h.hub.Update(t.Context(), g))
	h.reconcile()
	if diff := cmp.Diff([]string{"c-1=shop.2", "c-2=shop.2", "c-3=shop.1"}, h.releases()); diff != "" {
		t.Errorf("once a change carries it, it rolls out: -want, +got:\n%s", diff)
	}
}

func TestHold(t *testing.T) {
	cases := map[string]struct {
		reason  string
		label   string
		objects []client.Object
		digest  string
		// fail reading this kind.
		fail string
		want string
	}{
		"NotRequired":     {reason: "Where nobody asks for changes, an edit is an edit.", digest: edited, objects: []client.Object{newGrant(approved)}},
		"NeverGranted":    {reason: "Nothing rolls out that no change ever carried.", label: "true", digest: edited, want: "no approved change carries this claim"},
		"Before":          {reason: "What ran before a change may run while it executes.", label: "true", digest: approved, objects: []client.Object{newGrant(edited, func(g *v1alpha1.ClaimGrant) { g.Spec.Before = approved })}},
		"RequiredByGrant": {reason: "The repository may ask for it as well.", digest: edited, objects: []client.Object{newGrant(approved, func(g *v1alpha1.ClaimGrant) { g.Spec.Required = true })}, want: "edited since change ops/claims-41"},
		"OldFunction":     {reason: "What is not known is not approved.", label: "true", objects: []client.Object{newGrant(approved)}, want: "the composition function is too old"},
		"NoNamespace":     {reason: "Where it cannot be told whether a change is required, one is.", digest: approved, objects: []client.Object{newGrant(approved)}, fail: "Namespace", want: "cannot get Namespace"},
		"NoGrants":        {reason: "Where it cannot be told what was approved, nothing was.", digest: approved, fail: "ClaimGrant", want: "cannot get ClaimGrant"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, tc.objects...)
			h.require(tc.label)
			live := interceptor.NewClient(h.hub, interceptor.Funcs{Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
				_, grant := o.(*v1alpha1.ClaimGrant)
				if (tc.fail == "ClaimGrant") == grant && tc.fail != "" {
					return errors.New("the API server is down")
				}
				return c.Get(ctx, key, o, opts...)
			}})
			ro := newRollout(saying(tc.digest))
			got := NewGrants(live, live, h.clock).Hold(t.Context(), ro)
			if (got == nil) != (tc.want == "") || got != nil && !strings.Contains(got.Message, tc.want) {
				t.Errorf("%s\nwant %q, got %+v", tc.reason, tc.want, got)
			}
		})
	}
}

// TestHoldIsConfirmed by the API server itself: a cache that does not show the grant yet
// holds nobody back.
func TestHoldIsConfirmed(t *testing.T) {
	behind, ahead := newHarness(t), newHarness(t, newGrant(approved))
	ahead.require("true")
	if h := NewGrants(behind.hub, ahead.hub, ahead.clock).Hold(t.Context(), newRollout(saying(approved))); h != nil {
		t.Errorf("held back by a cache that is behind: %s", h.Message)
	}
}

// TestHoldFailsClosed: where it cannot be told, nothing begins, and what has to go goes.
func TestHoldFailsClosed(t *testing.T) {
	h := newHarness(t, append(fleet(2), newRollout(saying(approved)), newBundle("shop.1"))...)
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: tenant}}
	h.must(h.hub.Delete(t.Context(), ns))
	if ro := h.reconcile(); len(h.releases()) != 0 || ro.Status.AtProvider.Held == nil {
		t.Errorf("want nothing to begin, got %v: %s", h.releases(), ro.Status.AtProvider.Message)
	}
	again, err := h.r.Reconcile(t.Context(), reconcile.Request{NamespacedName: types.NamespacedName{Namespace: tenant, Name: "shop"}})
	if err != nil || again.RequeueAfter > HoldAgain {
		t.Errorf("want it looked at again within %s, got %s, %v", HoldAgain, again.RequeueAfter, err)
	}
	h.must(h.hub.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: tenant}}))
	h.clock.SetTime(h.clock.Now().Add(time.Second))
	h.reconcile()
	if len(h.releases()) != 2 {
		t.Errorf("want it to go on, got %v", h.releases())
	}
}

func TestOfGrant(t *testing.T) {
	cases := map[string]struct {
		kind, want string
	}{
		"Application": {kind: "ProductApplication", want: tenant + "/shop"},
		"Fleet":       {kind: "ClusterFleet", want: tenant + "/shop.upgrade"},
		"Other":       {kind: "Bucket"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := ""
			for _, r := range OfGrant(t.Context(), newGrant(approved, func(g *v1alpha1.ClaimGrant) { g.Spec.Claim.Kind = tc.kind })) {
				got += r.String()
			}
			if got != tc.want {
				t.Errorf("want %q, got %q", tc.want, got)
			}
		})
	}
}
