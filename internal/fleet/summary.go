package fleet

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
)

// Bounds of what statuses list.
const (
	maxApplications  = 10
	maxCellProblems  = 5
	maxFleetProblems = 10
	// maxShown is how many problems the one-line message names.
	maxShown = 2
	// maxProblemBytes keeps one long error from filling a status.
	maxProblemBytes = 256
)

// A Member is what is observed of one cluster of a cell.
type Member struct {
	// Name of the cluster in its fleet.
	Name string
	// Ready is true where the cluster and all of its node pools are as wanted.
	Ready bool
	// Nodes that are ready.
	Nodes int32
	// Applications that run on it, as namespace/name.
	Applications []string
	// Problem says why it is not ready, where that is known.
	Problem string
}

// SummariseCell returns the status of a cell of these clusters, some others of which
// are being retired.
func SummariseCell(members []Member, retiring []v1alpha1.ClusterProblem) v1alpha1.FleetCellStatus {
	s := v1alpha1.FleetCellStatus{Retiring: bound(retiring, v1alpha1.MaxCellClusters)}
	var apps []string
	var bad []v1alpha1.ClusterProblem
	for _, m := range members {
		s.Clusters.Total++
		apps = append(apps, m.Applications...)
		if m.Ready {
			s.Clusters.Ready++
			// Nodes of a cluster that is being made would change the status by the second.
			s.Nodes += m.Nodes
			continue
		}
		if m.Problem != "" {
			bad = append(bad, v1alpha1.ClusterProblem{Cluster: m.Name, Message: m.Problem})
		}
	}
	s.Summary = summary(s.Clusters)
	s.Applications = first(apps, maxApplications)
	s.Problems = bound(bad, maxCellProblems)
	return s
}

// SummariseFleet returns the status of a fleet of so many clusters, spread over cells
// with these statuses.
func SummariseFleet(clusters int, cells []v1alpha1.FleetCellStatus) v1alpha1.ClusterFleetStatus {
	s := v1alpha1.ClusterFleetStatus{Clusters: v1alpha1.ClusterCount{Total: int32(clusters)}} //nolint:gosec // At most MaxFleetClusters.
	var apps []string
	var bad []v1alpha1.ClusterProblem
	for _, c := range cells {
		s.Cells++
		s.Clusters.Ready += c.Clusters.Ready
		s.Nodes += c.Nodes
		apps = append(apps, c.Applications...)
		bad = append(bad, c.Problems...)
	}
	// A cell may still count a cluster that is not wanted any more.
	s.Clusters.Ready = min(s.Clusters.Ready, s.Clusters.Total)
	s.Summary = summary(s.Clusters)
	s.Applications = first(apps, maxApplications)
	s.Problems = bound(bad, maxFleetProblems)
	return s
}

// Retiring returns all clusters that cells are retiring, sorted.
func Retiring(cells []v1alpha1.FleetCellStatus) []v1alpha1.ClusterProblem {
	var out []v1alpha1.ClusterProblem
	for _, c := range cells {
		out = append(out, c.Retiring...)
	}
	slices.SortFunc(out, byCluster)
	return out
}

// A Progress is how far a fleet or a cell has come.
type Progress struct {
	// Clusters that are wanted and ready.
	Clusters v1alpha1.ClusterCount
	// Settled is true where what is observed is about what is wanted now.
	Settled bool
	// Problems of clusters that are not ready.
	Problems []v1alpha1.ClusterProblem
	// Retiring are clusters that are not wanted and still there.
	Retiring []v1alpha1.ClusterProblem
	// Blocked says whose help is needed, where it is.
	Blocked string
	// Held says why what the claim says is held back, where it is. The clusters are then
	// those that there are.
	Held string
	// WasReached is true where what is wanted now was reached before.
	WasReached bool
}

// Ready is true where all clusters are, and none is held back.
func (p Progress) Ready() bool {
	return p.Held == "" && p.Settled && p.Clusters.Ready == p.Clusters.Total
}

// Outcome returns the reason and the message of the condition Reached.
func (p Progress) Outcome() (reason, message string) {
	message = p.message()
	switch {
	case p.Held != "" && p.Clusters.Total == 0 && len(p.Retiring) == 0:
		return v1alpha1.ReasonBlocked, p.Held
	case p.Held != "":
		return v1alpha1.ReasonBlocked, p.Held + "; " + message
	case p.Blocked != "":
		return v1alpha1.ReasonBlocked, p.Blocked + "; " + message
	case p.Ready() && len(p.Retiring) == 0:
		return v1alpha1.ReasonReached, message
	case p.WasReached && len(p.Retiring) == 0:
		return v1alpha1.ReasonDegraded, message
	}
	return v1alpha1.ReasonProgressing, message
}

func (p Progress) message() string {
	out := []string{summary(p.Clusters) + " clusters ready"}
	switch {
	case p.Clusters.Total == 0:
		out[0] = "no clusters are asked for"
	case p.Clusters.Ready < p.Clusters.Total && len(p.Problems) > 0:
		out[0] += ": " + list(p.Problems)
	case p.Clusters.Ready == p.Clusters.Total && !p.Settled:
		out[0] += ", but the latest change has not got to all of them yet"
	}
	if n := len(p.Retiring); n == 1 {
		out = append(out, "1 cluster is being retired: "+list(p.Retiring))
	} else if n > 1 {
		out = append(out, fmt.Sprintf("%d clusters are being retired: %s", n, list(p.Retiring)))
	}
	return strings.Join(out, "; ")
}

// list the first problems in one line.
func list(ps []v1alpha1.ClusterProblem) string {
	var out []string
	for _, p := range ps[:min(maxShown, len(ps))] {
		if p.Message == "" {
			out = append(out, p.Cluster)
			continue
		}
		out = append(out, p.Cluster+": "+p.Message)
	}
	s := strings.Join(out, "; ")
	if n := len(ps) - maxShown; n > 0 {
		s += fmt.Sprintf("; and %d more", n)
	}
	return s
}

func summary(c v1alpha1.ClusterCount) string { return fmt.Sprintf("%d/%d", c.Ready, c.Total) }

// first returns the first n different values, sorted.
func first(in []string, n int) []string {
	out := slices.Compact(slices.Sorted(slices.Values(in)))
	return out[:min(n, len(out))]
}

// bound returns the first n problems, sorted, their messages not too long.
func bound(in []v1alpha1.ClusterProblem, n int) []v1alpha1.ClusterProblem {
	out := slices.SortedFunc(slices.Values(in), byCluster)
	out = out[:min(n, len(out))]
	for i := range out {
		out[i].Message = shorten(out[i].Message)
	}
	return out
}

func byCluster(a, b v1alpha1.ClusterProblem) int { return strings.Compare(a.Cluster, b.Cluster) }

func shorten(s string) string {
	if len(s) <= maxProblemBytes {
		return s
	}
	return strings.ToValidUTF8(s[:maxProblemBytes-len("…")], "") + "…"
}
