package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// What is done with an object of a Release.
const (
	// ObjectApplied: it was written, because it is wanted so.
	ObjectApplied = "applied"
	// ObjectSkipped: it is as wanted already.
	ObjectSkipped = "skipped"
	// ObjectRepaired: it was written again, because somebody else had changed it.
	ObjectRepaired = "repaired"
	// ObjectPruned: it was removed, because it is not wanted any more.
	ObjectPruned = "pruned"
)

// How it ends to apply a Release.
const (
	// ApplyDone: all of it is applied.
	ApplyDone = "done"
	// ApplyHeld: a part of it waits, or was refused.
	ApplyHeld = "held"
	// ApplyFailed: the cluster could not be written to.
	ApplyFailed = "failed"
)

// Releases measures what is put on clusters.
type Releases struct {
	duration *prometheus.HistogramVec
	objects  *prometheus.CounterVec
}

func newReleases() *Releases {
	return &Releases{
		duration: histogram("mainstay_release_apply_duration_seconds", "Time that it took to apply what was not yet as wanted of one Release.",
			[]float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}, "outcome"),
		objects: counter("mainstay_release_objects_total", "Objects on clusters by what was done with them: applied, skipped, repaired or pruned.", "action"),
	}
}

// Applied a Release, or some of it, with one of the outcomes above.
func (r *Releases) Applied(took time.Duration, outcome string) {
	if r != nil {
		r.duration.WithLabelValues(outcome).Observe(took.Seconds())
	}
}

// Objects counts objects with which one of the things above was done.
func (r *Releases) Objects(action string, count int) {
	if r != nil && count > 0 {
		r.objects.WithLabelValues(action).Add(float64(count))
	}
}

func (r *Releases) collectors() []prometheus.Collector {
	return []prometheus.Collector{r.duration, r.objects}
}
