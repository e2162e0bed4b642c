package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// A ProductApplication is one product as an OAM application. Its field names are
// those of the core.oam.dev/v1beta1 Application: one that uses only what is
// supported can be pasted with its apiVersion and kind changed.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=productapplications,scope=Namespaced,shortName=app,categories=mainstay
// +kubebuilder:printcolumn:name="CLUSTERS",type=string,JSONPath=`.status.summary`
// +kubebuilder:printcolumn:name="MESSAGE",type=string,JSONPath=`.status.conditions[?(@.type=='Reached')].message`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="metadata.name must be a DNS label: lower-case letters, digits and '-', without dots"
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 46",message="metadata.name is too long: an application name has at most 40 characters"
type ProductApplication struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   ProductApplicationSpec   `json:"spec"`
	Status ProductApplicationStatus `json:"status,omitempty"`
}

// MaxApplicationNameLength is the longest name an application can have.
const MaxApplicationNameLength = 40

// A ProductApplicationSpec says what an application consists of and where it runs.
//
// +kubebuilder:validation:XValidation:rule="!has(self.workflow)",message="spec.workflow is not supported yet: remove it; every topology policy is deployed with every override policy"
type ProductApplicationSpec struct {
	// Components of the application.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=50
	// +listType=map
	// +listMapKey=name
	Components []Component `json:"components"`

	// Policies say where the application runs (topology) and how it differs from
	// place to place (override). Without a topology it runs on every cluster that
	// lists the application's namespace as a tenant.
	// +kubebuilder:validation:MaxItems=20
	// +listType=map
	// +listMapKey=name
	// +optional
	Policies []Policy `json:"policies,omitempty"`

	// Workflow is refused: it is not supported yet.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +kubebuilder:validation:Type=object
	// +optional
	Workflow *runtime.RawExtension `json:"workflow,omitempty"`
}

// A Component is one part of an application.
//
// +kubebuilder:validation:XValidation:rule="!has(self.inputs)",message="inputs are not supported yet: remove them"
// +kubebuilder:validation:XValidation:rule="!has(self.outputs)",message="outputs are not supported yet: remove them"
// +kubebuilder:validation:XValidation:rule="!has(self.scopes)",message="scopes are not supported: remove them"
// +kubebuilder:validation:XValidation:rule="!has(self.externalRevision)",message="externalRevision is not supported yet: remove it"
// +kubebuilder:validation:XValidation:rule="!has(self.replicaKey)",message="replicaKey is not supported: remove it"
type Component struct {
	// Name of the component, unique in the application. Its workload is named by it.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=52
	// +kubebuilder:validation:Pattern=`^[a-z]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`

	// Type of the component: webservice, worker, task, cron-task,
	// statefulservice or k8s-objects.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Type string `json:"type"`

	// Properties of the component. Which there are depends on the type.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +kubebuilder:validation:Type=object
	// +optional
	Properties *runtime.RawExtension `json:"properties,omitempty"`

	// DependsOn names components that must be healthy on a cluster before this
	// one is applied there.
	// +kubebuilder:validation:MaxItems=50
	// +kubebuilder:validation:items:MaxLength=52
	// +listType=set
	// +optional
	DependsOn []string `json:"dependsOn,omitempty"`

	// Traits change how the component runs. None is supported yet: each is
	// refused by its name.
	// +kubebuilder:validation:MaxItems=20
	// +listType=atomic
	// +optional
	Traits []Trait `json:"traits,omitempty"`

	// Inputs are refused: they are not supported yet.
	// +kubebuilder:validation:items:XPreserveUnknownFields
	// +listType=atomic
	// +optional
	Inputs []runtime.RawExtension `json:"inputs,omitempty"`

	// Outputs are refused: they are not supported yet.
	// +kubebuilder:validation:items:XPreserveUnknownFields
	// +listType=atomic
	// +optional
	Outputs []runtime.RawExtension `json:"outputs,omitempty"`

	// Scopes are refused: they are not supported.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +kubebuilder:validation:Type=object
	// +optional
	Scopes *runtime.RawExtension `json:"scopes,omitempty"`

	// ExternalRevision is refused: it is not supported yet.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	ExternalRevision string `json:"externalRevision,omitempty"`

	// ReplicaKey is refused: it is not supported.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	ReplicaKey string `json:"replicaKey,omitempty"`
}

// A Trait changes how a component runs.
type Trait struct {
	// Type of the trait.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Type string `json:"type"`

	// Properties of the trait.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +kubebuilder:validation:Type=object
	// +optional
	Properties *runtime.RawExtension `json:"properties,omitempty"`
}

// A Policy says where an application runs, or how it differs from place to place.
type Policy struct {
	// Name of the policy, unique in the application.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`

	// Type of the policy: topology or override.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Type string `json:"type"`

	// Properties of the policy. Which there are depends on the type.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +kubebuilder:validation:Type=object
	// +optional
	Properties *runtime.RawExtension `json:"properties,omitempty"`
}

// A ProductApplicationStatus is what is observed of an application.
type ProductApplicationStatus struct {
	// Summary is ready/total clusters.
	// +optional
	Summary string `json:"summary,omitempty"`

	// Clusters counts the clusters the application is placed on.
	// +optional
	Clusters ApplicationClusters `json:"clusters,omitempty"`

	// Bundles are the rendered revisions that the application's clusters should
	// run: one for each combination of overrides.
	// +optional
	Bundles []string `json:"bundles,omitempty"`

	// Services are the components and their health over all clusters.
	// +optional
	Services []ServiceStatus `json:"services,omitempty"`

	// Problems are some of the clusters where the application is not as wanted,
	// and why. At most 10.
	// +optional
	Problems []ClusterProblem `json:"problems,omitempty"`
}

// ApplicationClusters counts the clusters an application is placed on.
type ApplicationClusters struct {
	// Total is the number of clusters the application is placed on.
	// +optional
	Total int32 `json:"total"`
	// Updated is the number of clusters that have what is wanted now.
	// +optional
	Updated int32 `json:"updated"`
	// Ready is the number of clusters that have it and are healthy.
	// +optional
	Ready int32 `json:"ready"`
}

// A ServiceStatus is the health of one component over all clusters.
type ServiceStatus struct {
	// Name of the component.
	Name string `json:"name"`
	// Healthy is the number of clusters where the component is healthy.
	Healthy int32 `json:"healthy"`
	// Total is the number of clusters the component is placed on.
	Total int32 `json:"total"`
	// Message of one cluster where it is not healthy.
	// +optional
	Message string `json:"message,omitempty"`
}
