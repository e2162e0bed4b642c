package rollout

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"
	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/rollout"
)

// report how things stand, at once where somebody waits for it, and otherwise not more
// often than statusInterval.
func (r *Reconciler) report(ctx context.Context, ro *v1alpha1.Rollout, o rollout.Observed, d rollout.Decision) (reconcile.Result, error) {
	again := r.resync
	if d.Done {
		again = r.poll(ro, r.resync)
	}
	if o.Hold != nil {
		again = min(again, HoldAgain)
	}
	if !d.Wake.IsZero() {
		again = min(again, max(time.Second, d.Wake.Sub(r.clock.Now())))
	}
	if !urgent(ro.Status.AtProvider, o, d) {
		if wait := r.written.wait(ro.GetUID()); wait > 0 {
			return reconcile.Result{RequeueAfter: min(again, wait)}, nil
		}
	}
	if err := r.write(ctx, ro, d.Status, synced(ro, o), ready(ro, d.Done, d.Status.Message)); err != nil {
		return reconcile.Result{}, err
	}
	return reconcile.Result{RequeueAfter: again}, nil
}

// synced condition of a Rollout.
func synced(ro *v1alpha1.Rollout, o rollout.Observed) xpv2.Condition {
	if o.Blocked != "" && !meta.WasDeleted(ro) {
		return xpv2.ReconcileError(fmt.Errorf("cannot place application: %s", o.Blocked)) //nolint:err113 // Only ever printed.
	}
	return xpv2.ReconcileSuccess()
}

// urgent is what the application waits for, or what will not be followed by anything.
func urgent(before v1alpha1.RolloutObservation, o rollout.Observed, d rollout.Decision) bool {
	settled := !d.Acts() && d.Status.Clusters.InMotion == 0
	return settled || o.Blocked != "" ||
		!equality.Semantic.DeepEqual(before.Variants, d.Status.Variants) ||
		slices.ContainsFunc(d.Status.BundlesInUse, func(b string) bool { return !slices.Contains(before.BundlesInUse, b) })
}

// ready condition of a Rollout.
func ready(ro *v1alpha1.Rollout, done bool, message string) xpv2.Condition {
	switch {
	case meta.WasDeleted(ro):
		return xpv2.Deleting().WithMessage(message)
	case done:
		return xpv2.Available()
	}
	return xpv2.Unavailable().WithMessage(message)
}

// write a status, if it says anything new.
func (r *Reconciler) write(ctx context.Context, ro *v1alpha1.Rollout, at v1alpha1.RolloutObservation, conditions ...xpv2.Condition) error {
	before := ro.Status.DeepCopy()
	ro.Status.AtProvider = at
	for _, c := range conditions {
		ro.SetConditions(r.dated(ro, c.WithObservedGeneration(ro.GetGeneration())))
	}
	if equality.Semantic.DeepEqual(*before, ro.Status) {
		r.tell(ro, before.AtProvider)
		return nil
	}
	r.written.note(ro.GetUID())
	if err := r.client.Status().Update(ctx, ro); err != nil {
		return errors.Wrap(err, "cannot update status of Rollout")
	}
	r.tell(ro, before.AtProvider)
	return nil
}

// dated returns a condition with the time at which its status came to be.
func (r *Reconciler) dated(ro *v1alpha1.Rollout, c xpv2.Condition) xpv2.Condition {
	c.LastTransitionTime = metav1.NewTime(r.clock.Now())
	if before := ro.GetCondition(c.Type); before.Status == c.Status && before.Status != corev1.ConditionUnknown {
		c.LastTransitionTime = before.LastTransitionTime
	}
	return c
}

// written remembers when a status was written last.
type written struct {
	clock clock.PassiveClock

	mu   sync.Mutex
	last map[types.UID]time.Time
}

func newWritten(c clock.PassiveClock) *written {
	return &written{clock: c, last: map[types.UID]time.Time{}}
}

// wait before a status may be written again.
func (w *written) wait(uid types.UID) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	last, ok := w.last[uid]
	if !ok {
		return 0
	}
	return statusInterval - w.clock.Since(last)
}

func (w *written) note(uid types.UID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last[uid] = w.clock.Now()
}

func (w *written) forget(uid types.UID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.last, uid)
}
