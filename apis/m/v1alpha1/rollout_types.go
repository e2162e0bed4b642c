package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
)

// A Rollout takes one payload to many clusters.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,categories={crossplane,managed,mainstay}
// +kubebuilder:printcolumn:name="READY",type=string,JSONPath=`.status.conditions[?(@.type=='Ready')].status`
// +kubebuilder:printcolumn:name="SYNCED",type=string,JSONPath=`.status.conditions[?(@.type=='Synced')].status`
// +kubebuilder:printcolumn:name="PHASE",type=string,JSONPath=`.status.atProvider.phase`
// +kubebuilder:printcolumn:name="CLUSTERS",type=integer,JSONPath=`.status.atProvider.clusters.total`
// +kubebuilder:printcolumn:name="UPDATED",type=integer,JSONPath=`.status.atProvider.clusters.updated`
// +kubebuilder:printcolumn:name="HEALTHY",type=integer,JSONPath=`.status.atProvider.clusters.ready`
// +kubebuilder:printcolumn:name="MESSAGE",type=string,JSONPath=`.status.atProvider.message`
// +kubebuilder:printcolumn:name="AGE",type=date,JSONPath=`.metadata.creationTimestamp`
type Rollout struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   RolloutSpec   `json:"spec"`
	Status RolloutStatus `json:"status,omitempty"`
}

// A RolloutSpec is the wanted state of a Rollout.
type RolloutSpec struct {
	xpv2.ManagedResourceSpec `json:",inline"`

	// ForProvider says what goes where, and how.
	ForProvider RolloutParameters `json:"forProvider"`
}

// RolloutParameters say what goes where, and how.
//
// +kubebuilder:validation:XValidation:rule="has(self.application) != has(self.fleet)",message="a Rollout is of an application or of a fleet"
// +kubebuilder:validation:XValidation:rule="!has(self.fleet) || !has(self.steps) && !has(self.variants)",message="a Rollout of a fleet has no steps and no variants"
type RolloutParameters struct {
	// Application the payload belongs to.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +optional
	Application string `json:"application,omitempty"`

	// Fleet whose clusters are taken to their shape: the version of Kubernetes, then
	// the node pools. The shape is what each Cluster says.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +optional
	Fleet string `json:"fleet,omitempty"`

	// Revision identifies what all clusters of the fleet are to have. Nothing is moved
	// before every one of them has been told of it: they are told one after another,
	// and of half a change no order could be made.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Revision string `json:"revision,omitempty"`

	// Placement says which clusters get the payload.
	// +optional
	Placement Placement `json:"placement,omitempty"`

	// Variants are the payload: which Bundle a cluster gets, by the overrides
	// that apply to it. A cluster whose variant is not listed waits for it.
	// +kubebuilder:validation:MaxItems=64
	// +listType=atomic
	// +optional
	Variants []Variant `json:"variants,omitempty"`

	// Steps say in which order the topologies are deployed. Without any, all are
	// deployed together. They are the application's workflow, compiled.
	// +kubebuilder:validation:MaxItems=50
	// +listType=map
	// +listMapKey=name
	// +optional
	Steps []RolloutStep `json:"steps,omitempty"`

	// Strategy says how the clusters are moved.
	// +optional
	Strategy RolloutStrategy `json:"strategy,omitempty"`

	// ClaimDigest identifies what the claim says that this was rendered from. Where
	// only approved changes may change the claim, it must be one that was.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	ClaimDigest string `json:"claimDigest,omitempty"`

	// Control is what people, and the changes that they approved, tell a Rollout
	// on its way. It is theirs: nothing that is composed sets it.
	// +optional
	Control *RolloutControl `json:"control,omitempty"`
}

// A Placement says which clusters a payload goes to.
type Placement struct {
	// Topologies select clusters. Without any, every cluster that lists the
	// Rollout's namespace as a tenant is selected.
	// +kubebuilder:validation:MaxItems=20
	// +listType=map
	// +listMapKey=name
	// +optional
	Topologies []Topology `json:"topologies,omitempty"`

	// Overrides say to which of the selected clusters an override applies.
	// +kubebuilder:validation:MaxItems=20
	// +listType=map
	// +listMapKey=name
	// +optional
	Overrides []OverrideScope `json:"overrides,omitempty"`
}

// A Topology selects clusters. Where it has names and a selector, a cluster must
// match both; where it has neither, every cluster of the tenant matches.
type Topology struct {
	// Name of the policy.
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`

	// Clusters by name: <cluster>, or <fleet>.<cluster> where the name alone would
	// be ambiguous. Each must exist.
	// +kubebuilder:validation:MaxItems=500
	// +kubebuilder:validation:items:MaxLength=128
	// +listType=set
	// +optional
	Clusters []string `json:"clusters,omitempty"`

	// ClusterLabelSelector selects clusters by their labels.
	// +kubebuilder:validation:MaxProperties=16
	// +optional
	ClusterLabelSelector map[string]string `json:"clusterLabelSelector,omitempty"`

	// Namespace on the clusters that the objects go to. Defaults to the
	// Rollout's own namespace.
	// +kubebuilder:validation:MaxLength=63
	// +optional
	Namespace string `json:"namespace,omitempty"`

	// AllowEmpty accepts that no cluster is selected.
	// +optional
	AllowEmpty bool `json:"allowEmpty,omitempty"`
}

// An OverrideScope says which of the placed clusters an override applies to. Where
// it has no topologies, names or selector it applies to all.
type OverrideScope struct {
	// Name of the policy.
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`

	// Topologies that place a cluster for the override to apply there. What counts is
	// the first topology, in the order of the placement, that selects a cluster.
	// Without any, all do.
	// +kubebuilder:validation:MaxItems=20
	// +kubebuilder:validation:items:MaxLength=63
	// +listType=set
	// +optional
	Topologies []string `json:"topologies,omitempty"`

	// Clusters by name.
	// +kubebuilder:validation:MaxItems=500
	// +kubebuilder:validation:items:MaxLength=128
	// +listType=set
	// +optional
	Clusters []string `json:"clusters,omitempty"`

	// ClusterLabelSelector selects clusters by their labels.
	// +kubebuilder:validation:MaxProperties=16
	// +optional
	ClusterLabelSelector map[string]string `json:"clusterLabelSelector,omitempty"`
}

// A Variant is the Bundle for the clusters that a combination of overrides applies to.
type Variant struct {
	// Overrides that apply, by policy name, in the order of the placement.
	// +kubebuilder:validation:MaxItems=20
	// +listType=atomic
	// +optional
	Overrides []string `json:"overrides,omitempty"`

	// Bundle for these clusters, by name, in the Rollout's namespace.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Bundle string `json:"bundle"`
}

// A RolloutList is a list of Rollouts.
// +kubebuilder:object:root=true
type RolloutList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Rollout `json:"items"`
}
