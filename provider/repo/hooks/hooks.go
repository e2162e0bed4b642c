// Package hooks takes webhooks of forges: each says that something happened in a
// repository, and has it looked at sooner.
//
// The invariants:
//
//   - A delivery counts if it is signed with the secret of the Repository that its path
//     names, and is about that repository. It carries no facts: what happened is read anew.
//   - Whoever forges one learns nothing, not even why it was refused, and costs little:
//     how much is read, how many are looked at, and how often the hub is asked are bounded.
//   - One that comes twice, or is replayed, does nothing.
//
// Deliberately absent: queues and retries. What is lost is found by polling.
package hooks

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crossplane/crossplane-runtime/v2/pkg/logging"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/repository"
	"github.com/mainstay-dev/mainstay/provider/forge"
	"github.com/mainstay-dev/mainstay/provider/forge/drivers"
	"github.com/mainstay-dev/mainstay/provider/metrics"
	"github.com/mainstay-dev/mainstay/provider/repo"
)

const (
	// atOnce is how many deliveries are read at the same time, each of at most
	// forge.MaxWebhook bytes.
	atOnce = 8
	// patience with one of them.
	patience = 15 * time.Second
)

// How many deliveries are looked at: of one Repository, and of all, in a second and at once.
const (
	perRepository, burstRepository = 20, 100
	perServer, burstServer         = 100, 500
)

// A Pool knows secrets of webhooks, and wakes what they are about.
type Pool interface {
	WebhookSecret(ctx context.Context, r *v1alpha1.Repository) (forge.Secret, error)
	// Self is the name of the token's user on the forge. Empty where it is not known.
	Self(uid types.UID) string
	WakeChange(key types.NamespacedName)
	WakeRepository(key types.NamespacedName)
}

var _ Pool = (*repo.Pool)(nil)

// A Server takes webhooks at /webhooks/<namespace>/<repository>.
type Server struct {
	hub     client.Reader
	pool    Pool
	now     func() time.Time
	metrics *metrics.Repositories
	log     logging.Logger
	mux     *http.ServeMux
	reading chan struct{}
	all     *bucket

	mu      sync.Mutex
	sources map[types.UID]*source
}

// A source is one Repository that webhooks come from.
type source struct {
	deliveries forge.Deliveries
	bucket     *bucket
}

// New returns a Server. It takes a reader of the hub that caches.
func New(hub client.Reader, pool Pool, now func() time.Time, m *metrics.Repositories, log logging.Logger) *Server {
	s := &Server{
		hub: hub, pool: pool, now: now, metrics: m, log: log, mux: http.NewServeMux(),
		reading: make(chan struct{}, atOnce), all: newBucket(perServer, burstServer, now()),
		sources: map[types.UID]*source{},
	}
	s.mux.HandleFunc("POST /webhooks/{namespace}/{name}", s.take)
	return s
}

// ServeHTTP takes a webhook.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// take a delivery, and say no more of it than that.
func (s *Server) take(w http.ResponseWriter, r *http.Request) {
	code, outcome := s.deliver(w, r)
	s.metrics.Delivered(outcome)
	w.WriteHeader(code)
}

func (s *Server) deliver(w http.ResponseWriter, r *http.Request) (code int, outcome string) {
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	if !s.all.take(s.now()) {
		return http.StatusTooManyRequests, metrics.DeliveryTooMany
	}
	cr := &v1alpha1.Repository{}
	key := types.NamespacedName{Namespace: r.PathValue("namespace"), Name: r.PathValue("name")}
	if err := s.hub.Get(ctx, key, cr); err != nil || cr.Spec.ForProvider.Webhook == nil {
		return http.StatusNotFound, metrics.DeliveryStray
	}
	from := s.source(cr.GetUID())
	if !from.bucket.take(s.now()) {
		return http.StatusTooManyRequests, metrics.DeliveryTooMany
	}
	select {
	case s.reading <- struct{}{}:
		defer func() { <-s.reading }()
	case <-ctx.Done():
		return http.StatusTooManyRequests, metrics.DeliveryTooMany
	}
	driver, err := drivers.For(string(cr.Spec.ForProvider.Forge))
	if err != nil {
		return http.StatusNotFound, metrics.DeliveryStray
	}
	secret, err := s.pool.WebhookSecret(ctx, cr)
	if err != nil {
		// Also where there is none: then nothing can be verified.
		s.log.Debug("Cannot verify webhook", "namespace", key.Namespace, "repository", key.Name, "error", err)
		return http.StatusForbidden, metrics.DeliveryFailed
	}
	r.Body = http.MaxBytesReader(w, r.Body, forge.MaxWebhook)
	event, err := driver.ParseWebhook(r, secret)
	if err != nil || !about(event, cr.Spec.ForProvider.URL) {
		return http.StatusForbidden, metrics.DeliveryForged
	}
	if !from.deliveries.New(event, s.now()) {
		return http.StatusAccepted, metrics.DeliverySeen
	}
	if event.Number > 0 && event.By != "" && event.By == s.pool.Self(cr.GetUID()) {
		// What the provider itself says on a merge request is no news to it. A push is, to other Changes.
		return http.StatusAccepted, metrics.DeliveryTaken
	}
	if event.Number > 0 {
		s.pool.WakeChange(types.NamespacedName{Namespace: key.Namespace, Name: repository.Name(key.Name, event.Number)})
	}
	s.pool.WakeRepository(key)
	return http.StatusAccepted, metrics.DeliveryTaken
}

// maxSources that are remembered.
const maxSources = 1000

// source of a Repository's webhooks.
func (s *Server) source(uid types.UID) *source {
	s.mu.Lock()
	defer s.mu.Unlock()
	if from, ok := s.sources[uid]; ok {
		return from
	}
	if len(s.sources) >= maxSources {
		clear(s.sources) // Replays are hints once more: Repositories come and go.
	}
	from := &source{bucket: newBucket(perRepository, burstRepository, s.now())}
	s.sources[uid] = from
	return from
}

// about is true where an event is of the repository at a URL. A secret may be that of a whole
// organization.
func about(e forge.Event, url string) bool {
	url = strings.ToLower(strings.TrimSuffix(strings.TrimSuffix(url, "/"), ".git"))
	return strings.HasSuffix(url, "/"+strings.ToLower(e.Repository))
}
