// Package release brings one application to one cluster and keeps it there.
//
// A Release acts on its cluster as its tenant, and the cluster's own authorizer
// decides. Whether the tenant may be there at all is asked anew every time: where it
// may not any more, nothing is written, and what runs is left as it is until the
// Release goes. A Release is observed with reads only. It is taken to "exist" from the
// beginning, since server-side apply makes creating and updating the same thing.
//
// Invariants: whatever is on a cluster is in the inventory first. Nothing is taken
// over, changed or removed that carries another Release's mark, nor, unless a policy
// says so, what is there already and is nobody's. What is there is touched only once
// everything that the change needs is there too.
//
// Never two epochs. Rollouts number their decisions; the API server lets no Release go
// back to a lower number. What is left to fear is a provider that acts on what it read
// before: one that lost its lead and does not know, or one whose cache is behind.
//
//   - Each object is written only onto the very version of it that was read, and says
//     in which epoch it was written last. So after the new epoch has written an object,
//     the old one either reads that, or conflicts. What the new epoch has not written yet
//     is still the old one's, and what it has no need to write is the same in both.
//   - An object that is not there has no version. Before one is made the Release's status
//     is written with an optimistic lock, to put the object on record, or else the
//     Release is read anew from the API server. That holds for a few seconds; another
//     provider waits longer before it takes over.
//
// What was applied is on record in the inventory, as a trace for each object, so that
// neither another revision nor a restart applies what has not changed.
//
// Upgrade procedures go step by step, each put on record before it is taken. Steps are
// idempotent: patches are merged where they are not in yet, and objects are applied once
// for an upgrade. A field that only a patch sets stays as the patch left it.
//
// Deliberately absent: when to change. Rollouts decide that.
package release

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlevent "sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/crossplane/crossplane-runtime/v2/pkg/controller"
	"github.com/crossplane/crossplane-runtime/v2/pkg/event"
	"github.com/crossplane/crossplane-runtime/v2/pkg/ratelimiter"
	"github.com/crossplane/crossplane-runtime/v2/pkg/reconciler/managed"
	"github.com/crossplane/crossplane-runtime/v2/pkg/resource"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/provider/controller/steady"
	"github.com/mainstay-dev/mainstay/provider/target"
)

const controllerName = "managed/release." + "m.mainstay.dev"

// Indexes of Releases.
const (
	indexCluster = "release.cluster"
	indexBundle  = "release.bundle"
)

// timeout of one reconcile. Calls to a cluster have bounds of their own.
const timeout = 2 * time.Minute

// Deps are what the controller of Releases works with.
type Deps struct {
	Targets target.Connector
	Jitter  steady.Jitter
	// LooksPerSecond is how many Releases that are ready are compared with their clusters
	// in a second, at most: where there are more than that in a poll interval each waits
	// longer. Zero is no bound.
	LooksPerSecond int
}

// Setup adds the controller of Releases to a manager.
func Setup(mgr ctrl.Manager, o controller.Options, d Deps) error {
	if err := addIndexes(context.Background(), mgr.GetFieldIndexer()); err != nil {
		return err
	}
	c := newConnector(mgr.GetClient(), mgr.GetAPIReader(), d.Targets, clock.RealClock{})
	r := newReconciler(mgr, c, append(steady.Options(o, d.Jitter),
		managed.WithTimeout(timeout),
		managed.WithPollIntervalHook(c.poll(steady.Poll(d.Jitter, rand.Float64), d.LooksPerSecond)),
		managed.WithLogger(o.Logger.WithValues("controller", controllerName)),
		managed.WithRecorder(steady.Recorder{
			Recorder: event.NewAPIRecorder(mgr.GetEventRecorderFor(controllerName), o.EventFilterFunctions...),
			Drop:     routine,
		}),
	)...)
	return ctrl.NewControllerManagedBy(mgr).
		Named(controllerName).
		WithOptions(steady.ForControllerRuntime(o)).
		For(&v1alpha1.Release{}, builder.WithPredicates(resource.DesiredStateChanged())).
		Watches(&v1alpha1.Cluster{}, handler.EnqueueRequestsFromMapFunc(releasesBy(mgr.GetClient(), indexCluster)), builder.WithPredicates(clusterChanged())).
		Watches(&v1alpha1.Bundle{}, handler.EnqueueRequestsFromMapFunc(releasesBy(mgr.GetClient(), indexBundle)), builder.WithPredicates(bundleAppeared())).
		Complete(ratelimiter.NewReconciler(controllerName, r, o.GlobalRateLimiter))
}

// newReconciler of Releases, which writes no more than it has to.
func newReconciler(mgr ctrl.Manager, c *connector, o ...managed.ReconcilerOption) *managed.Reconciler {
	return managed.NewReconciler(steady.Quiet(mgr, c.pending.waits), resource.ManagedKind(v1alpha1.ReleaseGVK),
		append(o, managed.WithTypedExternalConnector[*v1alpha1.Release](c), managed.WithInitializers())...)
}

// routine is true of events that are not worth an event: a Release is brought up to
// date in several turns, most of which only look.
func routine(_ runtime.Object, e event.Event) bool { return e.Reason == "UpdatedExternalResource" }

// addIndexes by which the Releases that a Cluster or a Bundle concerns are found.
func addIndexes(ctx context.Context, i client.FieldIndexer) error {
	if err := i.IndexField(ctx, &v1alpha1.Release{}, indexCluster, clusterKeys); err != nil {
		return fmt.Errorf("cannot index Releases by cluster: %w", err)
	}
	if err := i.IndexField(ctx, &v1alpha1.Release{}, indexBundle, bundleKeys); err != nil {
		return fmt.Errorf("cannot index Releases by bundle: %w", err)
	}
	return nil
}

func clusterKeys(o client.Object) []string {
	r, ok := o.(*v1alpha1.Release)
	if !ok {
		return nil
	}
	return []string{types.NamespacedName(r.Spec.ForProvider.ClusterRef).String()}
}

func bundleKeys(o client.Object) []string {
	r, ok := o.(*v1alpha1.Release)
	if !ok {
		return nil
	}
	return []string{types.NamespacedName{Namespace: r.GetNamespace(), Name: r.Spec.ForProvider.Bundle}.String()}
}

// releasesBy an index of the object's name.
func releasesBy(c client.Reader, index string) handler.MapFunc {
	return func(ctx context.Context, o client.Object) []reconcile.Request {
		l := &v1alpha1.ReleaseList{}
		if err := c.List(ctx, l, client.MatchingFields{index: client.ObjectKeyFromObject(o).String()}); err != nil {
			return nil // Each is polled before long.
		}
		out := make([]reconcile.Request, 0, len(l.Items))
		for i := range l.Items {
			out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&l.Items[i])})
		}
		return out
	}
}

// clusterChanged lets through what makes a difference to Releases.
func clusterChanged() predicate.Predicate {
	return predicate.Funcs{
		UpdateFunc: func(e ctrlevent.UpdateEvent) bool {
			before, ok := e.ObjectOld.(*v1alpha1.Cluster)
			if !ok {
				return false
			}
			after, ok := e.ObjectNew.(*v1alpha1.Cluster)
			if !ok {
				return false
			}
			return before.GetCondition(xpv2.TypeReady).Status != after.GetCondition(xpv2.TypeReady).Status ||
				!equality.Semantic.DeepEqual(before.Spec.ForProvider, after.Spec.ForProvider) ||
				before.Status.AtProvider.Version != after.Status.AtProvider.Version ||
				!slices.Equal(before.Status.AtProvider.Tenants, after.Status.AtProvider.Tenants) ||
				!before.GetDeletionTimestamp().Equal(after.GetDeletionTimestamp())
		},
	}
}

// bundleAppeared lets through new Bundles. They never change.
func bundleAppeared() predicate.Predicate {
	return predicate.Funcs{
		UpdateFunc: func(ctrlevent.UpdateEvent) bool { return false },
		DeleteFunc: func(ctrlevent.DeleteEvent) bool { return false },
	}
}
