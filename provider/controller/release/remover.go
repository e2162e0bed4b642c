package release

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/crossplane/crossplane-runtime/v2/pkg/reconciler/managed"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/apply"
	"github.com/mainstay-dev/mainstay/internal/health"
)

// A remover takes a Release off its cluster. It lives for one reconcile.
type remover struct {
	*connector

	cluster *v1alpha1.Cluster
	remote  *remote
	// left on the cluster, in the order of removal.
	left []leftover
}

// A leftover is an object that is still there.
type leftover struct {
	ref  v1alpha1.ObjectReference
	live *unstructured.Unstructured
}

// Observe what is left. Only what carries the Release's mark is.
func (r *remover) Observe(ctx context.Context, mg *v1alpha1.Release) (managed.ExternalObservation, error) {
	refs := apply.Removal(mg.Status.AtProvider.Inventory)
	live, err := r.remote.getAll(ctx, refs)
	if err != nil {
		if r.abandons(mg, r.cluster, err) {
			r.memory.forget(mg.GetUID())
			return managed.ExternalObservation{ResourceExists: false}, nil
		}
		return managed.ExternalObservation{}, r.fail(mg, err)
	}
	for i, ref := range refs {
		if owns(mg, live[i]) {
			r.left = append(r.left, leftover{ref: ref, live: live[i]})
		}
	}
	if len(r.left) == 0 {
		r.memory.forget(mg.GetUID())
		return managed.ExternalObservation{ResourceExists: false}, nil
	}
	return managed.ExternalObservation{ResourceExists: true, ResourceUpToDate: true}, nil
}

// Delete what is left, and say what is waited for.
func (r *remover) Delete(ctx context.Context, mg *v1alpha1.Release) (managed.ExternalDelete, error) {
	for _, l := range r.left {
		if l.live.GetDeletionTimestamp() != nil {
			continue
		}
		if err := r.remote.remove(ctx, l.ref, l.live); err != nil {
			if r.abandons(mg, r.cluster, err) {
				return managed.ExternalDelete{}, nil // The next Observe gives up.
			}
			return managed.ExternalDelete{}, r.fail(mg, err)
		}
	}
	at := &mg.Status.AtProvider
	at.Health, at.Message = v1alpha1.Progressing, r.text()
	return managed.ExternalDelete{}, nil
}

// text says what is waited for. Where something has been on its way out before, it is
// that which takes its time.
func (r *remover) text() string {
	for _, l := range r.left {
		if l.live.GetDeletionTimestamp() != nil {
			return fmt.Sprintf("%d objects are left; %s", len(r.left), health.Of(l.live).Message)
		}
	}
	return "is being removed"
}

// Create is never called: a Release always exists.
func (r *remover) Create(context.Context, *v1alpha1.Release) (managed.ExternalCreation, error) {
	return managed.ExternalCreation{}, nil
}

// Update is never called for what is being deleted.
func (r *remover) Update(context.Context, *v1alpha1.Release) (managed.ExternalUpdate, error) {
	return managed.ExternalUpdate{}, nil
}

// Disconnect from nothing: connections are shared.
func (r *remover) Disconnect(context.Context) error { return nil }
