package nodepool

import (
	"context"

	corev1 "k8s.io/api/core/v1"

	"github.com/crossplane/crossplane-runtime/v2/pkg/reconciler/managed"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// A waiting pool has nodes as they were asked for before, and waits for its turn in
// the rollout of the fleet. It stays as it is, also where it is to go.
type waiting struct{ why string }

// Observe that the pool waits. What was said of it before stays true.
func (e *waiting) Observe(_ context.Context, p *v1alpha1.NodePool) (managed.ExternalObservation, error) {
	c := p.GetCondition(xpv2.TypeReady)
	if c.Status != corev1.ConditionTrue {
		c = xpv2.Creating()
	}
	// It is about the nodes there are, and not about what is asked for now: the
	// generation stays the old one.
	p.SetConditions(c.WithMessage(e.why))
	return managed.ExternalObservation{ResourceExists: true, ResourceUpToDate: true}, nil
}

// Create does nothing.
func (e *waiting) Create(context.Context, *v1alpha1.NodePool) (managed.ExternalCreation, error) {
	return managed.ExternalCreation{}, nil
}

// Update does nothing.
func (e *waiting) Update(context.Context, *v1alpha1.NodePool) (managed.ExternalUpdate, error) {
	return managed.ExternalUpdate{}, nil
}

// Delete does nothing.
func (e *waiting) Delete(context.Context, *v1alpha1.NodePool) (managed.ExternalDelete, error) {
	return managed.ExternalDelete{}, nil
}

// Disconnect does nothing.
func (e *waiting) Disconnect(context.Context) error { return nil }
