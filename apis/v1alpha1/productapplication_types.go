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
type ProductApplicationSpec struct {
	// Components of the application.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=50
	// +listType=map
	// +listMapKey=name
	Components []Component `json:"components"`

	// Policies say where the application runs (topology), how it differs from place
	// to place (override), how it gets there (rollout), and how objects are treated
	// once they are there (apply-once, garbage-collect, take-over, read-only). Without
	// a topology it runs on every cluster that lists the application's namespace as
	// a tenant.
	// +kubebuilder:validation:MaxItems=20
	// +listType=map
	// +listMapKey=name
	// +optional
	Policies []Policy `json:"policies,omitempty"`

	// Workflow says in which order the topologies are deployed, and what happens in
	// between. Without it all are deployed together, with every override policy.
	// +optional
	Workflow *Workflow `json:"workflow,omitempty"`
}

// A Component is one part of an application.
//
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
	// statefulservice or k8s-objects, or one that a ComponentDefinition publishes. Of
	// those a version can be named, as in flink@1.2.3, or a range, as in
	// flink@1.2.x or flink@^1; without one it is the newest.
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

	// Traits change how the component runs: how many pods, on which nodes, with
	// what configuration. They are applied in this order, and there can be one of a
	// type.
	// +kubebuilder:validation:MaxItems=20
	// +listType=atomic
	// +optional
	Traits []Trait `json:"traits,omitempty"`

	// Inputs are properties that other components' outputs are put into, on each
	// cluster, once those components are healthy there.
	// +kubebuilder:validation:MaxItems=20
	// +listType=atomic
	// +optional
	Inputs []Input `json:"inputs,omitempty"`

	// Outputs are values that are read from the component, on each cluster, once it
	// is healthy there.
	// +kubebuilder:validation:MaxItems=20
	// +listType=map
	// +listMapKey=name
	// +optional
	Outputs []Output `json:"outputs,omitempty"`

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

// An Input puts another component's output into a property.
type Input struct {
	// From is the name of an output of another component.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	From string `json:"from"`

	// ParameterKey is the property, such as image, env[0].value or
	// labels["example.org/address"]. It must be one that takes a text.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	ParameterKey string `json:"parameterKey"`
}

// An Output is a value that is read from a component.
type Output struct {
	// Name of the output, unique in the application.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[A-Za-z_][-A-Za-z0-9_]*$`
	Name string `json:"name"`

	// ValueFrom is an expression in CEL over output, the component's first object as
	// it is on the cluster (object is another name for it), and objects, all of
	// them. It must give a text, a number or a boolean.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	ValueFrom string `json:"valueFrom"`
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

// A Policy says where an application runs, how it differs from place to place, or
// how it gets there.
type Policy struct {
	// Name of the policy, unique in the application.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`

	// Type of the policy: topology, override, rollout, apply-once,
	// garbage-collect, take-over or read-only.
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

	// Definitions are the versions of published types that the components and traits got.
	// +kubebuilder:validation:MaxItems=200
	// +listType=atomic
	// +optional
	Definitions []AppliedDefinition `json:"definitions,omitempty"`

	// Rollout is how far the rollout of what is wanted now is.
	// +optional
	Rollout *ApplicationRollout `json:"rollout,omitempty"`

	// Workflow is how far the workflow is.
	// +optional
	Workflow *WorkflowStatus `json:"workflow,omitempty"`

	// Preflight is what was found before the first write.
	// +optional
	Preflight *ApplicationPreflight `json:"preflight,omitempty"`
}

// An ApplicationRollout is how far the rollout of an application is.
type ApplicationRollout struct {
	// Phase of the rollout: Preflight, Progressing, Waiting, Paused, Blocked, Halted,
	// RollingBack, RolledBack, Aborted or Completed.
	// +optional
	Phase string `json:"phase,omitempty"`
	// Digest of the revision. Approvals name it.
	// +optional
	Digest string `json:"digest,omitempty"`
	// Wave that is under way, and how many of the waves are over, such as 1/3.
	// +optional
	Wave string `json:"wave,omitempty"`
	// +optional
	Waves string `json:"waves,omitempty"`
	// Message says what the rollout does or waits for.
	// +optional
	Message string `json:"message,omitempty"`
}

// An ApplicationPreflight is what was found before the first write.
type ApplicationPreflight struct {
	// Checked is the number of clusters that were checked.
	Checked int32 `json:"checked"`
	// Blocking is the number of clusters where something blocks.
	Blocking int32 `json:"blocking"`
	// Findings, the worst first. At most 3: the Rollout has more.
	// +optional
	Findings []PreflightFinding `json:"findings,omitempty"`
}

// A PreflightFinding is something for which an application would not start.
type PreflightFinding struct {
	// Cause as it is catalogued, such as C2.
	Cause string `json:"cause"`
	// Severity is Blocking or Warning.
	Severity string `json:"severity"`
	// Object it is about, as Kind/name.
	// +optional
	Object string `json:"object,omitempty"`
	// Message says what is wrong, and what to do.
	Message string `json:"message"`
	// Clusters is the number of clusters where it was found.
	Clusters int32 `json:"clusters"`
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

// An AppliedDefinition says which version of a published type a component got.
type AppliedDefinition struct {
	// Component that has the type.
	Component string `json:"component"`
	// Type of the component or the trait, without a version.
	Type string `json:"type"`
	// Version that it got.
	Version string `json:"version"`
	// Trait is true where the type is that of a trait.
	// +optional
	Trait bool `json:"trait,omitempty"`
}
