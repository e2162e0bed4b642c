package metrics

import (
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
)

// Targets measures calls to clusters.
type Targets struct {
	duration    *prometheus.HistogramVec
	requests    *prometheus.CounterVec
	known       prometheus.GaugeFunc
	unreachable prometheus.GaugeFunc

	mu     sync.Mutex
	silent map[types.NamespacedName]bool
}

func newTargets() *Targets {
	t := &Targets{
		duration: histogram("mainstay_target_request_duration_seconds", "Time until a cluster answered a call, or failed to.",
			[]float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}, "method"),
		requests: counter("mainstay_target_requests_total", "Calls to clusters by method and status. A call without an answer has the status unreachable.", "method", "code"),
		silent:   map[types.NamespacedName]bool{},
	}
	t.known = prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "mainstay_targets", Help: "Clusters that were called since the provider started."}, func() float64 {
		t.mu.Lock()
		defer t.mu.Unlock()
		return float64(len(t.silent))
	})
	t.unreachable = prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "mainstay_targets_unreachable", Help: "Clusters that did not answer the last call."}, func() float64 {
		t.mu.Lock()
		defer t.mu.Unlock()
		n := 0
		for _, silent := range t.silent {
			if silent {
				n++
			}
		}
		return float64(n)
	})
	return t
}

// Called a cluster. A code of 0 is no answer.
func (t *Targets) Called(cluster types.NamespacedName, method string, code int, took time.Duration) {
	if t == nil {
		return
	}
	said := "unreachable"
	if code != 0 {
		said = strconv.Itoa(code)
	}
	if method = known(method); method == "" {
		method = "OTHER"
	}
	t.requests.WithLabelValues(method, said).Inc()
	t.duration.WithLabelValues(method).Observe(took.Seconds())

	t.mu.Lock()
	defer t.mu.Unlock()
	t.silent[cluster] = code == 0
}

// Forget a cluster that is gone.
func (t *Targets) Forget(cluster types.NamespacedName) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.silent, cluster)
}

// known methods are the only ones that become a label.
func known(method string) string {
	switch method {
	case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
		return method
	}
	return ""
}

func (t *Targets) collectors() []prometheus.Collector {
	return []prometheus.Collector{t.duration, t.requests, t.known, t.unreachable}
}
