package metrics

import (
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/events"
)

// Rollouts measures how applications move across fleets.
type Rollouts struct {
	clock    clock.PassiveClock
	moves    *prometheus.CounterVec
	events   *prometheus.CounterVec
	duration *prometheus.HistogramVec

	mu   sync.Mutex
	seen map[types.NamespacedName]v1alpha1.RolloutObservation
	// started is when the present revision was seen to begin. It is not known of those
	// that began before the provider did.
	started map[types.NamespacedName]time.Time
}

func newRollouts(c clock.PassiveClock) *Rollouts {
	return &Rollouts{
		clock:  c,
		moves:  counter("mainstay_rollout_moves_total", "Releases that Rollouts created, updated or deleted.", "action"),
		events: counter("mainstay_rollout_events_total", "Events of Rollouts by reason, such as Halted, RolledBack and Completed.", "reason"),
		duration: histogram("mainstay_rollout_duration_seconds", "Time from the start of a revision to its end, by the event that it ended with.",
			[]float64{1, 5, 15, 30, 60, 300, 900, 3600, 4 * 3600, 24 * 3600, 7 * 24 * 3600}, "outcome"),
		seen:    map[types.NamespacedName]v1alpha1.RolloutObservation{},
		started: map[types.NamespacedName]time.Time{},
	}
}

// Moved counts a Release that was created, updated or deleted.
func (r *Rollouts) Moved(action string) { r.moves.WithLabelValues(action).Inc() }

// Saw a Rollout, whose status was written. It returns what happened since it was seen
// before, which is for the caller to record as events.
func (r *Rollouts) Saw(ro *v1alpha1.Rollout, before v1alpha1.RolloutObservation) []events.Event {
	if r == nil {
		return events.Between(before, ro.Status.AtProvider)
	}
	after, key := ro.Status.AtProvider, types.NamespacedName{Namespace: ro.GetNamespace(), Name: ro.GetName()}
	happened := events.Between(before, after)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen[key] = *after.DeepCopy()
	for _, e := range happened {
		r.events.WithLabelValues(e.Reason).Inc()
		switch e.Reason {
		case events.RevisionStarted:
			r.started[key] = r.clock.Now()
		case events.Completed, events.Halted, events.RolledBack, events.Aborted:
			if since := r.begun(key, after); !since.IsZero() {
				r.duration.WithLabelValues(e.Reason).Observe(max(0, r.clock.Since(since).Seconds()))
			}
		}
	}
	return happened
}

// Forget a Rollout that is gone.
func (r *Rollouts) Forget(key types.NamespacedName) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.seen, key)
	delete(r.started, key)
}

// begun is when a revision was, as far as it is known: its first wave at the latest.
func (r *Rollouts) begun(key types.NamespacedName, at v1alpha1.RolloutObservation) time.Time {
	first := r.started[key]
	for _, w := range at.Waves {
		if w.Started != nil && first.IsZero() {
			first = w.Started.Time
		}
	}
	return first
}

func (r *Rollouts) collectors() []prometheus.Collector {
	return []prometheus.Collector{r.moves, r.events, r.duration, r}
}

// Gauges of a Rollout.
var (
	// The name of an application's Rollout is the application's.
	rolloutLabels = []string{"namespace", "rollout"}

	rolloutClusters = prometheus.NewDesc("mainstay_rollout_clusters",
		"Clusters of a Rollout. States overlap: a cluster that is ready is updated, and one that is updated is one of the total.", append(rolloutLabels[:2:2], "state"), nil)
	rolloutPhase = prometheus.NewDesc("mainstay_rollout_phase",
		"Phase that a Rollout is in: 1 for that phase, and no series for the others.", append(rolloutLabels[:2:2], "phase"), nil)
	rolloutWaves = prometheus.NewDesc("mainstay_rollout_waves",
		"Waves of a Rollout by their phase.", append(rolloutLabels[:2:2], "phase"), nil)
	rolloutGate = prometheus.NewDesc("mainstay_rollout_gate_closed_seconds",
		"For how long a gate that is asked has been closed.", append(rolloutLabels[:2:2], "wave", "gate"), nil)
	rolloutComponents = prometheus.NewDesc("mainstay_rollout_component_clusters",
		"Clusters that a component is placed on, by whether it is healthy there.", append(rolloutLabels[:2:2], "component", "health"), nil)
	rolloutImages = prometheus.NewDesc("mainstay_rollout_images",
		"Images that a revision names by tags, by whether they are pinned to a digest.", append(rolloutLabels[:2:2], "state"), nil)
	rolloutFindings = prometheus.NewDesc("mainstay_preflight_findings",
		"Clusters with a finding of the preflight that nobody waived, by its cause.", append(rolloutLabels[:2:2], "cause", "severity"), nil)
)

// Describe the gauges of Rollouts.
func (r *Rollouts) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{rolloutClusters, rolloutPhase, rolloutWaves, rolloutGate, rolloutComponents, rolloutImages, rolloutFindings} {
		out <- d
	}
}

// Collect the gauges of Rollouts.
func (r *Rollouts) Collect(out chan<- prometheus.Metric) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, at := range r.seen {
		c := collected{out: out, rollout: key, sent: map[string]bool{}}
		c.clusters(at.Clusters)
		if at.Phase != "" {
			c.send(rolloutPhase, 1, string(at.Phase))
		}
		c.waves(at, r.clock.Now())
		for _, n := range at.Components {
			c.send(rolloutComponents, float64(n.Healthy), n.Name, "healthy")
			c.send(rolloutComponents, float64(n.Total-n.Healthy), n.Name, "unhealthy")
		}
		c.findings(at)
		c.images(at)
	}
}

// collected is where the gauges of one Rollout go. None is sent twice: that would cost
// whoever asks all the others.
type collected struct {
	out     chan<- prometheus.Metric
	rollout types.NamespacedName
	sent    map[string]bool
}

func (c collected) send(d *prometheus.Desc, value float64, labels ...string) {
	key := fmt.Sprint(d, labels)
	if c.sent[key] {
		return
	}
	c.sent[key] = true
	c.out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, append([]string{c.rollout.Namespace, c.rollout.Name}, labels...)...)
}

func (c collected) clusters(n v1alpha1.RolloutCount) {
	for _, s := range []struct {
		state string
		count int32
	}{{"total", n.Total}, {"updated", n.Updated}, {"ready", n.Ready}, {"in_motion", n.InMotion}, {"failed", n.Failed}, {"parked", n.Parked}} {
		c.send(rolloutClusters, float64(s.count), s.state)
	}
}

func (c collected) waves(at v1alpha1.RolloutObservation, now time.Time) {
	phases := map[v1alpha1.WavePhase]int{}
	for _, w := range at.Waves {
		phases[w.Phase]++
		for _, g := range w.Gates {
			if !g.Open && g.Since != nil {
				c.send(rolloutGate, max(0, now.Sub(g.Since.Time).Seconds()), w.Name, g.Name)
			}
		}
	}
	for p, n := range phases {
		c.send(rolloutWaves, float64(n), string(p))
	}
}

// images that the revision names by tags, where they were to be resolved.
func (c collected) images(at v1alpha1.RolloutObservation) {
	if at.Images == nil {
		return
	}
	pinned, written := 0, int(at.Images.Left)
	for _, i := range at.Images.Images {
		if i.Digest == "" {
			written++
			continue
		}
		pinned++
	}
	c.send(rolloutImages, float64(pinned), "pinned")
	c.send(rolloutImages, float64(written), "as_written")
}

// findings by cause. Several of one cause, about several objects, count for the worst of them:
// their sum would count clusters twice.
func (c collected) findings(at v1alpha1.RolloutObservation) {
	if at.Preflight == nil {
		return
	}
	type cause struct{ id, severity string }
	worst := map[cause]int32{}
	for _, f := range at.Preflight.Findings {
		if f.Waived == "" {
			k := cause{f.Cause, string(f.Severity)}
			worst[k] = max(worst[k], f.Clusters)
		}
	}
	for k, n := range worst {
		c.send(rolloutFindings, float64(n), k.id, k.severity)
	}
}
