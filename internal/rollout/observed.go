package rollout

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/placement"
)

// A Spec is what is asked for.
type Spec struct {
	v1alpha1.RolloutParameters

	// Leaving is true where the Rollout itself is being deleted: all Releases go.
	Leaving bool
}

// Observed is all that Next decides from, besides the time.
type Observed struct {
	// Status is what the last decision reported and was persisted.
	Status v1alpha1.RolloutObservation
	// Targets that are placed. Without meaning where Blocked is not empty.
	Targets []placement.Target
	// Blocked says why the placement cannot be resolved.
	Blocked string
	// Hold says why nothing may begin, where no approved change carries what the
	// specification was rendered from. Nil where one does, or none is required.
	Hold *v1alpha1.RolloutHold
	// Clusters there are, by reference.
	Clusters map[v1alpha1.ClusterReference]ClusterState
	// Releases of this Rollout.
	Releases []Release
	// Taken names Releases that exist and are not this Rollout's.
	Taken map[string]bool
	// Bundles that exist, by name.
	Bundles map[string]bool
	// Answers to what the last decision asked, by Question.Key. What has no answer
	// counts as no.
	Answers map[string]Answer
	// Images that a payload names by their tags on its cluster, or nil where that is not
	// known. It answers the same for the same. Where it is nil all images stay as written.
	Images func(Placed) *ImageNames
	// Registries is true where they can be asked at all.
	Registries bool
	// Resolved images, of those that the last decision wanted to know.
	Resolved map[string]Resolution
	// Checks are what the preflight found. Without any there is no preflight, and all
	// clusters are clean.
	Checks *Checks
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
	// Images that what is wanted is pinned to.
	Images []v1alpha1.ImageDigest
	// Epoch of the Rollout that wrote what is wanted, and the Wave that the cluster was
	// in then.
	Epoch int64
	Wave  string
	// Untouched is true where nobody changed what is wanted since the Release was made.
	Untouched bool
	// Since when it is as it is: in motion, or not. Zero where that is not known.
	Since metav1.Time
	// Health that was observed last, and its message.
	Health  v1alpha1.Health
	Message string
	// Failed is true where the Release's controller reports an error, or was told
	// to leave it alone, for the Release as it is now. Failure says which.
	Failed  bool
	Failure string
	// Unreachable is true where the error is that the cluster cannot be reached.
	Unreachable bool
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
	// Images identifies the digests that its images are pinned to. Empty where none are.
	Images string
}

// failed is true where the Release is not tried any more in earnest.
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

// An Answer to a Question.
type Answer struct {
	// Yes is true where a gate is open, an application is reached, or a notice was
	// delivered.
	Yes bool
	// Message says why, or why not.
	Message string
}

// Checks are what the preflight found.
type Checks struct {
	// Clusters that were checked for what they are to get now. What is not in here has
	// not been.
	Clusters map[v1alpha1.ClusterReference]CheckState
	// Status to report.
	Status *v1alpha1.PreflightStatus
}

// A CheckState says what the preflight found on a cluster.
type CheckState string

// States of the preflight of a cluster.
const (
	// Unchecked: it has not been checked yet.
	Unchecked CheckState = ""
	// Clean: nothing was found for which the application would not start.
	Clean CheckState = "Clean"
	// Blocking: something was.
	Blocking CheckState = "Blocking"
)

// A Question that the caller is to ask, and whose answer it hands in with the next
// observation.
type Question struct {
	// Key to hand the answer in under: gate/<wave>/<gate> or step/<step>.
	Key string
	// Gate to ask. It is a prometheus or a webhook gate.
	Gate *v1alpha1.Gate
	// Application whose Rollout must be completed, in the same namespace.
	Application string
	// Notice to deliver.
	Notice *Notice
	// Wave that is asked for, where there is one, and the digest of the revision.
	Wave, Digest string
}

// A Notice to deliver. A crash may have it delivered twice, with the same ID.
type Notice struct {
	// ID of the notice.
	ID string
	// Webhook to post to.
	Webhook v1alpha1.WebhookGate
	// Message to post.
	Message string
}
