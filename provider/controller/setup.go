// Package controller is the table of contents of the provider: which controllers there
// are, and which definitions each waits for.
package controller

import (
	"context"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/crossplane/crossplane-runtime/v2/pkg/controller"
	"github.com/crossplane/crossplane-runtime/v2/pkg/reconciler/customresourcesgate"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	apisv1alpha1 "github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/definition"
	"github.com/mainstay-dev/mainstay/provider/chart"
	"github.com/mainstay-dev/mainstay/provider/controller/change"
	"github.com/mainstay-dev/mainstay/provider/controller/change/trees"
	"github.com/mainstay-dev/mainstay/provider/controller/cluster"
	definitioncontroller "github.com/mainstay-dev/mainstay/provider/controller/definition"
	"github.com/mainstay-dev/mainstay/provider/controller/nodepool"
	"github.com/mainstay-dev/mainstay/provider/controller/providerconfig"
	"github.com/mainstay-dev/mainstay/provider/controller/release"
	"github.com/mainstay-dev/mainstay/provider/controller/repository"
	"github.com/mainstay-dev/mainstay/provider/controller/rollout"
	"github.com/mainstay-dev/mainstay/provider/controller/steady"
	"github.com/mainstay-dev/mainstay/provider/controller/upgrade"
	"github.com/mainstay-dev/mainstay/provider/repo"
	"github.com/mainstay-dev/mainstay/provider/target"
)

// How long a kind that is defined may take to be served, and how often that is asked.
const (
	servedTimeout = 2 * time.Minute
	servedPoll    = 500 * time.Millisecond
)

// Deps are what the controllers work with.
type Deps struct {
	// Backends make and reach clusters.
	Backends providerconfig.Backends
	// Targets connects to clusters that are there.
	Targets *target.Clients
	// Preflight that clusters go through before Rollouts move them, and Gates that
	// Rollouts ask. Both may be nil.
	Preflight rollout.Preflight
	Gates     rollout.Gates
	// Images of what Rollouts move. May be nil.
	Images rollout.Images
	// Repositories that are open, for their controller and that of Changes. Where it is nil
	// there are none, and neither is set up.
	Repositories *repo.Pool
	// Trees of merge requests, and the Planner that reads them, too. Without a planner there is no
	// controller of Changes.
	Trees   *trees.Trees
	Planner change.Planner
	// Jitter of polls.
	Jitter steady.Jitter
	// LooksPerSecond is how many ready Releases are compared with their clusters in a second.
	LooksPerSecond int
	// Workers is how many resources of each kind are reconciled at once.
	Workers Workers
}

// Workers is how many resources of each kind are reconciled at once. Kinds have
// workers of their own: a thousand Releases that wait for slow clusters must not keep
// one Rollout from being paused.
type Workers struct {
	Clusters, NodePools, Releases, Rollouts, Repositories, Changes int
}

// SetupGated adds each controller once the definitions of what it watches are there,
// which with a provider that starts safely may be at any time, or never. A controller
// that cannot be added then is reported to fail.
func SetupGated(mgr ctrl.Manager, o controller.Options, d Deps, fail func(error)) error {
	if err := customresourcesgate.Setup(mgr, o); err != nil {
		return fmt.Errorf("cannot set up the gate of controllers: %w", err)
	}
	configs := providerconfig.Kinds()
	for _, c := range []struct {
		name  string
		needs []schema.GroupVersionKind
		setup func() error
	}{
		{"provider configurations", configs, func() error {
			return providerconfig.Setup(mgr, o)
		}},
		{"Clusters", append(slices.Clone(configs), v1alpha1.ClusterGVK, v1alpha1.ReleaseGVK), func() error {
			return cluster.Setup(mgr, with(o, d.Workers.Clusters), cluster.Deps{Backends: d.Backends, Targets: d.Targets, Jitter: d.Jitter})
		}},
		{"NodePools", append(slices.Clone(configs), v1alpha1.NodePoolGVK, v1alpha1.ClusterGVK), func() error {
			return nodepool.Setup(mgr, with(o, d.Workers.NodePools), nodepool.Deps{Backends: d.Backends, Jitter: d.Jitter})
		}},
		{"Releases", []schema.GroupVersionKind{v1alpha1.ReleaseGVK, v1alpha1.ClusterGVK, v1alpha1.BundleGVK}, func() error {
			return release.Setup(mgr, with(o, d.Workers.Releases), release.Deps{Targets: d.Targets, Jitter: d.Jitter, LooksPerSecond: d.LooksPerSecond})
		}},
		{"Rollouts", []schema.GroupVersionKind{v1alpha1.RolloutGVK, v1alpha1.ReleaseGVK, v1alpha1.ClusterGVK, v1alpha1.BundleGVK, v1alpha1.ClaimGrantGVK}, func() error {
			return rollout.Setup(mgr, with(o, d.Workers.Rollouts), rollout.Deps{Jitter: d.Jitter, Preflight: d.Preflight, Gates: d.Gates, Images: d.Images})
		}},
		{"Rollouts of fleets", []schema.GroupVersionKind{v1alpha1.RolloutGVK, v1alpha1.ClusterGVK, v1alpha1.ClaimGrantGVK}, func() error {
			return upgrade.Setup(mgr, with(o, d.Workers.Rollouts), d.Gates)
		}},
		{"Repositories", []schema.GroupVersionKind{v1alpha1.RepositoryGVK, v1alpha1.ChangeGVK}, func() error {
			if d.Repositories == nil {
				return nil
			}
			return repository.Setup(mgr, with(o, d.Workers.Repositories), repository.Deps{Pool: d.Repositories, Jitter: d.Jitter})
		}},
		{"Changes", change.Needs(), func() error {
			if d.Planner == nil {
				return nil
			}
			return change.Setup(mgr, with(o, d.Workers.Changes), change.Deps{Pool: d.Repositories, Trees: d.Trees, Planner: d.Planner, Jitter: d.Jitter})
		}},
		{"definitions", []schema.GroupVersionKind{apisv1alpha1.ComponentDefinitionGVK, apisv1alpha1.TraitDefinitionGVK, apisv1alpha1.DefinitionRevisionGVK, v1alpha1.BundleGVK}, func() error {
			return definitioncontroller.Setup(mgr, o, chart.NewPuller(definition.MaxArchiveBytes))
		}},
	} {
		o.Gate.Register(func() {
			err := served(mgr.GetRESTMapper(), c.needs)
			if err == nil {
				err = c.setup()
			}
			if err != nil {
				fail(fmt.Errorf("cannot set up the controller of %s: %w", c.name, err))
				return
			}
			o.Logger.Info("Controller starts", "of", c.name)
		}, c.needs...)
	}
	return nil
}

// served waits until kinds are served that are defined. A definition is established a
// moment before the API server lists it, and a kind that is not listed has no index.
func served(m meta.RESTMapper, kinds []schema.GroupVersionKind) error {
	for _, k := range kinds {
		var last error
		if err := wait.PollUntilContextTimeout(context.Background(), servedPoll, servedTimeout, true, func(context.Context) (bool, error) {
			_, last = m.RESTMapping(k.GroupKind(), k.Version)
			return last == nil, nil
		}); err != nil {
			return fmt.Errorf("kind %q is defined but not served: %w", k.Kind, last)
		}
	}
	return nil
}

func with(o controller.Options, workers int) controller.Options {
	o.MaxConcurrentReconciles = workers
	return o
}
