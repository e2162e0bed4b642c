package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// What it comes to when a cluster is checked.
const (
	// CheckClean: nothing was found that blocks.
	CheckClean = "clean"
	// CheckBlocking: something was.
	CheckBlocking = "blocking"
	// CheckFailed: the cluster could not be checked.
	CheckFailed = "failed"
	// CheckKept: it was checked before, and nothing has changed.
	CheckKept = "kept"
)

// Preflight measures the checks before the first write.
type Preflight struct {
	duration *prometheus.HistogramVec
	checks   *prometheus.CounterVec
}

func newPreflight() *Preflight {
	return &Preflight{
		duration: histogram("mainstay_preflight_duration_seconds", "Time that it took to check one cluster, what was read from it included.",
			[]float64{.0005, .001, .005, .01, .05, .1, .5, 1, 5, 10, 30}, "result"),
		checks: counter("mainstay_preflight_checks_total", "Clusters that were checked, by the result: clean, blocking, failed or kept.", "result"),
	}
}

// Checked a cluster, with one of the results above.
func (p *Preflight) Checked(took time.Duration, result string) {
	if p == nil {
		return
	}
	p.checks.WithLabelValues(result).Inc()
	if result != CheckKept {
		p.duration.WithLabelValues(result).Observe(took.Seconds())
	}
}

func (p *Preflight) collectors() []prometheus.Collector {
	return []prometheus.Collector{p.duration, p.checks}
}
