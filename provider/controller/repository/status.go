package repository

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crossplane/crossplane-runtime/v2/pkg/event"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	decide "github.com/mainstay-dev/mainstay/internal/repository"
)

// synced condition: whether the forge does as it is asked.
func synced(p *decide.Problem, c decide.Condition) xpv2.Condition {
	if p != nil {
		return xpv2.ReconcileError(errors.New(c.Message)) //nolint:err113 // Only ever printed.
	}
	return xpv2.ReconcileSuccess()
}

// ready condition: whether its merge requests are known as they are.
func ready(c decide.Condition) xpv2.Condition {
	switch c.Reason {
	case "":
		return xpv2.Available()
	case decide.LeavingReason:
		return xpv2.Deleting().WithMessage(c.Message)
	}
	return xpv2.Condition{Type: xpv2.TypeReady, Status: corev1.ConditionFalse, Reason: xpv2.ConditionReason(c.Reason), Message: c.Message}
}

// write a status, if it says anything new.
func (r *Reconciler) write(ctx context.Context, cr *v1alpha1.Repository, at v1alpha1.RepositoryObservation, conditions ...xpv2.Condition) error {
	before := cr.Status.DeepCopy()
	cr.Status.AtProvider = at
	for _, c := range conditions {
		cr.SetConditions(r.dated(cr, c.WithObservedGeneration(cr.GetGeneration())))
	}
	r.metrics.Saw(cr)
	if equality.Semantic.DeepEqual(*before, cr.Status) {
		return nil
	}
	if err := r.client.Status().Update(ctx, cr); err != nil {
		return fmt.Errorf("cannot update status of Repository: %w", err)
	}
	r.tell(cr, before.GetCondition(xpv2.TypeReady))
	return nil
}

// dated returns a condition with the time at which its status came to be.
func (r *Reconciler) dated(cr *v1alpha1.Repository, c xpv2.Condition) xpv2.Condition {
	c.LastTransitionTime = metav1.NewTime(r.now())
	if before := cr.GetCondition(c.Type); before.Status == c.Status && before.Status != corev1.ConditionUnknown {
		c.LastTransitionTime = before.LastTransitionTime
	}
	return c
}

// tell by an event that things are not as they should be, or are again.
func (r *Reconciler) tell(cr *v1alpha1.Repository, before xpv2.Condition) {
	now := cr.GetCondition(xpv2.TypeReady)
	switch {
	case now.Reason == before.Reason:
	case now.Status == corev1.ConditionTrue && before.Status == corev1.ConditionFalse:
		r.events.Event(cr, event.Normal("ForgeAnswers", cr.Status.AtProvider.Message))
	case now.Status == corev1.ConditionFalse:
		r.events.Event(cr, event.Warning(event.Reason(now.Reason), errors.New(now.Message))) //nolint:err113 // Only ever printed.
	}
}
