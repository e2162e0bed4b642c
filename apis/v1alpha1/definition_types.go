package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// A ComponentDefinition is a component type that a platform team publishes. Each
// version that was found to be right becomes a DefinitionRevision, which cannot
// change: to publish a change, raise spec.version.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=compdef,categories=mainstay
// +kubebuilder:printcolumn:name="VERSION",type=string,JSONPath=`.spec.version`
// +kubebuilder:printcolumn:name="PUBLISHED",type=string,JSONPath=`.status.conditions[?(@.type=='Published')].status`
// +kubebuilder:printcolumn:name="USERS",type=integer,JSONPath=`.status.users`
// +kubebuilder:printcolumn:name="MESSAGE",type=string,JSONPath=`.status.conditions[?(@.type=='Published')].message`
// +kubebuilder:printcolumn:name="AGE",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$') && size(self.metadata.name) <= 40",message="metadata.name must be a DNS label of at most 40 characters that begins with a letter: it is the type that applications name"
type ComponentDefinition struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   ComponentDefinitionSpec `json:"spec"`
	Status DefinitionStatus        `json:"status,omitempty"`
}

// A ComponentDefinitionList is a list of ComponentDefinitions.
//
// +kubebuilder:object:root=true
type ComponentDefinitionList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []ComponentDefinition `json:"items"`
}

// A TraitDefinition is a trait type that a platform team publishes. Each version
// that was found to be right becomes a DefinitionRevision, which cannot change: to
// publish a change, raise spec.version.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=traitdef,categories=mainstay
// +kubebuilder:printcolumn:name="VERSION",type=string,JSONPath=`.spec.version`
// +kubebuilder:printcolumn:name="PUBLISHED",type=string,JSONPath=`.status.conditions[?(@.type=='Published')].status`
// +kubebuilder:printcolumn:name="USERS",type=integer,JSONPath=`.status.users`
// +kubebuilder:printcolumn:name="MESSAGE",type=string,JSONPath=`.status.conditions[?(@.type=='Published')].message`
// +kubebuilder:printcolumn:name="AGE",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$') && size(self.metadata.name) <= 40",message="metadata.name must be a DNS label of at most 40 characters that begins with a letter: it is the type that applications name"
type TraitDefinition struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   TraitDefinitionSpec `json:"spec"`
	Status DefinitionStatus    `json:"status,omitempty"`
}

// A TraitDefinitionList is a list of TraitDefinitions.
//
// +kubebuilder:object:root=true
type TraitDefinitionList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []TraitDefinition `json:"items"`
}

// A ComponentDefinitionSpec is one version of a component type. Texts of its
// templates hold expressions in CEL, as ${expression}, over parameter and context.
// What only the cluster can say is written as $${cluster.…}, and bound there.
//
// +kubebuilder:validation:XValidation:rule="has(self.objects) != has(self.chart)",message="a definition has objects or a chart, and not both"
type ComponentDefinitionSpec struct {
	// Version of the definition, such as 1.4.0 or 2.0.0-rc.1.
	// +kubebuilder:validation:MaxLength=40
	// +kubebuilder:validation:Pattern=`^(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})(-[0-9a-z]+(\.[0-9a-z]+)*)?$`
	Version string `json:"version"`

	// Description says to application developers what the type is.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Description string `json:"description,omitempty"`

	// Parameters is the JSON schema (OpenAPI v3, structural) of the properties that
	// a component of this type has. Templates see them as parameter.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +kubebuilder:validation:Type=object
	// +optional
	Parameters *runtime.RawExtension `json:"parameters,omitempty"`

	// Objects of a component, as templates.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=50
	// +listType=atomic
	// +optional
	Objects []ObjectTemplate `json:"objects,omitempty"`

	// Chart that a component is rendered from instead.
	// +optional
	Chart *Chart `json:"chart,omitempty"`

	// Workload is the object that has the pods, where it is not the first that is a
	// Deployment, StatefulSet, DaemonSet, Job or CronJob. Traits change its pod
	// template.
	// +optional
	Workload *WorkloadReference `json:"workload,omitempty"`

	// Contract is what a component needs of the cluster and of its own manifests.
	// +optional
	Contract *DefinitionContract `json:"contract,omitempty"`

	// Health is the rule that says whether a component is healthy, where its
	// workloads' own do not suffice.
	// +optional
	Health *DefinitionHealth `json:"health,omitempty"`

	// Procedure is how a component that is there is upgraded, in steps that are taken
	// before its objects are applied.
	// +kubebuilder:validation:MaxItems=20
	// +listType=map
	// +listMapKey=name
	// +optional
	Procedure []DefinitionStep `json:"procedure,omitempty"`

	// Examples of properties. All of them must render before the version is published.
	// Without any, the definition is tried with nothing but what is required.
	// +kubebuilder:validation:MaxItems=10
	// +listType=map
	// +listMapKey=name
	// +optional
	Examples []DefinitionExample `json:"examples,omitempty"`
}

// An ObjectTemplate renders one object, or as many as a list has entries.
type ObjectTemplate struct {
	// When in CEL: the object is rendered where it is true.
	// +kubebuilder:validation:MaxLength=4096
	// +optional
	When string `json:"when,omitempty"`

	// ForEach in CEL gives a list. The object is rendered once for each entry, which
	// it sees as item, with its number from 0 as index.
	// +kubebuilder:validation:MaxLength=4096
	// +optional
	ForEach string `json:"forEach,omitempty"`

	// Object is the manifest, with expressions in its texts. A field whose expression
	// gives null is left out.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +kubebuilder:validation:Type=object
	Object runtime.RawExtension `json:"object"`
}

// A Chart is a Helm chart that is pinned by its digest. Hooks and lookups find
// nothing, and what gives another result each time is refused.
//
// +kubebuilder:validation:XValidation:rule="[has(self.oci), has(self.archive), has(self.files)].filter(x, x).size() == 1",message="a chart is exactly one of oci, archive and files"
// +kubebuilder:validation:XValidation:rule="!has(self.archive) || has(self.sha256)",message="an archive is pinned: set sha256"
type Chart struct {
	// OCI names the chart in a registry, pinned by digest, as
	// registry.example.org/charts/name@sha256:…
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:Pattern=`^(oci://)?[a-z0-9][-a-z0-9.:]*(/[a-z0-9][-a-z0-9._]*)+(:[A-Za-z0-9_][-A-Za-z0-9._+]*)?@sha256:[0-9a-f]{64}$`
	// +optional
	OCI string `json:"oci,omitempty"`

	// Archive is the packaged chart (.tgz).
	// +kubebuilder:validation:MaxLength=524288
	// +optional
	Archive []byte `json:"archive,omitempty"`

	// SHA256 of the archive, in hexadecimal.
	// +kubebuilder:validation:Pattern=`^[0-9a-f]{64}$`
	// +optional
	SHA256 string `json:"sha256,omitempty"`

	// Files of the chart by their path in it, such as Chart.yaml and
	// templates/deployment.yaml.
	// +kubebuilder:validation:MaxProperties=100
	// +optional
	Files map[string]string `json:"files,omitempty"`

	// Values for the chart, with expressions in its texts. Without it the chart is given
	// the parameters as they are.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +kubebuilder:validation:Type=object
	// +optional
	Values *runtime.RawExtension `json:"values,omitempty"`

	// KubernetesVersion that the chart is told the cluster has.
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:Pattern=`^v1\.[0-9]{1,3}\.[0-9]{1,3}$`
	// +kubebuilder:default="v1.30.0"
	// +optional
	KubernetesVersion string `json:"kubernetesVersion,omitempty"`

	// APIVersions that the chart is told the cluster serves beside Kubernetes' own, as
	// <group>/<version> or <group>/<version>/<kind>.
	// +kubebuilder:validation:MaxItems=50
	// +kubebuilder:validation:items:MaxLength=253
	// +listType=set
	// +optional
	APIVersions []string `json:"apiVersions,omitempty"`
}

// A WorkloadReference selects the object that has the pods.
type WorkloadReference struct {
	// Kind of the object.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind"`

	// Name of the object, with expressions. Without it the first of the kind is meant.
	// +kubebuilder:validation:MaxLength=4096
	// +optional
	Name string `json:"name,omitempty"`

	// PodTemplate is the path of the pod template in the object.
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9]+(\.[A-Za-z0-9]+)*$`
	// +kubebuilder:default="spec.template"
	// +optional
	PodTemplate string `json:"podTemplate,omitempty"`
}

// A DefinitionContract is what a component needs. Texts may hold expressions, as in
// templates.
type DefinitionContract struct {
	// Version of the product, with expressions, such as ${parameter.flinkVersion}. It is
	// what the versions of the needs below are compared with. Without it, that is the
	// version of the definition.
	// +kubebuilder:validation:MaxLength=4096
	// +optional
	Version string `json:"version,omitempty"`

	// Env variables that a container of the workload must have, or must not have.
	// +kubebuilder:validation:MaxItems=50
	// +listType=atomic
	// +optional
	Env []EnvNeed `json:"env,omitempty"`

	// Config keys that a ConfigMap or Secret must have, or must not have.
	// +kubebuilder:validation:MaxItems=50
	// +listType=atomic
	// +optional
	Config []ConfigNeed `json:"config,omitempty"`

	// Ports that the workload must offer, by name or number.
	// +kubebuilder:validation:MaxItems=50
	// +kubebuilder:validation:items:MaxLength=4096
	// +listType=atomic
	// +optional
	Ports []string `json:"ports,omitempty"`

	// Kinds that the cluster must serve, as <plural>.<group>/<version> or
	// <plural>.<group>.
	// +kubebuilder:validation:MaxItems=50
	// +kubebuilder:validation:items:MaxLength=317
	// +listType=set
	// +optional
	Kinds []string `json:"kinds,omitempty"`

	// Access that the component's service account must have.
	// +kubebuilder:validation:MaxItems=50
	// +listType=atomic
	// +optional
	Access []AccessNeed `json:"access,omitempty"`

	// NodeLabels that a node must have.
	// +kubebuilder:validation:MaxProperties=20
	// +optional
	NodeLabels map[string]string `json:"nodeLabels,omitempty"`

	// NodeResources that a node must offer, such as nvidia.com/gpu.
	// +kubebuilder:validation:MaxItems=20
	// +kubebuilder:validation:items:MaxLength=317
	// +listType=set
	// +optional
	NodeResources []string `json:"nodeResources,omitempty"`
}

// An EnvNeed is an environment variable that must be set.
type EnvNeed struct {
	// Name of the variable.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Name string `json:"name"`

	// Container that needs it. Without it, one of them must have it.
	// +kubebuilder:validation:MaxLength=4096
	// +optional
	Container string `json:"container,omitempty"`

	// Forbidden is true where it must not be set, as it was renamed.
	// +optional
	Forbidden bool `json:"forbidden,omitempty"`

	// Versions of the product that this holds for, as a range. Without it, for all.
	// +kubebuilder:validation:MaxLength=128
	// +optional
	Versions string `json:"versions,omitempty"`
}

// A ConfigNeed is keys that a ConfigMap or Secret must have or must not have.
type ConfigNeed struct {
	// Kind of the object.
	// +kubebuilder:validation:Enum=ConfigMap;Secret
	Kind string `json:"kind"`

	// Name of the object, with expressions.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Name string `json:"name"`

	// Required keys.
	// +kubebuilder:validation:MaxItems=100
	// +kubebuilder:validation:items:MaxLength=253
	// +listType=set
	// +optional
	Required []string `json:"required,omitempty"`

	// Forbidden keys, such as those that a version renamed.
	// +kubebuilder:validation:MaxItems=100
	// +kubebuilder:validation:items:MaxLength=253
	// +listType=set
	// +optional
	Forbidden []string `json:"forbidden,omitempty"`

	// Versions of the product that this holds for, as a range such as ">=1.19 <2".
	// Without it, for all.
	// +kubebuilder:validation:MaxLength=128
	// +optional
	Versions string `json:"versions,omitempty"`
}

// An AccessNeed is a right that the component's service account must have.
type AccessNeed struct {
	// Group of the resource. Empty is Kubernetes' core.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Group string `json:"group,omitempty"`

	// Resource in the plural.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Resource string `json:"resource"`

	// Verbs on it.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=20
	// +kubebuilder:validation:items:MaxLength=32
	// +listType=set
	Verbs []string `json:"verbs"`
}

// A DefinitionHealth is a rule in CEL. objects is the list of the component's objects
// as they are on the cluster, and object the first of them.
type DefinitionHealth struct {
	// Healthy is true where the component is.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Healthy string `json:"healthy"`

	// Degraded is true where it will not become healthy by itself.
	// +kubebuilder:validation:MaxLength=4096
	// +optional
	Degraded string `json:"degraded,omitempty"`

	// Message is a text that says why it is not healthy.
	// +kubebuilder:validation:MaxLength=4096
	// +optional
	Message string `json:"message,omitempty"`
}

// A DefinitionStep is a step of an upgrade.
type DefinitionStep struct {
	// Name of the step.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`

	// When in CEL over from and to (versions of the definition) and objects (as they
	// are on the cluster). Without it the step is always taken.
	// +kubebuilder:validation:MaxLength=4096
	// +optional
	When string `json:"when,omitempty"`

	// Patches are merged into objects of the component that are on the cluster.
	// +kubebuilder:validation:MaxItems=20
	// +listType=atomic
	// +optional
	Patches []StepPatch `json:"patches,omitempty"`

	// Apply these objects, such as a Job that takes a savepoint. They are templates, as
	// objects are.
	// +kubebuilder:validation:MaxItems=10
	// +kubebuilder:validation:items:XPreserveUnknownFields
	// +listType=atomic
	// +optional
	Apply []runtime.RawExtension `json:"apply,omitempty"`

	// Until in CEL over objects, and applied: those that the step applied. The step is
	// done when it is true. Without it, it is done at once.
	// +kubebuilder:validation:MaxLength=4096
	// +optional
	Until string `json:"until,omitempty"`

	// Timeout after which the step has failed.
	// +kubebuilder:default="10m"
	// +optional
	Timeout *metav1.Duration `json:"timeout,omitempty"`
}

// A StepPatch is merged into an object.
type StepPatch struct {
	// Kind of the object.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind"`

	// Name of the object, with expressions.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Name string `json:"name"`

	// Patch is a JSON merge patch, with expressions in its texts.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +kubebuilder:validation:Type=object
	Patch runtime.RawExtension `json:"patch"`
}

// A DefinitionExample is properties that must render.
type DefinitionExample struct {
	// Name of the example.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`

	// Properties as an application would write them.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +kubebuilder:validation:Type=object
	// +optional
	Properties *runtime.RawExtension `json:"properties,omitempty"`
}
