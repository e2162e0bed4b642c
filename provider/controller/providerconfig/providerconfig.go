// Package providerconfig keeps provider configurations for as long as they are used,
// and resolves which one a Cluster uses.
//
// A Cluster's configuration is also that of its NodePools, whatever they say: nodes
// come from where their cluster does.
package providerconfig

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/crossplane/crossplane-runtime/v2/pkg/controller"
	"github.com/crossplane/crossplane-runtime/v2/pkg/event"
	"github.com/crossplane/crossplane-runtime/v2/pkg/ratelimiter"
	"github.com/crossplane/crossplane-runtime/v2/pkg/reconciler/providerconfig"
	"github.com/crossplane/crossplane-runtime/v2/pkg/resource"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// Kinds whose definitions must be there before any Cluster can be reconciled.
func Kinds() []schema.GroupVersionKind {
	return []schema.GroupVersionKind{v1alpha1.ProviderConfigGVK, v1alpha1.ClusterProviderConfigGVK, v1alpha1.ProviderConfigUsageGVK}
}

// Setup adds the controllers of both kinds.
func Setup(mgr ctrl.Manager, o controller.Options) error {
	if err := add(mgr, o, v1alpha1.ProviderConfigGVK, &v1alpha1.ProviderConfig{}); err != nil {
		return err
	}
	return add(mgr, o, v1alpha1.ClusterProviderConfigGVK, &v1alpha1.ClusterProviderConfig{})
}

func add(mgr ctrl.Manager, o controller.Options, kind schema.GroupVersionKind, of resource.ProviderConfig) error {
	name := providerconfig.ControllerName(kind.GroupKind().String())
	r := providerconfig.NewReconciler(mgr,
		resource.ProviderConfigKinds{
			Config:    kind,
			Usage:     v1alpha1.ProviderConfigUsageGVK,
			UsageList: v1alpha1.GroupVersion.WithKind("ProviderConfigUsageList"),
		},
		providerconfig.WithLogger(o.Logger.WithValues("controller", name)),
		providerconfig.WithRecorder(event.NewAPIRecorder(mgr.GetEventRecorderFor(name))))

	err := ctrl.NewControllerManagedBy(mgr).
		Named(name).
		WithOptions(o.ForControllerRuntime()).
		For(of).
		Watches(&v1alpha1.ProviderConfigUsage{}, &resource.EnqueueRequestForProviderConfig{Kind: kind.Kind}).
		Complete(ratelimiter.NewReconciler(name, r, o.GlobalRateLimiter))
	if err != nil {
		return fmt.Errorf("cannot set up controller %q: %w", name, err)
	}
	return nil
}
