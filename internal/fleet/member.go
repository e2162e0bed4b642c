package fleet

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	mv1alpha1 "github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
)

// A Pool is a node pool as it is wanted and as it is observed, which is nil before it
// has been made.
type Pool struct{ Want, Have *mv1alpha1.NodePool }

// Ready is true where a pool is as wanted.
func (p Pool) Ready() bool {
	return p.Have != nil && equality.Semantic.DeepEqual(p.Want.Spec.ForProvider, p.Have.Spec.ForProvider) &&
		ready(p.Have.Status.ConditionedStatus, p.Have.Generation)
}

// ClusterReady is true where a cluster, its node pools aside, is as wanted.
func ClusterReady(want, have *mv1alpha1.Cluster) bool {
	return have != nil && applied(want.Spec.ForProvider, have.Spec.ForProvider) && shaped(have) &&
		ready(have.Status.ConditionedStatus, have.Generation)
}

// shaped is true where a cluster has the shape that it is asked to have.
func shaped(c *mv1alpha1.Cluster) bool {
	return c.Spec.ForProvider.Shape == "" || c.Spec.ForProvider.Shape == c.Status.AtProvider.Shape
}

// Observe says how a cluster is doing, given what is wanted and what is observed of it
// and of its node pools. What is observed is nil before it has been made.
func Observe(want, have *mv1alpha1.Cluster, pools []Pool) Member {
	m := Member{Name: want.Spec.ForProvider.Name}
	if have == nil {
		return m
	}
	m.Nodes = have.Status.AtProvider.Nodes.Ready
	m.Applications = have.Status.AtProvider.Applications
	m.Ready = ClusterReady(want, have)
	if !m.Ready {
		m.Problem = clusterProblem(have)
	}
	for _, p := range pools {
		if p.Ready() {
			continue
		}
		if m.Problem == "" {
			m.Problem = poolProblem(p)
		}
		m.Ready = false
	}
	return m
}

// applied is true where a Cluster has been told what is wanted. Until then, what it
// says of itself is about something else.
func applied(want, have mv1alpha1.ClusterParameters) bool {
	if want.KubernetesVersion == "" {
		have.KubernetesVersion = ""
	}
	have.Admitted = nil
	return equality.Semantic.DeepEqual(want, have)
}

// CellApplied is true where a FleetCell has been told what is wanted.
func CellApplied(want, have *v1alpha1.FleetCell) bool {
	return equality.Semantic.DeepEqual(want.Spec, have.Spec)
}

// ready is true where a resource says that it is ready, about this generation. A
// condition that does not say what it is about is believed.
func ready(s xpv2.ConditionedStatus, generation int64) bool {
	for _, t := range []xpv2.ConditionType{xpv2.TypeReady, xpv2.TypeSynced} {
		if g := s.GetCondition(t).ObservedGeneration; g != 0 && g < generation {
			return false
		}
	}
	return s.GetCondition(xpv2.TypeReady).Status == corev1.ConditionTrue
}

func clusterProblem(c *mv1alpha1.Cluster) string {
	if synced := c.Status.GetCondition(xpv2.TypeSynced); synced.Status == corev1.ConditionFalse && synced.Message != "" {
		return synced.Message
	}
	if m := c.Status.AtProvider.Message; m != "" {
		return m
	}
	if !Admitted(c) {
		return "waits for its turn in the rollout of the fleet"
	}
	if r := c.Status.GetCondition(xpv2.TypeReady); r.Status == corev1.ConditionFalse {
		return r.Message
	}
	return ""
}

// poolProblem leaves out how far a pool is that is being made: the figure would change
// with every node, and wake everything above.
func poolProblem(p Pool) string {
	name := p.Want.Spec.ForProvider.Name
	if p.Have == nil {
		return ""
	}
	if synced := p.Have.Status.GetCondition(xpv2.TypeSynced); synced.Status == corev1.ConditionFalse && synced.Message != "" {
		return fmt.Sprintf("node pool %q: %s", name, synced.Message)
	}
	if r := p.Have.Status.GetCondition(xpv2.TypeReady); r.Reason == xpv2.ReasonUnavailable && r.Message != "" {
		return fmt.Sprintf("node pool %q: %s", name, r.Message)
	}
	return fmt.Sprintf("node pool %q waits for its nodes", name)
}
