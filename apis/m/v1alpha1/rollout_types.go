package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
)

// A Rollout takes one payload to many clusters.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,categories={crossplane,managed,mainstay}
// +kubebuilder:printcolumn:name="READY",type=string,JSONPath=`.status.conditions[?(@.type=='Ready')].status`
// +kubebuilder:printcolumn:name="SYNCED",type=string,JSONPath=`.status.conditions[?(@.type=='Synced')].status`
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
type RolloutParameters struct {
	// Application the payload belongs to.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Application string `json:"application"`

	// Placement says which clusters get the payload.
	// +optional
	Placement Placement `json:"placement,omitempty"`

	// Variants are the payload: which Bundle a cluster gets, by the overrides
	// that apply to it. A cluster whose variant is not listed waits for it.
	// +kubebuilder:validation:MaxItems=64
	// +listType=atomic
	// +optional
	Variants []Variant `json:"variants,omitempty"`

	// Strategy says how the clusters are moved.
	// +optional
	Strategy RolloutStrategy `json:"strategy,omitempty"`
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
// it has neither names nor a selector it applies to all.
type OverrideScope struct {
	// Name of the policy.
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`

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

// A RolloutStrategy says how clusters are moved from what they have to what is wanted.
//
// +kubebuilder:validation:XValidation:rule="!has(self.waves)",message="strategy.waves is not supported yet: remove it"
type RolloutStrategy struct {
	// MaxConcurrent is how many clusters may be in motion at once, as a number or
	// as a percentage of the placed clusters (rounded up).
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:Pattern=`^([1-9][0-9]{0,4}|[1-9][0-9]?%|100%)$`
	// +kubebuilder:default=10
	// +optional
	MaxConcurrent *intstr.IntOrString `json:"maxConcurrent,omitempty"`

	// MaxUnavailable is how many clusters may be unhealthy before no further one
	// is moved, as a number or as a percentage (rounded up). Without it, unhealthy
	// clusters stop no others.
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:Pattern=`^([0-9]{1,5}|[0-9]{1,2}%|100%)$`
	// +optional
	MaxUnavailable *intstr.IntOrString `json:"maxUnavailable,omitempty"`

	// Paused stops moving further clusters. Those in motion finish.
	// +optional
	Paused bool `json:"paused,omitempty"`

	// Waves put clusters in order. They are not supported yet and refused.
	// +kubebuilder:validation:MaxItems=20
	// +listType=map
	// +listMapKey=name
	// +optional
	Waves []Wave `json:"waves,omitempty"`
}

// A Wave is a set of clusters that are moved together.
type Wave struct {
	// Name of the wave.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`

	// ClusterLabelSelector selects the clusters of the wave.
	// +kubebuilder:validation:MaxProperties=16
	// +optional
	ClusterLabelSelector map[string]string `json:"clusterLabelSelector,omitempty"`

	// Soak is how long the wave must be healthy before the next begins.
	// +optional
	Soak *metav1.Duration `json:"soak,omitempty"`
}

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

	// Clusters counts the placed clusters.
	// +optional
	Clusters RolloutCount `json:"clusters,omitempty"`

	// Variants are the combinations of overrides that the placed clusters need.
	// The function answers with a Bundle for each.
	// +listType=atomic
	// +optional
	Variants []VariantNeed `json:"variants,omitempty"`

	// BundlesInUse are the Bundles that a Release wants or has. They must not go.
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

// A RolloutList is a list of Rollouts.
// +kubebuilder:object:root=true
type RolloutList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Rollout `json:"items"`
}
