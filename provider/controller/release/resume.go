package release

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/crossplane/crossplane-runtime/v2/pkg/reconciler/managed"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/bind"
)

const (
	// busy is how many changes are under way from when on looks that nobody waits for are
	// put off, and putOff how long at most.
	busy   = 32
	putOff = 10 * time.Minute
)

// A provider that starts has all Releases before it at once. Most are on record as there
// and healthy, at the very revision that is wanted: those are believed until it is their
// turn to be looked at. Else a restart would ask all clusters for everything in the same
// minute, and whoever waits for a change would wait behind that.

// looks remembers which Releases this process knows, and so how many there are.
type looks struct {
	mu    sync.Mutex
	known map[types.UID]look
}

// A look at a Release. It is believed where it was taken to be as on record instead.
type look struct {
	at       time.Time // Zero is never.
	believed bool
}

func newLooks() *looks { return &looks{known: map[types.UID]look{}} }

// at which time a Release was looked at. Known is false where there was not even a
// reason to.
func (l *looks) last(uid types.UID) (at time.Time, known bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	is, known := l.known[uid]
	return is.at, known
}

// looked at a Release.
func (l *looks) looked(uid types.UID, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known[uid] = look{at: at}
}

// believe a Release, without looking.
func (l *looks) believe(uid types.UID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known[uid] = look{at: l.known[uid].at, believed: true}
}

func (l *looks) believed(uid types.UID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.known[uid].believed
}

func (l *looks) forget(uid types.UID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.known, uid)
}

// every is how often each of them is looked at, where no more than a number of looks a
// second may come of it. Zero is no bound.
func (l *looks) every(interval time.Duration, perSecond int) time.Duration {
	if perSecond <= 0 {
		return interval
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(interval, time.Duration(len(l.known))*time.Second/time.Duration(perSecond))
}

// canWait is true where a Release need not be looked at now, if it is believable: because
// the provider has just started, or has much else to do.
func (c *connector) canWait(uid types.UID) bool {
	at, known := c.looks.last(uid)
	if !known {
		return true
	}
	return c.pending.count() >= busy && !at.IsZero() && c.clock.Since(at) < putOff
}

// believable is true of a Release that is on record as there, healthy and at the revision
// that is wanted, on a cluster that is ready.
func (c *connector) believable(ctx context.Context, mg *v1alpha1.Release, cluster *v1alpha1.Cluster) bool {
	at := mg.Status.AtProvider
	if at.Health != v1alpha1.Healthy || at.Applied == "" || at.Bundle != mg.Spec.ForProvider.Bundle || len(at.Procedures) > 0 {
		return false
	}
	for _, t := range []xpv2.ConditionType{xpv2.TypeReady, xpv2.TypeSynced} {
		if is := mg.GetCondition(t); is.Status != corev1.ConditionTrue || is.ObservedGeneration != mg.GetGeneration() {
			return false
		}
	}
	if cluster.GetCondition(xpv2.TypeReady).Status != corev1.ConditionTrue {
		return false
	}
	o, err := c.bundles.open(ctx, mg)
	if err != nil {
		return false
	}
	bound, err := o.content.Bind(bind.Facts(cluster, mg.Spec.ForProvider.Namespace), nil)
	if err != nil {
		return false
	}
	a := &applier{connector: c, cluster: cluster, opened: o, bound: bound}
	return a.identity(mg) == at.Applied
}

// A believer takes a Release to be as it is on record.
type believer struct{ *connector }

// Observe what is on record.
func (b *believer) Observe(context.Context, *v1alpha1.Release) (managed.ExternalObservation, error) {
	return managed.ExternalObservation{ResourceExists: true, ResourceUpToDate: true}, nil
}

// Create nothing.
func (b *believer) Create(context.Context, *v1alpha1.Release) (managed.ExternalCreation, error) {
	return managed.ExternalCreation{}, nil
}

// Update nothing.
func (b *believer) Update(context.Context, *v1alpha1.Release) (managed.ExternalUpdate, error) {
	return managed.ExternalUpdate{}, nil
}

// Delete nothing.
func (b *believer) Delete(context.Context, *v1alpha1.Release) (managed.ExternalDelete, error) {
	return managed.ExternalDelete{}, nil
}

// Disconnect from nothing.
func (b *believer) Disconnect(context.Context) error { return nil }

// turn of a Release that was believed: any time within an interval.
func turn(interval time.Duration) time.Duration {
	return time.Duration(rand.Float64() * float64(interval)) //nolint:gosec // It only spreads load.
}
