package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	mv1alpha1 "github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// A ClusterFleet is many Kubernetes clusters of one shape.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=clusterfleets,scope=Namespaced,shortName=fleet,categories=mainstay
// +kubebuilder:printcolumn:name="CLUSTERS",type=string,JSONPath=`.status.summary`
// +kubebuilder:printcolumn:name="VERSION",type=string,JSONPath=`.spec.kubernetesVersion`
// +kubebuilder:printcolumn:name="MESSAGE",type=string,JSONPath=`.status.conditions[?(@.type=='Reached')].message`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="metadata.name must be a DNS label: lower-case letters, digits and '-', without dots"
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 46",message="metadata.name is too long: a fleet name has at most 40 characters"
type ClusterFleet struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   ClusterFleetSpec   `json:"spec"`
	Status ClusterFleetStatus `json:"status,omitempty"`
}

// Limits of a fleet. Its cells could hold a few more clusters; the bound is round.
const (
	MaxFleetNameLength = 40
	MaxFleetClusters   = 2000
)

// A ClusterFleetSpec says which clusters a fleet has and what they look like.
//
// +kubebuilder:validation:XValidation:rule="size(self.clusters) + self.generate.map(g, g.count * size(g.regions)).sum() <= 2000",message="spec.generate and spec.clusters ask for more than 2000 clusters: split them over several fleets"
// +kubebuilder:validation:XValidation:rule="!has(self.kubernetesVersion) || !has(oldSelf.kubernetesVersion) || int(self.kubernetesVersion.split('.')[1]) - int(oldSelf.kubernetesVersion.split('.')[1]) <= 1",message="spec.kubernetesVersion can only go up one minor version at a time"
type ClusterFleetSpec struct {
	// ProviderConfigRef names the configuration of the backend that makes or
	// reaches the clusters.
	// +kubebuilder:default={kind: ClusterProviderConfig, name: default}
	// +optional
	ProviderConfigRef ProviderConfigReference `json:"providerConfigRef,omitempty"`

	// KubernetesVersion every cluster runs, such as v1.35.3. Where it is empty a
	// new cluster gets the backend's newest version, and an adopted cluster keeps its own.
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:Pattern=`^v1\.[0-9]{1,3}\.[0-9]{1,3}$`
	// +optional
	KubernetesVersion string `json:"kubernetesVersion,omitempty"`

	// Clusters are clusters by name.
	// +kubebuilder:validation:MaxItems=500
	// +kubebuilder:default={}
	// +listType=map
	// +listMapKey=name
	// +optional
	Clusters []FleetCluster `json:"clusters,omitempty"`

	// Generate describes clusters by the number instead of by name.
	// +kubebuilder:validation:MaxItems=20
	// +kubebuilder:default={}
	// +listType=map
	// +listMapKey=prefix
	// +optional
	Generate []ClusterGenerator `json:"generate,omitempty"`

	// NodePools that every cluster has.
	// +kubebuilder:validation:MaxItems=8
	// +listType=map
	// +listMapKey=name
	// +optional
	NodePools []FleetNodePool `json:"nodePools,omitempty"`

	// Tenants are the namespaces whose applications may run on the fleet. A
	// namespace that is not listed, the fleet's own included, may not.
	// +kubebuilder:validation:MaxItems=50
	// +listType=map
	// +listMapKey=namespace
	// +optional
	Tenants []mv1alpha1.Tenant `json:"tenants,omitempty"`

	// Upgrade says how clusters that exist take another version, or other node
	// pools: the control plane first, then its pools, cluster by cluster in waves.
	// Without it, all of them do so at once.
	// +optional
	Upgrade *FleetUpgrade `json:"upgrade,omitempty"`

	// DeletionPolicy says what becomes of a cluster that leaves the fleet, or
	// whose fleet is deleted: Delete destroys it (an adopted cluster is only let
	// go), Orphan leaves it and everything on it alone.
	// +kubebuilder:validation:Enum=Delete;Orphan
	// +kubebuilder:default=Delete
	// +optional
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`

	// DeletionGuard refuses the deletion of the fleet: Applications while
	// applications run on it, None never. With None the applications are removed
	// from each cluster before it is destroyed.
	// +kubebuilder:validation:Enum=Applications;None
	// +kubebuilder:default=Applications
	// +optional
	DeletionGuard DeletionGuard `json:"deletionGuard,omitempty"`
}

// A FleetUpgrade says how clusters that exist take another shape. A version cannot be
// taken back: what fails halts.
type FleetUpgrade struct {
	// MaxConcurrent is how many clusters may be in motion at once, as a number or
	// as a percentage of the fleet (rounded up).
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:Pattern=`^([1-9][0-9]{0,4}|[1-9][0-9]?%|100%)$`
	// +kubebuilder:default=1
	// +optional
	MaxConcurrent *intstr.IntOrString `json:"maxConcurrent,omitempty"`

	// MaxUnavailable is how many clusters may be unhealthy before no further one
	// is moved, as a number or as a percentage (rounded up).
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:Pattern=`^([0-9]{1,5}|[0-9]{1,2}%|100%)$`
	// +optional
	MaxUnavailable *intstr.IntOrString `json:"maxUnavailable,omitempty"`

	// FailureBudget is how many clusters may fail, as a number or as a percentage of
	// the fleet (rounded up), before no further one is moved.
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:Pattern=`^([0-9]{1,5}|[0-9]{1,2}%|100%)$`
	// +kubebuilder:default=0
	// +optional
	FailureBudget *intstr.IntOrString `json:"failureBudget,omitempty"`

	// ProgressDeadline is how long a cluster may be in motion before it counts as
	// failed.
	// +kubebuilder:default="1h"
	// +optional
	ProgressDeadline *metav1.Duration `json:"progressDeadline,omitempty"`

	// Strata are the labels of a cluster by which clusters differ. A cluster's region is
	// its label "region".
	// +kubebuilder:validation:MaxItems=5
	// +kubebuilder:validation:items:MaxLength=317
	// +kubebuilder:default={"region"}
	// +listType=atomic
	// +optional
	Strata []string `json:"strata,omitempty"`

	// Waves put clusters in order. Without any, all clusters are one wave.
	// +kubebuilder:validation:MaxItems=20
	// +listType=map
	// +listMapKey=name
	// +optional
	Waves []mv1alpha1.Wave `json:"waves,omitempty"`

	// Freezes are times at which nothing is started.
	// +kubebuilder:validation:MaxItems=20
	// +listType=map
	// +listMapKey=name
	// +optional
	Freezes []mv1alpha1.Freeze `json:"freezes,omitempty"`

	// Paused stops moving further clusters. Those in motion finish.
	// +optional
	Paused bool `json:"paused,omitempty"`
}

// A ClusterGenerator makes clusters named <prefix>-<region>-<n>, n from 1 to
// count, in each region. Raising count or adding a region only ever adds clusters.
type ClusterGenerator struct {
	// Prefix of the cluster names.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Prefix string `json:"prefix"`

	// Regions that get clusters.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=20
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=19
	// +kubebuilder:validation:items:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	// +listType=set
	Regions []string `json:"regions"`

	// Count of clusters in each region.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=2000
	Count int32 `json:"count"`

	// Labels of the clusters.
	// +kubebuilder:validation:MaxProperties=16
	// +optional
	Labels map[string]mv1alpha1.LabelValue `json:"labels,omitempty"`

	// Facts that manifests can use as ${cluster.<name>}, such as the registry that is
	// near them.
	// +kubebuilder:validation:MaxProperties=16
	// +optional
	Facts map[string]string `json:"facts,omitempty"`
}

// A DeletionPolicy says what becomes of a cluster that leaves its fleet.
type DeletionPolicy string

// Deletion policies.
const (
	DeletionDelete DeletionPolicy = "Delete"
	DeletionOrphan DeletionPolicy = "Orphan"
)

// A DeletionGuard says what stands in the way of deleting a fleet.
type DeletionGuard string

// Deletion guards.
const (
	GuardApplications DeletionGuard = "Applications"
	GuardNone         DeletionGuard = "None"
)

// A ClusterFleetStatus is what is observed of a fleet.
type ClusterFleetStatus struct {
	// Summary is ready/total clusters.
	// +optional
	Summary string `json:"summary,omitempty"`

	// Clusters counts the clusters.
	// +optional
	Clusters ClusterCount `json:"clusters,omitempty"`

	// Cells is the number of FleetCells the clusters are spread over.
	// +optional
	Cells int32 `json:"cells,omitempty"`

	// Nodes is the number of ready nodes of the clusters that are ready.
	// +optional
	Nodes int32 `json:"nodes,omitempty"`

	// Applications are some of the applications that run on the fleet, as
	// namespace/name. At most 10.
	// +optional
	Applications []string `json:"applications,omitempty"`

	// Problems are some of the clusters that are not ready, and why. At most 10.
	// +optional
	Problems []ClusterProblem `json:"problems,omitempty"`

	// Upgrade says how far the clusters are with the shape that is rolled out.
	// +optional
	Upgrade *FleetUpgradeStatus `json:"upgrade,omitempty"`
}

// A FleetUpgradeStatus says how far the clusters are with their shape.
type FleetUpgradeStatus struct {
	// Phase of the Rollout.
	Phase mv1alpha1.RolloutPhase `json:"phase"`
	// Wave that is under way.
	// +optional
	Wave string `json:"wave,omitempty"`
	// Message says what it waits for.
	// +optional
	Message string `json:"message,omitempty"`
}
