// Package grants deletes ClaimGrants of claims that are gone.
//
// A grant says what a claim may say, and fences off who executes from an older state. Both outlive the claim:
// a change that sleeps might still write it, and somebody might make it again. So one is deleted only where
//
//   - its claim is not there, by the API server's own word;
//   - no change that is not over touches it;
//   - it has nothing left to say: a change deleted the claim, or nobody is asked what it may say. A claim that
//     only changes may write and that somebody deleted by hand keeps its grant, and comes back as it was;
//   - all of that has been so for as long as patience. No executor sleeps for that long in one pass.
//
// Deliberately absent: looking for such grants. It is looked when a grant is written, when its claim is made or
// deleted, and once when the provider starts.
package grants

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/crossplane/crossplane-runtime/v2/pkg/controller"
	"github.com/crossplane/crossplane-runtime/v2/pkg/logging"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/change/grant"
)

const (
	controllerName = "claimgrant." + "m.mainstay.dev"
	// patience is how long a claim has to be gone.
	patience = time.Hour
	// workers are enough: there is next to nothing to do.
	workers = 1
)

// Touched says whether a change that is not over touches a claim.
type Touched func(ctx context.Context, ref v1alpha1.ClaimReference) (bool, error)

// A Reconciler of ClaimGrants.
type Reconciler struct {
	client client.Client
	// cached objects without a type, and what is not.
	cached, live client.Reader
	kinds        []schema.GroupVersionKind
	touched      Touched
	now          func() time.Time
	log          logging.Logger

	mu sync.Mutex
	// gone claims by the uid of their grant: since when, and which version of the grant that is of.
	gone map[types.UID]absence
}

type absence struct {
	version string
	since   time.Time
}

// Setup adds the controller to a manager, for claims of some kinds.
func Setup(mgr ctrl.Manager, o controller.Options, kinds []schema.GroupVersionKind, touched Touched) error {
	r := NewReconciler(mgr.GetClient(), mgr.GetCache(), mgr.GetAPIReader(), kinds, touched, time.Now)
	r.log = o.Logger.WithValues("controller", controllerName)
	o.MaxConcurrentReconciles = workers
	b := ctrl.NewControllerManagedBy(mgr).Named(controllerName).WithOptions(o.ForControllerRuntime()).For(&v1alpha1.ClaimGrant{})
	for _, k := range kinds {
		u := &unstructured.Unstructured{}
		u.SetGroupVersionKind(k)
		b = b.Watches(u, handler.EnqueueRequestsFromMapFunc(of), builder.WithPredicates(predicate.Funcs{
			UpdateFunc:  func(event.UpdateEvent) bool { return false },
			GenericFunc: func(event.GenericEvent) bool { return false },
		}))
	}
	return b.Complete(r)
}

// NewReconciler returns a Reconciler for claims of some kinds. It takes a client, a reader of a cache that has objects without
// a type, and one that does not cache.
func NewReconciler(c client.Client, cached, live client.Reader, kinds []schema.GroupVersionKind, touched Touched, now func() time.Time) *Reconciler {
	return &Reconciler{client: c, cached: cached, live: live, kinds: kinds, touched: touched, now: now, log: logging.NewNopLogger(), gone: map[types.UID]absence{}}
}

// of which claim the grant is.
func of(_ context.Context, o client.Object) []reconcile.Request {
	name := grant.Name(o.GetObjectKind().GroupVersionKind().Kind, o.GetName())
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: o.GetNamespace(), Name: name}}}
}

// Reconcile a ClaimGrant: delete it where it is over.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	g := &v1alpha1.ClaimGrant{}
	if err := r.client.Get(ctx, req.NamespacedName, g); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if g.GetDeletionTimestamp() != nil || !r.ours(g) {
		r.forget(g)
		return reconcile.Result{}, nil
	}
	spent, err := r.spent(ctx, r.cached, g)
	if err != nil || !spent {
		r.forget(g)
		return reconcile.Result{}, err
	}
	// A change that touches it may be over by then, and nobody says so.
	if touched, err := r.touched(ctx, g.Spec.Claim); err != nil || touched {
		r.forget(g)
		return reconcile.Result{RequeueAfter: patience}, err
	}
	if wait := r.patience(g); wait > 0 {
		return reconcile.Result{RequeueAfter: wait}, nil
	}
	// The cache may be behind. That the grant is not, the precondition sees to.
	if spent, err := r.spent(ctx, r.live, g); err != nil || !spent {
		return reconcile.Result{}, err
	}
	uid, version := g.GetUID(), g.GetResourceVersion()
	err = r.client.Delete(ctx, g, client.Preconditions{UID: &uid, ResourceVersion: &version})
	switch {
	case kerrors.IsNotFound(err), kerrors.IsConflict(err):
		return reconcile.Result{}, nil // Whoever wrote it has it looked at again.
	case err != nil:
		return reconcile.Result{}, fmt.Errorf("cannot delete ClaimGrant: %w", err)
	}
	r.forget(g)
	r.log.Info("Deleted the grant of a claim that is gone", "claim", g.Spec.Claim.String(), "change", g.Spec.Change)
	return reconcile.Result{}, nil
}

// ours is true of a grant that is named after a claim that changes write. Any other is somebody's odd idea.
func (r *Reconciler) ours(g *v1alpha1.ClaimGrant) bool {
	ref := g.Spec.Claim
	return ref.Namespace == g.GetNamespace() && grant.Name(ref.Kind, ref.Name) == g.GetName() &&
		slices.Contains(r.kinds, schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind))
}

// spent is true where the claim of a grant is not there, and the grant has nothing left to say.
func (r *Reconciler) spent(ctx context.Context, from client.Reader, g *v1alpha1.ClaimGrant) (bool, error) {
	ref := g.Spec.Claim
	u := &unstructured.Unstructured{}
	u.SetAPIVersion(ref.APIVersion)
	u.SetKind(ref.Kind)
	switch err := from.Get(ctx, types.NamespacedName{Namespace: ref.Namespace, Name: ref.Name}, u); {
	case err == nil:
		return false, nil
	case !kerrors.IsNotFound(err):
		return false, fmt.Errorf("cannot get %s: %w", ref, err)
	}
	if grant.Spent(nil, &g.Spec) == grant.Spent(map[string]string{v1alpha1.LabelRequireChange: "true"}, &g.Spec) {
		return grant.Spent(nil, &g.Spec), nil // Whatever the namespace says.
	}
	ns := &metav1.PartialObjectMetadata{}
	ns.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	if err := r.live.Get(ctx, types.NamespacedName{Name: g.GetNamespace()}, ns); err != nil {
		return false, fmt.Errorf("cannot get Namespace %q: %w", g.GetNamespace(), err)
	}
	return grant.Spent(ns.GetLabels(), &g.Spec), nil
}

// patience that is left with a grant.
func (r *Reconciler) patience(g *v1alpha1.ClaimGrant) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	a, ok := r.gone[g.GetUID()]
	if !ok || a.version != g.GetResourceVersion() {
		a = absence{version: g.GetResourceVersion(), since: r.now()}
		r.gone[g.GetUID()] = a
	}
	return a.since.Add(patience).Sub(r.now())
}

func (r *Reconciler) forget(g *v1alpha1.ClaimGrant) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.gone, g.GetUID())
}
