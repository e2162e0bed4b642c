package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	mv1alpha1 "github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// A FleetCell holds at most 25 clusters of a fleet. Functions write it, users do
// not: it exists because Crossplane applies what a composite composes one after
// another, so no composite may have more than 100 children.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=fleetcells,scope=Namespaced,categories=mainstay
// +kubebuilder:printcolumn:name="FLEET",type=string,JSONPath=`.spec.fleet`
// +kubebuilder:printcolumn:name="CLUSTERS",type=string,JSONPath=`.status.summary`
// +kubebuilder:printcolumn:name="MESSAGE",type=string,JSONPath=`.status.conditions[?(@.type=='Reached')].message`
type FleetCell struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   FleetCellSpec   `json:"spec"`
	Status FleetCellStatus `json:"status,omitempty"`
}

// Limits of a cell.
const (
	// MaxCellClusters is the most clusters a cell holds.
	MaxCellClusters = 25
	// MaxChildren is the most resources any composite of Mainstay composes.
	MaxChildren = 100
	// MaxFleetCells is the most cells a fleet is cut into: with the Usage that
	// guards its deletion, and the Rollout of its upgrades, they make MaxChildren.
	MaxFleetCells = MaxChildren - 2
)

// A FleetCellSpec is a fleet's specification narrowed to the cell's clusters.
type FleetCellSpec struct {
	// Fleet is the name of the ClusterFleet the cell is a part of.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=40
	Fleet string `json:"fleet"`

	// ProviderConfigRef names the configuration of the backend.
	// +optional
	ProviderConfigRef ProviderConfigReference `json:"providerConfigRef,omitempty"`

	// KubernetesVersion of the clusters that do not name one.
	// +kubebuilder:validation:MaxLength=16
	// +optional
	KubernetesVersion string `json:"kubernetesVersion,omitempty"`

	// Clusters of the cell.
	// +kubebuilder:validation:MaxItems=25
	// +listType=map
	// +listMapKey=name
	// +optional
	Clusters []FleetCluster `json:"clusters,omitempty"`

	// NodePools that every cluster has.
	// +kubebuilder:validation:MaxItems=8
	// +listType=map
	// +listMapKey=name
	// +optional
	NodePools []FleetNodePool `json:"nodePools,omitempty"`

	// Tenants of the fleet.
	// +kubebuilder:validation:MaxItems=50
	// +listType=map
	// +listMapKey=namespace
	// +optional
	Tenants []mv1alpha1.Tenant `json:"tenants,omitempty"`

	// Revision identifies what all clusters of the fleet are to have, where a cluster
	// that exists waits for the fleet's Rollout before it takes another version or
	// other node pools.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Revision string `json:"revision,omitempty"`

	// DeletionPolicy of the clusters.
	// +kubebuilder:validation:Enum=Delete;Orphan
	// +kubebuilder:default=Delete
	// +optional
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`
}

// A FleetCellStatus is a small, coarse summary: the fleet reads it, and must not
// be woken by every change of every cluster.
type FleetCellStatus struct {
	// Summary is ready/total clusters.
	// +optional
	Summary string `json:"summary,omitempty"`

	// Clusters counts the clusters.
	// +optional
	Clusters ClusterCount `json:"clusters,omitempty"`

	// Nodes is the number of ready nodes of the clusters that are ready.
	// +optional
	Nodes int32 `json:"nodes,omitempty"`

	// Applications are some of the applications that run here, as
	// namespace/name. At most 10.
	// +optional
	Applications []string `json:"applications,omitempty"`

	// Problems are some of the clusters that are not ready. At most 5.
	// +optional
	Problems []ClusterProblem `json:"problems,omitempty"`

	// Retiring are the clusters that have left the fleet and are not gone yet, and
	// what they wait for: they are drained first, then destroyed or let go.
	// +optional
	Retiring []ClusterProblem `json:"retiring,omitempty"`
}
