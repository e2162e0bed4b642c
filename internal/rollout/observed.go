// Package rollout decides how an application moves from what clusters have to what
// they should have. Next looks at everything at once and says what to start now. It
// keeps no memory: called again, also after a crash, it decides from what it sees.
//
// The rules:
//
//   - A Release is in motion while it does not have what it wants, is not healthy yet
//     with what it has, or is being removed. At most maxConcurrent are: nothing is
//     started beyond it.
//   - A Release that failed is not in motion. Failed means that it is Degraded, or that
//     its controller reports an error, such as a cluster that does not answer. It is
//     parked: it holds no slot and nobody up, and goes on being tried.
//     One that recovers by itself may push the number in motion over the limit for a
//     while. Nothing is started meanwhile.
//   - A placed cluster is unavailable while its Release is in motion or unhealthy. No
//     healthy one, and no new one, is started where that would exceed maxUnavailable.
//     One that is unhealthy already may always be started: it is how it is mended.
//     A maxUnavailable of 0 moves one cluster at a time, and only while all others are fine.
//   - A cluster that is not ready, or whose variant has no Bundle, waits.
//   - A pause, or a placement that cannot be resolved, stops everything that has not
//     begun. Neither stops the drain of a cluster that is being deleted or is gone.
//   - Releases are removed only because the placement, resolved in full, leaves them
//     out, or because their Cluster is known to be going or gone.
//
// Deliberately absent: waves, soak times and failure budgets, which the next issue
// brings, and clocks.
package rollout

import (
	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/placement"
)

// Observed is all that Next decides from.
type Observed struct {
	// Targets that are placed. Without meaning where Blocked is not empty.
	Targets []placement.Target
	// Blocked says why the placement cannot be resolved.
	Blocked string
	// Clusters there are, by reference.
	Clusters map[v1alpha1.ClusterReference]ClusterState
	// Releases of this Rollout.
	Releases []Release
	// Taken names Releases that exist and are not this Rollout's.
	Taken map[string]bool
	// Bundles that exist, by name.
	Bundles map[string]bool
}

// A ClusterState says what is known of a Cluster resource.
type ClusterState string

// States of a Cluster.
const (
	// ClusterUnknown: it is not in the inventory, and that it is gone is not certain.
	ClusterUnknown ClusterState = ""
	// ClusterReady: it can be reached.
	ClusterReady ClusterState = "Ready"
	// ClusterNotReady: it cannot, yet or at the moment.
	ClusterNotReady ClusterState = "NotReady"
	// ClusterDeleting: it drains.
	ClusterDeleting ClusterState = "Deleting"
	// ClusterGone: it certainly does not exist any more.
	ClusterGone ClusterState = "Gone"
)

// A Release is what Next needs to know of one.
type Release struct {
	// Name of the Release.
	Name string
	// Cluster it is for.
	Cluster v1alpha1.ClusterReference
	// Wanted on the cluster, and what was applied in full last.
	Wanted, Applied Payload
	// Health that was observed last, and its message.
	Health  v1alpha1.Health
	Message string
	// Failed is true where the Release's controller reports an error, or was told
	// to leave it alone, for the Release as it is now. Failure says which.
	Failed  bool
	Failure string
	// Deleting is true where it is being removed.
	Deleting bool
	// Components and their health.
	Components []v1alpha1.ComponentHealth
}

// A Payload is what a cluster gets.
type Payload struct {
	// Bundle by name.
	Bundle string
	// Namespace on the cluster that its objects go to.
	Namespace string
}

// failed is true where the Release is parked.
func (r Release) failed() bool { return r.Failed || (!r.Deleting && r.Health == v1alpha1.Degraded) }

// updated is true where the Release has what it wants.
func (r Release) updated() bool { return !r.Deleting && r.Wanted == r.Applied }

// healthy is true where it has it, and it works.
func (r Release) healthy() bool { return r.updated() && !r.Failed && r.Health == v1alpha1.Healthy }

// inMotion is true where something is under way.
func (r Release) inMotion() bool { return !r.failed() && !r.healthy() }

// problem says what is wrong with the Release, if anything is.
func (r Release) problem() string {
	switch {
	case r.Failed && r.Failure != "":
		return r.Failure
	case r.Failed:
		return "cannot be brought to what is wanted"
	case r.updated() && r.Health != v1alpha1.Healthy:
		return r.Message
	}
	return ""
}

// A Spec is what is asked for.
type Spec struct {
	v1alpha1.RolloutParameters

	// Leaving is true where the Rollout itself is being deleted: all Releases go.
	Leaving bool
}
