package nodepool

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	"github.com/crossplane/crossplane-runtime/v2/pkg/reconciler/managed"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/fleet"
	"github.com/mainstay-dev/mainstay/internal/nodeclass"
	"github.com/mainstay-dev/mainstay/provider/backend"
	"github.com/mainstay-dev/mainstay/provider/controller/providerconfig"
	"github.com/mainstay-dev/mainstay/provider/controller/steady"
)

// A connector finds out who the nodes of a pool are to be asked from.
type connector struct {
	hub      client.Reader
	resolver *providerconfig.Resolver
}

// Connect to the backend of a pool's Cluster.
func (c *connector) Connect(ctx context.Context, p *v1alpha1.NodePool) (managed.TypedExternalClient[*v1alpha1.NodePool], error) {
	cr := &v1alpha1.Cluster{}
	err := c.hub.Get(ctx, types.NamespacedName{Namespace: p.GetNamespace(), Name: p.Spec.ForProvider.Cluster}, cr)
	if kerrors.IsNotFound(err) || (err == nil && meta.WasDeleted(cr)) {
		return &adrift{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot get cluster %q: %w", p.Spec.ForProvider.Cluster, err)
	}
	if !ready(cr) {
		return &adrift{clusterStays: true}, nil
	}
	found, err := c.resolver.Resolve(ctx, cr)
	if err != nil {
		return nil, err
	}
	if waits := fleet.PoolWaits(cr, p); waits != "" {
		return &waiting{why: waits}, nil
	}
	return &external{backend: found.Backend, cluster: found.Cluster, classes: found.NodeClasses}, nil
}

// An adrift pool has no cluster that nodes could join.
type adrift struct {
	clusterStays bool
}

// Observe that the pool waits, or that nothing is left of it.
func (e *adrift) Observe(_ context.Context, p *v1alpha1.NodePool) (managed.ExternalObservation, error) {
	if meta.WasDeleted(p) {
		if e.clusterStays {
			return managed.ExternalObservation{}, fmt.Errorf("cannot remove nodes: cluster %q is not ready; they go once it is, or once it is deleted", p.Spec.ForProvider.Cluster)
		}
		return managed.ExternalObservation{}, nil
	}
	report(p, fmt.Sprintf("waits for cluster %s", p.Spec.ForProvider.Cluster))
	return managed.ExternalObservation{ResourceExists: true, ResourceUpToDate: true}, nil
}

// Create does nothing.
func (e *adrift) Create(context.Context, *v1alpha1.NodePool) (managed.ExternalCreation, error) {
	return managed.ExternalCreation{}, nil
}

// Update does nothing.
func (e *adrift) Update(context.Context, *v1alpha1.NodePool) (managed.ExternalUpdate, error) {
	return managed.ExternalUpdate{}, nil
}

// Delete does nothing.
func (e *adrift) Delete(context.Context, *v1alpha1.NodePool) (managed.ExternalDelete, error) {
	return managed.ExternalDelete{}, nil
}

// Disconnect does nothing.
func (e *adrift) Disconnect(context.Context) error { return nil }

// An external is a pool of a cluster that is ready.
type external struct {
	backend backend.NodePools
	cluster backend.Cluster
	classes []v1alpha1.NodeClass
}

// Observe the nodes of a pool.
func (e *external) Observe(ctx context.Context, p *v1alpha1.NodePool) (managed.ExternalObservation, error) {
	asked, err := e.asked(p)
	if err != nil {
		report(p, "waits for a node class that is known")
		return managed.ExternalObservation{}, err
	}
	state, err := e.backend.ObserveNodePool(ctx, asked)
	if err != nil {
		return managed.ExternalObservation{}, plain(err, "observe nodes")
	}
	if meta.WasDeleted(p) {
		return managed.ExternalObservation{ResourceExists: state.Exists, ResourceUpToDate: true}, nil
	}
	p.Status.AtProvider.Nodes = state.Nodes
	switch {
	case !state.UpToDate:
		report(p, "waits for nodes to be made as asked")
	case state.Nodes.Ready < asked.Size:
		report(p, fmt.Sprintf("waits for nodes: %d of %d are ready", state.Nodes.Ready, asked.Size))
	default:
		p.SetConditions(xpv2.Available().WithObservedGeneration(p.GetGeneration()))
	}
	return managed.ExternalObservation{
		// A pool of no nodes is there as soon as it is asked for.
		ResourceExists:   state.Exists || asked.Size == 0 || steady.EnsureByUpdate(p),
		ResourceUpToDate: state.UpToDate,
	}, nil
}

// Create the nodes of a pool that may not be made by Update.
func (e *external) Create(ctx context.Context, p *v1alpha1.NodePool) (managed.ExternalCreation, error) {
	return managed.ExternalCreation{}, e.ensure(ctx, p)
}

// Update the nodes of a pool.
func (e *external) Update(ctx context.Context, p *v1alpha1.NodePool) (managed.ExternalUpdate, error) {
	return managed.ExternalUpdate{}, e.ensure(ctx, p)
}

func (e *external) ensure(ctx context.Context, p *v1alpha1.NodePool) error {
	asked, err := e.asked(p)
	if err != nil {
		return err
	}
	return plain(e.backend.EnsureNodePool(ctx, asked), "make nodes")
}

// Delete the nodes of a pool.
func (e *external) Delete(ctx context.Context, p *v1alpha1.NodePool) (managed.ExternalDelete, error) {
	asked, err := e.asked(p)
	if err != nil {
		return managed.ExternalDelete{}, err
	}
	return managed.ExternalDelete{}, plain(e.backend.DeleteNodePool(ctx, asked), "remove nodes")
}

// Disconnect does nothing: connections are shared.
func (e *external) Disconnect(context.Context) error { return nil }

// asked returns what the backend is asked for. What is being deleted need not be of a
// class that is still known.
func (e *external) asked(p *v1alpha1.NodePool) (backend.NodePool, error) {
	f := p.Spec.ForProvider
	capacity, err := nodeclass.Capacity(e.classes, f.Class)
	if err != nil && !meta.WasDeleted(p) {
		return backend.NodePool{}, fmt.Errorf("spec.nodePools[].class: %w", err)
	}
	return backend.NodePool{
		Cluster:  e.cluster,
		Name:     f.Name,
		Class:    f.Class,
		Capacity: capacity,
		Size:     f.Size,
		Labels:   v1alpha1.Labels(f.Labels),
		Taints:   v1alpha1.KubernetesTaints(f.Taints),
	}, nil
}

// plain wraps an error, unless it says all there is to say.
func plain(err error, what string) error {
	if err == nil || backend.IsInvalid(err) {
		return err
	}
	return fmt.Errorf("cannot %s: %w", what, err)
}

// report that a pool is not ready, and what it waits for.
func report(p *v1alpha1.NodePool, waits string) {
	c := xpv2.Creating()
	if was := p.GetCondition(xpv2.TypeReady); was.Status == corev1.ConditionTrue || was.Reason == xpv2.ReasonUnavailable {
		c = xpv2.Unavailable()
	}
	p.SetConditions(c.WithMessage(waits).WithObservedGeneration(p.GetGeneration()))
}
