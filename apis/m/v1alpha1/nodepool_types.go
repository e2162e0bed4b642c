package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
)

// A NodePool is a group of like nodes of one Cluster.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,categories={crossplane,managed,mainstay}
// +kubebuilder:printcolumn:name="READY",type=string,JSONPath=`.status.conditions[?(@.type=='Ready')].status`
// +kubebuilder:printcolumn:name="SYNCED",type=string,JSONPath=`.status.conditions[?(@.type=='Synced')].status`
// +kubebuilder:printcolumn:name="CLASS",type=string,JSONPath=`.spec.forProvider.class`
// +kubebuilder:printcolumn:name="SIZE",type=integer,JSONPath=`.spec.forProvider.size`
// +kubebuilder:printcolumn:name="NODES",type=integer,JSONPath=`.status.atProvider.nodes.ready`
// +kubebuilder:printcolumn:name="AGE",type=date,JSONPath=`.metadata.creationTimestamp`
type NodePool struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   NodePoolSpec   `json:"spec"`
	Status NodePoolStatus `json:"status,omitempty"`
}

// A NodePoolSpec is the wanted state of a NodePool.
type NodePoolSpec struct {
	xpv2.ManagedResourceSpec `json:",inline"`

	// ForProvider is what the backend is asked for.
	ForProvider NodePoolParameters `json:"forProvider"`
}

// NodePoolParameters are what a backend is asked for.
//
// +kubebuilder:validation:XValidation:rule="self.name == oldSelf.name && self.cluster == oldSelf.cluster",message="cluster and name of a NodePool cannot change: make another NodePool"
type NodePoolParameters struct {
	// Cluster is the name of the Cluster, in this namespace, the nodes join.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Cluster string `json:"cluster"`

	// Name of the pool in its cluster.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`

	// Class of the nodes.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Class string `json:"class"`

	// Size is the number of nodes.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	Size int32 `json:"size"`

	// Labels the nodes carry.
	// +kubebuilder:validation:MaxProperties=16
	// +optional
	Labels map[string]LabelValue `json:"labels,omitempty"`

	// Taints the nodes carry.
	// +kubebuilder:validation:MaxItems=8
	// +listType=atomic
	// +optional
	Taints []Taint `json:"taints,omitempty"`

	// Shape of the cluster that the pool is part of, where the fleet rolls it out. The
	// pool is changed when its Cluster is admitted and has its version.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Shape string `json:"shape,omitempty"`
}

// A NodePoolStatus is the observed state of a NodePool.
type NodePoolStatus struct {
	xpv2.ConditionedStatus `json:",inline"`

	// AtProvider is what is observed of the pool.
	// +optional
	AtProvider NodePoolObservation `json:"atProvider,omitempty"`
}

// A NodePoolObservation is what is observed of a pool.
type NodePoolObservation struct {
	// Nodes counts the nodes of the pool.
	// +optional
	Nodes NodeCount `json:"nodes,omitempty"`
}

// A NodePoolList is a list of NodePools.
// +kubebuilder:object:root=true
type NodePoolList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []NodePool `json:"items"`
}
