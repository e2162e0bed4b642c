// Package preflight looks at clusters before a Rollout moves them: is there anything for
// which the application would not start? It gathers what internal/preflight judges, and asks
// the API server of one cluster of each stratum to judge for itself, in a dry run.
//
// It answers for as many clusters as it can look at in the time it has, and for the rest
// when it is asked again. What it found is remembered: what is clean for some minutes,
// what blocks for some seconds, so that a rollout goes on soon after somebody has
// mended it. A cluster that cannot be read is not answered for: nothing is started on what
// cannot be seen.
//
// All is lost in a restart, and found again. Nothing is ever written, to the hub or to
// a cluster.
package preflight

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"k8s.io/utils/lru"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crossplane/crossplane-runtime/v2/pkg/logging"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/preflight"
	"github.com/mainstay-dev/mainstay/internal/rollout"
	"github.com/mainstay-dev/mainstay/provider/metrics"
	"github.com/mainstay-dev/mainstay/provider/target"
)

const (
	// patience of one call: what has not been looked at by then is looked at in the next.
	patience = 15 * time.Second
	// parallel clusters that are looked at for one Rollout.
	parallel = 16
	// cleanFor and blockedFor are how long an answer counts.
	cleanFor   = 10 * time.Minute
	blockedFor = 10 * time.Second
	// maxRollouts that are remembered.
	maxRollouts = 1024
)

// Snapshots of clusters.
type Snapshots interface {
	// Snapshot of a cluster, as far as it is needed. Growing is true where nodes are
	// still to come.
	Snapshot(ctx context.Context, c *v1alpha1.Cluster, growing bool, n preflight.Needs) (*preflight.Snapshot, error)
}

// A Runner looks at clusters.
type Runner struct {
	hub       client.Reader
	snapshots Snapshots
	targets   target.Connector
	clock     clock.PassiveClock
	// random number from 0 to 1.
	random   func() float64
	metrics  *metrics.Preflight
	log      logging.Logger
	contents *contents

	mu       sync.Mutex
	rollouts *lru.Cache // of *memory, by UID

	plans *lru.Cache // of *result, by what is planned where
}

// New returns a Runner. The hub may be cached, and the metrics nil.
func New(hub client.Reader, s Snapshots, targets target.Connector, cl clock.PassiveClock, random func() float64, m *metrics.Preflight, log logging.Logger) *Runner {
	return &Runner{hub: hub, snapshots: s, targets: targets, clock: cl, random: random, metrics: m, log: log, contents: newContents(hub), rollouts: lru.New(maxRollouts), plans: newPlans()}
}

// Check what clusters are to get. Those that could not be looked at yet are left out.
func (r *Runner) Check(ctx context.Context, ro *v1alpha1.Rollout, digest string, placed []rollout.Placed) (rollout.Checks, error) {
	m := r.memoryOf(ro, digest)
	m.mu.Lock()
	defer m.mu.Unlock()

	tests := probes(ro.Spec.ForProvider.Strategy.Strata, placed)
	due := m.due(placed, r.clock.Now())
	if err := r.open(ctx, ro, due); err != nil {
		return rollout.Checks{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	growing, err := r.growing(ctx, due)
	if err != nil {
		return rollout.Checks{}, err
	}
	found := r.each(ctx, due, func(ctx context.Context, p rollout.Placed) (*result, error) {
		return r.look(ctx, ro, p, growing[p.Target.Cluster], tests[p.Target.Cluster])
	})
	for i, f := range found {
		if f != nil {
			m.results[due[i].Target.Cluster] = f
		}
	}
	for range len(placed) - len(due) {
		r.metrics.Checked(0, metrics.CheckKept)
	}
	return m.checks(ro, digest, placed, r.clock.Now()), nil
}

// open the Bundles that are to be checked, once for all clusters.
func (r *Runner) open(ctx context.Context, ro *v1alpha1.Rollout, due []rollout.Placed) error {
	seen := map[string]bool{}
	for _, p := range due {
		if seen[p.Payload.Bundle] {
			continue
		}
		seen[p.Payload.Bundle] = true
		if _, err := r.contents.open(ctx, ro.GetNamespace(), p.Payload.Bundle); err != nil {
			return err
		}
	}
	return nil
}

// each looks at clusters, some at a time. What could not be looked at is nil.
func (r *Runner) each(ctx context.Context, due []rollout.Placed, look func(context.Context, rollout.Placed) (*result, error)) []*result {
	out := make([]*result, len(due))
	slots, wg := make(chan struct{}, parallel), sync.WaitGroup{}
	for i, p := range due {
		slots <- struct{}{}
		if ctx.Err() != nil {
			break
		}
		wg.Go(func() {
			defer func() { <-slots }()
			began := r.clock.Now()
			res, err := look(ctx, p)
			switch {
			case err != nil:
				r.metrics.Checked(r.clock.Since(began), metrics.CheckFailed)
				r.log.Debug("Cannot check cluster", "cluster", p.Target.Cluster.Name, "error", err)
				return
			case preflight.Blocks(res.findings):
				r.metrics.Checked(r.clock.Since(began), metrics.CheckBlocking)
			default:
				r.metrics.Checked(r.clock.Since(began), metrics.CheckClean)
			}
			out[i] = res
		})
	}
	wg.Wait()
	return out
}

// look at one cluster.
func (r *Runner) look(ctx context.Context, ro *v1alpha1.Rollout, p rollout.Placed, growing, test bool) (*result, error) {
	cr := &v1alpha1.Cluster{}
	if err := r.hub.Get(ctx, types.NamespacedName(p.Target.Cluster), cr); err != nil {
		return nil, fmt.Errorf("cannot get Cluster %q: %w", p.Target.Cluster.Name, err)
	}
	content, err := r.contents.open(ctx, ro.GetNamespace(), p.Payload.Bundle)
	if err != nil {
		return nil, err
	}
	return r.examine(ctx, ro, cr, content, p, growing, test)
}

// examine what a cluster is to get, on that cluster.
func (r *Runner) examine(ctx context.Context, ro *v1alpha1.Rollout, cr *v1alpha1.Cluster, content *content, p rollout.Placed, growing, test bool) (*result, error) {
	res := &result{payload: p.Payload}
	subject, bound, err := content.subject(cr, p, allowed(cr, ro.GetNamespace()))
	switch {
	case err != nil:
		res.findings = []v1alpha1.Finding{unbound(err)}
	default:
		needs := subject.Needs()
		if res.findings, err = r.judge(ctx, cr, growing, subject, needs); err != nil {
			return nil, err
		}
		if preflight.Unplaced(res.findings) {
			needs.Elastic = true
			if res.findings, err = r.judge(ctx, cr, growing, subject, needs); err != nil {
				return nil, err
			}
		}
		if test && !preflight.Blocks(res.findings) {
			refused, err := r.try(ctx, ro, cr, p, bound)
			if err != nil {
				return nil, err
			}
			res.findings = append(res.findings, refused...)
		}
	}
	keep := cleanFor
	if preflight.Blocks(res.findings) || slices.ContainsFunc(res.findings, preflight.Nodeless) {
		keep = blockedFor // It may be mended, or nodes be there, any moment.
	}
	res.until = r.clock.Now().Add(keep - time.Duration(r.random()*float64(keep/4)))
	return res, nil
}

// judge a content on a cluster, by what is needed for it.
func (r *Runner) judge(ctx context.Context, cr *v1alpha1.Cluster, growing bool, s *preflight.Subject, n preflight.Needs) ([]v1alpha1.Finding, error) {
	snap, err := r.snapshots.Snapshot(ctx, cr, growing, n)
	if err != nil {
		return nil, err
	}
	return s.Check(snap), nil
}

// unbound is found where a cluster lacks a fact that the application uses.
func unbound(err error) v1alpha1.Finding {
	return v1alpha1.Finding{
		Cause: "A3", Severity: v1alpha1.Blocking, Clusters: 1,
		Message: "it cannot be bound to the cluster: " + err.Error(),
		Fix:     "give the cluster the fact, or correct the expression",
	}
}

// growing are the clusters with node pools that have fewer nodes than they are to have.
func (r *Runner) growing(ctx context.Context, due []rollout.Placed) (map[v1alpha1.ClusterReference]bool, error) {
	out := map[v1alpha1.ClusterReference]bool{}
	if len(due) == 0 {
		return out, nil
	}
	l := &v1alpha1.NodePoolList{}
	if err := r.hub.List(ctx, l, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("cannot list NodePools: %w", err)
	}
	for i := range l.Items {
		if p := &l.Items[i]; p.Status.AtProvider.Nodes.Total < p.Spec.ForProvider.Size {
			out[v1alpha1.ClusterReference{Namespace: p.GetNamespace(), Name: p.Spec.ForProvider.Cluster}] = true
		}
	}
	return out, nil
}

func (r *Runner) memoryOf(ro *v1alpha1.Rollout, digest string) *memory {
	r.mu.Lock()
	defer r.mu.Unlock()
	if v, ok := r.rollouts.Get(ro.GetUID()); ok {
		if m := v.(*memory); m.digest == digest { //nolint:forcetypeassert // Holds nothing else.
			return m
		}
	}
	m := &memory{digest: digest, results: map[v1alpha1.ClusterReference]*result{}}
	r.rollouts.Remove(ro.GetUID())
	r.rollouts.Add(ro.GetUID(), m)
	return m
}

var errNoBundle = errors.New("it is not there yet")
