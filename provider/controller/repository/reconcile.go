package repository

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	xperrors "github.com/crossplane/crossplane-runtime/v2/pkg/errors"
	"github.com/crossplane/crossplane-runtime/v2/pkg/event"
	"github.com/crossplane/crossplane-runtime/v2/pkg/logging"
	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	"github.com/crossplane/crossplane-runtime/v2/pkg/reconciler/managed"
	"github.com/crossplane/crossplane-runtime/v2/pkg/resource"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	decide "github.com/mainstay-dev/mainstay/internal/repository"
	"github.com/mainstay-dev/mainstay/provider/metrics"
	"github.com/mainstay-dev/mainstay/provider/repo"
)

// timeout of one reconcile.
const timeout = 2 * time.Minute

// A Reconciler keeps an eye on Repositories.
type Reconciler struct {
	client    client.Client
	live      client.Reader
	pool      *repo.Pool
	now       func() time.Time
	finalizer resource.Finalizer
	memories  *memories
	log       logging.Logger
	events    event.Recorder
	metrics   *metrics.Repositories
	// spread polls over time.
	spread func(time.Duration) time.Duration
	// policies says whether management policies are honoured.
	policies bool
}

// NewReconciler returns a Reconciler. It takes a client that may cache, and a reader
// that does not.
func NewReconciler(c client.Client, live client.Reader, pool *repo.Pool, now func() time.Time) *Reconciler {
	return &Reconciler{
		client:    c,
		live:      live,
		pool:      pool,
		now:       now,
		finalizer: resource.NewAPIFinalizer(c, managed.FinalizerName),
		memories:  newMemories(),
		log:       logging.NewNopLogger(),
		events:    event.NewNopRecorder(),
		spread:    func(wait time.Duration) time.Duration { return wait },
		policies:  true,
	}
}

// Reconcile a Repository: look if it is time to, decide, act, report.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (result reconcile.Result, err error) {
	defer func() { result, err = xperrors.SilentlyRequeueOnConflict(result, err) }()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	cr := &v1alpha1.Repository{}
	if err := r.client.Get(ctx, req.NamespacedName, cr); err != nil {
		return reconcile.Result{}, xperrors.Wrap(client.IgnoreNotFound(err), "cannot get Repository")
	}
	policy := managed.NewManagementPoliciesResolver(r.policies, cr.GetManagementPolicies())
	if meta.IsPaused(cr) || policy.IsPaused() {
		return reconcile.Result{}, r.write(ctx, cr, cr.Status.AtProvider, xpv2.ReconcilePaused())
	}
	if err := policy.Validate(); err != nil {
		return reconcile.Result{}, r.write(ctx, cr, cr.Status.AtProvider, xpv2.ReconcileError(err))
	}
	changes, err := r.changes(ctx, cr)
	if err != nil {
		return reconcile.Result{}, err
	}
	if meta.WasDeleted(cr) && !policy.ShouldDelete() {
		return reconcile.Result{}, r.orphan(ctx, cr, changes)
	}
	if !meta.WasDeleted(cr) {
		if err := r.finalizer.AddFinalizer(ctx, cr); err != nil {
			return reconcile.Result{}, err
		}
	}

	m := r.memories.of(cr.GetUID())
	spec, observed, err := r.gather(ctx, cr, changes, m, policy.ShouldUpdate())
	if err != nil {
		return reconcile.Result{}, r.failed(ctx, cr, err)
	}
	decision := decide.Next(spec, observed, r.now())
	if decision.Gone {
		return reconcile.Result{}, r.forget(ctx, cr)
	}
	if err := r.act(ctx, cr, changes, policy, decision); err != nil {
		m.next = r.now() // What was not done is only known from a look.
		return reconcile.Result{}, r.failed(ctx, cr, err)
	}
	if decision.More {
		m.next = r.now().Add(more)
	}
	if err := r.write(ctx, cr, decision.Status, synced(observed.Problem, decision.Ready), ready(decision.Ready)); err != nil {
		return reconcile.Result{}, err
	}
	return reconcile.Result{RequeueAfter: m.again(r.now(), observed.Problem)}, nil
}

// changes of a Repository. They are shared: do not change them.
func (r *Reconciler) changes(ctx context.Context, cr *v1alpha1.Repository) (map[string]*v1alpha1.Change, error) {
	l := &v1alpha1.ChangeList{}
	if err := r.client.List(ctx, l, client.InNamespace(cr.GetNamespace()), client.MatchingFields{indexRepository: cr.GetName()}, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("cannot list Changes: %w", err)
	}
	out := make(map[string]*v1alpha1.Change, len(l.Items))
	for i := range l.Items {
		out[l.Items[i].GetName()] = &l.Items[i]
	}
	return out, nil
}

// failed says what the hub refused, and has it tried again.
func (r *Reconciler) failed(ctx context.Context, cr *v1alpha1.Repository, err error) error {
	at := cr.Status.AtProvider
	at.Message = err.Error()
	return errors.Join(err, r.write(ctx, cr, at, xpv2.ReconcileError(err)))
}

// forget a Repository that is gone.
func (r *Reconciler) forget(ctx context.Context, cr *v1alpha1.Repository) error {
	if err := r.finalizer.RemoveFinalizer(ctx, cr); err != nil {
		return err
	}
	r.memories.forget(cr.GetUID())
	r.pool.Close(cr.GetUID())
	r.metrics.Forget(types.NamespacedName{Namespace: cr.GetNamespace(), Name: cr.GetName()})
	return nil
}

// orphan leaves all Changes where they are, without their Repository.
func (r *Reconciler) orphan(ctx context.Context, cr *v1alpha1.Repository, changes map[string]*v1alpha1.Change) error {
	for name, c := range changes {
		free := c.DeepCopy()
		free.SetOwnerReferences(nil)
		if err := r.client.Update(ctx, free); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("cannot let go of Change %q: %w", name, err)
		}
	}
	return r.forget(ctx, cr)
}
