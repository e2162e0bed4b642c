package change

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"time"

	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
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
	"github.com/mainstay-dev/mainstay/internal/change"
	"github.com/mainstay-dev/mainstay/provider/controller/change/execute"
	"github.com/mainstay-dev/mainstay/provider/controller/change/observe"
	"github.com/mainstay-dev/mainstay/provider/metrics"
	"github.com/mainstay-dev/mainstay/provider/planner"
	"github.com/mainstay-dev/mainstay/provider/repo"
)

const (
	// timeout of one reconcile. A plan of a thousand clusters takes seconds, a first clone longer.
	timeout = 5 * time.Minute
	// maxPlans that one reconcile makes.
	maxPlans = 3
	// planAgain is when the planner is asked again what it could not answer, and what it refused.
	planAgain, refusedAgain = 10 * time.Second, 5 * time.Minute
)

// errBehind is that the cache is behind, or that somebody else decides now.
var errBehind = errors.New("what was decided from is not what is there any more")

// A Reconciler carries out Changes.
type Reconciler struct {
	client    client.Client
	live      client.Reader
	pool      Pool
	planner   Planner
	observe   *observe.Observer
	execute   *execute.Executor
	now       func() time.Time
	finalizer resource.Finalizer
	log       logging.Logger
	events    event.Recorder
	metrics   *metrics.Changes
	// spread polls over time.
	spread func(c *v1alpha1.Change, wait time.Duration) time.Duration
	// policies says whether management policies are honoured.
	policies bool

	mu       sync.Mutex
	memories map[types.UID]*memory
}

// memory of one Change.
type memory struct {
	// repo as it was open last: with a token that is gone, what was fetched can still be read.
	repo *repo.Repo
	// answer of the planner that is no plan, and when it was given.
	answer   *change.Planned
	answered time.Time
	// acted is how often in a row something was done in one phase.
	acted int
	phase v1alpha1.ChangePhase
}

func newReconciler(c client.Client, live client.Reader, now func() time.Time) *Reconciler {
	return &Reconciler{
		client:    c,
		live:      live,
		now:       now,
		finalizer: resource.NewAPIFinalizer(c, managed.FinalizerName),
		log:       logging.NewNopLogger(),
		events:    event.NewNopRecorder(),
		spread:    func(_ *v1alpha1.Change, wait time.Duration) time.Duration { return wait },
		policies:  true,
		memories:  map[types.UID]*memory{},
	}
}

// Reconcile a Change: look, decide, put it on record, act, report.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (result reconcile.Result, err error) {
	defer func() { result, err = errors.SilentlyRequeueOnConflict(result, err) }()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	c := &v1alpha1.Change{}
	if err := r.client.Get(ctx, req.NamespacedName, c); err != nil {
		return reconcile.Result{}, errors.Wrap(client.IgnoreNotFound(err), "cannot get Change")
	}
	policy := managed.NewManagementPoliciesResolver(r.policies, c.GetManagementPolicies())
	if meta.WasDeleted(c) {
		return r.leave(ctx, c)
	}
	if meta.IsPaused(c) || policy.IsPaused() {
		return reconcile.Result{}, r.write(ctx, c, c.Status.AtProvider, xpv2.ReconcilePaused())
	}
	if err := policy.Validate(); err != nil {
		return reconcile.Result{}, r.write(ctx, c, c.Status.AtProvider, xpv2.ReconcileError(err))
	}
	if err := r.finalizer.AddFinalizer(ctx, c); err != nil {
		return reconcile.Result{}, err
	}
	repository := &v1alpha1.Repository{}
	if err := r.client.Get(ctx, types.NamespacedName{Namespace: c.GetNamespace(), Name: c.Spec.ForProvider.RepositoryRef.Name}, repository); err != nil {
		return reconcile.Result{}, r.failed(ctx, c, fmt.Errorf("cannot get Repository %q: %w", c.Spec.ForProvider.RepositoryRef.Name, err))
	}
	return r.carry(ctx, c, repository, policy.ShouldUpdate())
}

// carry a Change one step further. Where it may not act it is only decided what would be.
func (r *Reconciler) carry(ctx context.Context, c *v1alpha1.Change, repository *v1alpha1.Repository, acts bool) (reconcile.Result, error) {
	m := r.memory(c.GetUID())
	in := observe.Input{Change: c, Repository: repository, Woken: r.pool.ChangeWoken(client.ObjectKeyFromObject(c))}
	if in.Repo, in.Problem = r.open(ctx, repository, m); in.Repo != nil {
		m.repo = in.Repo
	}
	observed := r.observe.Observe(ctx, in)
	spec := change.Spec{ChangeParameters: c.Spec.ForProvider, Repository: repository.Spec.ForProvider}
	decision := r.decide(ctx, in, m, spec, &observed)
	if !acts {
		decision.Do = nil
	}

	before := c.Status.AtProvider
	if err := r.record(ctx, c, observed, decision); err != nil {
		return reconcile.Result{}, err
	}
	r.told(c, before)
	acted, err := r.do(ctx, execute.Input{Change: c, Repository: repository, Repo: in.Repo}, decision)
	if err != nil {
		return reconcile.Result{}, errors.Join(err, r.write(ctx, c, c.Status.AtProvider, xpv2.ReconcileError(err)))
	}
	return r.again(c, m, repository, decision, acted), nil
}

// open the Repository, or say why it cannot be. What was open before is still good for what was fetched.
func (r *Reconciler) open(ctx context.Context, repository *v1alpha1.Repository, m *memory) (*repo.Repo, string) {
	open, err := r.pool.Open(ctx, repository)
	if err != nil {
		return m.repo, err.Error()
	}
	return open, ""
}

// decide, with the answers of the planner.
func (r *Reconciler) decide(ctx context.Context, in observe.Input, m *memory, spec change.Spec, o *change.Observed) change.Decision {
	d := change.Next(spec, *o, r.now())
	for range maxPlans {
		if d.Plan == nil {
			break
		}
		answer := r.plan(ctx, in, m, *d.Plan)
		o.Planned = &answer
		d = change.Next(spec, *o, r.now())
	}
	return d
}

// plan what is asked for. What has no plan is not asked again all the time.
func (r *Reconciler) plan(ctx context.Context, in observe.Input, m *memory, req change.PlanRequest) change.Planned {
	if a := m.answer; a != nil && reflect.DeepEqual(a.For, req) {
		wait := refusedAgain
		if a.Later {
			wait = planAgain
		}
		if age := r.now().Sub(m.answered); age >= 0 && age < wait {
			return *a
		}
	}
	answer := r.planner.Plan(ctx, planner.Input{Change: in.Change, Repository: in.Repository, Repo: in.Repo}, req)
	m.answer = nil
	if answer.Problem != "" {
		m.answer, m.answered = &answer, r.now()
	}
	return answer
}

// record a decision, before anything is done that rests on it. What is done is done from what is on record.
func (r *Reconciler) record(ctx context.Context, c *v1alpha1.Change, o change.Observed, d change.Decision) error {
	wrote, err := r.report(ctx, c, d.Status, synced(o), ready(d.Status))
	if err != nil || wrote || !writes(d) {
		return err
	}
	live := &v1alpha1.Change{}
	if err := r.live.Get(ctx, client.ObjectKeyFromObject(c), live); err != nil {
		return errors.Wrap(err, "cannot get Change")
	}
	if live.GetUID() != c.GetUID() || live.GetResourceVersion() != c.GetResourceVersion() {
		return kerrors.NewConflict(schema.GroupResource{Group: v1alpha1.GroupVersion.Group, Resource: "changes"}, c.GetName(), errBehind)
	}
	return nil
}

// writes is true where a decision changes what runs.
func writes(d change.Decision) bool {
	for i := range d.Do {
		if d.Do[i].Writes() {
			return true
		}
	}
	return false
}

// do what was decided, in order, and say whether anything was.
func (r *Reconciler) do(ctx context.Context, in execute.Input, d change.Decision) (bool, error) {
	acted := false
	var errs []error
	for _, a := range d.Do {
		if in.Repo == nil && !a.OnHub() {
			continue // What takes the forge or Git waits until it is open: that is in the condition.
		}
		err := r.execute.Do(ctx, in, a)
		r.observe.Did(in.Change, a, err)
		switch refused := (*execute.RefusedError)(nil); {
		case err == nil:
			acted = true
			r.log.Debug("Did", "change", client.ObjectKeyFromObject(in.Change), "verb", a.Verb, "claim", a.Claim, "epoch", a.Epoch)
		case errors.As(err, &refused):
			acted = true // What the forge says of it is read, and decided on.
		case errors.Is(err, execute.ErrFenced):
			// Somebody has the locks. What that means is decided from what the queue says now.
			r.log.Info("Fenced", "change", client.ObjectKeyFromObject(in.Change), "verb", a.Verb, "claim", a.Claim, "epoch", a.Epoch)
			errs = append(errs, err)
		default:
			errs = append(errs, err)
		}
	}
	return acted, errors.Join(errs...)
}

// leave the queue, and everything else as it is.
func (r *Reconciler) leave(ctx context.Context, c *v1alpha1.Change) (reconcile.Result, error) {
	in := observe.Input{Change: c}
	observed := r.observe.Place(ctx, in)
	d := change.Next(change.Spec{ChangeParameters: c.Spec.ForProvider, Leaving: true}, observed, r.now())
	if d.Done {
		r.forget(c)
		return reconcile.Result{}, r.finalizer.RemoveFinalizer(ctx, c)
	}
	for _, a := range d.Do {
		if err := r.execute.Do(ctx, execute.Input{Change: c}, a); err != nil {
			return reconcile.Result{}, errors.Join(err, r.write(ctx, c, d.Status, xpv2.ReconcileError(err)))
		}
	}
	return reconcile.Result{RequeueAfter: soon}, r.write(ctx, c, d.Status, xpv2.Deleting())
}

func (r *Reconciler) forget(c *v1alpha1.Change) {
	r.observe.Forget(c.GetUID())
	r.execute.Forget(c.GetUID())
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.memories, c.GetUID())
}

func (r *Reconciler) memory(uid types.UID) *memory {
	r.mu.Lock()
	defer r.mu.Unlock()
	m, ok := r.memories[uid]
	if !ok {
		m = &memory{}
		r.memories[uid] = m
	}
	return m
}
