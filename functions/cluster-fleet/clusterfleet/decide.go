package clusterfleet

import (
	"cmp"
	"slices"

	protectionv1beta1 "github.com/crossplane/crossplane/apis/v2/protection/v1beta1"

	mv1alpha1 "github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/functions/internal/pipeline"
	"github.com/mainstay-dev/mainstay/internal/fleet"
)

// An outcome is what is composed and what is said.
type outcome struct {
	cells    []composedCell
	guard    *protectionv1beta1.Usage
	rollout  *mv1alpha1.Rollout
	status   v1alpha1.ClusterFleetStatus
	progress fleet.Progress
}

type composedCell struct {
	number   int
	resource *v1alpha1.FleetCell
	ready    bool
}

func decide(claim pipeline.Claim, s *v1alpha1.ClusterFleetSpec, seen observed) (outcome, error) {
	if seen.held != "" {
		return keep(claim, seen), nil
	}
	clusters, err := validate(claim.Name, s, seen)
	if err != nil {
		return outcome{}, err
	}
	names := make([]string, 0, len(clusters))
	byName := make(map[string]v1alpha1.FleetCluster, len(clusters))
	for _, c := range clusters {
		names = append(names, c.Name)
		byName[c.Name] = c
	}
	assigned, err := fleet.Assign(names, seen.assignment(len(s.NodePools)), len(s.NodePools))
	if err != nil {
		return outcome{}, err
	}

	out := outcome{progress: fleet.Progress{Settled: true, Blocked: blocked(claim.Namespace, s, seen), WasReached: seen.wasReached}}
	var statuses []v1alpha1.FleetCellStatus
	for _, number := range assigned.Cells() {
		have, exists := seen.cells[number]
		if len(assigned[number]) == 0 && exists && have.isEmpty() {
			continue
		}
		members := make([]v1alpha1.FleetCluster, 0, len(assigned[number]))
		for _, name := range assigned[number] {
			members = append(members, byName[name])
		}
		want := fleet.Cell(claim.Namespace, claim.Name, number, s, members)
		ready := exists && fleet.CellApplied(want, have.FleetCell) && have.state.Ready()
		out.cells = append(out.cells, composedCell{number: number, resource: want, ready: ready})
		out.progress.Settled = out.progress.Settled && ready
		if exists {
			statuses = append(statuses, have.status())
		}
	}

	if out.rollout = fleet.Rollout(claim.Namespace, claim.Name, s); out.rollout != nil {
		out.rollout.Spec.ForProvider.ClaimDigest = claim.Digest
	}
	out.finish(len(clusters), statuses, seen)
	out.guard = fleet.Guard(claim.Namespace, claim.Name, s, out.status.Applications)
	return out, nil
}

// finish the outcome with how far so many clusters are.
func (out *outcome) finish(clusters int, statuses []v1alpha1.FleetCellStatus, seen observed) {
	out.status = fleet.SummariseFleet(clusters, statuses)
	out.status.Cells = int32(len(out.cells)) //nolint:gosec // At most MaxFleetCells.
	if out.rollout != nil && seen.rollout != nil {
		out.status.Upgrade = fleet.UpgradeStatus(seen.rollout)
		out.progress.Blocked = cmp.Or(out.progress.Blocked, fleet.UpgradeBlocked(seen.rollout))
	}
	out.progress.Clusters = out.status.Clusters
	out.progress.Problems = out.status.Problems
	out.progress.Retiring = fleet.Retiring(statuses)
}

// validate a fleet, also against its provider configuration where that is known, and
// return its clusters.
func validate(name string, s *v1alpha1.ClusterFleetSpec, seen observed) ([]v1alpha1.FleetCluster, error) {
	if err := fleet.Validate(name, s); err != nil {
		return nil, err
	}
	if seen.lookup == pipeline.Found {
		if err := fleet.ValidateFor(s, &seen.config.ProviderConfigSpec); err != nil {
			return nil, err
		}
	}
	return fleet.Expand(s)
}

func blocked(namespace string, s *v1alpha1.ClusterFleetSpec, seen observed) string {
	switch seen.lookup {
	case pipeline.Absent:
		return fleet.Blocked(namespace, s.ProviderConfigRef, nil)
	case pipeline.Found:
		return fleet.Blocked(namespace, s.ProviderConfigRef, &seen.config)
	case pipeline.Unresolved:
	}
	return ""
}

// assignment of clusters to the cells there are. A cluster that is being retired still
// counts as being in its cell, while there is room: where it is wanted again, it must
// not be made in another cell as long as it exists in this one.
func (o observed) assignment(nodePools int) fleet.Assignment {
	out := fleet.Assignment{}
	for number, c := range o.cells {
		in := make([]string, 0, len(c.Spec.Clusters))
		for _, m := range c.Spec.Clusters {
			in = append(in, m.Name)
		}
		for _, r := range c.Status.Retiring {
			if len(in) < fleet.Capacity(nodePools) && !slices.Contains(in, r.Cluster) {
				in = append(in, r.Cluster)
			}
		}
		out[number] = in
	}
	return out
}

// isEmpty is true where a cell has been told to have no clusters, and has none.
func (c cell) isEmpty() bool {
	return len(c.Spec.Clusters) == 0 && c.state.Ready() && c.Status.Clusters.Total == 0 && len(c.Status.Retiring) == 0
}

// status of the cell, and what keeps Crossplane from composing it as a problem of its own.
func (c cell) status() v1alpha1.FleetCellStatus {
	s := *c.Status.DeepCopy()
	if synced := c.state.Condition("Synced"); synced.Status == "False" && synced.Message != "" {
		s.Problems = append(s.Problems, v1alpha1.ClusterProblem{Cluster: c.Name, Message: synced.Message})
	}
	return s
}
