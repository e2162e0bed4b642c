package repository

import (
	"context"
	"errors"
	"fmt"

	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crossplane/crossplane-runtime/v2/pkg/reconciler/managed"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	decide "github.com/mainstay-dev/mainstay/internal/repository"
)

// act on a decision, as far as management policies let it. What fails keeps nothing else
// from being done.
func (r *Reconciler) act(ctx context.Context, cr *v1alpha1.Repository, changes map[string]*v1alpha1.Change, policy managed.ManagementPoliciesChecker, d decide.Decision) error {
	for _, name := range d.Wake {
		r.pool.WakeChange(types.NamespacedName{Namespace: cr.GetNamespace(), Name: name})
	}
	for _, name := range d.Look {
		r.pool.LookAtChange(types.NamespacedName{Namespace: cr.GetNamespace(), Name: name})
	}
	var problems []error
	if policy.ShouldCreate() {
		for _, number := range d.Create {
			problems = append(problems, r.create(ctx, cr, number))
		}
	}
	if policy.ShouldDelete() {
		for _, name := range d.Remove {
			problems = append(problems, r.remove(ctx, changes[name]))
		}
	}
	return errors.Join(problems...)
}

func (r *Reconciler) create(ctx context.Context, cr *v1alpha1.Repository, number int64) error {
	c := newChange(cr, number)
	err := r.client.Create(ctx, c)
	if !kerrors.IsAlreadyExists(err) {
		if err != nil {
			return fmt.Errorf("cannot create Change %q: %w", c.GetName(), err)
		}
		return nil
	}
	have := &v1alpha1.Change{}
	if err := r.live.Get(ctx, client.ObjectKeyFromObject(c), have); err != nil {
		return client.IgnoreNotFound(err)
	}
	if is, want := have.Spec.ForProvider, c.Spec.ForProvider; is.RepositoryRef != want.RepositoryRef || is.Number != want.Number {
		return fmt.Errorf("cannot create Change %q: there is one of merge request %d of Repository %q: delete it, or rename this Repository", //nolint:err113 // Only ever printed.
			c.GetName(), is.Number, is.RepositoryRef.Name)
	}
	return nil // The cache is behind.
}

// remove a Change that ended, unless something was done with it meanwhile.
func (r *Reconciler) remove(ctx context.Context, c *v1alpha1.Change) error {
	if c == nil {
		return nil
	}
	uid, version := c.GetUID(), c.GetResourceVersion()
	err := r.client.Delete(ctx, c.DeepCopy(), client.Preconditions{UID: &uid, ResourceVersion: &version})
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("cannot delete Change %q: %w", c.GetName(), err)
	}
	return nil
}
