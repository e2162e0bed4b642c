// Package upgrade carries out the Rollouts of fleets: it decides with package
// internal/rollout which clusters may take their new shape, and admits them. What a
// shape is made of, and how a cluster takes it, is for the controllers of Clusters and
// NodePools.
//
// A Rollout of a fleet makes nothing and removes nothing. It can be deleted at any
// time: clusters that were admitted go on, and the others stay as they are.
//
// Where only approved changes may say what runs, a Rollout that none carries admits no
// cluster. What a fleet does without its Rollout is not held back: clusters that are
// made or retired, labels and tenants, and all of a fleet without an upgrade strategy.
//
// Deliberately absent: rollbacks. A control plane does not go back, so what fails
// halts.
package upgrade

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/crossplane/crossplane-runtime/v2/pkg/controller"
	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"
	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	"github.com/crossplane/crossplane-runtime/v2/pkg/ratelimiter"
	"github.com/crossplane/crossplane-runtime/v2/pkg/resource"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/fleet"
	"github.com/mainstay-dev/mainstay/internal/names"
	"github.com/mainstay-dev/mainstay/internal/rollout"
	rolloutcontroller "github.com/mainstay-dev/mainstay/provider/controller/rollout"
	"github.com/mainstay-dev/mainstay/provider/controller/steady"
)

const controllerName = "upgrade." + "m.mainstay.dev"

// timeout of one reconcile.
const timeout = time.Minute

// maxRounds is how often a decision is made again because of answers. A gate that opens
// leads to the next question.
const maxRounds = 4

// Setup adds the controller. Without gates, all that have to be asked are closed.
func Setup(mgr ctrl.Manager, o controller.Options, g rolloutcontroller.Gates) error {
	r := NewReconciler(mgr.GetClient(), mgr.GetAPIReader(), clock.RealClock{}, g)
	r.resync = o.PollInterval
	return ctrl.NewControllerManagedBy(mgr).
		Named(controllerName).
		WithOptions(steady.ForControllerRuntime(o)).
		For(&v1alpha1.Rollout{}, builder.WithPredicates(resource.DesiredStateChanged(), predicate.NewPredicateFuncs(ofFleet))).
		Watches(&v1alpha1.ClaimGrant{}, handler.EnqueueRequestsFromMapFunc(rolloutcontroller.OfGrant)).
		Watches(&v1alpha1.Cluster{}, handler.EnqueueRequestsFromMapFunc(rolloutOf), builder.WithPredicates(moved())).
		Complete(ratelimiter.NewReconciler(controllerName, r, o.GlobalRateLimiter))
}

func ofFleet(o client.Object) bool {
	r, ok := o.(*v1alpha1.Rollout)
	return ok && r.Spec.ForProvider.Fleet != ""
}

// rolloutOf the fleet of a cluster that waits for its turn, or had it.
func rolloutOf(_ context.Context, o client.Object) []reconcile.Request {
	c, ok := o.(*v1alpha1.Cluster)
	if !ok || c.Spec.ForProvider.Shape == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{
		Namespace: c.GetNamespace(), Name: names.FleetRollout(c.Spec.ForProvider.Fleet),
	}}}
}

// moved lets through what makes a difference to a fleet's Rollout.
func moved() predicate.Predicate {
	seen := func(o client.Object) any {
		c, ok := o.(*v1alpha1.Cluster)
		if !ok {
			return nil
		}
		f, at := c.Spec.ForProvider, c.Status.AtProvider
		ready, synced := c.GetCondition(xpv2.TypeReady), c.GetCondition(xpv2.TypeSynced)
		return []any{f.Shape, f.Revision, f.Admitted, f.Labels, at.Shape, at.Version, at.Message, ready.Status, ready.Message, synced.Status, synced.Message, meta.WasDeleted(c)}
	}
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return !equality.Semantic.DeepEqual(seen(e.ObjectOld), seen(e.ObjectNew))
	}}
}

// A Reconciler carries out the Rollouts of fleets.
type Reconciler struct {
	client client.Client
	clock  clock.PassiveClock
	gates  rolloutcontroller.Gates
	grants *rolloutcontroller.Grants
	resync time.Duration
}

// NewReconciler returns a Reconciler. It takes a client that may cache, and a reader
// that does not.
func NewReconciler(c client.Client, live client.Reader, cl clock.PassiveClock, g rolloutcontroller.Gates) *Reconciler {
	return &Reconciler{client: c, clock: cl, gates: g, grants: rolloutcontroller.NewGrants(c, live, cl), resync: time.Minute}
}

// Reconcile a Rollout: look, decide, remember, act, report.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (result reconcile.Result, err error) {
	defer func() { result, err = errors.SilentlyRequeueOnConflict(result, err) }()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	ro := &v1alpha1.Rollout{}
	if err := r.client.Get(ctx, req.NamespacedName, ro); err != nil {
		return reconcile.Result{}, errors.Wrap(client.IgnoreNotFound(err), "cannot get Rollout")
	}
	if !ofFleet(ro) || meta.WasDeleted(ro) || meta.IsPaused(ro) {
		return reconcile.Result{}, nil
	}
	l := &v1alpha1.ClusterList{}
	if err := r.client.List(ctx, l, client.InNamespace(ro.GetNamespace()), client.MatchingLabels{v1alpha1.LabelFleet: ro.Spec.ForProvider.Fleet}); err != nil {
		return reconcile.Result{}, r.failed(ctx, ro, fmt.Errorf("cannot list Clusters: %w", err))
	}
	if waits := fleet.Untold(ro, l.Items); waits != "" {
		at := *ro.Status.AtProvider.DeepCopy()
		at.Message = waits
		return reconcile.Result{RequeueAfter: r.resync}, r.write(ctx, ro, at, xpv2.ReconcileSuccess(), xpv2.Unavailable().WithMessage(waits))
	}

	d := r.decide(ctx, ro, l.Items)
	if d.PersistFirst {
		if err := r.write(ctx, ro, d.Status, xpv2.ReconcileSuccess()); err != nil {
			return reconcile.Result{}, err
		}
	}
	for _, p := range append(d.Create, d.Update...) {
		if err := r.admit(ctx, p, d.Epoch); err != nil {
			return reconcile.Result{}, r.failed(ctx, ro, err)
		}
	}
	return r.after(d), r.write(ctx, ro, d.Status, xpv2.ReconcileSuccess(), ready(d))
}

// decide, asking whatever has to be asked for it.
func (r *Reconciler) decide(ctx context.Context, ro *v1alpha1.Rollout, clusters []v1alpha1.Cluster) rollout.Decision {
	spec, o := fleet.Rolling(ro, clusters)
	o.Hold = r.grants.Hold(ctx, ro)
	o.Answers = map[string]rollout.Answer{}
	d := rollout.Next(spec, o, r.clock.Now())
	for range maxRounds {
		again := false
		for _, q := range d.Ask {
			if _, answered := o.Answers[q.Key]; answered || r.gates == nil {
				continue
			}
			o.Answers[q.Key] = r.gates.Ask(ctx, ro, q)
			again = true
		}
		if !again {
			break
		}
		d = rollout.Next(spec, o, r.clock.Now())
	}
	return d
}

// admit a cluster to the shape that it is asked to have.
func (r *Reconciler) admit(ctx context.Context, p rollout.Placed, epoch int64) error {
	c := &v1alpha1.Cluster{}
	if err := r.client.Get(ctx, types.NamespacedName(p.Target.Cluster), c); err != nil {
		return errors.Wrap(client.IgnoreNotFound(err), "cannot get Cluster")
	}
	if c.Spec.ForProvider.Shape != p.Payload.Bundle {
		return nil // It has been told something else since: that is decided next.
	}
	c.Spec.ForProvider.Admitted = &v1alpha1.AdmittedShape{
		Shape: p.Payload.Bundle, Epoch: epoch, Wave: p.Wave, At: metav1.NewTime(r.clock.Now()),
	}
	// An update, and no patch: whoever decided from an older cluster must not win.
	return errors.Wrap(r.client.Update(ctx, c), "cannot admit Cluster")
}

// after says when to look again: at the next instant that matters, or by and by.
func (r *Reconciler) after(d rollout.Decision) reconcile.Result {
	after := r.resync
	if d.Status.Held != nil {
		after = min(after, rolloutcontroller.HoldAgain)
	}
	if !d.Wake.IsZero() {
		after = min(after, max(time.Second, d.Wake.Sub(r.clock.Now())))
	}
	return reconcile.Result{RequeueAfter: after}
}

func (r *Reconciler) failed(ctx context.Context, ro *v1alpha1.Rollout, err error) error {
	if werr := r.write(ctx, ro, ro.Status.AtProvider, xpv2.ReconcileError(err)); werr != nil {
		return werr
	}
	return err
}

func ready(d rollout.Decision) xpv2.Condition {
	if d.Done {
		return xpv2.Available()
	}
	return xpv2.Unavailable().WithMessage(d.Status.Message)
}

// write a status, if it says anything new.
func (r *Reconciler) write(ctx context.Context, ro *v1alpha1.Rollout, at v1alpha1.RolloutObservation, conditions ...xpv2.Condition) error {
	before := ro.Status.DeepCopy()
	ro.Status.AtProvider = at
	for _, c := range conditions {
		c.LastTransitionTime = metav1.NewTime(r.clock.Now())
		if was := ro.GetCondition(c.Type); was.Status == c.Status && was.Status != corev1.ConditionUnknown {
			c.LastTransitionTime = was.LastTransitionTime
		}
		ro.SetConditions(c.WithObservedGeneration(ro.GetGeneration()))
	}
	if equality.Semantic.DeepEqual(*before, ro.Status) {
		return nil
	}
	return errors.Wrap(r.client.Status().Update(ctx, ro), "cannot update status of Rollout")
}
