package fleet

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/bundle"
)

// Seal objects in a Bundle on the hub.
func (w *World) Seal(ctx context.Context, app string, objects []unstructured.Unstructured) (string, error) {
	var bare []unstructured.Unstructured
	for _, o := range objects {
		u := *o.DeepCopy()
		u.SetNamespace("")
		bare = append(bare, u)
	}
	sealed, err := bundle.New(app, bundle.Content{Components: []bundle.Component{{Name: app, Type: "k8s-objects", Objects: bare}}})
	if err != nil {
		return "", fmt.Errorf("cannot seal bundle: %w", err)
	}
	for _, s := range sealed {
		s.SetNamespace(Tenant)
		if err := client.IgnoreAlreadyExists(w.Hub.Create(ctx, s)); err != nil {
			return "", fmt.Errorf("cannot create bundle: %w", err)
		}
	}
	return sealed[0].GetName(), nil
}

// Roll an application out: create its Rollout, or give it another Bundle.
func (w *World) Roll(ctx context.Context, app, bundle string, strategy v1alpha1.RolloutStrategy) error {
	if strategy.MaxConcurrent == nil {
		strategy.MaxConcurrent = ptr.To(intstr.FromString("50%"))
	}
	strategy.Preflight = v1alpha1.PreflightOff
	// The provider writes it too.
	return retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		ro := &v1alpha1.Rollout{}
		err := w.Hub.Get(ctx, client.ObjectKey{Namespace: Tenant, Name: app}, ro)
		ro.Spec.ForProvider.Application = app
		ro.Spec.ForProvider.Variants = []v1alpha1.Variant{{Bundle: bundle}}
		ro.Spec.ForProvider.Strategy = strategy
		switch {
		case err == nil:
			return w.Hub.Update(ctx, ro)
		case !kerrors.IsNotFound(err):
			return fmt.Errorf("cannot get rollout: %w", err)
		}
		ro.ObjectMeta = metav1.ObjectMeta{Namespace: Tenant, Name: app}
		return w.Hub.Create(ctx, ro)
	})
}

// Reached is true where all clusters have a Bundle and are healthy.
func (w *World) Reached(ctx context.Context, app, bundle string) (bool, error) {
	return w.AllReached(ctx, map[string]string{app: bundle})
}

// AllReached is true where the Rollouts of some applications say that their clusters have
// a Bundle each, and are healthy, and the Releases say so too. Bundles are by application.
func (w *World) AllReached(ctx context.Context, bundles map[string]string) (bool, error) {
	rollouts := &v1alpha1.RolloutList{}
	if err := w.Seen.List(ctx, rollouts, client.InNamespace(Tenant), client.UnsafeDisableDeepCopy); err != nil {
		return false, fmt.Errorf("cannot list rollouts: %w", err)
	}
	done := 0
	for i := range rollouts.Items {
		ro := &rollouts.Items[i]
		ready := ro.GetCondition(xpv2.TypeReady)
		if bundles[ro.GetName()] != "" && ready.Status == corev1.ConditionTrue && ready.ObservedGeneration == ro.GetGeneration() {
			done++
		}
	}
	if done < len(bundles) {
		return false, nil
	}
	l := &v1alpha1.ReleaseList{}
	if err := w.Seen.List(ctx, l, client.InNamespace(Tenant), client.UnsafeDisableDeepCopy); err != nil {
		return false, fmt.Errorf("cannot list releases: %w", err)
	}
	n := 0
	for i := range l.Items {
		r := &l.Items[i]
		if b := bundles[r.Spec.ForProvider.Application]; b != "" && r.Status.AtProvider.Bundle == b && r.Status.AtProvider.Health == v1alpha1.Healthy {
			n++
		}
	}
	return n == len(bundles)*w.Clusters, nil
}
