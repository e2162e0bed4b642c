package fleetcell

import (
	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/fleet"
)

// An outcome is what is composed and what is said.
type outcome struct {
	resources []composed
	status    v1alpha1.FleetCellStatus
	progress  fleet.Progress
}

type composed struct {
	name     string
	resource any
	ready    bool
}

func decide(in *v1alpha1.FleetCell, seen observed) outcome {
	out := outcome{}
	members := make([]fleet.Member, 0, len(in.Spec.Clusters))
	for i := range in.Spec.Clusters {
		m, resources := member(in, &in.Spec.Clusters[i], seen)
		members = append(members, m)
		out.resources = append(out.resources, resources...)
	}
	out.status = fleet.SummariseCell(members, seen.retiring)
	out.progress = fleet.Progress{
		Clusters:   out.status.Clusters,
		Settled:    true, // A cluster that does not know what is wanted is not ready.
		Problems:   out.status.Problems,
		Retiring:   out.status.Retiring,
		WasReached: seen.wasReached,
	}
	return out
}

// member returns how a cluster is doing, and what is composed for it.
func member(in *v1alpha1.FleetCell, c *v1alpha1.FleetCluster, seen observed) (fleet.Member, []composed) {
	cluster := fleet.Cluster(in.Namespace, &in.Spec, c)
	pools := make([]fleet.Pool, 0, len(in.Spec.NodePools))
	for i := range in.Spec.NodePools {
		p := &in.Spec.NodePools[i]
		pools = append(pools, fleet.Pool{Want: fleet.NodePool(in.Namespace, &in.Spec, c, p), Have: seen.pools[poolResource(c, p.Name)]})
	}

	m := fleet.Observe(cluster, seen.clusters[c.Name], pools)
	out := []composed{{name: c.Name, resource: cluster, ready: fleet.ClusterReady(cluster, seen.clusters[c.Name])}}
	for _, p := range pools {
		out = append(out, composed{name: poolResource(c, p.Want.Spec.ForProvider.Name), resource: p.Want, ready: p.Ready()})
	}
	return m, out
}

// poolResource is the name of a pool in the pipeline. Names of clusters have no dots.
func poolResource(c *v1alpha1.FleetCluster, pool string) string { return c.Name + "." + pool }
