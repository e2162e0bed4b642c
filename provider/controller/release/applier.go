package release

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/crossplane/crossplane-runtime/v2/pkg/reconciler/managed"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/apply"
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
	// set is what is wanted, and identity of it: empty where there is a problem.
	set      apply.Set
	identity string
	// live objects, wanted or dropped. An entry that is nil is not there.
	live map[objectKey]*unstructured.Unstructured
	// pods of live workloads that are on their way.
	pods map[objectKey][]unstructured.Unstructured
	// dropped objects are in the inventory and not wanted any more.
	dropped []v1alpha1.ObjectReference
	// held components cannot be applied, and why.
	held map[string]string
	// waiting components wait for others.
	waiting map[string][]string
	// before is what the status said when the reconcile began.
	before v1alpha1.ReleaseStatus
}

// Observe what is on the cluster. The Release always exists: what is missing of it is
// applied by Update.
func (a *applier) Observe(ctx context.Context, mg *v1alpha1.Release) (managed.ExternalObservation, error) {
	a.before = *mg.Status.DeepCopy()
	if err := a.want(ctx, mg); err != nil {
		return managed.ExternalObservation{}, a.fail(mg, err)
	}
	if err := a.read(ctx, mg); err != nil {
		return managed.ExternalObservation{}, a.fail(mg, a.notSetUp(mg, err))
	}
	done, err := a.applied(mg)
	if err != nil {
		return managed.ExternalObservation{}, a.fail(mg, err)
	}
	upToDate := a.problem == nil && done && len(a.dropped) == 0 &&
		a.before.AtProvider.Bundle == mg.Spec.ForProvider.Bundle && a.before.AtProvider.Applied == a.identity
	if upToDate || !steady.EnsureByUpdate(mg) {
		// Otherwise Update is called, and reports what came of it.
		a.report(mg, done)
	}
	return managed.ExternalObservation{ResourceExists: true, ResourceUpToDate: upToDate}, nil
}

// want finds out what should be on the cluster. What cannot be had or makes no sense
// is a problem for Update to report: what runs is observed all the same.
func (a *applier) want(ctx context.Context, mg *v1alpha1.Release) error {
	a.held = map[string]string{}
	content, digest, err := a.bundles.open(ctx, mg)
	if err != nil {
		a.problem = err
		return nil //nolint:nilerr // Update reports it.
	}
	key := keyOf(mg)
	set, err := apply.Build(content, apply.Options{
		Release:     key,
		Application: mg.Spec.ForProvider.Application,
		Namespace:   mg.Spec.ForProvider.Namespace,
		Allowed:     allowed(a.cluster, mg.GetNamespace()),
	}, a.remote.scope)
	if err != nil {
		if isSilent(err) {
			return err
		}
		a.problem = err
		return nil
	}
	for _, c := range set.Components {
		if len(c.Problems) > 0 {
			a.held[c.Name] = strings.Join(c.Problems, "; ")
		}
	}
	a.set = set
	a.identity = identityOf(digest, mg.Spec.ForProvider.Namespace, apply.Mark(key), string(a.cluster.GetUID()))
	return nil
}

// read what is on the cluster of all that is wanted, or was once put there.
func (a *applier) read(ctx context.Context, mg *v1alpha1.Release) error {
	wanted := a.wanted()
	rest := apply.Dropped(mg.Status.AtProvider.Inventory, wanted)
	if a.problem == nil && len(a.held) == 0 {
		// Otherwise some of what seems dropped may belong to what is held.
		a.dropped = rest
	}

	a.live = map[objectKey]*unstructured.Unstructured{}
	live, err := a.remote.getAll(ctx, wanted)
	if err != nil {
		return err
	}
	for i, ref := range wanted {
		a.live[a.key(ref)] = live[i]
	}
	a.consult(ctx)
	// Whoever can write a status can put anything into an inventory. What does not
	// carry the Release's own mark is none of its business, not even to look at.
	live, err = a.cleaner.getAll(ctx, rest)
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

// wanted objects that can be applied.
func (a *applier) wanted() []v1alpha1.ObjectReference {
	var out []v1alpha1.ObjectReference
	for _, c := range a.set.Components {
		if len(c.Problems) == 0 {
			out = append(out, apply.Refs(c.Objects)...)
		}
	}
	return out
}

// applied is true where all that is wanted is there as it was applied last.
func (a *applier) applied(mg *v1alpha1.Release) (bool, error) {
	if a.problem != nil || len(a.held) > 0 {
		return false, nil //nolint:nilerr // Update reports it.
	}
	for _, c := range a.set.Components {
		settled, err := a.settled(mg, c)
		if err != nil || !settled {
			return false, err
		}
	}
	return true, nil
}

// settled is true where a component is as it was applied last.
func (a *applier) settled(mg *v1alpha1.Release, c apply.Component) (bool, error) {
	if len(c.Problems) > 0 {
		return false, nil
	}
	for _, o := range c.Objects {
		ok, err := a.objectSettled(mg, o)
		if err != nil || !ok {
			return false, err
		}
	}
	return true, nil
}

func (a *applier) objectSettled(mg *v1alpha1.Release, o apply.Object) (bool, error) {
	key := a.key(o.Ref())
	live := a.live[key]
	if live == nil || live.GetDeletionTimestamp() != nil {
		return false, nil
	}
	return a.memory.settled(mg.GetUID(), key, o.Unstructured, live)
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
	ref.Component = ""
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

// identityOf all that decides what is applied.
func identityOf(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\n")))
	return hex.EncodeToString(sum[:])
}
