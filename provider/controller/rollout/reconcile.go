package rollout

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"
	"github.com/crossplane/crossplane-runtime/v2/pkg/event"
	"github.com/crossplane/crossplane-runtime/v2/pkg/logging"
	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	"github.com/crossplane/crossplane-runtime/v2/pkg/reconciler/managed"
	"github.com/crossplane/crossplane-runtime/v2/pkg/resource"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/rollout"
	"github.com/mainstay-dev/mainstay/provider/metrics"
)

// errBehind is that the cache is behind, or that somebody else decides now.
var errBehind = errors.New("what was decided from is not what is there any more")

// timeout of one reconcile.
const timeout = time.Minute

// A Reconciler carries out Rollouts.
type Reconciler struct {
	client    client.Client
	live      client.Reader
	finalizer resource.Finalizer
	clock     clock.PassiveClock
	log       logging.Logger
	moves     *prometheus.CounterVec
	metrics   *metrics.Rollouts
	events    event.Recorder
	started   *started
	written   *written
	answers   *answers
	grants    *Grants
	// preflight and gates may be nil: then nothing is checked, and gates stay closed.
	preflight Preflight
	gates     Gates
	// images may be nil: then they stay as they are written.
	images Images
	// resync is how often a Rollout is looked at without a reason, and poll spreads
	// those that have nothing to do over time.
	resync time.Duration
	poll   managed.PollIntervalHook
	// policies says whether management policies are honoured.
	policies bool
}

// NewReconciler returns a Reconciler. It takes a client that may cache, and a reader
// that does not.
func NewReconciler(c client.Client, live client.Reader, cl clock.PassiveClock, moves *prometheus.CounterVec) *Reconciler {
	return &Reconciler{
		client:    c,
		live:      live,
		finalizer: resource.NewAPIFinalizer(c, managed.FinalizerName),
		clock:     cl,
		log:       logging.NewNopLogger(),
		moves:     moves,
		events:    event.NewNopRecorder(),
		started:   newStarted(cl),
		written:   newWritten(cl),
		answers:   newAnswers(cl),
		grants:    NewGrants(c, live, cl),
		resync:    time.Minute,
		poll:      func(_ resource.Managed, interval time.Duration) time.Duration { return interval },
		policies:  true,
	}
}

// Reconcile a Rollout: look, decide, act, report.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (result reconcile.Result, err error) {
	defer func() { result, err = errors.SilentlyRequeueOnConflict(result, err) }()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	ro := &v1alpha1.Rollout{}
	if err := r.client.Get(ctx, req.NamespacedName, ro); err != nil {
		return reconcile.Result{}, errors.Wrap(client.IgnoreNotFound(err), "cannot get Rollout")
	}
	if ro.Spec.ForProvider.Fleet != "" {
		return reconcile.Result{}, nil // Package upgrade carries it out.
	}
	policy := managed.NewManagementPoliciesResolver(r.policies, ro.GetManagementPolicies())
	if meta.IsPaused(ro) || policy.IsPaused() {
		return reconcile.Result{}, r.write(ctx, ro, ro.Status.AtProvider, xpv2.ReconcilePaused())
	}
	if err := policy.Validate(); err != nil {
		return reconcile.Result{}, r.write(ctx, ro, ro.Status.AtProvider, xpv2.ReconcileError(err))
	}
	if meta.WasDeleted(ro) && !policy.ShouldDelete() {
		return reconcile.Result{}, r.orphan(ctx, ro)
	}
	if !meta.WasDeleted(ro) {
		if err := r.finalizer.AddFinalizer(ctx, ro); err != nil {
			return reconcile.Result{}, err
		}
	}

	observed, err := r.gather(ctx, ro)
	if err != nil {
		// The inventory is not known: nothing may be concluded from it.
		return reconcile.Result{}, r.failed(ctx, ro, err)
	}
	if meta.WasDeleted(ro) && len(observed.Releases) == 0 {
		r.forget(ro)
		return reconcile.Result{}, r.finalizer.RemoveFinalizer(ctx, ro)
	}
	spec := rollout.Spec{RolloutParameters: ro.Spec.ForProvider, Leaving: meta.WasDeleted(ro)}
	decision, err := r.decide(ctx, ro, spec, &observed)
	if err != nil {
		return reconcile.Result{}, r.failed(ctx, ro, err)
	}
	if err := r.fence(ctx, ro, observed, decision); err != nil {
		return reconcile.Result{}, err
	}
	if err := r.act(ctx, ro, policy, decision); err != nil {
		if kerrors.IsConflict(err) {
			return reconcile.Result{}, err
		}
		return reconcile.Result{}, r.failed(ctx, ro, err)
	}
	return r.report(ctx, ro, observed, decision)
}

// fence makes sure, before anything is written, that the decision is made from what is
// persisted, and that what it rests on is.
func (r *Reconciler) fence(ctx context.Context, ro *v1alpha1.Rollout, o rollout.Observed, d rollout.Decision) error {
	switch {
	case d.PersistFirst:
		// Refused where the status is another by now.
		return r.write(ctx, ro, d.Status, synced(ro, o), ready(ro, d.Done, d.Status.Message))
	case !d.Acts():
		return nil
	}
	live := &v1alpha1.Rollout{}
	if err := r.live.Get(ctx, client.ObjectKeyFromObject(ro), live); err != nil {
		return errors.Wrap(err, "cannot get Rollout")
	}
	if live.GetUID() != ro.GetUID() || live.GetGeneration() != ro.GetGeneration() || live.Status.AtProvider.Epoch != d.Epoch {
		return kerrors.NewConflict(schema.GroupResource{Group: v1alpha1.GroupVersion.Group, Resource: "rollouts"}, ro.GetName(), errBehind)
	}
	return nil
}

// failed says why a Rollout cannot go on, and has it tried again.
func (r *Reconciler) failed(ctx context.Context, ro *v1alpha1.Rollout, err error) error {
	at := ro.Status.AtProvider
	at.Message = err.Error()
	if werr := r.write(ctx, ro, at, xpv2.ReconcileError(err), ready(ro, false, at.Message)); werr != nil {
		return werr
	}
	return err
}

// orphan leaves all Releases where they are, without their Rollout.
func (r *Reconciler) orphan(ctx context.Context, ro *v1alpha1.Rollout) error {
	own, err := r.releases(ctx, ro)
	if err != nil {
		return err
	}
	for _, rel := range own {
		free := rel.DeepCopy()
		free.SetOwnerReferences(nil)
		if err := r.client.Update(ctx, free); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("cannot let go of Release %q: %w", rel.GetName(), err)
		}
	}
	r.forget(ro)
	return r.finalizer.RemoveFinalizer(ctx, ro)
}

func (r *Reconciler) forget(ro *v1alpha1.Rollout) {
	r.started.forget(ro.GetUID())
	r.written.forget(ro.GetUID())
	r.answers.forget(ro.GetUID())
	r.metrics.Forget(client.ObjectKeyFromObject(ro))
}
