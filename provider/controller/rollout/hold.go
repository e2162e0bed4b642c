package rollout

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	apisv1alpha1 "github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/change/grant"
	"github.com/mainstay-dev/mainstay/internal/names"
)

const (
	// believeLabels is how long the labels of a namespace are believed. They are read from
	// the API server itself, and every Rollout of the namespace asks.
	believeLabels = 5 * time.Second
	// HoldAgain is how soon a Rollout that is held back is looked at again: nobody says when
	// the label of a namespace is taken away.
	HoldAgain = 15 * time.Second
)

// Grants knows which Rollouts an approved change carries. It is safe for concurrent use.
type Grants struct {
	cached, live client.Reader
	clock        clock.PassiveClock

	mu     sync.Mutex
	labels map[string]labelled
}

type labelled struct {
	labels map[string]string
	at     time.Time
}

// NewGrants takes a reader that may cache, and one that does not.
func NewGrants(cached, live client.Reader, c clock.PassiveClock) *Grants {
	return &Grants{cached: cached, live: live, clock: c, labels: map[string]labelled{}}
}

// Hold back a Rollout, or not: then it is nil. Where that cannot be told it is held back.
func (g *Grants) Hold(ctx context.Context, ro *v1alpha1.Rollout) *v1alpha1.RolloutHold {
	hold, err := g.hold(ctx, g.cached, ro)
	if hold != nil {
		// A change writes the grant a moment before the claim: the cache may be behind.
		hold, err = g.hold(ctx, g.live, ro)
	}
	if err != nil {
		return &v1alpha1.RolloutHold{
			Message:     fmt.Sprintf("held back: cannot tell whether a change has to carry it: %v", err),
			ClaimDigest: ro.Spec.ForProvider.ClaimDigest,
		}
	}
	return hold
}

func (g *Grants) hold(ctx context.Context, from client.Reader, ro *v1alpha1.Rollout) (*v1alpha1.RolloutHold, error) {
	labels, err := g.labelsOf(ctx, ro.GetNamespace())
	if err != nil {
		return nil, err
	}
	kind, name := claimOf(ro)
	is := &v1alpha1.ClaimGrant{}
	err = from.Get(ctx, types.NamespacedName{Namespace: ro.GetNamespace(), Name: grant.Name(kind, name)}, is)
	if client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("cannot get ClaimGrant of %s %q: %w", kind, name, err)
	}
	spec := &is.Spec
	if err != nil {
		spec = nil
	}
	return grant.Hold(labels, spec, ro.Spec.ForProvider.ClaimDigest), nil
}

// labelsOf a namespace.
func (g *Grants) labelsOf(ctx context.Context, namespace string) (map[string]string, error) {
	g.mu.Lock()
	known, ok := g.labels[namespace]
	g.mu.Unlock()
	if ok && g.clock.Since(known.at) < believeLabels {
		return known.labels, nil
	}
	ns := &metav1.PartialObjectMetadata{}
	ns.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	if err := g.live.Get(ctx, types.NamespacedName{Name: namespace}, ns); err != nil {
		return nil, fmt.Errorf("cannot get Namespace %q: %w", namespace, err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.labels[namespace] = labelled{labels: ns.GetLabels(), at: g.clock.Now()}
	return ns.GetLabels(), nil
}

// claimOf a Rollout: the kind and the name of what it was rendered from.
func claimOf(ro *v1alpha1.Rollout) (kind, name string) {
	if f := ro.Spec.ForProvider.Fleet; f != "" {
		return apisv1alpha1.ClusterFleetKind, f
	}
	return apisv1alpha1.ProductApplicationKind, ro.Spec.ForProvider.Application
}

// OfGrant returns the Rollout of the claim that a ClaimGrant is of, be it one of an
// application or of a fleet.
func OfGrant(_ context.Context, o client.Object) []reconcile.Request {
	g, ok := o.(*v1alpha1.ClaimGrant)
	if !ok {
		return nil
	}
	name := g.Spec.Claim.Name
	switch g.Spec.Claim.Kind {
	case apisv1alpha1.ProductApplicationKind:
	case apisv1alpha1.ClusterFleetKind:
		name = names.FleetRollout(name)
	default:
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: g.GetNamespace(), Name: name}}}
}
