package preflight

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/preflight"
	"github.com/mainstay-dev/mainstay/internal/rollout"
)

// A memory of what was found for one revision of a Rollout.
type memory struct {
	digest string

	mu      sync.Mutex
	results map[v1alpha1.ClusterReference]*result
}

// A result is what was found on a cluster, before waivers.
type result struct {
	payload  rollout.Payload
	findings []v1alpha1.Finding
	until    time.Time
}

// due are the clusters that must be looked at, those that never were before those whose
// answer is old.
func (m *memory) due(placed []rollout.Placed, now time.Time) []rollout.Placed {
	var out []rollout.Placed
	for _, p := range placed {
		if r := m.results[p.Target.Cluster]; r == nil || r.payload != p.Payload || !now.Before(r.until) {
			out = append(out, p)
		}
	}
	slices.SortStableFunc(out, func(a, b rollout.Placed) int {
		return cmp.Compare(m.age(a), m.age(b))
	})
	return out
}

func (m *memory) age(p rollout.Placed) int64 {
	if r := m.results[p.Target.Cluster]; r != nil && r.payload == p.Payload {
		return r.until.UnixNano()
	}
	return 0
}

// checks are the answers for those that were asked about. The status is about all clusters
// of the revision; what blocked one that is not asked about any more has gone with it.
func (m *memory) checks(ro *v1alpha1.Rollout, digest string, placed []rollout.Placed, now time.Time) rollout.Checks {
	waivers := ro.Spec.ForProvider.Strategy.Waivers
	out := rollout.Checks{Clusters: map[v1alpha1.ClusterReference]rollout.CheckState{}}
	all := map[string][]v1alpha1.Finding{}
	for _, p := range placed {
		r := m.results[p.Target.Cluster]
		if r == nil || r.payload != p.Payload {
			continue
		}
		name := nameOf(p)
		all[name] = preflight.Waive(name, r.findings, waivers, now)
		out.Clusters[p.Target.Cluster] = rollout.Clean
		if preflight.Blocks(all[name]) {
			out.Clusters[p.Target.Cluster] = rollout.Blocking
		}
	}
	for ref, r := range m.results {
		if _, asked := out.Clusters[ref]; asked {
			continue
		}
		if f := preflight.Waive(ref.Name, r.findings, waivers, now); !preflight.Blocks(f) {
			all[ref.Name] = f
		}
	}
	status := preflight.Fold(digest, all)
	out.Status = &status
	return out
}

// nameOf a cluster, as <fleet>.<cluster>.
func nameOf(p rollout.Placed) string {
	if p.Target.Fleet == "" {
		return p.Target.Cluster.Name
	}
	return p.Target.Fleet + "." + p.Target.Name
}

// probes are the clusters whose API server is asked for its own judgement: one of each
// stratum and payload, the first by name so that it stays the same one.
func probes(strata []string, placed []rollout.Placed) map[v1alpha1.ClusterReference]bool {
	if len(strata) == 0 {
		strata = []string{v1alpha1.ClusterLabelRegion}
	}
	first := map[string]v1alpha1.ClusterReference{}
	for _, p := range placed {
		key := []string{p.Payload.Bundle, p.Payload.Namespace}
		for _, l := range strata {
			key = append(key, string(p.Target.Labels[l]))
		}
		k := strings.Join(key, "\n")
		if f, ok := first[k]; !ok || cmp.Or(cmp.Compare(p.Target.Cluster.Namespace, f.Namespace), cmp.Compare(p.Target.Cluster.Name, f.Name)) < 0 {
			first[k] = p.Target.Cluster
		}
	}
	out := map[v1alpha1.ClusterReference]bool{}
	for _, ref := range first {
		out[ref] = true
	}
	return out
}
