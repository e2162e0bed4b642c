// Package definition publishes what platform teams write. A ComponentDefinition or
// TraitDefinition that is found to be right becomes a DefinitionRevision, with its chart
// in it. Revisions do not change: the same version with another content is refused.
//
// What applications have is kept. A definition, or one of its revisions, that is being
// deleted stays until no Bundle is of it, and says which applications still are. Until
// then it is withdrawn: who has it keeps it, and nobody else gets it. Nothing that runs
// hangs on this: a Bundle carries all that it was rendered to.
//
// Deliberately absent: what is right, which internal/definition knows.
package definition

import (
	"context"
	"fmt"
	"strings"
	"time"

	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/crossplane/crossplane-runtime/v2/pkg/controller"
	"github.com/crossplane/crossplane-runtime/v2/pkg/ratelimiter"

	mv1alpha1 "github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/provider/controller/steady"
)

// Charts fetches charts by their digest.
type Charts interface {
	Pull(ctx context.Context, reference string) ([]byte, error)
}

// Setup adds the controllers of both kinds of definition.
func Setup(mgr ctrl.Manager, o controller.Options, charts Charts) error {
	for _, kind := range []string{v1alpha1.ComponentDefinitionKind, v1alpha1.TraitDefinitionKind} {
		name := strings.ToLower(kind) + "." + v1alpha1.GroupVersion.Group
		r := NewReconciler(mgr.GetClient(), charts, kind)
		err := ctrl.NewControllerManagedBy(mgr).
			Named(name).
			WithOptions(steady.ForControllerRuntime(o)).
			For(newDefinition(kind)).
			Owns(&v1alpha1.DefinitionRevision{}).
			Watches(&mv1alpha1.Bundle{}, handler.EnqueueRequestsFromMapFunc(definitionsOf(kind))).
			Complete(ratelimiter.NewReconciler(name, r, o.GlobalRateLimiter))
		if err != nil {
			return fmt.Errorf("cannot set up controller %q: %w", name, err)
		}
	}
	return nil
}

// definitionsOf returns the definitions of one kind that a Bundle has something of.
func definitionsOf(kind string) handler.MapFunc {
	return func(_ context.Context, o client.Object) []reconcile.Request {
		b, ok := o.(*mv1alpha1.Bundle)
		if !ok {
			return nil
		}
		var out []reconcile.Request
		for _, u := range usesOf(b, kind) {
			out = append(out, reconcile.Request{NamespacedName: types.NamespacedName{Name: u.name}})
		}
		return out
	}
}

// A Reconciler publishes definitions of one kind.
type Reconciler struct {
	client client.Client
	charts Charts
	kind   string
	// patience with a definition that is being rendered.
	patience time.Duration
}

// renderPatience is how long a definition's examples may take to render.
const renderPatience = 30 * time.Second

// NewReconciler returns a Reconciler.
func NewReconciler(c client.Client, charts Charts, kind string) *Reconciler {
	return &Reconciler{client: c, charts: charts, kind: kind, patience: renderPatience}
}

// retryCharts is how long to wait before a registry is asked again.
const retryCharts = time.Minute

// Reconcile a definition, and its revisions where it is gone already.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	d, err := r.get(ctx, req.Name)
	if err != nil {
		return reconcile.Result{}, err
	}
	revisions, err := r.revisions(ctx, req.Name)
	if err != nil {
		return reconcile.Result{}, err
	}
	used, err := r.users(ctx, req.Name)
	if err != nil {
		return reconcile.Result{}, err
	}
	if revisions, err = r.release(ctx, revisions, used); err != nil {
		return reconcile.Result{}, err
	}
	if d == nil {
		return reconcile.Result{}, nil
	}
	if d.GetDeletionTimestamp() != nil {
		return reconcile.Result{}, r.withdraw(ctx, d, revisions, used)
	}
	return r.publish(ctx, d, revisions, used)
}

func (r *Reconciler) get(ctx context.Context, name string) (client.Object, error) {
	d := newDefinition(r.kind)
	err := r.client.Get(ctx, types.NamespacedName{Name: name}, d)
	if kerrors.IsNotFound(err) {
		return nil, nil //nolint:nilnil // That there is none is an answer.
	}
	if err != nil {
		return nil, fmt.Errorf("cannot get %s %q: %w", r.kind, name, err)
	}
	return d, nil
}

// revisions of a definition.
func (r *Reconciler) revisions(ctx context.Context, name string) ([]v1alpha1.DefinitionRevision, error) {
	l := &v1alpha1.DefinitionRevisionList{}
	if err := r.client.List(ctx, l, client.MatchingLabels{v1alpha1.LabelDefinition: name}); err != nil {
		return nil, fmt.Errorf("cannot list DefinitionRevisions: %w", err)
	}
	var out []v1alpha1.DefinitionRevision
	for i := range l.Items {
		if l.Items[i].Spec.Of == r.kind && l.Items[i].Spec.Name == name {
			out = append(out, l.Items[i])
		}
	}
	return out, nil
}
