// Package repository keeps an eye on repositories and carries out what package
// internal/repository decides: it asks the forge for open merge requests, makes a Change
// for each, has Changes looked at whose merge request moved, protects the base branch, and
// says what is wrong with the forge or the token.
//
// A Repository is no managed resource in the runtime's sense, but behaves like one:
// finalizer, pause, management policies, Ready and Synced. With the policy Observe alone
// nothing is written, neither to the forge nor to the hub.
//
// The forge is asked once in a poll interval, at once where the token was replaced or the
// Repository was edited, and soon where a webhook came. How long a forge that fails is left
// alone is kept in memory: a provider that starts again asks at once.
//
// Deliberately absent: what a merge request says, and all that is done about it.
package repository

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/crossplane/crossplane-runtime/v2/pkg/controller"
	xpevent "github.com/crossplane/crossplane-runtime/v2/pkg/event"
	"github.com/crossplane/crossplane-runtime/v2/pkg/feature"
	"github.com/crossplane/crossplane-runtime/v2/pkg/ratelimiter"
	"github.com/crossplane/crossplane-runtime/v2/pkg/resource"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	decide "github.com/mainstay-dev/mainstay/internal/repository"
	"github.com/mainstay-dev/mainstay/provider/controller/steady"
	mainstaymetrics "github.com/mainstay-dev/mainstay/provider/metrics"
	"github.com/mainstay-dev/mainstay/provider/repo"
)

const controllerName = "repository." + "m.mainstay.dev"

// indexRepository finds the Changes of a Repository.
const indexRepository = "repository.changes"

// gathering is how long a Repository waits for more news of its Changes before it counts
// them.
const gathering = time.Second

// Deps are what the controller works with.
type Deps struct {
	// Pool of open Repositories, which the controller of Changes has as well.
	Pool *repo.Pool
	// Jitter of polls.
	Jitter steady.Jitter
}

// Setup adds the controller of Repositories to a manager.
func Setup(mgr ctrl.Manager, o controller.Options, d Deps) error {
	if err := mgr.GetFieldIndexer().IndexField(context.Background(), &v1alpha1.Change{}, indexRepository, repositoryKeys); err != nil {
		return fmt.Errorf("cannot index Changes by Repository: %w", err)
	}
	r := NewReconciler(mgr.GetClient(), mgr.GetAPIReader(), d.Pool, time.Now)
	r.events = xpevent.NewAPIRecorder(mgr.GetEventRecorderFor(controllerName), o.EventFilterFunctions...)
	r.log = o.Logger.WithValues("controller", controllerName)
	r.metrics = mainstaymetrics.Default.Repositories
	r.spread = func(wait time.Duration) time.Duration { return d.Jitter.Spread(wait, rand.Float64) }
	r.policies = o.Features.Enabled(feature.EnableBetaManagementPolicies)
	return ctrl.NewControllerManagedBy(mgr).
		Named(controllerName).
		WithOptions(steady.ForControllerRuntime(o)).
		For(&v1alpha1.Repository{}, builder.WithPredicates(resource.DesiredStateChanged())).
		Watches(&v1alpha1.Change{}, gathered(), builder.WithPredicates(changeChanged())).
		WatchesRawSource(source.Channel(d.Pool.Repositories(), &handler.EnqueueRequestForObject{})).
		Complete(ratelimiter.NewReconciler(controllerName, r, o.GlobalRateLimiter))
}

func repositoryKeys(o client.Object) []string {
	c, ok := o.(*v1alpha1.Change)
	if !ok {
		return nil
	}
	return []string{c.Spec.ForProvider.RepositoryRef.Name}
}

// gathered has the Repository of a Change looked at, once for all that happens to its
// Changes within a moment.
func gathered() handler.EventHandler {
	type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]
	add := func(o client.Object, q queue) {
		for _, name := range repositoryKeys(o) {
			q.AddAfter(reconcile.Request{NamespacedName: types.NamespacedName{Namespace: o.GetNamespace(), Name: name}}, gathering)
		}
	}
	return handler.Funcs{
		CreateFunc:  func(_ context.Context, e event.CreateEvent, q queue) { add(e.Object, q) },
		UpdateFunc:  func(_ context.Context, e event.UpdateEvent, q queue) { add(e.ObjectNew, q) },
		DeleteFunc:  func(_ context.Context, e event.DeleteEvent, q queue) { add(e.Object, q) },
		GenericFunc: func(_ context.Context, e event.GenericEvent, q queue) { add(e.Object, q) },
	}
}

// changeChanged lets through what is counted, and what keeps a Repository.
func changeChanged() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, ok := e.ObjectOld.(*v1alpha1.Change)
		if !ok {
			return false
		}
		after, ok := e.ObjectNew.(*v1alpha1.Change)
		if !ok {
			return false
		}
		return decide.ChangeOf(before) != decide.ChangeOf(after)
	}}
}

// newChange of a merge request.
func newChange(r *v1alpha1.Repository, number int64) *v1alpha1.Change {
	c := &v1alpha1.Change{}
	c.SetNamespace(r.GetNamespace())
	c.SetName(decide.Name(r.GetName(), number))
	c.SetLabels(map[string]string{v1alpha1.LabelRepository: r.GetName()})
	c.SetOwnerReferences([]metav1.OwnerReference{*metav1.NewControllerRef(r, v1alpha1.RepositoryGVK)})
	c.Spec.ForProvider = v1alpha1.ChangeParameters{
		RepositoryRef: v1alpha1.RepositoryReference{Name: r.GetName()},
		Number:        number,
	}
	return c
}
