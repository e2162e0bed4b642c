package change

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"
	"github.com/crossplane/crossplane-runtime/v2/pkg/event"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/change"
)

const (
	// soon is when a Change is looked at again that something was done for.
	soon = 100 * time.Millisecond
	// maxSoon is what that grows to where nothing comes of it.
	maxSoon = 10 * time.Second
	// defaultPoll is that of the API.
	defaultPoll = time.Minute
)

// again is when a Change is looked at next: soon where something was done, at the next instant that matters,
// or by and by. One that is over is not.
func (r *Reconciler) again(c *v1alpha1.Change, m *memory, repository *v1alpha1.Repository, d change.Decision, acted bool) reconcile.Result {
	if phase := c.Status.AtProvider.Phase; !acted || m.phase != phase {
		m.acted, m.phase = 0, phase
	}
	wait := defaultPoll
	if p := repository.Spec.ForProvider.PollInterval; p != nil && p.Duration > 0 {
		wait = p.Duration
	}
	wait = r.spread(c, wait)
	switch {
	case acted:
		wait = min(wait, soon<<min(m.acted, 10), maxSoon)
		m.acted++
	case d.Done:
		return reconcile.Result{}
	}
	if !d.Wake.IsZero() {
		wait = min(wait, max(soon, d.Wake.Sub(r.now())))
	}
	return reconcile.Result{RequeueAfter: wait}
}

// synced condition: whether everything could be asked.
func synced(o change.Observed) xpv2.Condition {
	problem := ""
	switch {
	case o.ForgeProblem != "":
		problem = "the forge cannot be asked: " + o.ForgeProblem
	case o.QueueProblem != "":
		problem = "the queue cannot be read: " + o.QueueProblem
	case o.Git.Problem != "" && o.Request != nil:
		problem = "Git cannot be asked: " + o.Git.Problem
	}
	if problem != "" {
		return xpv2.ReconcileError(errors.New(problem))
	}
	return xpv2.ReconcileSuccess()
}

// ready condition: a Change is once it is over, as it should be. The reason is its phase.
func ready(s v1alpha1.ChangeObservation) xpv2.Condition {
	phase := s.Phase
	if phase == "" {
		phase = v1alpha1.ChangePending
	}
	c := xpv2.Condition{Type: xpv2.TypeReady, Status: corev1.ConditionFalse, Reason: xpv2.ConditionReason(phase), Message: s.Message}
	if ended(phase) && (s.Merged == nil || s.Merged.Untrue == "") {
		c.Status = corev1.ConditionTrue
	}
	return c
}

// failed says why a Change cannot go on, and has it tried again.
func (r *Reconciler) failed(ctx context.Context, c *v1alpha1.Change, err error) error {
	return errors.Join(err, r.write(ctx, c, c.Status.AtProvider, xpv2.ReconcileError(err)))
}

// write a status, if it says anything new.
func (r *Reconciler) write(ctx context.Context, c *v1alpha1.Change, at v1alpha1.ChangeObservation, conditions ...xpv2.Condition) error {
	_, err := r.report(ctx, c, at, conditions...)
	return err
}

// report a status, if it says anything new, and say whether it did.
func (r *Reconciler) report(ctx context.Context, c *v1alpha1.Change, at v1alpha1.ChangeObservation, conditions ...xpv2.Condition) (bool, error) {
	before := c.Status.DeepCopy()
	c.Status.AtProvider = at
	for _, cond := range conditions {
		c.SetConditions(r.dated(c, cond.WithObservedGeneration(c.GetGeneration())))
	}
	if equality.Semantic.DeepEqual(*before, c.Status) {
		return false, nil
	}
	if err := r.client.Status().Update(ctx, c); err != nil {
		return false, fmt.Errorf("cannot update status of Change: %w", err)
	}
	return true, nil
}

// dated returns a condition with the time at which its status came to be.
func (r *Reconciler) dated(c *v1alpha1.Change, cond xpv2.Condition) xpv2.Condition {
	cond.LastTransitionTime = metav1.NewTime(r.now())
	if before := c.GetCondition(cond.Type); before.Status == cond.Status && before.Status != corev1.ConditionUnknown {
		cond.LastTransitionTime = before.LastTransitionTime
	}
	return cond
}

// worth are the phases that people are told of by an event.
var worth = []v1alpha1.ChangePhase{
	v1alpha1.ChangeRefused, v1alpha1.ChangePlanned, v1alpha1.ChangeExecuting, v1alpha1.ChangeHalted,
	v1alpha1.ChangeAbandoning, v1alpha1.ChangeCompleted, v1alpha1.ChangeAbandoned,
}

// told of a phase that began: an event, and how long the one before took.
func (r *Reconciler) told(c *v1alpha1.Change, before v1alpha1.ChangeObservation) {
	at := c.Status.AtProvider
	r.metrics.Saw(c, before)
	if at.Phase == before.Phase || !slices.Contains(worth, at.Phase) {
		return
	}
	warns := at.Phase == v1alpha1.ChangeHalted || at.Merged != nil && at.Merged.Untrue != ""
	if warns {
		r.events.Event(c, event.Warning(event.Reason(at.Phase), errors.New(at.Message)))
		return
	}
	r.events.Event(c, event.Normal(event.Reason(at.Phase), at.Message))
}
