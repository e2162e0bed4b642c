// Package nodepool makes the nodes of clusters.
//
// Nodes join a cluster that is ready, and come from where the cluster does. They need
// not be removed from a cluster that goes, or has gone.
//
// Deliberately absent: counting what runs on them.
package nodepool

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlevent "sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/crossplane/crossplane-runtime/v2/pkg/controller"
	"github.com/crossplane/crossplane-runtime/v2/pkg/event"
	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	"github.com/crossplane/crossplane-runtime/v2/pkg/ratelimiter"
	"github.com/crossplane/crossplane-runtime/v2/pkg/reconciler/managed"
	"github.com/crossplane/crossplane-runtime/v2/pkg/resource"
	"github.com/crossplane/crossplane-runtime/v2/pkg/statemetrics"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/fleet"
	"github.com/mainstay-dev/mainstay/provider/controller/providerconfig"
	"github.com/mainstay-dev/mainstay/provider/controller/steady"
)

// indexCluster finds the NodePools of a Cluster.
const indexCluster = "nodepool.cluster"

// Deps are what NodePools are made real with.
type Deps struct {
	// Backends there are.
	Backends providerconfig.Backends
	// Jitter of polls.
	Jitter steady.Jitter
}

// Setup adds the controller.
func Setup(mgr ctrl.Manager, o controller.Options, d Deps) error {
	name := managed.ControllerName(v1alpha1.NodePoolGVK.GroupKind().String())
	if err := mgr.GetFieldIndexer().IndexField(context.Background(), &v1alpha1.NodePool{}, indexCluster, clusterOf); err != nil {
		return fmt.Errorf("cannot index NodePools by cluster: %w", err)
	}

	hub := mgr.GetClient()
	r := managed.NewReconciler(steady.Quiet(mgr, nil), resource.ManagedKind(v1alpha1.NodePoolGVK), append(steady.Options(o, d.Jitter),
		managed.WithTypedExternalConnector(&connector{
			hub:      hub,
			resolver: &providerconfig.Resolver{Hub: hub, Backends: d.Backends},
		}),
		managed.WithInitializers(steady.NewInitializer(hub, func(resource.Managed) {})),
		managed.WithLogger(o.Logger.WithValues("controller", name)),
		managed.WithRecorder(steady.Recorder{
			Recorder: event.NewAPIRecorder(mgr.GetEventRecorderFor(name)),
			Drop:     misleading,
		}))...)

	if o.MetricOptions != nil && o.MetricOptions.MRStateMetrics != nil {
		if err := mgr.Add(statemetrics.NewMRStateRecorder(hub, o.Logger, o.MetricOptions.MRStateMetrics, &v1alpha1.NodePoolList{}, o.MetricOptions.PollStateMetricInterval)); err != nil {
			return fmt.Errorf("cannot add state metrics of NodePools: %w", err)
		}
	}

	err := ctrl.NewControllerManagedBy(mgr).
		Named(name).
		WithOptions(steady.ForControllerRuntime(o)).
		For(&v1alpha1.NodePool{}, builder.WithPredicates(resource.DesiredStateChanged())).
		Watches(&v1alpha1.Cluster{}, handler.EnqueueRequestsFromMapFunc(poolsOf(hub)), builder.WithPredicates(clusterChanged())).
		Complete(ratelimiter.NewReconciler(name, r, o.GlobalRateLimiter))
	if err != nil {
		return fmt.Errorf("cannot set up controller %q: %w", name, err)
	}
	return nil
}

func clusterOf(o client.Object) []string {
	p, ok := o.(*v1alpha1.NodePool)
	if !ok {
		return nil
	}
	return []string{p.Spec.ForProvider.Cluster}
}

// misleading is the event that says "updated" at every look at what is on its way.
func misleading(o runtime.Object, e event.Event) bool {
	p, ok := o.(*v1alpha1.NodePool)
	return ok && e.Reason == "UpdatedExternalResource" && p.GetCondition(xpv2.TypeReady).Status != corev1.ConditionTrue
}

func poolsOf(hub client.Reader) handler.MapFunc {
	return func(ctx context.Context, o client.Object) []reconcile.Request {
		l := &v1alpha1.NodePoolList{}
		if err := hub.List(ctx, l, client.InNamespace(o.GetNamespace()), client.MatchingFields{indexCluster: o.GetName()}); err != nil {
			return nil // They are polled before long.
		}
		out := make([]reconcile.Request, 0, len(l.Items))
		for i := range l.Items {
			out = append(out, reconcile.Request{NamespacedName: types.NamespacedName{Namespace: l.Items[i].GetNamespace(), Name: l.Items[i].GetName()}})
		}
		return out
	}
}

// clusterChanged lets through what makes a difference to nodes: that a cluster becomes
// ready, stops being so, is being deleted or is gone.
func clusterChanged() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc: func(ctrlevent.CreateEvent) bool { return false },
		UpdateFunc: func(e ctrlevent.UpdateEvent) bool {
			before, after, ok := clusters(e)
			return ok && (ready(before) != ready(after) || meta.WasDeleted(before) != meta.WasDeleted(after) || turn(before) != turn(after))
		},
	}
}

func clusters(e ctrlevent.UpdateEvent) (before, after *v1alpha1.Cluster, ok bool) {
	before, okBefore := e.ObjectOld.(*v1alpha1.Cluster)
	after, okAfter := e.ObjectNew.(*v1alpha1.Cluster)
	return before, after, okBefore && okAfter
}

// A step is how far a cluster is with the shape that its fleet rolls out: pools wait for
// each of its parts.
type step struct {
	shape, version string
	admitted       bool
}

func turn(cr *v1alpha1.Cluster) step {
	return step{shape: cr.Spec.ForProvider.Shape, version: cr.Status.AtProvider.Version, admitted: fleet.Admitted(cr)}
}

func ready(cr *v1alpha1.Cluster) bool {
	return cr.GetCondition(xpv2.TypeReady).Status == corev1.ConditionTrue
}
