package explain

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/images"
)

// maxShown of many alike are shown in full.
const maxShown = 5

// releases, by how they are and on which cluster.
func (e *explainer) releases() []Node {
	var out []Node
	for i := range e.Releases {
		out = append(out, e.release(&e.Releases[i]))
	}
	slices.SortStableFunc(out, func(a, b Node) int {
		return cmp.Or(cmp.Compare(rank(a.State), rank(b.State)), cmp.Compare(a.What, b.What))
	})
	return out
}

// release and why it is not as wanted.
func (e *explainer) release(rel *v1alpha1.Release) Node {
	at := rel.Status.AtProvider
	ref := rel.Spec.ForProvider.ClusterRef
	n := Node{What: "Release on " + ref.Name, State: releaseState(rel), Message: at.Message, cluster: ref.Name}
	if n.State == Healthy {
		return n
	}
	synced := rel.GetCondition(xpv2.TypeSynced)
	if n.Message == "" && synced.Status == corev1.ConditionFalse {
		n.Message = synced.Message
	}
	if c := e.clusterOf(ref); c != nil {
		if below := e.cluster(c); below.State != Healthy {
			n.Children = append(n.Children, below)
			return n
		}
	}
	if n.State == Unknown {
		n.because = []Cause{silent(n.Message)}
		return n
	}
	for _, c := range at.Components {
		if c.Health != v1alpha1.Healthy {
			n.Children = append(n.Children, e.component(rel, c))
		}
	}
	if n.Message == "" && len(n.Children) == 0 {
		n.Message = "has not been applied yet"
	}
	return n
}

// silent is the cause where a cluster does not answer.
func silent(message string) Cause {
	c := Cause{State: Unknown, Message: cmp.Or(message, "The cluster does not answer.")}
	if strings.Contains(message, "unreachable") || message == "" {
		c.Next = []string{"Mend the cluster, or the way to it: it is caught up by itself. If it never comes back, take it out of its fleet."}
	}
	return c
}

func releaseState(rel *v1alpha1.Release) State {
	at := rel.Status.AtProvider
	synced := rel.GetCondition(xpv2.TypeSynced)
	switch {
	case rel.GetDeletionTimestamp() != nil:
		return Progressing
	case at.Health == v1alpha1.Unknown:
		return Unknown
	case at.Health == v1alpha1.Degraded, synced.Status == corev1.ConditionFalse:
		return Failed
	case at.Health == v1alpha1.Healthy && at.Bundle == rel.Spec.ForProvider.Bundle && at.Images == images.Identity(rel.Spec.ForProvider.Images):
		return Healthy
	}
	return Progressing
}

// component on one cluster, down to its pods where they could be read.
func (e *explainer) component(rel *v1alpha1.Release, c v1alpha1.ComponentHealth) Node {
	n := Node{What: "component " + c.Name, State: Progressing, Message: c.Message}
	if c.Health == v1alpha1.Degraded {
		n.State = Failed
	}
	ev, ok := e.Evidence[rel.GetName()]
	if !ok {
		return n
	}
	pods := podNodes(ev.Pods, c.Name, n.State)
	for _, o := range ev.Objects {
		if o.Component != c.Name {
			continue
		}
		object := Node{What: o.Kind + " " + o.Name, State: n.State, Message: strings.TrimPrefix(o.Message, o.Kind+" "+o.Name+": ")}
		if len(pods) > 0 && hasPods(o.Kind) {
			object.Children, pods = pods, nil
		}
		n.Children = append(n.Children, object)
	}
	n.Children = append(n.Children, pods...)
	return n
}

func hasPods(kind string) bool {
	return slices.Contains([]string{"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob"}, kind)
}

// fold what is healthy into one line, and show some of the rest. What is not shown is returned
// too: it counts as a cause.
func fold(nodes []Node) (shown, hidden []Node) {
	healthy := 0
	var rest []Node
	for _, n := range nodes {
		if n.State == Healthy {
			healthy++
			continue
		}
		rest = append(rest, n)
	}
	shown = append(shown, rest[:min(len(rest), maxShown)]...)
	if more := rest[len(shown):]; len(more) > 0 {
		hidden = more
		shown = append(shown, Node{What: plural(len(more), "more that is not as wanted", "more that are not as wanted"), State: worst(more), mute: true})
	}
	if healthy > 0 {
		what := strings.SplitN(nodes[0].What, " ", 2)[0]
		shown = append(shown, Node{What: plural(healthy, what, what+"s"), State: Healthy, Message: "healthy"})
	}
	return shown, hidden
}

// folded nodes that are alike, as one where there are many.
func folded(nodes []Node, what string) []Node {
	if len(nodes) <= 2 {
		return nodes
	}
	return []Node{{What: fmt.Sprintf("%d %s", len(nodes), what), State: worst(nodes), mute: true}}
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
