package v1alpha1

import (
	"k8s.io/apimachinery/pkg/runtime"
)

// A TraitDefinitionSpec is one version of a trait type.
//
// +kubebuilder:validation:XValidation:rule="has(self.patches) || has(self.objects)",message="a trait has patches, objects or both: otherwise it does nothing"
type TraitDefinitionSpec struct {
	// Version of the definition, such as 1.4.0 or 2.0.0-rc.1.
	// +kubebuilder:validation:MaxLength=40
	// +kubebuilder:validation:Pattern=`^(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})(-[0-9a-z]+(\.[0-9a-z]+)*)?$`
	Version string `json:"version"`

	// Description says to SREs what the trait does.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Description string `json:"description,omitempty"`

	// Parameters is the JSON schema (OpenAPI v3, structural) of the trait's properties.
	// Templates see them as parameter.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +kubebuilder:validation:Type=object
	// +optional
	Parameters *runtime.RawExtension `json:"parameters,omitempty"`

	// AppliesTo lists the component types that the trait can be attached to. Without
	// it, to all.
	// +kubebuilder:validation:MaxItems=50
	// +kubebuilder:validation:items:MaxLength=63
	// +listType=set
	// +optional
	AppliesTo []string `json:"appliesTo,omitempty"`

	// ConflictsWith lists trait types that cannot be on the same component.
	// +kubebuilder:validation:MaxItems=50
	// +kubebuilder:validation:items:MaxLength=63
	// +listType=set
	// +optional
	ConflictsWith []string `json:"conflictsWith,omitempty"`

	// Patches are merged into objects of the component, one after another.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=20
	// +listType=atomic
	// +optional
	Patches []TraitPatch `json:"patches,omitempty"`

	// Objects that the trait adds to the component, as templates.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=20
	// +listType=atomic
	// +optional
	Objects []ObjectTemplate `json:"objects,omitempty"`

	// Examples of properties. All of them must render before the version is published.
	// +kubebuilder:validation:MaxItems=10
	// +listType=map
	// +listMapKey=name
	// +optional
	Examples []DefinitionExample `json:"examples,omitempty"`
}

// A TraitPatch is merged into the objects that its target selects. It sees each as
// object.
type TraitPatch struct {
	// Target selects objects of the component. Without it, that is the workload.
	// +optional
	Target *PatchTarget `json:"target,omitempty"`

	// When in CEL: the patch is merged where it is true.
	// +kubebuilder:validation:MaxLength=4096
	// +optional
	When string `json:"when,omitempty"`

	// Patch is a JSON merge patch, with expressions in its texts. Lists are replaced as a
	// whole: write ${object.spec.x + [...]} to add to one.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +kubebuilder:validation:Type=object
	Patch runtime.RawExtension `json:"patch"`
}

// A PatchTarget selects objects by all that it has.
type PatchTarget struct {
	// Kind of the objects.
	// +kubebuilder:validation:MaxLength=63
	// +optional
	Kind string `json:"kind,omitempty"`

	// Name of the object, with expressions.
	// +kubebuilder:validation:MaxLength=4096
	// +optional
	Name string `json:"name,omitempty"`

	// Optional is true where it is no problem that there is no such object.
	// +optional
	Optional bool `json:"optional,omitempty"`
}
