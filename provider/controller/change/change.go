// Package change carries out what package internal/change decides: it gathers what is known of a merge
// request, has it planned, puts the decision on record, and has it done.
//
// The invariants:
//
//   - What a decision rests on is on record before anything is done that rests on it. The record
//     names the version that was read: of two who decide at once one is refused.
//   - Before anything is written that changes what runs, the record is read past the cache, and must be
//     the one that was decided from. Who writes checks locks and epochs once more.
//   - One action that fails keeps no other from being done. What failed is in the condition Synced,
//     and is tried again.
//   - A Change that is deleted leaves the queue, and everything else as it is.
//
// A Change is no managed resource in the runtime's sense, since what it is of is a merge request, which
// people make. But it behaves like one: finalizer, pause, management policies, Ready
// and Synced. One that may only observe is planned, and tells nobody.
//
// Deliberately absent: deciding (internal/change), asking (package observe), planning (package planner)
// and doing (package execute).
package change

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/crossplane/crossplane-runtime/v2/pkg/controller"
	xpevent "github.com/crossplane/crossplane-runtime/v2/pkg/event"
	"github.com/crossplane/crossplane-runtime/v2/pkg/feature"
	"github.com/crossplane/crossplane-runtime/v2/pkg/ratelimiter"
	"github.com/crossplane/crossplane-runtime/v2/pkg/resource"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	xr "github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/change"
	"github.com/mainstay-dev/mainstay/provider/controller/change/execute"
	"github.com/mainstay-dev/mainstay/provider/controller/change/grants"
	"github.com/mainstay-dev/mainstay/provider/controller/change/observe"
	"github.com/mainstay-dev/mainstay/provider/controller/change/trees"
	"github.com/mainstay-dev/mainstay/provider/controller/steady"
	mainstaymetrics "github.com/mainstay-dev/mainstay/provider/metrics"
	"github.com/mainstay-dev/mainstay/provider/planner"
	"github.com/mainstay-dev/mainstay/provider/repo"
)

const controllerName = "change." + "m.mainstay.dev"

// Indexes of Changes: by the claims that they touch, and by their Repository.
const (
	indexClaim      = "change.claim"
	indexRepository = "change.repository"
)

// A Planner makes plans.
type Planner interface {
	Plan(ctx context.Context, in planner.Input, req change.PlanRequest) change.Planned
	Page(ctx context.Context, in planner.Input, plan string) (string, error)
}

// A Pool keeps Repositories open.
type Pool interface {
	Open(ctx context.Context, r *v1alpha1.Repository) (*repo.Repo, error)
	ChangeWoken(key types.NamespacedName) bool
	Changes() <-chan event.GenericEvent
}

// Deps are what the controller works with.
type Deps struct {
	// Pool of open Repositories, which the controller of Repositories has as well.
	Pool Pool
	// Trees of merge requests, which the planner has as well.
	Trees *trees.Trees
	// Planner of merge requests.
	Planner Planner
	// Jitter of polls.
	Jitter steady.Jitter
}

// kinds of claims that are looked at again when anything happens to one.
func kinds() []schema.GroupVersionKind {
	return []schema.GroupVersionKind{xr.GroupVersion.WithKind(xr.ProductApplicationKind), xr.GroupVersion.WithKind(xr.ClusterFleetKind)}
}

// Needs are the kinds that must be served before the controller is set up.
func Needs() []schema.GroupVersionKind {
	return append(kinds(), v1alpha1.ChangeGVK, v1alpha1.RepositoryGVK, v1alpha1.PlanGVK, v1alpha1.ChangeQueueGVK, v1alpha1.ClaimGrantGVK,
		v1alpha1.RolloutGVK, v1alpha1.ReleaseGVK, v1alpha1.ClusterGVK)
}

// Setup adds the controller of Changes to a manager. What it needs must be served.
func Setup(mgr ctrl.Manager, o controller.Options, d Deps) error {
	ix, ctx := mgr.GetFieldIndexer(), context.Background()
	for _, i := range []struct {
		of    client.Object
		name  string
		value client.IndexerFunc
	}{
		{&v1alpha1.Change{}, indexClaim, claimKeys},
		{&v1alpha1.Change{}, indexRepository, repositoryKeys},
		{&v1alpha1.Release{}, observe.IndexOwner, ownerKeys},
	} {
		if err := ix.IndexField(ctx, i.of, i.name, i.value); err != nil {
			return fmt.Errorf("cannot index by %s: %w", i.name, err)
		}
	}

	r := NewReconciler(mgr.GetClient(), mgr.GetCache(), mgr.GetAPIReader(), d, time.Now)
	r.log = o.Logger.WithValues("controller", controllerName)
	r.execute.Log = r.log
	r.events = xpevent.NewAPIRecorder(mgr.GetEventRecorderFor(controllerName), o.EventFilterFunctions...)
	r.metrics = mainstaymetrics.Default.Changes
	r.policies = o.Features.Enabled(feature.EnableBetaManagementPolicies)
	poll := steady.Poll(d.Jitter, rand.Float64)
	r.spread = func(c *v1alpha1.Change, wait time.Duration) time.Duration { return max(wait, poll(c, wait)) }

	b := ctrl.NewControllerManagedBy(mgr).
		Named(controllerName).
		WithOptions(steady.ForControllerRuntime(o)).
		For(&v1alpha1.Change{}, builder.WithPredicates(resource.DesiredStateChanged())).
		Watches(&v1alpha1.Repository{}, handler.EnqueueRequestsFromMapFunc(changesOfRepository(mgr.GetClient())), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&v1alpha1.Rollout{}, gathered(mgr.GetClient(), claimOfRollout), builder.WithPredicates(moved())).
		Watches(&v1alpha1.ChangeQueue{}, queued()).
		WatchesRawSource(source.Channel(d.Pool.Changes(), &handler.EnqueueRequestForObject{}))
	for _, k := range kinds() {
		u := &unstructured.Unstructured{}
		u.SetGroupVersionKind(k)
		b = b.Watches(u, gathered(mgr.GetClient(), claimOfClaim))
	}
	if err := b.Complete(ratelimiter.NewReconciler(controllerName, r, o.GlobalRateLimiter)); err != nil {
		return err
	}
	return grants.Setup(mgr, o, kinds(), touched(mgr.GetClient()))
}

// touched says whether a Change that is not over touches a claim.
func touched(c client.Reader) grants.Touched {
	return func(ctx context.Context, ref v1alpha1.ClaimReference) (bool, error) {
		l := &v1alpha1.ChangeList{}
		err := c.List(ctx, l, client.MatchingFields{indexClaim: claimKey(ref.Kind, ref.Namespace, ref.Name)}, client.UnsafeDisableDeepCopy)
		if err != nil {
			return false, fmt.Errorf("cannot list Changes of %s: %w", ref, err)
		}
		return len(l.Items) > 0, nil
	}
}

// NewReconciler returns a Reconciler. It takes a client that may cache, a reader of a cache that has objects
// without a type as well, and one that does not cache.
func NewReconciler(c client.Client, cached, live client.Reader, d Deps, now func() time.Time) *Reconciler {
	r := newReconciler(c, live, now)
	r.pool, r.planner = d.Pool, d.Planner
	r.observe = &observe.Observer{Hub: cached, Live: live, Trees: d.Trees, Now: now}
	r.execute = &execute.Executor{Hub: c, Live: live, Trees: d.Trees, Now: now, Log: r.log, Page: func(ctx context.Context, in execute.Input, plan string) (string, error) {
		return d.Planner.Page(ctx, planner.Input{Change: in.Change, Repository: in.Repository, Repo: in.Repo}, plan)
	}}
	return r
}
