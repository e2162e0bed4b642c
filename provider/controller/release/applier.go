package release

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/crossplane/crossplane-runtime/v2/pkg/reconciler/managed"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/apply"
	"github.com/mainstay-dev/mainstay/internal/bind"
	"github.com/mainstay-dev/mainstay/internal/images"
	"github.com/mainstay-dev/mainstay/provider/controller/steady"
)

// An applier brings a Release to its cluster. It lives for one reconcile.
type applier struct {
	*connector

	cluster *v1alpha1.Cluster
	// remote is the cluster as the tenant. The cleaner may also take away what the
	// tenant has left where it may not go any more.
	remote, cleaner *remote

	// What Observe found.

	// problem keeps the whole Release from being applied.
	problem error
	// opened is the Bundle, and bound what it comes to on this cluster.
	opened *opened
	bound  bind.Result
	// outputs of components that are done.
	outputs bind.Outputs
	// set is what is wanted.
	set apply.Set
	// live objects, wanted or dropped. An entry that is nil is not there.
	live map[objectKey]*unstructured.Unstructured
	// pods of live workloads that are on their way.
	pods map[objectKey][]unstructured.Unstructured
	// dropped objects are in the inventory and not wanted any more. Kept ones are not
	// wanted either, and stay.
	dropped, kept []v1alpha1.ObjectReference
	// traces that are on record, and those of what is there now.
	traces  map[objectKey]string
	current map[*unstructured.Unstructured]string
	// held components cannot be applied, and why. Failed ones have failed for good.
	held   map[string]string
	failed map[string]bool
	// waiting components wait for others, and stepping ones for a step of their
	// upgrade procedure.
	waiting  map[string][]string
	stepping map[string]string
	// before is what the status said when the reconcile began.
	before v1alpha1.ReleaseStatus
	// began is when the reconcile did, and checked when it was last made sure that the
	// Release is what it was.
	began, checked time.Time
}

// Observe what is on the cluster. The Release always exists: what is missing of it is
// applied by Update.
func (a *applier) Observe(ctx context.Context, mg *v1alpha1.Release) (managed.ExternalObservation, error) {
	a.before = *mg.Status.DeepCopy()
	a.began = a.clock.Now()
	a.pending.begin(mg, a.began)
	a.held, a.failed, a.stepping = map[string]string{}, map[string]bool{}, map[string]string{}
	if err := a.want(ctx, mg); err != nil {
		return managed.ExternalObservation{}, a.fail(mg, err)
	}
	if err := a.read(ctx, mg); err != nil {
		return managed.ExternalObservation{}, a.fail(mg, a.notSetUp(mg, err))
	}
	if err := a.giveOutputs(mg); err != nil {
		return managed.ExternalObservation{}, a.fail(mg, err)
	}
	done, err := a.applied(mg)
	if err != nil {
		return managed.ExternalObservation{}, a.fail(mg, err)
	}
	upToDate := a.problem == nil && done && len(a.dropped) == 0 && len(a.before.AtProvider.Procedures) == 0 &&
		a.before.AtProvider.Bundle == mg.Spec.ForProvider.Bundle && a.before.AtProvider.Applied == a.identity(mg)
	if upToDate || !steady.EnsureByUpdate(mg) {
		// Otherwise Update is called, and reports what came of it.
		a.report(mg, done)
	}
	return managed.ExternalObservation{ResourceExists: true, ResourceUpToDate: upToDate}, nil
}

// want finds out what should be on the cluster. What cannot be had or makes no sense
// is a problem for Update to report: what runs is observed all the same.
func (a *applier) want(ctx context.Context, mg *v1alpha1.Release) error {
	if a.opened, a.problem = a.bundles.open(ctx, mg); a.problem != nil {
		return nil
	}
	err := a.build(mg)
	if err != nil && !isSilent(err) {
		a.problem, err = err, nil
	}
	if a.problem != nil {
		a.set = apply.Set{}
	}
	return err
}

// build what is wanted, of what is known of the cluster and of its components.
func (a *applier) build(mg *v1alpha1.Release) error {
	bound, err := a.opened.content.Bind(bind.Facts(a.cluster, mg.Spec.ForProvider.Namespace), a.outputs)
	if err != nil {
		return fmt.Errorf("cannot bind what is known of cluster %q: %w", a.cluster.GetName(), err)
	}
	// What the images are was decided for all clusters at once.
	bound.Content = images.Pin(bound.Content, mg.Spec.ForProvider.Images)
	set, err := apply.Build(bound.Content, apply.Options{
		Release:     keyOf(mg),
		Application: mg.Spec.ForProvider.Application,
		Namespace:   mg.Spec.ForProvider.Namespace,
		Allowed:     allowed(a.cluster, mg.GetNamespace()),
	}, a.remote.scope)
	if err != nil {
		return err
	}
	a.set, a.bound, a.current = set, bound, map[*unstructured.Unstructured]string{}
	for _, c := range set.Components {
		if len(c.Problems) > 0 {
			a.held[c.Name] = strings.Join(c.Problems, "; ")
		}
	}
	return nil
}

// giveOutputs of components that are done to those that wait for them, until that
// brings nothing new.
func (a *applier) giveOutputs(mg *v1alpha1.Release) error {
	for a.problem == nil && len(a.bound.Waiting) > 0 {
		news := false
		for _, c := range a.set.Components {
			reader := a.opened.outputs[c.Name]
			if _, known := a.outputs[c.Name]; known || reader == nil || !a.done(mg, c.Name) {
				continue
			}
			values, err := reader.Read(a.inOrder(c))
			if err != nil {
				a.stepping[c.Name] = err.Error()
				continue
			}
			if a.outputs == nil {
				a.outputs = bind.Outputs{}
			}
			a.outputs[c.Name], news = values, true
			delete(a.stepping, c.Name)
		}
		if !news {
			return nil
		}
		if err := a.build(mg); err != nil {
			if isSilent(err) {
				return err
			}
			a.problem = err
		}
	}
	return nil
}

// inOrder returns the live objects of a component in the order of its manifests. Those
// that are not there are left out.
func (a *applier) inOrder(c apply.Component) []*unstructured.Unstructured {
	objects := slices.Clone(c.Objects)
	slices.SortFunc(objects, func(x, y apply.Object) int { return x.Position - y.Position })
	out := make([]*unstructured.Unstructured, 0, len(objects))
	for _, o := range objects {
		if live := a.live[a.key(o.Ref())]; live != nil {
			out = append(out, live)
		}
	}
	return out
}

// read what is on the cluster of all that is wanted, or was once put there.
func (a *applier) read(ctx context.Context, mg *v1alpha1.Release) error {
	looked := a.looked()
	a.traces = map[objectKey]string{}
	for _, ref := range mg.Status.AtProvider.Inventory {
		a.traces[a.key(ref)] = ref.Trace
	}
	rest := apply.Dropped(mg.Status.AtProvider.Inventory, looked)
	if a.problem == nil && len(a.held) == 0 {
		// Otherwise some of what seems dropped may belong to what is held.
		a.dropped, a.kept = apply.Prune(rest, a.opened.keepLegacy)
	}

	a.live = map[objectKey]*unstructured.Unstructured{}
	if err := a.readWanted(ctx, mg, looked); err != nil {
		return err
	}
	a.consult(ctx, mg)
	// Whoever can write a status can put anything into an inventory. What does not
	// carry the Release's own mark is none of its business, not even to look at.
	live, err := a.cleaner.getAll(ctx, rest)
	if err != nil {
		return err
	}
	for i, ref := range rest {
		if owns(mg, live[i]) {
			a.live[a.key(ref)] = live[i]
		}
	}
	return nil
}

// readWanted reads the objects that are wanted, but for those that were healthy a moment
// ago. Those that were applied are listed where there are several of a kind, and the others
// got one by one.
func (a *applier) readWanted(ctx context.Context, mg *v1alpha1.Release, looked []v1alpha1.ObjectReference) error {
	var applied, missing []v1alpha1.ObjectReference
	identity := a.identity(mg)
	var look []v1alpha1.ObjectReference
	for _, ref := range looked {
		key := a.key(ref)
		if live := a.pending.lately(mg, identity, key, a.began); live != nil {
			a.live[key] = live
			continue
		}
		look = append(look, ref)
		if a.memory.trace(mg.GetUID(), key, a.traces[key]) != "" {
			applied = append(applied, ref)
		}
	}
	listed, err := a.remote.listed(ctx, applied, map[string]string{
		v1alpha1.LabelTenant: mg.GetNamespace(), v1alpha1.LabelApplication: mg.Spec.ForProvider.Application,
	})
	if err != nil {
		return err
	}
	for _, ref := range look {
		key := a.key(ref)
		if u := listed[key.ref]; u != nil {
			a.live[key] = u
			continue
		}
		missing = append(missing, ref)
	}
	live, err := a.remote.getAll(ctx, missing)
	if err != nil {
		return err
	}
	for i, ref := range missing {
		a.live[a.key(ref)] = live[i]
	}
	return nil
}

// looked at are all objects of components that can be applied.
func (a *applier) looked() []v1alpha1.ObjectReference {
	var out []v1alpha1.ObjectReference
	for _, c := range a.set.Components {
		if len(c.Problems) == 0 {
			out = append(out, apply.Refs(c.Objects)...)
		}
	}
	return out
}

// wanted objects: all that are looked at, but for those that are only looked at.
func (a *applier) wanted() []v1alpha1.ObjectReference {
	var out []v1alpha1.ObjectReference
	for _, c := range a.set.Components {
		if len(c.Problems) > 0 {
			continue
		}
		for _, o := range c.Objects {
			if !o.ReadOnly {
				out = append(out, o.Ref())
			}
		}
	}
	return out
}

// owns is true where a live object is there and carries the Release's mark.
func owns(mg *v1alpha1.Release, live *unstructured.Unstructured) bool {
	return live != nil && apply.Owner(live) == apply.Mark(keyOf(mg))
}

// Create is never called: a Release always exists.
func (a *applier) Create(context.Context, *v1alpha1.Release) (managed.ExternalCreation, error) {
	return managed.ExternalCreation{}, nil
}

// Delete is never called: a Release that is being deleted has a remover.
func (a *applier) Delete(context.Context, *v1alpha1.Release) (managed.ExternalDelete, error) {
	return managed.ExternalDelete{}, nil
}

// Disconnect from nothing: connections are shared.
func (a *applier) Disconnect(context.Context) error { return nil }

func (a *applier) key(ref v1alpha1.ObjectReference) objectKey {
	ref.Component, ref.Keep, ref.Trace = "", "", ""
	return objectKey{cluster: a.cluster.GetUID(), ref: ref}
}

// notSetUp says so where a tenant is turned away because the cluster does not know it yet.
func (a *applier) notSetUp(mg *v1alpha1.Release, err error) error {
	if !kerrors.IsForbidden(err) || slices.Contains(a.cluster.Status.AtProvider.Tenants, mg.GetNamespace()) {
		return err
	}
	return fmt.Errorf("waits for tenant %q to be set up on cluster %q: %w", mg.GetNamespace(), a.cluster.GetName(), err)
}

// allowed namespaces of a tenant on a cluster.
func allowed(cluster *v1alpha1.Cluster, namespace string) []string {
	for _, t := range cluster.Spec.ForProvider.Tenants {
		if t.Namespace == namespace {
			return t.Namespaces()
		}
	}
	return nil
}

// identity of all that decides what is applied: the Bundle's content, what of the cluster
// was bound into it and what its images are pinned to, where it goes and whose it is. It is empty where that is
// not known yet.
func (a *applier) identity(mg *v1alpha1.Release) string {
	if a.problem != nil || len(a.bound.Waiting) > 0 {
		return ""
	}
	parts := []string{a.opened.digest, mg.Spec.ForProvider.Namespace, apply.Mark(keyOf(mg)), string(a.cluster.GetUID()), a.bound.Digest}
	if pinned := images.Identity(mg.Spec.ForProvider.Images); pinned != "" {
		parts = append(parts, pinned)
	}
	sum := sha256.Sum256([]byte(strings.Join(parts, "\n")))
	return hex.EncodeToString(sum[:])
}
