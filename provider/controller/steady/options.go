// Package steady holds how managed resources of all kinds are kept as they should be.
//
// Every write to a composed resource wakes the composite above it, and core opens a
// circuit breaker where that happens too often. So: what must be written before
// anything else is written at once; a resource that can simply be ensured again is
// never taken through the runtime's create protocol; and while something is on its way
// it is looked at often, but written only when it says something new.
package steady

import (
	"math/rand/v2"
	"time"

	"k8s.io/client-go/util/workqueue"
	ctrlcontroller "sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/crossplane/crossplane-runtime/v2/pkg/controller"
	"github.com/crossplane/crossplane-runtime/v2/pkg/feature"
	"github.com/crossplane/crossplane-runtime/v2/pkg/reconciler/managed"
)

// Waits between tries of what failed, or of what is being deleted. A deletion that
// waited long must still end soon after what it waited for is gone.
const (
	firstRetry = 1 * time.Second
	lastRetry  = 15 * time.Second
)

// Options for the managed reconciler of any kind.
func Options(o controller.Options, jitter Jitter) []managed.ReconcilerOption {
	opts := []managed.ReconcilerOption{
		managed.WithDeterministicExternalName(true),
		managed.WithPollInterval(o.PollInterval),
		managed.WithPollIntervalHook(Poll(jitter, rand.Float64)),
	}
	if o.Features.Enabled(feature.EnableBetaManagementPolicies) {
		opts = append(opts, managed.WithManagementPolicies())
	}
	if o.Features.Enabled(feature.EnableAlphaChangeLogs) && o.ChangeLogOptions != nil {
		opts = append(opts, managed.WithChangeLogger(o.ChangeLogOptions.ChangeLogger))
	}
	if o.MetricOptions != nil && o.MetricOptions.MRMetrics != nil {
		opts = append(opts, managed.WithMetricRecorder(o.MetricOptions.MRMetrics))
	}
	return opts
}

// ForControllerRuntime returns the options of the controller of any kind.
func ForControllerRuntime(o controller.Options) ctrlcontroller.Options {
	co := o.ForControllerRuntime()
	co.RateLimiter = workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstRetry, lastRetry)
	return co
}
