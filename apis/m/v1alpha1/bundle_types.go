package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A Bundle is everything that one variant of one application revision puts on a
// cluster. It is immutable and named by its content, and therefore can be shared,
// cached and compared by name alone. A content that is too large for one object is cut
// into parts, which are Bundles too: named by their content, and listed by the Bundle
// that they are parts of.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Namespaced,categories={crossplane,mainstay}
// +kubebuilder:printcolumn:name="APPLICATION",type=string,JSONPath=`.spec.application`
// +kubebuilder:printcolumn:name="OBJECTS",type=integer,JSONPath=`.spec.objectCount`
// +kubebuilder:printcolumn:name="AGE",type=date,JSONPath=`.metadata.creationTimestamp`
type Bundle struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec of the bundle. It cannot change. The rule is on the digest, which binds the
	// rest: the API server's expressions cannot read bytes.
	// +kubebuilder:validation:XValidation:rule="self.application == oldSelf.application && self.digest == oldSelf.digest && self.objectCount == oldSelf.objectCount",message="a Bundle is immutable: its name is the digest of its content"
	Spec BundleSpec `json:"spec"`
}

// Limits of a bundle's content.
const (
	// MaxBundleContentBytes is the most that a Bundle's content may be, before
	// compression, all parts together.
	MaxBundleContentBytes = 8 << 20
	// MaxBundleDataBytes is the most that it may be after compression, all parts
	// together. A function's message, which holds it in base64, has 4 MiB at most.
	MaxBundleDataBytes = 5 << 19

	// MaxBundleObjectBytes is the most content, before compression, that one object holds.
	MaxBundleObjectBytes = 1 << 20
	// MaxBundleObjectDataBytes is the most that it holds after compression. In base64
	// it must stay below the 1.5 MiB that etcd takes at once.
	MaxBundleObjectDataBytes = 900 << 10
	// MaxBundleParts is the most parts that a Bundle has.
	MaxBundleParts = 16
)

// EncodingGzip is how the content of a Bundle is stored.
const EncodingGzip = "gzip"

// A BundleSpec is the content of a Bundle.
type BundleSpec struct {
	// Application the bundle is a revision of.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Application string `json:"application"`

	// Digest is the hexadecimal SHA-256 of the content. The Bundle's name ends in
	// its first twelve digits, and a Release refuses a Bundle where it does not match.
	// +kubebuilder:validation:Pattern=`^[0-9a-f]{64}$`
	Digest string `json:"digest"`

	// ObjectCount is the number of objects.
	// +kubebuilder:validation:Minimum=0
	ObjectCount int32 `json:"objectCount"`

	// Components are what the content consists of, in the application's order.
	// They are for the reader: the content repeats them, and is what counts.
	// +kubebuilder:validation:MaxItems=50
	// +listType=map
	// +listMapKey=name
	// +optional
	Components []BundleComponent `json:"components,omitempty"`

	// Encoding of the data.
	// +kubebuilder:validation:Enum=gzip
	// +kubebuilder:default=gzip
	// +optional
	Encoding string `json:"encoding,omitempty"`

	// Data is the content: canonical JSON, compressed. A Bundle that is cut into
	// parts has none of its own.
	// +kubebuilder:validation:MaxLength=1300000
	// +optional
	Data []byte `json:"data,omitempty"`

	// Parts that the content is cut into, in order, where it is too large for one
	// object.
	// +kubebuilder:validation:MaxItems=16
	// +listType=atomic
	// +optional
	Parts []BundlePart `json:"parts,omitempty"`
}

// A BundlePart is a Bundle that holds a part of another's content.
type BundlePart struct {
	// Digest of the part. The part's name ends in its first twelve digits.
	// +kubebuilder:validation:Pattern=`^[0-9a-f]{64}$`
	Digest string `json:"digest"`
}

// A BundleComponent names the objects of one component.
type BundleComponent struct {
	// Name of the component.
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`

	// Type of the component.
	// +kubebuilder:validation:MaxLength=63
	Type string `json:"type"`
	// Version of the definition that it was rendered from, where it has one.
	// +kubebuilder:validation:MaxLength=40
	// +optional
	Version string `json:"version,omitempty"`
	// Traits are the published trait types that it has, as <type>@<version>.
	// +kubebuilder:validation:MaxItems=50
	// +kubebuilder:validation:items:MaxLength=128
	// +listType=atomic
	// +optional
	Traits []string `json:"traits,omitempty"`

	// DependsOn names the components that must be healthy first.
	// +listType=set
	// +kubebuilder:validation:MaxItems=50
	// +optional
	DependsOn []string `json:"dependsOn,omitempty"`

	// Objects are kind/name of the component's objects.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=500
	// +optional
	Objects []string `json:"objects,omitempty"`
}

// A BundleList is a list of Bundles.
// +kubebuilder:object:root=true
type BundleList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Bundle `json:"items"`
}
