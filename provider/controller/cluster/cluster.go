// Package cluster makes Clusters real and keeps them open to their tenants.
//
// A Cluster is ready once its API server can be used and each of its tenants can act
// in its target namespaces, and nowhere else. A Cluster that is deleted is drained
// first: it is destroyed once no Release names it, whoever deletes it and however.
//
// Invariant: nothing is written to a cluster, or to the hub, that is there already.
// Deliberately absent: what tenants put on clusters, which is for Releases.
package cluster

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
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
	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	"github.com/crossplane/crossplane-runtime/v2/pkg/ratelimiter"
	"github.com/crossplane/crossplane-runtime/v2/pkg/reconciler/managed"
	"github.com/crossplane/crossplane-runtime/v2/pkg/resource"
	"github.com/crossplane/crossplane-runtime/v2/pkg/statemetrics"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/provider/controller/providerconfig"
	"github.com/mainstay-dev/mainstay/provider/controller/steady"
	"github.com/mainstay-dev/mainstay/provider/target"
)

// indexCluster finds the Releases that name a Cluster.
const indexCluster = "cluster.releases"

// Deps are what Clusters are made real with.
type Deps struct {
	// Backends there are.
	Backends providerconfig.Backends
	// Targets opens clusters whose kubeconfig is known.
	Targets Opener
	// Jitter of polls.
	Jitter steady.Jitter
}

// An Opener opens clusters.
type Opener interface {
	// Open a cluster with a kubeconfig, as its administrator.
	Open(cr *v1alpha1.Cluster, kubeconfig []byte) (target.Target, error)
}

// Setup adds the controller.
func Setup(mgr ctrl.Manager, o controller.Options, d Deps) error {
	name := managed.ControllerName(v1alpha1.ClusterGVK.GroupKind().String())
	if err := mgr.GetFieldIndexer().IndexField(context.Background(), &v1alpha1.Release{}, indexCluster, clusterOf); err != nil {
		return fmt.Errorf("cannot index Releases by cluster: %w", err)
	}

	hub := mgr.GetClient()
	r := managed.NewReconciler(steady.Quiet(mgr, nil), resource.ManagedKind(v1alpha1.ClusterGVK), append(steady.Options(o, d.Jitter),
		managed.WithTypedExternalConnector(&connector{
			hub:      hub,
			usage:    resource.NewProviderConfigUsageTracker(hub, &v1alpha1.ProviderConfigUsage{}),
			resolver: &providerconfig.Resolver{Hub: hub, Backends: d.Backends},
			targets:  d.Targets,
			secrets:  managed.NewAPILocalSecretPublisher(hub, mgr.GetScheme()),
			clock:    clock.RealClock{},
		}),
		managed.WithInitializers(steady.NewInitializer(hub, nameSecret)),
		managed.WithLogger(o.Logger.WithValues("controller", name)),
		managed.WithRecorder(steady.Recorder{
			Recorder: event.NewAPIRecorder(mgr.GetEventRecorderFor(name)),
			Drop:     misleading,
		}))...)

	if o.MetricOptions != nil && o.MetricOptions.MRStateMetrics != nil {
		if err := mgr.Add(statemetrics.NewMRStateRecorder(hub, o.Logger, o.MetricOptions.MRStateMetrics, &v1alpha1.ClusterList{}, o.MetricOptions.PollStateMetricInterval)); err != nil {
			return fmt.Errorf("cannot add state metrics of Clusters: %w", err)
		}
	}

	err := ctrl.NewControllerManagedBy(mgr).
		Named(name).
		WithOptions(steady.ForControllerRuntime(o)).
		For(&v1alpha1.Cluster{}, builder.WithPredicates(resource.DesiredStateChanged())).
		Watches(&v1alpha1.Release{}, residence(hub)).
		Watches(&v1alpha1.NodePool{}, handler.EnqueueRequestsFromMapFunc(shapedBy), builder.WithPredicates(settles())).
		Complete(ratelimiter.NewReconciler(name, r, o.GlobalRateLimiter))
	if err != nil {
		return fmt.Errorf("cannot set up controller %q: %w", name, err)
	}
	return nil
}

func clusterOf(o client.Object) []string {
	r, ok := o.(*v1alpha1.Release)
	if !ok {
		return nil
	}
	return []string{types.NamespacedName(r.Spec.ForProvider.ClusterRef).String()}
}

// shapedBy is the Cluster whose shape a node pool is part of.
func shapedBy(_ context.Context, o client.Object) []reconcile.Request {
	p, ok := o.(*v1alpha1.NodePool)
	if !ok || p.Spec.ForProvider.Shape == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: p.GetNamespace(), Name: p.Spec.ForProvider.Cluster}}}
}

// settles lets through a node pool that becomes ready, and one that is gone.
func settles() predicate.Predicate {
	ready := func(o client.Object) bool {
		p, ok := o.(*v1alpha1.NodePool)
		c := xpv2.Condition{}
		if ok {
			c = p.GetCondition(xpv2.TypeReady)
		}
		return c.Status == "True" && c.ObservedGeneration == o.GetGeneration()
	}
	return predicate.Funcs{
		CreateFunc: func(ctrlevent.CreateEvent) bool { return false },
		UpdateFunc: func(e ctrlevent.UpdateEvent) bool { return !ready(e.ObjectOld) && ready(e.ObjectNew) },
	}
}

// nameSecret that the kubeconfig is written to, where nobody has. Releases need it.
func nameSecret(mg resource.Managed) {
	if cr, ok := mg.(*v1alpha1.Cluster); ok && cr.GetWriteConnectionSecretToReference() == nil {
		cr.SetWriteConnectionSecretToReference(&xpv2.LocalSecretReference{Name: target.SecretName(cr)})
	}
}

// misleading events are those that say "deleted" of a Cluster that waits for Releases to
// leave, and those that say "updated" at every look at one that is on its way.
func misleading(o runtime.Object, e event.Event) bool {
	cr, ok := o.(*v1alpha1.Cluster)
	if !ok {
		return false
	}
	switch e.Reason {
	case "DeletedExternalResource":
		return cr.Status.AtProvider.Message != ""
	case "UpdatedExternalResource":
		return cr.GetCondition(xpv2.TypeReady).Status != "True"
	}
	return false
}

// residence wakes a Cluster when its first Release comes and its last one goes, and
// at each that goes while it is drained. In between the poll will count them: a
// Cluster that is rewritten at every Release would wake its fleet as often.
func residence(hub client.Reader) handler.EventHandler {
	wake := func(ctx context.Context, o client.Object, q workqueue.TypedRateLimitingInterface[reconcile.Request], counted int32) {
		r, ok := o.(*v1alpha1.Release)
		if !ok {
			return
		}
		cr := &v1alpha1.Cluster{}
		name := types.NamespacedName(r.Spec.ForProvider.ClusterRef)
		if err := hub.Get(ctx, name, cr); err != nil {
			return // It is gone, or will be polled.
		}
		if meta.WasDeleted(cr) || cr.Status.AtProvider.Releases <= counted {
			req := reconcile.Request{NamespacedName: name}
			q.Forget(req) // What it waited for has happened: what is next need not wait as long.
			q.Add(req)
		}
	}
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e ctrlevent.CreateEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			wake(ctx, e.Object, q, 0)
		},
		DeleteFunc: func(ctx context.Context, e ctrlevent.DeleteEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			wake(ctx, e.Object, q, 1)
		},
	}
}
