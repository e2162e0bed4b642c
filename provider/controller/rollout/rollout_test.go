package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	testingclock "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	"github.com/crossplane/crossplane-runtime/v2/pkg/reconciler/managed"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

const tenant = "team-a"

// A harness is the real reconciler on a hub that is a fake.
type harness struct {
	t      *testing.T
	clock  *testingclock.FakePassiveClock
	hub    client.WithWatch
	r      *Reconciler
	writes int
	// listErr is what listing Clusters ends in.
	listErr error
	// behind is true while the cache does not show Releases that are new.
	behind bool
}

func newHarness(t *testing.T, objects ...client.Object) *harness {
	t.Helper()
	s := runtime.NewScheme()
	if err := errors.Join(v1alpha1.AddToScheme(s), corev1.AddToScheme(s)); err != nil {
		t.Fatal(err)
	}
	objects = append(objects, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: tenant}})
	h := &harness{t: t, clock: testingclock.NewFakePassiveClock(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))}
	h.hub = fake.NewClientBuilder().WithScheme(s).WithStatusSubresource(&v1alpha1.Rollout{}, &v1alpha1.Release{}, &v1alpha1.Cluster{}).
		WithIndex(&v1alpha1.Release{}, indexCluster, clusterKeys).WithIndex(&v1alpha1.Release{}, indexOwner, ownerKeys).WithObjects(objects...).Build()
	cached := interceptor.NewClient(h.hub, interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, l client.ObjectList, opts ...client.ListOption) error {
			if _, ok := l.(*v1alpha1.ClusterList); ok && h.listErr != nil {
				return h.listErr
			}
			if _, ok := l.(*v1alpha1.ReleaseList); ok && h.behind {
				return nil
			}
			return c.List(ctx, l, opts...)
		},
		SubResourceUpdate: func(ctx context.Context, c client.Client, sub string, o client.Object, opts ...client.SubResourceUpdateOption) error {
			h.writes++
			return c.SubResource(sub).Update(ctx, o, opts...)
		},
	})
	moves, err := registerMoves(prometheus.NewRegistry())
	h.must(err)
	h.r = NewReconciler(cached, h.hub, h.clock, moves)
	return h
}

func (h *harness) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// reconcile once, three seconds after the last time.
func (h *harness) reconcile() *v1alpha1.Rollout {
	h.t.Helper()
	h.clock.SetTime(h.clock.Now().Add(3 * time.Second))
	_, err := h.r.Reconcile(h.t.Context(), reconcile.Request{NamespacedName: types.NamespacedName{Namespace: tenant, Name: "shop"}})
	h.must(err)
	return h.rollout()
}

func (h *harness) rollout() *v1alpha1.Rollout {
	h.t.Helper()
	ro := &v1alpha1.Rollout{}
	err := h.hub.Get(h.t.Context(), types.NamespacedName{Namespace: tenant, Name: "shop"}, ro)
	if kerrors.IsNotFound(err) {
		return nil
	}
	h.must(err)
	return ro
}

func (h *harness) releases() []string {
	h.t.Helper()
	l := &v1alpha1.ReleaseList{}
	h.must(h.hub.List(h.t.Context(), l, client.InNamespace(tenant)))
	out := make([]string, 0, len(l.Items))
	for _, r := range l.Items {
		said := strings.TrimPrefix(r.GetName(), "shop.platform.prod.") + "=" + r.Spec.ForProvider.Bundle
		if r.GetDeletionTimestamp() != nil {
			said += "-"
		}
		out = append(out, said)
	}
	slices.Sort(out)
	return out
}

// finish what Releases have to do.
func (h *harness) finish() {
	h.t.Helper()
	l := &v1alpha1.ReleaseList{}
	h.must(h.hub.List(h.t.Context(), l, client.InNamespace(tenant)))
	for i := range l.Items {
		r := &l.Items[i]
		if r.GetDeletionTimestamp() != nil {
			r.SetFinalizers(nil)
			h.must(h.hub.Update(h.t.Context(), r))
			continue
		}
		r.Status.AtProvider = v1alpha1.ReleaseObservation{
			Bundle: r.Spec.ForProvider.Bundle, Namespace: r.Spec.ForProvider.Namespace, Health: v1alpha1.Healthy,
			Components: []v1alpha1.ComponentHealth{{Name: "web", Health: v1alpha1.Healthy}},
		}
		r.SetConditions(xpv2.Available().WithObservedGeneration(r.GetGeneration()), xpv2.ReconcileSuccess().WithObservedGeneration(r.GetGeneration()))
		h.must(h.hub.Status().Update(h.t.Context(), r))
	}
}

func (h *harness) update(change func(ro *v1alpha1.Rollout)) {
	h.t.Helper()
	ro := h.rollout()
	change(ro)
	h.must(h.hub.Update(h.t.Context(), ro))
}

func newRollout(o ...func(*v1alpha1.Rollout)) *v1alpha1.Rollout {
	ro := &v1alpha1.Rollout{}
	ro.SetNamespace(tenant)
	ro.SetName("shop")
	ro.SetUID("rollout-uid")
	ro.Spec.ManagementPolicies = xpv2.ManagementPolicies{xpv2.ManagementActionAll}
	ro.Spec.ForProvider = v1alpha1.RolloutParameters{
		Application: "shop",
		Variants:    []v1alpha1.Variant{{Bundle: "shop.1"}},
		Strategy:    v1alpha1.RolloutStrategy{MaxConcurrent: ptr.To(intstr.FromInt32(2))},
	}
	for _, fn := range o {
		fn(ro)
	}
	return ro
}

func newBundle(name string) *v1alpha1.Bundle {
	b := &v1alpha1.Bundle{}
	b.SetNamespace(tenant)
	b.SetName(name)
	return b
}

func newCluster(name string, o ...func(*v1alpha1.Cluster)) *v1alpha1.Cluster {
	c := &v1alpha1.Cluster{}
	c.SetNamespace("platform")
	c.SetName("prod." + name)
	c.SetFinalizers([]string{managed.FinalizerName})
	c.Spec.ForProvider = v1alpha1.ClusterParameters{Fleet: "prod", Name: name, Tenants: []v1alpha1.Tenant{{Namespace: tenant}}}
	c.Status.AtProvider.Tenants = []string{tenant}
	c.SetConditions(xpv2.Available())
	for _, fn := range o {
		fn(c)
	}
	return c
}

func fleet(n int) []client.Object {
	out := make([]client.Object, 0, n)
	for i := range n {
		out = append(out, newCluster(fmt.Sprintf("c-%d", i+1)))
	}
	return out
}

func status(ro *v1alpha1.Rollout, t xpv2.ConditionType) string {
	c := ro.GetCondition(t)
	return strings.TrimSpace(string(c.Status) + " " + c.Message)
}

func TestRollsOut(t *testing.T) {
	h := newHarness(t, append(fleet(3), newRollout(), newBundle("shop.1"), newBundle("shop.2"))...)

	ro := h.reconcile()
	if diff := cmp.Diff([]string{"c-1=shop.1", "c-2=shop.1"}, h.releases()); diff != "" {
		t.Errorf("two at a time: -want, +got:\n%s", diff)
	}
	if !meta.FinalizerExists(ro, managed.FinalizerName) {
		t.Errorf("a Rollout has a finalizer before anything is made for it")
	}
	rel := &v1alpha1.Release{}
	h.must(h.hub.Get(t.Context(), types.NamespacedName{Namespace: tenant, Name: "shop.platform.prod.c-1"}, rel))
	want := &v1alpha1.Release{}
	want.SetNamespace(tenant)
	want.SetName("shop.platform.prod.c-1")
	want.SetResourceVersion("1")
	want.SetLabels(map[string]string{"mainstay.dev/rollout": "shop", "mainstay.dev/application": "shop", "mainstay.dev/fleet": "prod", "mainstay.dev/cluster": "c-1"})
	want.SetFinalizers([]string{managed.FinalizerName})
	want.SetOwnerReferences([]metav1.OwnerReference{{
		APIVersion: "m.mainstay.dev/v1alpha1", Kind: "Rollout", Name: "shop", UID: "rollout-uid", Controller: ptr.To(true), BlockOwnerDeletion: ptr.To(true),
	}})
	want.Spec.ManagementPolicies = xpv2.ManagementPolicies{xpv2.ManagementActionAll}
	want.Spec.ForProvider = v1alpha1.ReleaseParameters{
		ClusterRef: v1alpha1.ClusterReference{Namespace: "platform", Name: "prod.c-1"}, Application: "shop", Bundle: "shop.1", Namespace: tenant, Epoch: 1,
	}
	if diff := cmp.Diff(want, rel); diff != "" {
		t.Errorf("a Release is complete from the beginning: -want, +got:\n%s", diff)
	}

	h.finish()
	h.reconcile()
	h.finish()
	ro = h.reconcile()
	if got := status(ro, xpv2.TypeReady); got != "True" {
		t.Errorf("want Ready True, got %s", got)
	}
	count := v1alpha1.RolloutCount{Total: 3, Updated: 3, Ready: 3}
	if diff := cmp.Diff(count, ro.Status.AtProvider.Clusters); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
	writes := h.writes
	h.reconcile()
	if h.writes != writes {
		t.Errorf("a status that says nothing new is not written")
	}

	h.update(func(ro *v1alpha1.Rollout) { ro.Spec.ForProvider.Variants[0].Bundle = "shop.2" })
	ro = h.reconcile()
	if diff := cmp.Diff([]string{"c-1=shop.2", "c-2=shop.2", "c-3=shop.1"}, h.releases()); diff != "" {
		t.Errorf("a new revision moves two at a time: -want, +got:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"shop.1", "shop.2"}, ro.Status.AtProvider.BundlesInUse); diff != "" {
		t.Errorf("both Bundles are in use: -want, +got:\n%s", diff)
	}
}

func TestCacheBehind(t *testing.T) {
	h := newHarness(t, append(fleet(5), newRollout(), newBundle("shop.1"))...)
	h.behind = true
	for range 3 {
		h.reconcile()
	}
	if diff := cmp.Diff([]string{"c-1=shop.1", "c-2=shop.1"}, h.releases()); diff != "" {
		t.Errorf("what was started counts although the cache does not show it: -want, +got:\n%s", diff)
	}
	h.behind = false
	h.finish()
	h.reconcile()
	if got := len(h.releases()); got != 4 {
		t.Errorf("once it does, it goes on: got %d Releases", got)
	}
}

func TestTenantNotSetUp(t *testing.T) {
	waiting := newCluster("c-2", func(c *v1alpha1.Cluster) { c.Status.AtProvider.Tenants = []string{"team-b"} })
	h := newHarness(t, newCluster("c-1"), waiting, newRollout(), newBundle("shop.1"))
	ro := h.reconcile()
	if diff := cmp.Diff([]string{"c-1=shop.1"}, h.releases()); diff != "" {
		t.Errorf("a cluster that does not know the tenant yet is waited for: -want, +got:\n%s", diff)
	}
	if got := ro.Status.AtProvider.Clusters.Total; got != 2 {
		t.Errorf("but it is placed: want 2 clusters, got %d", got)
	}
}

func TestForeignRelease(t *testing.T) {
	foreign := &v1alpha1.Release{}
	foreign.SetNamespace(tenant)
	foreign.SetName("shop.platform.prod.c-1")
	foreign.SetLabels(map[string]string{v1alpha1.LabelRollout: "shop"})
	foreign.Spec.ForProvider.Bundle = "shop.0"
	h := newHarness(t, append(fleet(2), newRollout(), newBundle("shop.1"), foreign)...)
	ro := h.reconcile()
	if diff := cmp.Diff([]string{"c-1=shop.0", "c-2=shop.1"}, h.releases()); diff != "" {
		t.Errorf("what the Rollout does not control it leaves alone: -want, +got:\n%s", diff)
	}
	if got := ro.Status.AtProvider.Problems; len(got) != 1 || !strings.Contains(got[0].Message, "belongs to somebody else") {
		t.Errorf("and says so: got %v", got)
	}
}

func TestPlacementBlocked(t *testing.T) {
	h := newHarness(t, append(fleet(2), newRollout(), newBundle("shop.1"))...)
	h.reconcile()
	h.update(func(ro *v1alpha1.Rollout) {
		ro.Spec.ForProvider.Placement.Topologies = []v1alpha1.Topology{{Name: "t", Clusters: []string{"c-1", "nowhere"}}}
	})
	ro := h.reconcile()
	if got, want := status(ro, xpv2.TypeSynced), `False cannot place application: topology "t": cluster "nowhere" does not exist in any fleet: correct the name or remove it`; got != want {
		t.Errorf("want Synced %q, got %q", want, got)
	}
	if got := status(ro, xpv2.TypeReady); !strings.HasPrefix(got, "False") {
		t.Errorf("want it not to be Ready, got %s", got)
	}
	if len(h.releases()) != 2 {
		t.Errorf("nothing is removed: got %v", h.releases())
	}
}

func TestInventory(t *testing.T) {
	h := newHarness(t, append(fleet(2), newRollout(), newBundle("shop.1"))...)
	h.reconcile()
	h.finish()

	h.listErr = errors.New("boom")
	_, err := h.r.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(newRollout())})
	if err == nil || len(h.releases()) != 2 {
		t.Errorf("an inventory that cannot be had is not empty: got %v, %v", err, h.releases())
	}
	if got := status(h.rollout(), xpv2.TypeSynced); got != "False cannot list Clusters: boom" {
		t.Errorf("got Synced %s", got)
	}
	h.listErr = nil

	h.must(h.hub.Delete(t.Context(), newCluster("c-1")))
	h.reconcile()
	if diff := cmp.Diff([]string{"c-1=shop.1-", "c-2=shop.1"}, h.releases()); diff != "" {
		t.Errorf("a cluster that is being deleted is drained: -want, +got:\n%s", diff)
	}
	h.finish()

	c := newCluster("c-2")
	h.must(h.hub.Get(t.Context(), client.ObjectKeyFromObject(c), c))
	c.SetFinalizers(nil)
	h.must(h.hub.Update(t.Context(), c))
	h.must(h.hub.Delete(t.Context(), c))
	h.reconcile()
	if diff := cmp.Diff([]string{"c-2=shop.1-"}, h.releases()); diff != "" {
		t.Errorf("a cluster that the API server does not know is gone, also where it was the last: -want, +got:\n%s", diff)
	}
}

func TestClusterLookUpFails(t *testing.T) {
	h := newHarness(t, append(fleet(1), newRollout(), newBundle("shop.1"))...)
	h.reconcile()
	unserved := &kerrors.StatusError{ErrStatus: metav1.Status{Reason: metav1.StatusReasonNotFound, Code: 404, Details: &metav1.StatusDetails{
		Causes: []metav1.StatusCause{{Type: metav1.CauseTypeUnexpectedServerResponse, Message: "404 page not found"}},
	}}}
	h.r.live = interceptor.NewClient(h.hub, interceptor.Funcs{Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
		return unserved
	}})
	h.r.client = interceptor.NewClient(h.hub, interceptor.Funcs{List: func(ctx context.Context, c client.WithWatch, l client.ObjectList, opts ...client.ListOption) error {
		if _, ok := l.(*v1alpha1.ClusterList); ok {
			return nil // An inventory that is empty.
		}
		return c.List(ctx, l, opts...)
	}})
	if _, err := h.r.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(newRollout())}); err == nil {
		t.Errorf("that Clusters are not served at the moment is an error")
	}
	if diff := cmp.Diff([]string{"c-1=shop.1"}, h.releases()); diff != "" {
		t.Errorf("and no reason to remove anything: -want, +got:\n%s", diff)
	}
}

// An inventory that cannot be had, or comes back empty or in part, in the midst of a
// rollout: nothing is started and nothing removed until it is there again.
func TestInventoryLostMidRollout(t *testing.T) {
	cases := map[string]struct {
		reason string
		err    error
		keep   func(name string) bool
		says   string
	}{
		"Fails": {"It is not known.", errors.New("boom"), nil, "cannot list Clusters: boom"},
		"Empty": {"Nothing is no answer.", nil, func(string) bool { return false }, `no cluster lists namespace "team-a" as a tenant`},
		"Part": {"That a cluster which has the application is missing does not mean that it should not have it.", nil, func(name string) bool { return name == "prod.c-3" },
			"updated on 0 of 1 cluster, healthy on 0; 2 in motion; 2 to be removed; 2 of them kept because their Cluster is not in the inventory"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, append(fleet(3), newRollout(), newBundle("shop.1"), newBundle("shop.2"))...)
			h.reconcile()
			h.finish()
			h.reconcile()
			h.finish()
			h.reconcile()
			h.update(func(ro *v1alpha1.Rollout) { ro.Spec.ForProvider.Variants[0].Bundle = "shop.2" })
			h.reconcile()
			midway := h.releases()
			if diff := cmp.Diff([]string{"c-1=shop.2", "c-2=shop.2", "c-3=shop.1"}, midway); diff != "" {
				t.Fatalf("two of three have begun: -want, +got:\n%s", diff)
			}

			whole := h.r.client
			h.r.client = interceptor.NewClient(h.hub, interceptor.Funcs{List: func(ctx context.Context, c client.WithWatch, l client.ObjectList, opts ...client.ListOption) error {
				clusters, ok := l.(*v1alpha1.ClusterList)
				if !ok {
					return c.List(ctx, l, opts...)
				}
				if err := errors.Join(tc.err, c.List(ctx, l, opts...)); err != nil {
					return tc.err
				}
				clusters.Items = slices.DeleteFunc(clusters.Items, func(c v1alpha1.Cluster) bool { return !tc.keep(c.GetName()) })
				return nil
			}})
			for range 3 {
				h.clock.SetTime(h.clock.Now().Add(3 * time.Second))
				_, err := h.r.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(newRollout())})
				if (err != nil) != (tc.err != nil) {
					t.Errorf("%s: got %v", tc.reason, err)
				}
			}
			if got := h.rollout().Status.AtProvider.Message; !strings.HasPrefix(got, tc.says) {
				t.Errorf("%s: got %q", tc.reason, got)
			}
			if diff := cmp.Diff(midway, h.releases()); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}

			h.r.client = whole
			for range 2 {
				h.finish()
				h.reconcile()
			}
			if diff := cmp.Diff([]string{"c-1=shop.2", "c-2=shop.2", "c-3=shop.2"}, h.releases()); diff != "" {
				t.Errorf("it goes on once the inventory is there again: -want, +got:\n%s", diff)
			}
		})
	}
}

func TestPaused(t *testing.T) {
	for name, pause := range map[string]func(ro *v1alpha1.Rollout){
		"Annotation": func(ro *v1alpha1.Rollout) {
			ro.SetAnnotations(map[string]string{meta.AnnotationKeyReconciliationPaused: "true"})
		},
		"Policies": func(ro *v1alpha1.Rollout) { ro.Spec.ManagementPolicies = xpv2.ManagementPolicies{} },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, append(fleet(1), newRollout(pause), newBundle("shop.1"))...)
			ro := h.reconcile()
			if c := ro.GetCondition(xpv2.TypeSynced); c.Reason != xpv2.ReasonReconcilePaused || len(h.releases()) != 0 {
				t.Errorf("a paused Rollout does nothing and says so: got %+v, %v", c, h.releases())
			}
		})
	}
}

func TestPolicies(t *testing.T) {
	h := newHarness(t, append(fleet(1), newRollout(func(ro *v1alpha1.Rollout) {
		ro.Spec.ManagementPolicies = xpv2.ManagementPolicies{xpv2.ManagementActionObserve}
	}), newBundle("shop.1"))...)
	if h.reconcile(); len(h.releases()) != 0 {
		t.Errorf("a Rollout that may only look makes nothing: got %v", h.releases())
	}
	h.update(func(ro *v1alpha1.Rollout) {
		ro.Spec.ManagementPolicies = xpv2.ManagementPolicies{xpv2.ManagementActionUpdate}
	})
	if got := status(h.reconcile(), xpv2.TypeSynced); !strings.HasPrefix(got, "False") {
		t.Errorf("policies that make no sense are refused: got %s", got)
	}
}

func TestDeletes(t *testing.T) {
	h := newHarness(t, append(fleet(3), newRollout(), newBundle("shop.1"))...)
	h.reconcile()
	h.finish()
	h.reconcile()
	h.finish()
	h.reconcile()
	h.must(h.hub.Delete(t.Context(), newRollout()))

	ro := h.reconcile()
	if diff := cmp.Diff([]string{"c-1=shop.1-", "c-2=shop.1-", "c-3=shop.1"}, h.releases()); diff != "" {
		t.Errorf("two at a time: -want, +got:\n%s", diff)
	}
	if got := status(ro, xpv2.TypeReady); got != "False being removed from 3 clusters" {
		t.Errorf("got Ready %s", got)
	}
	h.finish()
	h.reconcile()
	h.finish()
	if ro = h.reconcile(); ro != nil {
		t.Errorf("once all are gone so is the Rollout: got %+v", ro)
	}
}

func TestOrphans(t *testing.T) {
	h := newHarness(t, append(fleet(1), newRollout(), newBundle("shop.1"))...)
	h.reconcile()
	h.update(func(ro *v1alpha1.Rollout) {
		ro.Spec.ManagementPolicies = xpv2.ManagementPolicies{xpv2.ManagementActionObserve, xpv2.ManagementActionCreate, xpv2.ManagementActionUpdate, xpv2.ManagementActionLateInitialize}
	})
	h.must(h.hub.Delete(t.Context(), newRollout()))
	if ro := h.reconcile(); ro != nil {
		t.Fatalf("an orphaning Rollout goes at once: got %+v", ro.Status)
	}
	rel := &v1alpha1.Release{}
	h.must(h.hub.Get(t.Context(), types.NamespacedName{Namespace: tenant, Name: "shop.platform.prod.c-1"}, rel))
	if len(rel.GetOwnerReferences()) != 0 || rel.GetDeletionTimestamp() != nil {
		t.Errorf("its Releases stay, and nobody collects them: got %+v", rel.ObjectMeta)
	}
}

func TestStatusIsWrittenSparsely(t *testing.T) {
	h := newHarness(t, append(fleet(4), newRollout(), newBundle("shop.1"))...)
	h.reconcile()
	h.finish()
	h.reconcile()
	writes := h.writes
	rel := &v1alpha1.Release{}
	h.must(h.hub.Get(t.Context(), types.NamespacedName{Namespace: tenant, Name: "shop.platform.prod.c-3"}, rel))
	rel.Status.AtProvider.Health = v1alpha1.Degraded
	rel.SetConditions(xpv2.Unavailable(), xpv2.ReconcileSuccess())
	h.must(h.hub.Status().Update(t.Context(), rel))

	result, err := h.r.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(newRollout())})
	h.must(err)
	if h.writes != writes || result.RequeueAfter <= 0 || result.RequeueAfter > statusInterval {
		t.Errorf("while things move, a status that was just written waits: got %d writes, again after %s", h.writes-writes, result.RequeueAfter)
	}
	if h.reconcile(); h.writes != writes+1 {
		t.Errorf("but not for ever: got %d writes", h.writes-writes)
	}
}

func TestSeen(t *testing.T) {
	base := func(o ...func(r *v1alpha1.Release)) *v1alpha1.Release {
		r := &v1alpha1.Release{}
		r.SetGeneration(2)
		r.Status.AtProvider.Health = v1alpha1.Degraded
		r.Status.AtProvider.Message = "said"
		for _, fn := range o {
			fn(r)
		}
		return r
	}
	conditions := func(c ...xpv2.Condition) func(*v1alpha1.Release) {
		return func(r *v1alpha1.Release) { r.SetConditions(c...) }
	}
	err := errors.New("boom")
	cases := map[string]struct {
		reason  string
		release *v1alpha1.Release
		health  v1alpha1.Health
		failed  bool
		failure string
	}{
		"Stale": {
			reason:  "What was said of a former generation does not count.",
			release: base(conditions(xpv2.Unavailable().WithObservedGeneration(1), xpv2.ReconcileError(err).WithObservedGeneration(1))),
			health:  v1alpha1.Unknown,
		},
		"Fresh": {
			reason:  "What is said of this one does.",
			release: base(conditions(xpv2.Unavailable().WithObservedGeneration(2), xpv2.ReconcileError(err).WithObservedGeneration(2))),
			health:  v1alpha1.Degraded, failed: true, failure: "said",
		},
		"WithoutMessage": {
			reason: "The condition stands in for a message.",
			release: base(conditions(xpv2.ReconcileError(err).WithObservedGeneration(2)), func(r *v1alpha1.Release) {
				r.Status.AtProvider.Message = ""
			}),
			health: v1alpha1.Unknown, failed: true, failure: "boom",
		},
		"Paused": {
			reason:  "A paused Release goes nowhere.",
			release: base(conditions(xpv2.ReconcilePaused().WithObservedGeneration(2))),
			health:  v1alpha1.Unknown, failed: true, failure: "its Release is paused",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := seen(tc.release)
			if got.Health != tc.health || got.Failed != tc.failed || got.Failure != tc.failure {
				t.Errorf("\n%s\nwant %s, %t, %q\ngot %s, %t, %q", tc.reason, tc.health, tc.failed, tc.failure, got.Health, got.Failed, got.Failure)
			}
		})
	}
}

func TestWatches(t *testing.T) {
	shop := newRollout()
	other := newRollout(func(ro *v1alpha1.Rollout) { ro.SetName("other"); ro.Spec.ForProvider.Variants[0].Bundle = "other.1" })
	evicted := newRollout(func(ro *v1alpha1.Rollout) { ro.SetNamespace("team-b") })
	left := &v1alpha1.Release{}
	left.SetNamespace("team-b")
	left.SetName("x")
	left.Spec.ForProvider.ClusterRef = v1alpha1.ClusterReference{Namespace: "platform", Name: "prod.c-1"}
	h := newHarness(t, shop, other, evicted, left)

	name := func(in []reconcile.Request) []string {
		out := make([]string, 0, len(in))
		for _, r := range in {
			out = append(out, r.String())
		}
		slices.Sort(out)
		return out
	}
	if diff := cmp.Diff([]string{"team-a/other", "team-a/shop", "team-b/shop"}, name(rolloutsOfCluster(h.hub)(t.Context(), newCluster("c-1")))); diff != "" {
		t.Errorf("a Cluster concerns its tenants, and who has something there: -want, +got:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"team-a/shop"}, name(rolloutsOfBundle(h.hub)(t.Context(), newBundle("shop.1")))); diff != "" {
		t.Errorf("a Bundle concerns who names it: -want, +got:\n%s", diff)
	}

	changed := func(fn func(c *v1alpha1.Cluster)) bool {
		return clusterChanged().Update(event.UpdateEvent{ObjectOld: newCluster("c-1"), ObjectNew: newCluster("c-1", fn)})
	}
	if changed(func(c *v1alpha1.Cluster) { c.Status.AtProvider.Releases = 7 }) {
		t.Errorf("how many Releases a Cluster counts makes no difference")
	}
	for what, fn := range map[string]func(c *v1alpha1.Cluster){
		"ready": func(c *v1alpha1.Cluster) {
			c.SetConditions(xpv2.Condition{Type: xpv2.TypeReady, Status: corev1.ConditionFalse})
		},
		"tenants":  func(c *v1alpha1.Cluster) { c.Spec.ForProvider.Tenants = nil },
		"set up":   func(c *v1alpha1.Cluster) { c.Status.AtProvider.Tenants = nil },
		"labels":   func(c *v1alpha1.Cluster) { c.Spec.ForProvider.Labels = map[string]v1alpha1.LabelValue{"a": "b"} },
		"deletion": func(c *v1alpha1.Cluster) { c.SetDeletionTimestamp(&metav1.Time{Time: time.Unix(1, 0)}) },
	} {
		if !changed(fn) {
			t.Errorf("its %s does", what)
		}
	}
	if releaseChanged().Update(event.UpdateEvent{ObjectOld: &v1alpha1.Release{}, ObjectNew: &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"a": "b"}}}}) {
		t.Errorf("a label of a Release makes no difference")
	}
	if !releaseChanged().Update(event.UpdateEvent{ObjectOld: &v1alpha1.Release{}, ObjectNew: &v1alpha1.Release{Status: v1alpha1.ReleaseStatus{AtProvider: v1alpha1.ReleaseObservation{Bundle: "b"}}}}) {
		t.Errorf("what was applied does")
	}
	if bundleChanged().Update(event.UpdateEvent{}) {
		t.Errorf("Bundles never change")
	}
}

func TestRegisterMovesTwice(t *testing.T) {
	reg := prometheus.NewRegistry()
	a, errA := registerMoves(reg)
	b, errB := registerMoves(reg)
	if errA != nil || errB != nil || a != b {
		t.Errorf("a second controller shares the metric: %v, %v", errA, errB)
	}
}
