package rollout

import (
	"fmt"
	"slices"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// drain starts the removal of Releases that should not be.
func (n *plan) drain() {
	for _, r := range n.leaving {
		if r.Deleting || !n.mayRemove(r) || !n.budget.removes(r) {
			continue
		}
		n.begun[r.Name] = true
		n.decision.Delete = append(n.decision.Delete, r.Name)
	}
}

// mayRemove a Release. That it is not placed is reason enough only where the
// placement is known.
func (n *plan) mayRemove(r Release) bool {
	switch n.observed.Clusters[r.Cluster] {
	case ClusterDeleting, ClusterGone:
		return true
	case ClusterUnknown:
		return n.spec.Leaving
	case ClusterReady, ClusterNotReady:
	}
	return n.spec.Leaving || (n.mayShrink() && n.shrinks() == "")
}

// mayShrink returns whether clusters may be left. What is in failure, frozen or paused
// leaves none, and where there are waves or steps they are left last: there must be
// somewhere else that works.
func (n *plan) mayShrink() bool {
	if n.paused() || n.withheld() || !n.forward() || n.frozen() != nil {
		return false
	}
	return (len(n.spec.Strategy.Waves) == 0 && len(n.spec.Steps) == 0) || n.allOver()
}

// allOver is true once all waves and steps are. The wave that nobody asked for is over
// whenever its clusters are healthy, which whoever asks finds out anyway.
func (n *plan) allOver() bool {
	for _, s := range n.steps {
		if s.spec.Name != "" && !s.done() {
			return false
		}
		if s.status.Phase == v1alpha1.StepSkipped {
			continue
		}
		if slices.ContainsFunc(s.waves, func(w *wave) bool { return w.name != "" && w.status.Phase != v1alpha1.WaveOver }) {
			return false
		}
	}
	return true
}

// shrinks says why clusters that the placement leaves out are kept: there are more of
// them than strategy.maxDeletions. It is empty where they are not.
func (n *plan) shrinks() string {
	limit := n.spec.Strategy.MaxDeletions
	if limit == nil || n.control().AllowDeletions == n.is.Digest {
		return ""
	}
	left, of := n.left(), n.had()
	if b := resolve(limit, of, 0); left > b {
		return fmt.Sprintf("the placement leaves out %d of %s and maxDeletions allows %d: set control.allowDeletions to %s if that is meant",
			left, clusters(of), b, n.is.Digest)
	}
	return ""
}

// had counts the clusters that had the application before this revision.
func (n *plan) had() int {
	count := 0
	for _, r := range n.releases {
		count += int(one(!r.Untouched || r.Epoch < n.is.Began))
	}
	return count
}

// left counts the clusters that are there, have the application, and are not placed.
func (n *plan) left() int {
	if n.spec.Leaving || n.observed.Blocked != "" {
		return 0
	}
	count := 0
	for _, r := range n.leaving {
		s := n.observed.Clusters[r.Cluster]
		count += int(one(s == ClusterReady || s == ClusterNotReady))
	}
	return count
}
