package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
)

// A Release is one application on one cluster. Its namespace is its tenant: it
// acts on the cluster as that tenant and can do no more there than the cluster's
// list of tenants grants, whoever wrote it.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,categories={crossplane,managed,mainstay}
// +kubebuilder:printcolumn:name="READY",type=string,JSONPath=`.status.conditions[?(@.type=='Ready')].status`
// +kubebuilder:printcolumn:name="SYNCED",type=string,JSONPath=`.status.conditions[?(@.type=='Synced')].status`
// +kubebuilder:printcolumn:name="CLUSTER",type=string,JSONPath=`.spec.forProvider.clusterRef.name`
// +kubebuilder:printcolumn:name="WANTED",type=string,JSONPath=`.spec.forProvider.bundle`,priority=1
// +kubebuilder:printcolumn:name="BUNDLE",type=string,JSONPath=`.status.atProvider.bundle`
// +kubebuilder:printcolumn:name="HEALTH",type=string,JSONPath=`.status.atProvider.health`
// +kubebuilder:printcolumn:name="MESSAGE",type=string,JSONPath=`.status.atProvider.message`
// +kubebuilder:printcolumn:name="AGE",type=date,JSONPath=`.metadata.creationTimestamp`
type Release struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   ReleaseSpec   `json:"spec"`
	Status ReleaseStatus `json:"status,omitempty"`
}

// A ReleaseSpec is the wanted state of a Release.
type ReleaseSpec struct {
	xpv2.ManagedResourceSpec `json:",inline"`

	// ForProvider says what is wanted where.
	ForProvider ReleaseParameters `json:"forProvider"`
}

// ReleaseParameters say what is wanted where.
//
// +kubebuilder:validation:XValidation:rule="self.clusterRef == oldSelf.clusterRef && self.application == oldSelf.application",message="clusterRef and application of a Release cannot change: make another Release"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.epoch) || (has(self.epoch) && self.epoch >= oldSelf.epoch)",message="epoch of a Release cannot go back: whoever wrote this decided from an older state"
type ReleaseParameters struct {
	// ClusterRef names the Cluster.
	ClusterRef ClusterReference `json:"clusterRef"`

	// Application the Release belongs to.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Application string `json:"application"`

	// Bundle that is wanted on the cluster, by name, in the Release's namespace.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Bundle string `json:"bundle"`

	// Namespace on the cluster that the objects go to.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace"`

	// Images that are pinned to a digest, in whatever makes pods. What is not listed
	// stays as the Bundle has it.
	// +kubebuilder:validation:MaxItems=200
	// +listType=map
	// +listMapKey=image
	// +optional
	Images []ImageDigest `json:"images,omitempty"`

	// Epoch of the Rollout that wrote this. It fences: a lower one is refused.
	// +kubebuilder:validation:Minimum=0
	// +optional
	Epoch int64 `json:"epoch,omitempty"`
}

// A ClusterReference names a Cluster, possibly in another namespace.
type ClusterReference struct {
	// Namespace of the Cluster.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace"`
	// Name of the Cluster.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// A ReleaseStatus is the observed state of a Release.
type ReleaseStatus struct {
	xpv2.ConditionedStatus `json:",inline"`

	// AtProvider is what is observed on the cluster.
	// +optional
	AtProvider ReleaseObservation `json:"atProvider,omitempty"`
}

// Health of a component or a Release.
// +kubebuilder:validation:Enum=Healthy;Progressing;Degraded;Unknown
type Health string

// Healths, from best to worst.
const (
	Healthy     Health = "Healthy"
	Progressing Health = "Progressing"
	Degraded    Health = "Degraded"
	Unknown     Health = "Unknown"
)

// A ReleaseObservation is what is observed on the cluster.
type ReleaseObservation struct {
	// Bundle that was last applied in full.
	// +optional
	Bundle string `json:"bundle,omitempty"`

	// Images identifies the digests that the images of that Bundle were pinned to. Empty
	// where none were.
	// +optional
	Images string `json:"images,omitempty"`

	// Applied identifies all that decided what was applied: bundle content, digests of
	// images, target namespace and cluster. Where it is unchanged nothing needs applying.
	// +optional
	Applied string `json:"applied,omitempty"`

	// Namespace that the objects are in.
	// +optional
	Namespace string `json:"namespace,omitempty"`

	// Epoch that the last write to the cluster was decided in. It is recorded before
	// that write, so that whoever decided from an older state is found out.
	// +optional
	Epoch int64 `json:"epoch,omitempty"`

	// Target is the Bundle that the last write to the cluster was to bring there.
	// +optional
	Target string `json:"target,omitempty"`

	// Health of the whole.
	// +optional
	Health Health `json:"health,omitempty"`

	// Message says in one line what is wrong or awaited.
	// +optional
	Message string `json:"message,omitempty"`

	// Components and their health.
	// +listType=atomic
	// +optional
	Components []ComponentHealth `json:"components,omitempty"`

	// Inventory is every object this Release may have put on the cluster. It is
	// written before the first of them is, so that nothing is forgotten in a crash.
	// +listType=atomic
	// +optional
	Inventory []ObjectReference `json:"inventory,omitempty"`

	// Procedures are the upgrade procedures that are under way.
	// +listType=atomic
	// +optional
	Procedures []ProcedureStatus `json:"procedures,omitempty"`
}

// A ProcedureStatus says how far an upgrade procedure is. It is written before a step
// is taken, so that it is gone on with wherever it was left.
type ProcedureStatus struct {
	// Component that is upgraded.
	Component string `json:"component"`
	// From is the version of its definition that was there.
	// +optional
	From string `json:"from,omitempty"`
	// To is the version that is wanted.
	// +optional
	To string `json:"to,omitempty"`
	// Target identifies what the component is upgraded to. Where that changes, the
	// procedure begins anew.
	Target string `json:"target"`
	// Step that is being taken. Empty once all are, and the component's objects are
	// being applied.
	// +optional
	Step string `json:"step,omitempty"`
	// Started is when the step was.
	Started metav1.Time `json:"started"`
}

// A ComponentHealth is the health of one component on one cluster.
type ComponentHealth struct {
	// Name of the component.
	Name string `json:"name"`
	// Version of its definition that was last applied in full.
	// +optional
	Version string `json:"version,omitempty"`
	// Health of the component.
	Health Health `json:"health"`
	// Message says what is wrong or awaited.
	// +optional
	Message string `json:"message,omitempty"`
}

// A ReleaseList is a list of Releases.
// +kubebuilder:object:root=true
type ReleaseList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Release `json:"items"`
}
