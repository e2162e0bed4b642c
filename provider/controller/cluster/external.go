package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	"github.com/crossplane/crossplane-runtime/v2/pkg/reconciler/managed"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/fleet"
	"github.com/mainstay-dev/mainstay/internal/tenancy"
	"github.com/mainstay-dev/mainstay/provider/backend"
	"github.com/mainstay-dev/mainstay/provider/controller/steady"
	"github.com/mainstay-dev/mainstay/provider/target"
)

// settling is how long a new cluster may take before it says what keeps it.
const settling = time.Minute

// An external is one Cluster, for one reconcile: what Observe finds, Update and Delete
// act on.
type external struct {
	hub     client.Reader
	backend backend.Clusters
	asked   backend.Cluster
	targets Opener
	secrets publisher
	clock   clock.PassiveClock

	state     backend.ClusterState
	residents residents
	tenants   *tenants // Nil while the cluster cannot be used.
}

// Observe a cluster, and whether its tenants have what they were granted.
func (e *external) Observe(ctx context.Context, cr *v1alpha1.Cluster) (managed.ExternalObservation, error) {
	var err error
	if e.state, err = e.backend.ObserveCluster(ctx, e.asked); err != nil {
		return managed.ExternalObservation{}, fmt.Errorf("cannot observe cluster: %w", err)
	}
	if e.residents, err = residentsOf(ctx, e.hub, cr); err != nil {
		return managed.ExternalObservation{}, err
	}
	e.residents.record(cr)
	if meta.WasDeleted(cr) {
		return e.observeDeletion(ctx, cr)
	}

	settled, err := e.observeTenants(ctx, cr)
	if err != nil {
		return managed.ExternalObservation{}, err
	}
	cr.Status.AtProvider.Shape = fleet.ShapeReached(cr, nil)
	record(cr, e.state)
	if err := e.recordShape(ctx, cr); err != nil {
		return managed.ExternalObservation{}, err
	}
	details := managed.ConnectionDetails{}
	if len(e.state.Kubeconfig) > 0 {
		details[target.KubeconfigKey] = e.state.Kubeconfig
	}
	return managed.ExternalObservation{
		ResourceExists:    e.state.Exists || steady.EnsureByUpdate(cr),
		ResourceUpToDate:  e.current() && settled,
		ConnectionDetails: details,
	}, nil
}

// recordShape says how far a cluster is with the shape that its fleet rolls out.
func (e *external) recordShape(ctx context.Context, cr *v1alpha1.Cluster) error {
	if cr.Spec.ForProvider.Shape == "" {
		cr.Status.AtProvider.Shape = ""
		return nil
	}
	l := &v1alpha1.NodePoolList{}
	err := e.hub.List(ctx, l, client.InNamespace(cr.GetNamespace()), client.MatchingLabels{
		v1alpha1.LabelFleet: cr.Spec.ForProvider.Fleet, v1alpha1.LabelCluster: cr.Spec.ForProvider.Name,
	})
	if err != nil {
		return fmt.Errorf("cannot list the node pools of cluster: %w", err)
	}
	cr.Status.AtProvider.Shape = fleet.ShapeReached(cr, append([]v1alpha1.NodePool{}, l.Items...))
	return nil
}

func (e *external) current() bool { return e.state.Exists && e.state.UpToDate }

// observeTenants says whether nothing has to be done for them, as far as it can be.
func (e *external) observeTenants(ctx context.Context, cr *v1alpha1.Cluster) (bool, error) {
	if !e.state.Ready {
		report(cr, e.awaited(cr))
		return true, nil
	}
	t, err := e.targets.Open(cr, e.state.Kubeconfig)
	if err != nil {
		return false, fmt.Errorf("cannot connect to cluster: %w", err)
	}
	found := &tenants{client: t.Client(), grants: tenancy.Grants(cr.Spec.ForProvider.Tenants)}
	nodes, err := countNodes(ctx, t.Client())
	if err == nil {
		err = found.observe(ctx)
	}
	if target.IsUnreachable(err) || target.IsUnauthorized(err) {
		report(cr, plainly(err))
		return true, nil
	}
	if err != nil {
		return false, err
	}
	cr.Status.AtProvider.Nodes = nodes
	e.tenants = found
	// A cluster that is in use does not stop being so while something is put right.
	inUse := cr.GetCondition(xpv2.TypeReady).Status == corev1.ConditionTrue
	switch {
	case found.plan.Empty() && inUse:
		available(cr)
	case found.plan.Empty():
		return true, e.open(ctx, cr)
	case !inUse:
		report(cr, "waits for its tenants to be set up")
	}
	return found.plan.Empty(), nil
}

// awaited says what a cluster waits for. One that was only just asked for waits for its
// API server, and each step on the way there is not worth a write.
func (e *external) awaited(cr *v1alpha1.Cluster) string {
	never := cr.Status.AtProvider.Version == ""
	if e.state.Message == "" || never && e.clock.Since(cr.GetCreationTimestamp().Time) < settling {
		return "waits for the API server"
	}
	return e.state.Message
}

// open a cluster to its tenants: it is ready as soon as they can use it.
func (e *external) open(ctx context.Context, cr *v1alpha1.Cluster) error {
	ok, err := e.tenants.effective(ctx)
	switch {
	case err != nil:
		return err
	case ok:
		available(cr)
	case cr.GetCondition(xpv2.TypeReady).Status != corev1.ConditionTrue:
		report(cr, "waits for the rights of its tenants to have effect")
	}
	return nil
}

// observeDeletion of a cluster. It goes on existing until it is drained.
func (e *external) observeDeletion(ctx context.Context, cr *v1alpha1.Cluster) (managed.ExternalObservation, error) {
	cr.Status.AtProvider.Message = e.residents.waits()
	if e.residents.count == 0 {
		return managed.ExternalObservation{ResourceExists: e.state.Exists, ResourceUpToDate: true}, nil
	}
	// The garbage collector may have taken the Secret already, and those that are to
	// leave need it.
	if len(e.state.Kubeconfig) > 0 && !steady.DeletedInForeground(cr) {
		if _, err := e.secrets.PublishConnection(ctx, cr, managed.ConnectionDetails{target.KubeconfigKey: e.state.Kubeconfig}); err != nil {
			return managed.ExternalObservation{}, fmt.Errorf("cannot keep kubeconfig until Releases have left: %w", err)
		}
	}
	return managed.ExternalObservation{ResourceExists: true, ResourceUpToDate: true}, nil
}

// Create a cluster that may not be made by Update.
func (e *external) Create(ctx context.Context, _ *v1alpha1.Cluster) (managed.ExternalCreation, error) {
	return managed.ExternalCreation{}, e.ensure(ctx)
}

// Update a cluster, and what its tenants have there.
func (e *external) Update(ctx context.Context, cr *v1alpha1.Cluster) (managed.ExternalUpdate, error) {
	if !e.current() {
		if err := e.ensure(ctx); err != nil {
			return managed.ExternalUpdate{}, err
		}
	}
	if e.tenants == nil || e.tenants.plan.Empty() {
		return managed.ExternalUpdate{}, nil
	}
	done := e.tenants.describe()
	if err := e.tenants.settle(ctx); err != nil {
		return managed.ExternalUpdate{}, err
	}
	return managed.ExternalUpdate{AdditionalDetails: done}, e.open(ctx, cr)
}

func (e *external) ensure(ctx context.Context) error {
	err := e.backend.EnsureCluster(ctx, e.asked)
	if err == nil || backend.IsInvalid(err) {
		return err // It says all there is to say.
	}
	return fmt.Errorf("cannot make cluster: %w", err)
}

// Delete a cluster, once it is drained.
func (e *external) Delete(ctx context.Context, cr *v1alpha1.Cluster) (managed.ExternalDelete, error) {
	if e.residents.count > 0 {
		return managed.ExternalDelete{}, nil
	}
	if err := e.evict(ctx, cr); err != nil {
		return managed.ExternalDelete{}, err
	}
	if err := e.backend.DeleteCluster(ctx, e.asked); err != nil {
		return managed.ExternalDelete{}, fmt.Errorf("cannot delete cluster: %w", err)
	}
	return managed.ExternalDelete{}, nil
}

// evict the tenants of a cluster that will live on without us. Where it cannot be
// reached, or has locked us out, there is nothing that can be done.
func (e *external) evict(ctx context.Context, cr *v1alpha1.Cluster) error {
	if cr.Spec.ForProvider.KubeconfigSecretRef == nil || !e.state.Ready {
		return nil
	}
	t, err := e.targets.Open(cr, e.state.Kubeconfig)
	if err != nil {
		return fmt.Errorf("cannot connect to cluster: %w", err)
	}
	if err := (&tenants{client: t.Client()}).settle(ctx); err != nil && !lost(err) {
		return fmt.Errorf("cannot let go of cluster: %w", err)
	}
	return nil
}

// Disconnect does nothing: connections are shared.
func (e *external) Disconnect(context.Context) error { return nil }

// record what the backend says of a cluster that is ready. What it does not know stays
// as it was.
func record(cr *v1alpha1.Cluster, s backend.ClusterState) {
	if !s.Ready {
		return
	}
	o := &cr.Status.AtProvider
	o.Version = or(s.Version, o.Version)
	o.Endpoint = or(s.Endpoint, o.Endpoint)
}

// report that a Cluster is not ready, and what it waits for.
func report(cr *v1alpha1.Cluster, waits string) {
	cr.Status.AtProvider.Message = waits
	c := xpv2.Creating()
	if was := cr.GetCondition(xpv2.TypeReady); was.Status == corev1.ConditionTrue || was.Reason == xpv2.ReasonUnavailable {
		c = xpv2.Unavailable()
	}
	cr.SetConditions(c.WithMessage(waits).WithObservedGeneration(cr.GetGeneration()))
}

// available reports that a Cluster is ready and its tenants may use it.
func available(cr *v1alpha1.Cluster) {
	names := make([]string, 0, len(cr.Spec.ForProvider.Tenants))
	for _, t := range cr.Spec.ForProvider.Tenants {
		names = append(names, t.Namespace)
	}
	slices.Sort(names)
	cr.Status.AtProvider.Tenants = names
	cr.Status.AtProvider.Message = fleet.VersionProblem(cr)
	cr.SetConditions(xpv2.Available().WithObservedGeneration(cr.GetGeneration()))
}

// plainly says why a cluster cannot be used, without how that was found out.
func plainly(err error) string {
	var u *target.UnreachableError
	switch {
	case errors.As(err, &u):
		return u.Error()
	case target.IsUnauthorized(err):
		return "the API server refuses the kubeconfig's credentials"
	}
	return "the API server is not ready"
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
