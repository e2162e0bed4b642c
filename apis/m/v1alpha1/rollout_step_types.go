package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A RolloutStep is a step of the workflow. Steps whose dependsOn are done run
// together.
type RolloutStep struct {
	// Name of the step.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`

	// Type of the step. Deploy takes the payload to topologies, through all waves;
	// Suspend waits for an approval or a time; DependsOnApp waits for another
	// application to be reached; Notify posts to a webhook.
	// +kubebuilder:validation:Enum=Deploy;Suspend;DependsOnApp;Notify
	Type StepType `json:"type"`

	// DependsOn names the steps that must be done before.
	// +kubebuilder:validation:MaxItems=50
	// +listType=set
	// +optional
	DependsOn []string `json:"dependsOn,omitempty"`

	// If says when the step runs, in CEL over status: a map from the name of a step to
	// its phase, message and whether it succeeded, failed or was skipped. Without it
	// the step runs where nothing failed before it.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	If string `json:"if,omitempty"`

	// Timeout is how long the step may take before it has failed, and the revision with
	// it. A Notify step without one is given up after five minutes, and fails nothing.
	// +optional
	Timeout *metav1.Duration `json:"timeout,omitempty"`

	// Topologies that a Deploy step deploys to, by policy name. A cluster that
	// several steps select belongs to the first.
	// +kubebuilder:validation:MaxItems=20
	// +listType=set
	// +optional
	Topologies []string `json:"topologies,omitempty"`

	// Approval is true where a Deploy or Suspend step waits for an approval first.
	// +optional
	Approval bool `json:"approval,omitempty"`

	// MaxConcurrent clusters within the step.
	// +kubebuilder:validation:Minimum=1
	// +optional
	MaxConcurrent *int32 `json:"maxConcurrent,omitempty"`

	// Duration that a Suspend step waits. An approval ends it earlier.
	// +optional
	Duration *metav1.Duration `json:"duration,omitempty"`

	// Application that a DependsOnApp step waits for.
	// +optional
	Application *ApplicationReference `json:"application,omitempty"`

	// Webhook that a Notify step posts to.
	// +optional
	Webhook *WebhookGate `json:"webhook,omitempty"`

	// Message that a Notify step posts, or that a Suspend step shows. One that is a JSON
	// object is posted as it is; any other is posted in a JSON object of ours.
	// +kubebuilder:validation:MaxLength=4096
	// +optional
	Message string `json:"message,omitempty"`
}

// A StepType says what a step does.
type StepType string

// Step types.
const (
	StepDeploy       StepType = "Deploy"
	StepSuspend      StepType = "Suspend"
	StepDependsOnApp StepType = "DependsOnApp"
	StepNotify       StepType = "Notify"
)

// An ApplicationReference names a ProductApplication in the Rollout's namespace.
type ApplicationReference struct {
	// Name of the application.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
}

// A RolloutControl is what people tell a Rollout on its way. Each word is for one
// revision, by its digest, and means nothing to another.
type RolloutControl struct {
	// Paused stops moving further clusters, as the strategy's does.
	// +optional
	Paused bool `json:"paused,omitempty"`

	// Approvals that were given.
	// +kubebuilder:validation:MaxItems=100
	// +listType=atomic
	// +optional
	Approvals []Approval `json:"approvals,omitempty"`

	// Abort names the digest of a revision that is not to go on: clusters in motion
	// finish, and no other is started.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Abort string `json:"abort,omitempty"`

	// Rollback names the digest of a revision that is to go back, on all clusters
	// that have it, to the one that was reached before.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Rollback string `json:"rollback,omitempty"`

	// Retry is raised to forget the failures of a Rollout that halted or went back, and
	// go on. Clusters that failed are tried again. It forgets no rollback that is still
	// asked for.
	// +optional
	Retry int64 `json:"retry,omitempty"`

	// AllowDeletions names the digest of a revision that may take the application away
	// from more clusters than strategy.maxDeletions.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	AllowDeletions string `json:"allowDeletions,omitempty"`
}

// An Approval is somebody's word that a revision may pass a gate.
type Approval struct {
	// Gate as <wave>/<gate>, or the name of a step.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=127
	Gate string `json:"gate"`
	// Digest of the revision.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Digest string `json:"digest"`
	// By whom.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	By string `json:"by,omitempty"`
}
