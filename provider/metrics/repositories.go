package metrics

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/repository"
)

// How a delivery of a webhook ends.
const (
	// DeliveryTaken: it hints at something, and that is looked at.
	DeliveryTaken = "taken"
	// DeliverySeen: it came before, or somebody replays it.
	DeliverySeen = "seen"
	// DeliveryForged: it is not signed as it should be, or is none.
	DeliveryForged = "forged"
	// DeliveryStray: it is of no Repository that takes any.
	DeliveryStray = "stray"
	// DeliveryTooMany: more come than are looked at.
	DeliveryTooMany = "too_many"
	// DeliveryFailed: the hub could not be asked for the secret.
	DeliveryFailed = "failed"
)

// Repositories measures how forges answer.
type Repositories struct {
	polls      *prometheus.CounterVec
	errors     *prometheus.CounterVec
	deliveries *prometheus.CounterVec

	mu   sync.Mutex
	seen map[types.NamespacedName]v1alpha1.RepositoryObservation
}

func newRepositories() *Repositories {
	return &Repositories{
		polls:      counter("mainstay_repository_polls_total", "Looks at the open merge requests of a repository, by how they ended: answered, or the kind of problem.", "outcome"),
		errors:     counter("mainstay_repository_forge_errors_total", "Errors of forges and of Git, by reason.", "reason"),
		deliveries: counter("mainstay_webhook_deliveries_total", "Deliveries of webhooks, by what became of them.", "outcome"),
		seen:       map[types.NamespacedName]v1alpha1.RepositoryObservation{},
	}
}

// Polled a forge, with a problem or without.
func (r *Repositories) Polled(p *repository.Problem) {
	if r == nil {
		return
	}
	outcome := "answered"
	if p != nil {
		outcome = string(p.Kind)
	}
	r.polls.WithLabelValues(outcome).Inc()
}

// Failed says that a forge did, and why.
func (r *Repositories) Failed(reason string) {
	if r != nil {
		r.errors.WithLabelValues(reason).Inc()
	}
}

// Delivered counts a webhook with one of the outcomes above.
func (r *Repositories) Delivered(outcome string) {
	if r != nil {
		r.deliveries.WithLabelValues(outcome).Inc()
	}
}

// Saw a Repository, as it is reported.
func (r *Repositories) Saw(cr *v1alpha1.Repository) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen[types.NamespacedName{Namespace: cr.GetNamespace(), Name: cr.GetName()}] = *cr.Status.AtProvider.DeepCopy()
}

// Forget a Repository that is gone.
func (r *Repositories) Forget(key types.NamespacedName) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.seen, key)
}

func (r *Repositories) collectors() []prometheus.Collector {
	return []prometheus.Collector{r.polls, r.errors, r.deliveries, r}
}

// Gauges of a Repository.
var (
	repositoryChanges = prometheus.NewDesc("mainstay_changes",
		"Changes of a Repository that have not ended, by what they do.", []string{"namespace", "repository", "state"}, nil)
	repositoryUnreachable = prometheus.NewDesc("mainstay_repository_unreachable",
		"1 where the forge of a Repository does not answer as it should.", []string{"namespace", "repository"}, nil)
)

// Describe the gauges of Repositories.
func (r *Repositories) Describe(out chan<- *prometheus.Desc) {
	out <- repositoryChanges
	out <- repositoryUnreachable
}

// Collect the gauges of Repositories.
func (r *Repositories) Collect(out chan<- prometheus.Metric) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, at := range r.seen {
		for _, s := range []struct {
			state string
			count int32
		}{{"open", at.Changes.Open}, {"queued", at.Changes.Queued}, {"executing", at.Changes.Executing}, {"halted", at.Changes.Halted}} {
			out <- prometheus.MustNewConstMetric(repositoryChanges, prometheus.GaugeValue, float64(s.count), key.Namespace, key.Name, s.state)
		}
		unreachable := 0.0
		if at.UnreachableSince != nil {
			unreachable = 1
		}
		out <- prometheus.MustNewConstMetric(repositoryUnreachable, prometheus.GaugeValue, unreachable, key.Namespace, key.Name)
	}
}
