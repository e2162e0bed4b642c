package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Kinds of what platform teams publish.
const (
	ComponentDefinitionKind = "ComponentDefinition"
	TraitDefinitionKind     = "TraitDefinition"
	DefinitionRevisionKind  = "DefinitionRevision"
)

// AddToScheme adds the kinds of this group that are no composites to a scheme.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion,
		&ComponentDefinition{}, &ComponentDefinitionList{},
		&TraitDefinition{}, &TraitDefinitionList{},
		&DefinitionRevision{}, &DefinitionRevisionList{},
	)
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
}

// LabelDefinition of a DefinitionRevision is the name of its definition.
const LabelDefinition = "mainstay.dev/definition"

// FinalizerInUse keeps a definition and its revisions for as long as an application
// has components of them.
const FinalizerInUse = "mainstay.dev/in-use"

// ConditionPublished says whether what a definition says now is published.
const ConditionPublished = "Published"

// Reasons of ConditionPublished. There are no others.
const (
	// ReasonPublished: the version is published as it is written.
	ReasonPublished = "Published"
	// ReasonInvalid: the version is refused. The message says why. Versions that were
	// published before stay.
	ReasonInvalid = "Invalid"
	// ReasonVersionTaken: the version was published with another content.
	ReasonVersionTaken = "VersionTaken"
	// ReasonChartUnavailable: the registry does not give the chart. It is tried again.
	ReasonChartUnavailable = "ChartUnavailable"
)

// ConditionInUse says whether applications have components of a definition, and names
// some. While it is true the definition is not removed.
const ConditionInUse = "InUse"

// Reasons of ConditionInUse.
const (
	ReasonUsed   = "Used"
	ReasonUnused = "Unused"
)

// MaxDefinitionVersions is how many versions of a definition there can be.
const MaxDefinitionVersions = 100

// A DefinitionStatus is what is observed of a definition.
type DefinitionStatus struct {
	// ObservedGeneration that the status is about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Conditions are Published and InUse.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// Versions that are published, the newest first.
	// +kubebuilder:validation:MaxItems=100
	// +listType=map
	// +listMapKey=version
	// +optional
	Versions []PublishedVersion `json:"versions,omitempty"`

	// Users is how many applications have components of the definition.
	// +optional
	Users int32 `json:"users,omitempty"`

	// UsedBy are some of them. At most 20.
	// +listType=atomic
	// +optional
	UsedBy []DefinitionUser `json:"usedBy,omitempty"`
}

// A PublishedVersion is a version of a definition.
type PublishedVersion struct {
	// Version of the definition.
	Version string `json:"version"`
	// Revision is the name of its DefinitionRevision.
	Revision string `json:"revision"`
	// Withdrawn is true where the revision is being deleted. Applications that have
	// it keep it; others do not get it any more.
	// +optional
	Withdrawn bool `json:"withdrawn,omitempty"`
	// Users is how many applications have it.
	// +optional
	Users int32 `json:"users,omitempty"`
}

// A DefinitionUser is an application that has a component of a definition.
type DefinitionUser struct {
	// Namespace of the application.
	Namespace string `json:"namespace"`
	// Application is its name.
	Application string `json:"application"`
	// Version that it has.
	Version string `json:"version"`
}

// A DefinitionRevision is a version of a definition as it was published. It cannot
// change. It is made from its definition, and never written by people.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster,shortName=defrev,categories=mainstay
// +kubebuilder:printcolumn:name="OF",type=string,JSONPath=`.spec.of`
// +kubebuilder:printcolumn:name="DEFINITION",type=string,JSONPath=`.spec.name`
// +kubebuilder:printcolumn:name="VERSION",type=string,JSONPath=`.spec.version`
// +kubebuilder:printcolumn:name="AGE",type=date,JSONPath=`.metadata.creationTimestamp`
type DefinitionRevision struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec of the revision. It cannot change. The rule is on the digest, which binds the
	// rest: whoever reads a revision checks it.
	// +kubebuilder:validation:XValidation:rule="self.digest == oldSelf.digest && self.of == oldSelf.of && self.name == oldSelf.name && self.version == oldSelf.version",message="a DefinitionRevision is immutable: publish another version"
	Spec DefinitionRevisionSpec `json:"spec"`
}

// A DefinitionRevisionList is a list of DefinitionRevisions.
//
// +kubebuilder:object:root=true
type DefinitionRevisionList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []DefinitionRevision `json:"items"`
}

// A DefinitionRevisionSpec is a version of a definition as it was published.
type DefinitionRevisionSpec struct {
	// Of is the kind of the definition.
	// +kubebuilder:validation:Enum=ComponentDefinition;TraitDefinition
	Of string `json:"of"`

	// Name of the definition.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=40
	Name string `json:"name"`

	// Version of the definition.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=40
	Version string `json:"version"`

	// Digest is the hexadecimal SHA-256 of the content.
	// +kubebuilder:validation:Pattern=`^[0-9a-f]{64}$`
	Digest string `json:"digest"`

	// Content is the specification of the definition as JSON, with its chart in it,
	// compressed with gzip.
	// +kubebuilder:validation:MaxLength=1200000
	Content []byte `json:"content"`
}

// Kinds with their group and version.
var (
	ComponentDefinitionGVK = schema.GroupVersionKind{Group: GroupVersion.Group, Version: GroupVersion.Version, Kind: ComponentDefinitionKind}
	TraitDefinitionGVK     = schema.GroupVersionKind{Group: GroupVersion.Group, Version: GroupVersion.Version, Kind: TraitDefinitionKind}
	DefinitionRevisionGVK  = schema.GroupVersionKind{Group: GroupVersion.Group, Version: GroupVersion.Version, Kind: DefinitionRevisionKind}
)
