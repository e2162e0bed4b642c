// Package metrics defines, in one place, what Mainstay's provider counts and measures.
// docs/operate.md lists all of it, and dashboards/ draws it.
//
// What keeps it small, however large a fleet is:
//   - No label ever names a cluster. Statuses do.
//   - Histograms and counters name no application either.
//   - What names one is a gauge that is worked out, when it is asked for, from what its
//     Rollout says of itself: an application that is gone leaves no series behind.
//
// Deliberately absent: metrics of reconciles, queues and the provider's own API calls.
// controller-runtime and crossplane-runtime have them.
package metrics

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"
)

// A Set is all metrics.
type Set struct {
	Rollouts     *Rollouts
	Releases     *Releases
	Preflight    *Preflight
	Targets      *Targets
	Repositories *Repositories
	Changes      *Changes
}

// New returns metrics of which nothing has been counted yet.
func New(c clock.PassiveClock) *Set {
	return &Set{Rollouts: newRollouts(c), Releases: newReleases(), Preflight: newPreflight(), Targets: newTargets(), Repositories: newRepositories(), Changes: newChanges()}
}

// Register all metrics. It may be called again with the same Set.
func (s *Set) Register(r prometheus.Registerer) error {
	for _, part := range [][]prometheus.Collector{s.Rollouts.collectors(), s.Releases.collectors(), s.Preflight.collectors(), s.Targets.collectors(), s.Repositories.collectors(), s.Changes.collectors()} {
		for _, c := range part {
			already := prometheus.AlreadyRegisteredError{}
			if err := r.Register(c); err != nil && (!errors.As(err, &already) || already.ExistingCollector != c) {
				return fmt.Errorf("cannot register metrics: %w", err)
			}
		}
	}
	return nil
}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

func histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
}

// Default is the metrics of this process. It is here, and not handed down, since calls
// are counted where they are made.
var Default = New(clock.RealClock{})
