package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
)

// A RolloutStatus is the observed state of a Rollout.
type RolloutStatus struct {
	xpv2.ConditionedStatus `json:",inline"`

	// AtProvider is what is observed.
	// +optional
	AtProvider RolloutObservation `json:"atProvider,omitempty"`
}

// A RolloutObservation is what is observed of a Rollout. It is coarse on purpose:
// the application reads it, and must not be woken by every step of every cluster.
type RolloutObservation struct {
	// Message says in one line what the Rollout does or waits for.
	// +optional
	Message string `json:"message,omitempty"`

	// Phase the Rollout is in.
	// +optional
	Phase RolloutPhase `json:"phase,omitempty"`

	// Digest of the revision that is being rolled out: of its placement, its
	// variants and its steps. Controls and approvals name it.
	// +optional
	Digest string `json:"digest,omitempty"`

	// Epoch counts the revisions, rollbacks included. Releases carry it, and refuse a
	// lower one, so that whoever decided from an older state cannot write.
	// +optional
	Epoch int64 `json:"epoch,omitempty"`

	// Began is the epoch with which this revision began. Releases with it, or with a
	// higher one, have been moved by this revision.
	// +optional
	Began int64 `json:"began,omitempty"`

	// Reached is the revision that was reached last: what a rollback goes back to.
	// +optional
	Reached *RolloutRevision `json:"reached,omitempty"`

	// History holds the revisions that were reached before that one, the latest first.
	// At most 2.
	// +listType=atomic
	// +optional
	History []RolloutRevision `json:"history,omitempty"`

	// Failed is the digest of the revision that failed, with why. It is forgotten when
	// control.retry is raised, and when there is another revision.
	// +optional
	Failed *RolloutFailure `json:"failed,omitempty"`

	// Held says why nothing new begins, where it is because no approved change carries
	// what the claim says. Digest is then still that of the revision before.
	// +optional
	Held *RolloutHold `json:"held,omitempty"`

	// Retried is the value of control.retry that was acted on.
	// +optional
	Retried int64 `json:"retried,omitempty"`

	// Clusters counts the placed clusters.
	// +optional
	Clusters RolloutCount `json:"clusters,omitempty"`

	// Waves and how far they are, in order.
	// +listType=atomic
	// +optional
	Waves []WaveStatus `json:"waves,omitempty"`

	// Steps and how far they are, in order.
	// +listType=atomic
	// +optional
	Steps []StepStatus `json:"steps,omitempty"`

	// Preflight is what was found before the first write.
	// +optional
	Preflight *PreflightStatus `json:"preflight,omitempty"`

	// Images are what the tags of this revision's images were resolved to. Nil where they
	// stay as they are written.
	// +optional
	Images *RolloutImages `json:"images,omitempty"`

	// Variants are the combinations of overrides that the placed clusters need.
	// The function answers with a Bundle for each.
	// +listType=atomic
	// +optional
	Variants []VariantNeed `json:"variants,omitempty"`

	// BundlesInUse are the Bundles that a Release wants or has, and those of the
	// revisions that a rollback may go back to. They must not go.
	// +listType=atomic
	// +optional
	BundlesInUse []string `json:"bundlesInUse,omitempty"`

	// Components are the components and their health over all clusters.
	// +listType=atomic
	// +optional
	Components []ComponentCount `json:"components,omitempty"`

	// Problems are some of the clusters that are not as wanted. At most 10.
	// +listType=atomic
	// +optional
	Problems []ReleaseProblem `json:"problems,omitempty"`
}

// A RolloutPhase says in one word what a Rollout does.
type RolloutPhase string

// Phases of a Rollout.
const (
	// RolloutPreflight: clusters are checked, and none is started yet.
	RolloutPreflight RolloutPhase = "Preflight"
	// RolloutProgressing: clusters are moved.
	RolloutProgressing RolloutPhase = "Progressing"
	// RolloutWaiting: for a gate, a soak time, a freeze to end, or a cluster.
	RolloutWaiting RolloutPhase = "Waiting"
	// RolloutPaused: somebody paused it.
	RolloutPaused RolloutPhase = "Paused"
	// RolloutBlocked: it cannot go on before its specification is mended.
	RolloutBlocked RolloutPhase = "Blocked"
	// RolloutHalted: it failed, and waits for somebody.
	RolloutHalted RolloutPhase = "Halted"
	// RolloutRollingBack: clusters go back.
	RolloutRollingBack RolloutPhase = "RollingBack"
	// RolloutRolledBack: they are back.
	RolloutRolledBack RolloutPhase = "RolledBack"
	// RolloutAborted: somebody aborted it.
	RolloutAborted RolloutPhase = "Aborted"
	// RolloutCompleted: all clusters that can be reached have what is wanted, and are healthy.
	RolloutCompleted RolloutPhase = "Completed"
)

// A RolloutHold says why a Rollout is held back until a change is approved.
type RolloutHold struct {
	// Message for people.
	Message string `json:"message"`
	// ClaimDigest of what the claim says now.
	// +optional
	ClaimDigest string `json:"claimDigest,omitempty"`
	// Granted is the digest of what it may say. Empty where nothing was ever approved.
	// +optional
	Granted string `json:"granted,omitempty"`
	// Change that granted it, as <namespace>/<name>.
	// +optional
	Change string `json:"change,omitempty"`
}

// A RolloutRevision is what was rolled out.
type RolloutRevision struct {
	// Digest of the revision.
	Digest string `json:"digest"`
	// Variants of the revision.
	// +listType=atomic
	// +optional
	Variants []Variant `json:"variants,omitempty"`
	// Images are what the tags of its images meant. A rollback uses them.
	// +listType=atomic
	// +optional
	Images []ResolvedImage `json:"images,omitempty"`
	// At which time it was reached.
	At metav1.Time `json:"at"`
	// Epoch in which it was reached.
	// +optional
	Epoch int64 `json:"epoch,omitempty"`
}

// A RolloutFailure says why a revision failed.
type RolloutFailure struct {
	// Digest of the revision.
	Digest string `json:"digest"`
	// Wave it failed in.
	// +optional
	Wave string `json:"wave,omitempty"`
	// Message says why.
	Message string `json:"message"`
	// At which time.
	At metav1.Time `json:"at"`
	// Action that is taken. It is Halt where there is no revision to go back to.
	Action FailureAction `json:"action"`
	// To is the digest of the revision that a rollback goes back to.
	// +optional
	To string `json:"to,omitempty"`
}

// A WaveStatus says how far a wave is.
type WaveStatus struct {
	// Name of the wave. With steps it is <step>/<wave>.
	Name string `json:"name"`
	// Phase of the wave.
	Phase WavePhase `json:"phase"`
	// Message says what the wave waits for.
	// +optional
	Message string `json:"message,omitempty"`
	// Clusters of the wave.
	Clusters RolloutCount `json:"clusters"`
	// Started is when the first of its clusters was.
	// +optional
	Started *metav1.Time `json:"started,omitempty"`
	// HealthySince is since when all its clusters are healthy, without a break.
	// +optional
	HealthySince *metav1.Time `json:"healthySince,omitempty"`
	// Gates and their answers.
	// +listType=atomic
	// +optional
	Gates []GateStatus `json:"gates,omitempty"`
}

// A WavePhase says what a wave does.
type WavePhase string

// Phases of a wave.
const (
	WavePending WavePhase = "Pending"
	WaveMoving  WavePhase = "Moving"
	WaveSoaking WavePhase = "Soaking"
	WaveGated   WavePhase = "Gated"
	WaveOver    WavePhase = "Over"
	WaveFailed  WavePhase = "Failed"
)

// A GateStatus is the answer of a gate.
type GateStatus struct {
	// Name of the gate.
	Name string `json:"name"`
	// Open is true where it is.
	Open bool `json:"open"`
	// Message says why.
	// +optional
	Message string `json:"message,omitempty"`
	// Since when it is asked.
	// +optional
	Since *metav1.Time `json:"since,omitempty"`
}

// A StepStatus says how far a step is.
type StepStatus struct {
	// Name of the step.
	Name string `json:"name"`
	// Phase of the step.
	Phase StepPhase `json:"phase"`
	// Message says what it waits for, or why it failed.
	// +optional
	Message string `json:"message,omitempty"`
	// Started is when it was.
	// +optional
	Started *metav1.Time `json:"started,omitempty"`
}

// A StepPhase says what a step does.
type StepPhase string

// Phases of a step.
const (
	StepPending   StepPhase = "Pending"
	StepRunning   StepPhase = "Running"
	StepSucceeded StepPhase = "Succeeded"
	StepFailed    StepPhase = "Failed"
	StepSkipped   StepPhase = "Skipped"
)

// A PreflightStatus is what was found before the first write.
type PreflightStatus struct {
	// Digest of the revision that was checked.
	Digest string `json:"digest"`
	// Checked is the number of clusters that were.
	Checked int32 `json:"checked"`
	// Blocking is the number of clusters with a finding that blocks.
	Blocking int32 `json:"blocking"`
	// Findings, the worst first, and each once for all its clusters. At most 20.
	// +listType=atomic
	// +optional
	Findings []Finding `json:"findings,omitempty"`
}

// A Severity says how bad a finding is.
// +kubebuilder:validation:Enum=Blocking;Warning
type Severity string

// Severities.
const (
	Blocking Severity = "Blocking"
	Warning  Severity = "Warning"
)

// A Finding is something for which an application would not start, or not work.
type Finding struct {
	// Cause as it is catalogued, such as C2.
	Cause string `json:"cause"`
	// Severity of the finding.
	Severity Severity `json:"severity"`
	// Object it is about, as Kind/name.
	// +optional
	Object string `json:"object,omitempty"`
	// Component that the object belongs to.
	// +optional
	Component string `json:"component,omitempty"`
	// Field of the object.
	// +optional
	Field string `json:"field,omitempty"`
	// Message says what is wrong.
	Message string `json:"message"`
	// Fix says what to do.
	// +optional
	Fix string `json:"fix,omitempty"`
	// Clusters is the number of clusters where it was found.
	Clusters int32 `json:"clusters"`
	// Examples are some of them. At most 5.
	// +listType=atomic
	// +optional
	Examples []string `json:"examples,omitempty"`
	// Waived says by which waiver it is accepted.
	// +optional
	Waived string `json:"waived,omitempty"`
}

// A RolloutCount counts the clusters of a Rollout.
type RolloutCount struct {
	// Total is the number of clusters that are placed.
	// +optional
	Total int32 `json:"total"`
	// Updated is how many have what is wanted.
	// +optional
	Updated int32 `json:"updated"`
	// Ready is how many have it and are healthy.
	// +optional
	Ready int32 `json:"ready"`
	// InMotion is how many are being moved, or removed.
	// +optional
	InMotion int32 `json:"inMotion"`
	// Failed is how many could not be brought there.
	// +optional
	Failed int32 `json:"failed"`
	// Parked is how many cannot be reached. They are caught up when they can.
	// +optional
	Parked int32 `json:"parked,omitempty"`
}

// A VariantNeed is a combination of overrides that clusters need.
type VariantNeed struct {
	// Overrides by policy name, in the order of the placement.
	// +listType=atomic
	// +optional
	Overrides []string `json:"overrides,omitempty"`
	// Clusters is the number of clusters that need it.
	Clusters int32 `json:"clusters"`
}

// A ComponentCount is the health of one component over all clusters.
type ComponentCount struct {
	// Name of the component.
	Name string `json:"name"`
	// Healthy is the number of clusters where it is healthy.
	Healthy int32 `json:"healthy"`
	// Total is the number of clusters it is placed on.
	Total int32 `json:"total"`
	// Message of one cluster where it is not healthy.
	// +optional
	Message string `json:"message,omitempty"`
}

// A ReleaseProblem is a cluster that is not as wanted.
type ReleaseProblem struct {
	// Cluster is <fleet>.<cluster>.
	Cluster string `json:"cluster"`
	// Message says what is wrong.
	Message string `json:"message"`
}
