package rollout

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/images"
	"github.com/mainstay-dev/mainstay/internal/placement"
	"github.com/mainstay-dev/mainstay/internal/rollout"
	"github.com/mainstay-dev/mainstay/provider/controller/release"
)

// maxLookups is how many Clusters that the cache does not show are looked up at most.
// The others stay unknown until it is their turn.
const maxLookups = 50

// gather all that a decision is made from.
func (r *Reconciler) gather(ctx context.Context, ro *v1alpha1.Rollout) (rollout.Observed, error) {
	o := rollout.Observed{Status: ro.Status.AtProvider, Clusters: map[v1alpha1.ClusterReference]rollout.ClusterState{}}

	if !meta.WasDeleted(ro) {
		o.Hold = r.grants.Hold(ctx, ro)
	}
	own, err := r.releases(ctx, ro)
	if err != nil {
		return o, err
	}
	for _, rel := range own {
		o.Releases = append(o.Releases, seen(rel))
	}
	o.Releases = r.started.overlay(ro.GetUID(), o.Releases)

	// Clusters are a fleet's, and may be in any namespace.
	clusters := &v1alpha1.ClusterList{}
	if err := r.client.List(ctx, clusters, client.UnsafeDisableDeepCopy); err != nil {
		return o, fmt.Errorf("cannot list Clusters: %w", err)
	}
	for i := range clusters.Items {
		c := &clusters.Items[i]
		o.Clusters[v1alpha1.ClusterReference{Namespace: c.GetNamespace(), Name: c.GetName()}] = stateOf(c, ro.GetNamespace())
	}
	if err := r.lookUp(ctx, &o); err != nil {
		return o, err
	}

	o.Images, o.Registries = r.imagesOf(ctx, ro, clusters.Items)

	o.Targets, err = placement.Resolve(ro.GetNamespace(), ro.Spec.ForProvider.Placement, clusters.Items)
	if placement.IsBlocked(err) {
		o.Blocked = err.Error()
	}
	o.Bundles, err = r.bundles(ctx, ro)
	return o, err
}

// imagesOf payloads, which is what their Bundles name on a cluster. Each Bundle is opened
// where it is asked for, once.
func (r *Reconciler) imagesOf(ctx context.Context, ro *v1alpha1.Rollout, clusters []v1alpha1.Cluster) (func(rollout.Placed) *rollout.ImageNames, bool) {
	if r.images == nil {
		return nil, false
	}
	known := map[v1alpha1.ClusterReference]*v1alpha1.Cluster{}
	opened := map[string]func(*v1alpha1.Cluster, string) *rollout.ImageNames{}
	return func(p rollout.Placed) *rollout.ImageNames {
		if p.Payload.Bundle == "" {
			return nil
		}
		names, ok := opened[p.Payload.Bundle]
		if !ok {
			var err error
			if names, err = r.images.Names(ctx, ro.GetNamespace(), p.Payload.Bundle); err != nil {
				r.log.Debug("Cannot tell images", "bundle", p.Payload.Bundle, "error", err)
				names = nil
			}
			opened[p.Payload.Bundle] = names
		}
		if len(known) == 0 {
			for i := range clusters {
				known[v1alpha1.ClusterReference{Namespace: clusters[i].GetNamespace(), Name: clusters[i].GetName()}] = &clusters[i]
			}
		}
		c := known[p.Target.Cluster]
		if names == nil || c == nil {
			return nil
		}
		return names(c, p.Payload.Namespace)
	}, r.images.Asks()
}

// releases that a Rollout controls.
func (r *Reconciler) releases(ctx context.Context, ro *v1alpha1.Rollout) ([]*v1alpha1.Release, error) {
	l := &v1alpha1.ReleaseList{}
	if err := r.client.List(ctx, l, client.InNamespace(ro.GetNamespace()), client.MatchingFields{indexOwner: string(ro.GetUID())}, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("cannot list Releases: %w", err)
	}
	own := make([]*v1alpha1.Release, 0, len(l.Items))
	for i := range l.Items {
		own = append(own, &l.Items[i])
	}
	return own, nil
}

// taken names, of those that a Rollout wants to give to Releases: they are somebody else's.
// Each is looked up once, in those that are known.
func (r *Reconciler) taken(ctx context.Context, ro *v1alpha1.Rollout, wanted []rollout.Placed, known map[string]bool) (more bool, err error) {
	for _, p := range wanted {
		if _, asked := known[p.Name]; asked {
			continue
		}
		rel := &v1alpha1.Release{}
		err := r.client.Get(ctx, types.NamespacedName{Namespace: ro.GetNamespace(), Name: p.Name}, rel)
		if client.IgnoreNotFound(err) != nil {
			return false, fmt.Errorf("cannot get Release %q: %w", p.Name, err)
		}
		known[p.Name] = err == nil && !metav1.IsControlledBy(rel, ro)
		more = more || known[p.Name]
	}
	return more, nil
}

// lookUp the Clusters of Releases that are not in the inventory. Only what the API
// server itself says does not exist, or is being deleted, counts as gone. To remove a Release of such a
// Cluster touches nothing anywhere; to keep it would keep it for ever.
func (r *Reconciler) lookUp(ctx context.Context, o *rollout.Observed) error {
	lookups := 0
	for _, rel := range o.Releases {
		if _, known := o.Clusters[rel.Cluster]; known {
			continue
		}
		if lookups++; lookups > maxLookups {
			return nil
		}
		c := &v1alpha1.Cluster{}
		err := r.live.Get(ctx, types.NamespacedName(rel.Cluster), c)
		switch {
		case release.Absent(err):
			o.Clusters[rel.Cluster] = rollout.ClusterGone
		case err != nil:
			return fmt.Errorf("cannot get Cluster %q: %w", rel.Cluster.Name, err)
		case c.GetDeletionTimestamp() != nil:
			o.Clusters[rel.Cluster] = rollout.ClusterDeleting
			// Any other is there, and the inventory that placement is resolved from is
			// behind: that it is not placed means nothing. It stays unknown.
		}
	}
	return nil
}

// bundles that exist, of those that a Rollout names, or may go back to.
func (r *Reconciler) bundles(ctx context.Context, ro *v1alpha1.Rollout) (map[string]bool, error) {
	out := map[string]bool{}
	variants := slices.Clone(ro.Spec.ForProvider.Variants)
	for _, before := range rollout.Rollbacks(ro.Status.AtProvider) {
		variants = append(variants, before.Variants...)
	}
	for _, v := range variants {
		if _, known := out[v.Bundle]; known {
			continue
		}
		b := &v1alpha1.Bundle{}
		err := r.client.Get(ctx, types.NamespacedName{Namespace: ro.GetNamespace(), Name: v.Bundle}, b)
		if kerrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("cannot get Bundle %q: %w", v.Bundle, err)
		}
		out[v.Bundle] = b.GetDeletionTimestamp() == nil
	}
	return out, nil
}

// stateOf a Cluster, for a tenant. It is ready once the tenant has been set up there:
// to start where it has not would fail, and what failed is bound by nothing.
func stateOf(c *v1alpha1.Cluster, tenant string) rollout.ClusterState {
	switch {
	case c.GetDeletionTimestamp() != nil:
		return rollout.ClusterDeleting
	case c.GetCondition(xpv2.TypeReady).Status == corev1.ConditionTrue && slices.Contains(c.Status.AtProvider.Tenants, tenant):
		return rollout.ClusterReady
	}
	return rollout.ClusterNotReady
}

// seen is what counts of a Release. What its controller said of a former generation
// does not.
func seen(rel *v1alpha1.Release) rollout.Release {
	at := rel.Status.AtProvider
	out := rollout.Release{
		Name:       rel.GetName(),
		Cluster:    rel.Spec.ForProvider.ClusterRef,
		Wanted:     rollout.Payload{Bundle: rel.Spec.ForProvider.Bundle, Namespace: rel.Spec.ForProvider.Namespace, Images: images.Identity(rel.Spec.ForProvider.Images)},
		Applied:    rollout.Payload{Bundle: at.Bundle, Namespace: at.Namespace, Images: at.Images},
		Images:     rel.Spec.ForProvider.Images,
		Epoch:      rel.Spec.ForProvider.Epoch,
		Untouched:  rel.GetGeneration() <= 1,
		Wave:       rel.GetAnnotations()[v1alpha1.AnnotationWave],
		Health:     v1alpha1.Unknown,
		Message:    at.Message,
		Deleting:   rel.GetDeletionTimestamp() != nil,
		Components: at.Components,
	}
	ready, synced := rel.GetCondition(xpv2.TypeReady), rel.GetCondition(xpv2.TypeSynced)
	if ready.ObservedGeneration == rel.GetGeneration() {
		out.Health, out.Since = at.Health, ready.LastTransitionTime
	}
	if out.Since.IsZero() && rel.GetGeneration() <= 1 {
		out.Since = rel.GetCreationTimestamp()
	}
	if synced.Status == corev1.ConditionFalse && synced.ObservedGeneration == rel.GetGeneration() {
		out.Failed, out.Failure = true, at.Message
		if synced.Reason == xpv2.ReasonReconcilePaused {
			out.Failure = "its Release is paused"
		} else {
			// Only of what it cannot reach does its controller not know how it is.
			out.Unreachable = out.Health == v1alpha1.Unknown && ready.Status == corev1.ConditionUnknown && ready.ObservedGeneration == rel.GetGeneration()
		}
		if out.Failure == "" {
			out.Failure = synced.Message
		}
	}
	return out
}
