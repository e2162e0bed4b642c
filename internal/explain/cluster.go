package explain

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// fleetNodes are the cells that Crossplane cannot compose, and the clusters.
func (e *explainer) fleetNodes() []Node {
	var out []Node
	for i := range e.Cells {
		cell := &e.Cells[i]
		if synced := cell.condition(typeSynced); synced.Status == isFalse && !cell.Deleting {
			out = append(out, Node{What: "FleetCell " + cell.Name, State: Failed, Message: synced.Message, because: []Cause{{
				State: Failed, Message: "Crossplane cannot compose FleetCell " + cell.Name + ": " + synced.Message,
				Next: []string{fmt.Sprintf("kubectl -n %s describe fleetcell %s", e.Namespace, cell.Name)},
			}}})
		}
	}
	var clusters []Node
	for i := range e.Clusters {
		clusters = append(clusters, e.cluster(&e.Clusters[i]))
	}
	slices.SortStableFunc(clusters, func(a, b Node) int { return rank(a.State) - rank(b.State) })
	shown, hidden := fold(clusters)
	out = append(out, shown...)
	if len(hidden) > 0 {
		// The line that stands for them has their causes.
		i := slices.IndexFunc(out, func(n Node) bool { return n.mute && n.State != Healthy })
		out[i].folded = hidden
	}
	return out
}

// clusterOf a reference, if it was gathered.
func (e *explainer) clusterOf(ref v1alpha1.ClusterReference) *v1alpha1.Cluster {
	for i := range e.Clusters {
		if c := &e.Clusters[i]; c.GetNamespace() == ref.Namespace && c.GetName() == ref.Name {
			return c
		}
	}
	return nil
}

// cluster and why it is not ready.
func (e *explainer) cluster(c *v1alpha1.Cluster) Node {
	n := Node{What: "Cluster " + c.GetName(), State: Healthy, Message: c.Status.AtProvider.Message, cluster: c.GetName()}
	ready, synced := c.GetCondition(xpv2.TypeReady), c.GetCondition(xpv2.TypeSynced)
	switch {
	case c.GetDeletionTimestamp() != nil:
		n.State = Progressing
		if n.Message == "" {
			n.Message = "is being deleted"
		}
		return n
	case synced.Status == corev1.ConditionFalse:
		n.State, n.Message = Failed, synced.Message
	case ready.Status != corev1.ConditionTrue:
		n.State = Progressing
		if n.Message == "" {
			n.Message = ready.Message
		}
	}
	for i := range e.NodePools {
		p := &e.NodePools[i]
		if p.GetNamespace() == c.GetNamespace() && p.Spec.ForProvider.Cluster == c.GetName() {
			if below := nodePool(p); below.State != Healthy {
				n.Children = append(n.Children, below)
				n.State = min2(n.State, below.State)
			}
		}
	}
	if n.State != Healthy && n.Message == "" && len(n.Children) == 0 {
		n.Message = "the provider has not looked at it yet"
		n.because = []Cause{{State: Waiting, Message: "The provider has not looked at the cluster yet.", Next: []string{"Is the provider running? kubectl get providers"}}}
	}
	return n
}

// nodePool and why it is not ready.
func nodePool(p *v1alpha1.NodePool) Node {
	n := Node{What: "NodePool " + p.Spec.ForProvider.Name, State: Healthy}
	ready, synced := p.GetCondition(xpv2.TypeReady), p.GetCondition(xpv2.TypeSynced)
	nodes := p.Status.AtProvider.Nodes
	switch {
	case synced.Status == corev1.ConditionFalse:
		n.State, n.Message = Failed, synced.Message
	case ready.Status != corev1.ConditionTrue:
		n.State = Progressing
		n.Message = fmt.Sprintf("%d of %d nodes ready", nodes.Ready, p.Spec.ForProvider.Size)
		if ready.Message != "" {
			n.Message = ready.Message
		}
	}
	return n
}

// clusterWithReleases is a cluster, and what runs there.
func (e *explainer) clusterWithReleases(c *v1alpha1.Cluster) Node {
	n := e.cluster(c)
	if n.State != Healthy {
		// Nothing can be said of what runs on it.
		return n
	}
	var releases []Node
	for i := range e.Releases {
		r := e.release(&e.Releases[i])
		r.What = fmt.Sprintf("Release %s/%s", e.Releases[i].GetNamespace(), e.Releases[i].Spec.ForProvider.Application)
		releases = append(releases, r)
	}
	slices.SortStableFunc(releases, func(a, b Node) int { return rank(a.State) - rank(b.State) })
	var hidden []Node
	releases, hidden = fold(releases)
	n.Children, n.folded = append(n.Children, releases...), hidden
	n.State = worst(n.Children)
	return n
}
