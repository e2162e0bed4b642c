// Package rollout carries out what package internal/rollout decides: it gathers what is
// there, asks what to start now, and makes, changes and removes Releases.
//
// A Rollout is no managed resource in the runtime's sense, since nothing of it is
// outside of the hub, but it behaves like one: finalizer, pause, management policies,
// Ready and Synced. It touches only Releases in its own namespace that it controls.
//
// Where only approved changes may say what runs, a Rollout that none carries is held back.
// Its deletion is not, which is for the rights of people on the hub to forbid.
//
// What the cache does not show yet of what was started counts as started, so bounds
// hold however far the cache is behind. Status is written sparsely: the application
// above reads it, and every write wakes it.
package rollout

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/crossplane/crossplane-runtime/v2/pkg/controller"
	xpevent "github.com/crossplane/crossplane-runtime/v2/pkg/event"
	"github.com/crossplane/crossplane-runtime/v2/pkg/feature"
	"github.com/crossplane/crossplane-runtime/v2/pkg/ratelimiter"
	"github.com/crossplane/crossplane-runtime/v2/pkg/resource"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/provider/controller/steady"
	mainstaymetrics "github.com/mainstay-dev/mainstay/provider/metrics"
)

const controllerName = "rollout." + "m.mainstay.dev"

// indexCluster finds the Releases on a Cluster.
const indexCluster = "rollout.cluster"

// indexOwner finds the Releases of a Rollout.
const indexOwner = "rollout.owner"

// gathering is how long a Rollout waits for more news of its Releases before it looks at
// all of them. Hundreds come at once, and one look is enough.
const gathering = 100 * time.Millisecond

// Deps are what the controller works with.
type Deps struct {
	// Jitter of polls.
	Jitter steady.Jitter
	// Preflight that clusters go through. Nil for none.
	Preflight Preflight
	// Images of what Rollouts move. Where it is nil they stay as they are written.
	Images Images
	// Gates that Rollouts ask. Where it is nil those that have to be asked stay closed.
	Gates Gates
}

// Setup adds the controller of Rollouts to a manager.
func Setup(mgr ctrl.Manager, o controller.Options, d Deps) error {
	if err := mgr.GetFieldIndexer().IndexField(context.Background(), &v1alpha1.Release{}, indexCluster, clusterKeys); err != nil {
		return fmt.Errorf("cannot index Releases by cluster: %w", err)
	}
	if err := mgr.GetFieldIndexer().IndexField(context.Background(), &v1alpha1.Release{}, indexOwner, ownerKeys); err != nil {
		return fmt.Errorf("cannot index Releases by owner: %w", err)
	}
	moves, err := registerMoves(metrics.Registry)
	if err != nil {
		return err
	}
	r := NewReconciler(mgr.GetClient(), mgr.GetAPIReader(), clock.RealClock{}, moves)
	r.metrics = mainstaymetrics.Default.Rollouts
	r.events = xpevent.NewAPIRecorder(mgr.GetEventRecorderFor(controllerName), o.EventFilterFunctions...)
	r.log = o.Logger.WithValues("controller", controllerName)
	r.resync, r.poll = o.PollInterval, steady.Poll(d.Jitter, rand.Float64)
	r.preflight, r.gates, r.images = d.Preflight, d.Gates, d.Images
	r.policies = o.Features.Enabled(feature.EnableBetaManagementPolicies)
	return ctrl.NewControllerManagedBy(mgr).
		Named(controllerName).
		WithOptions(steady.ForControllerRuntime(o)).
		For(&v1alpha1.Rollout{}, builder.WithPredicates(resource.DesiredStateChanged())).
		Watches(&v1alpha1.Release{}, gathered(), builder.WithPredicates(releaseChanged())).
		Watches(&v1alpha1.Cluster{}, handler.EnqueueRequestsFromMapFunc(rolloutsOfCluster(mgr.GetClient())), builder.WithPredicates(clusterChanged())).
		Watches(&v1alpha1.ClaimGrant{}, handler.EnqueueRequestsFromMapFunc(OfGrant)).
		Watches(&v1alpha1.Bundle{}, handler.EnqueueRequestsFromMapFunc(rolloutsOfBundle(mgr.GetClient())), builder.WithPredicates(bundleChanged())).
		Complete(ratelimiter.NewReconciler(controllerName, r, o.GlobalRateLimiter))
}

// registerMoves registers the count of what Rollouts start.
func registerMoves(reg prometheus.Registerer) (*prometheus.CounterVec, error) {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "mainstay_rollout_moves_total",
		Help: "Releases that Rollouts created, updated or deleted.",
	}, []string{"action"})
	err := reg.Register(c)
	already := prometheus.AlreadyRegisteredError{}
	if errors.As(err, &already) {
		if existing, ok := already.ExistingCollector.(*prometheus.CounterVec); ok {
			return existing, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("cannot register metrics: %w", err)
	}
	return c, nil
}

func clusterKeys(o client.Object) []string {
	r, ok := o.(*v1alpha1.Release)
	if !ok {
		return nil
	}
	return []string{types.NamespacedName(r.Spec.ForProvider.ClusterRef).String()}
}

func ownerKeys(o client.Object) []string {
	if owner := metav1.GetControllerOf(o); owner != nil && owner.Kind == v1alpha1.RolloutGVK.Kind {
		return []string{string(owner.UID)}
	}
	return nil
}

// gathered has the Rollout of a Release looked at, once for all that happens to its
// Releases within a moment.
func gathered() handler.EventHandler {
	type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]
	add := func(o client.Object, q queue) {
		if owner := metav1.GetControllerOf(o); owner != nil && owner.Kind == v1alpha1.RolloutGVK.Kind {
			q.AddAfter(reconcile.Request{NamespacedName: types.NamespacedName{Namespace: o.GetNamespace(), Name: owner.Name}}, gathering)
		}
	}
	return handler.Funcs{
		CreateFunc:  func(_ context.Context, e event.CreateEvent, q queue) { add(e.Object, q) },
		UpdateFunc:  func(_ context.Context, e event.UpdateEvent, q queue) { add(e.ObjectNew, q) },
		DeleteFunc:  func(_ context.Context, e event.DeleteEvent, q queue) { add(e.Object, q) },
		GenericFunc: func(_ context.Context, e event.GenericEvent, q queue) { add(e.Object, q) },
	}
}

// rolloutsOfCluster returns the Rollouts of all tenants of a cluster, and of those
// that have something there, tenants or not.
func rolloutsOfCluster(c client.Reader) handler.MapFunc {
	return func(ctx context.Context, o client.Object) []reconcile.Request {
		cluster, ok := o.(*v1alpha1.Cluster)
		if !ok {
			return nil
		}
		var namespaces []string
		for _, t := range cluster.Spec.ForProvider.Tenants {
			namespaces = append(namespaces, t.Namespace)
		}
		releases := &v1alpha1.ReleaseList{}
		// Where this fails the next resync makes up for it.
		if err := c.List(ctx, releases, client.MatchingFields{indexCluster: client.ObjectKeyFromObject(cluster).String()}, client.UnsafeDisableDeepCopy); err == nil {
			for i := range releases.Items {
				namespaces = append(namespaces, releases.Items[i].GetNamespace())
			}
		}
		slices.Sort(namespaces)
		var out []reconcile.Request
		for _, ns := range slices.Compact(namespaces) {
			out = append(out, rolloutsIn(ctx, c, ns, func(*v1alpha1.Rollout) bool { return true })...)
		}
		return out
	}
}

// rolloutsOfBundle returns the Rollouts that name a Bundle.
func rolloutsOfBundle(c client.Reader) handler.MapFunc {
	return func(ctx context.Context, o client.Object) []reconcile.Request {
		return rolloutsIn(ctx, c, o.GetNamespace(), func(r *v1alpha1.Rollout) bool {
			return slices.ContainsFunc(r.Spec.ForProvider.Variants, func(v v1alpha1.Variant) bool { return v.Bundle == o.GetName() })
		})
	}
}

func rolloutsIn(ctx context.Context, c client.Reader, namespace string, concerned func(*v1alpha1.Rollout) bool) []reconcile.Request {
	l := &v1alpha1.RolloutList{}
	if err := c.List(ctx, l, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil
	}
	var out []reconcile.Request
	for i := range l.Items {
		if concerned(&l.Items[i]) {
			out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&l.Items[i])})
		}
	}
	return out
}

// releaseChanged lets through what makes a difference to a Rollout.
func releaseChanged() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, ok := e.ObjectOld.(*v1alpha1.Release)
		if !ok {
			return false
		}
		after, ok := e.ObjectNew.(*v1alpha1.Release)
		if !ok {
			return false
		}
		return !equality.Semantic.DeepEqual(seen(before), seen(after))
	}}
}

// clusterChanged lets through what decides whether, and when, a cluster is placed.
func clusterChanged() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, ok := e.ObjectOld.(*v1alpha1.Cluster)
		if !ok {
			return false
		}
		after, ok := e.ObjectNew.(*v1alpha1.Cluster)
		if !ok {
			return false
		}
		return before.GetCondition(xpv2.TypeReady).Status != after.GetCondition(xpv2.TypeReady).Status ||
			!equality.Semantic.DeepEqual(before.Spec.ForProvider.Tenants, after.Spec.ForProvider.Tenants) ||
			!slices.Equal(before.Status.AtProvider.Tenants, after.Status.AtProvider.Tenants) ||
			!equality.Semantic.DeepEqual(before.Spec.ForProvider.Labels, after.Spec.ForProvider.Labels) ||
			!before.GetDeletionTimestamp().Equal(after.GetDeletionTimestamp())
	}}
}

// bundleChanged lets through Bundles that come and go. They never change.
func bundleChanged() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(event.UpdateEvent) bool { return false }}
}

// statusInterval is how often at most a status is written while things move.
const statusInterval = 2 * time.Second
