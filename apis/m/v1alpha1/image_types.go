package v1alpha1

// An ImageMode says what becomes of images that are named by a tag.
type ImageMode string

// Image modes.
const (
	// ImagesResolve has them resolved to digests where a registry can be asked.
	ImagesResolve ImageMode = "Resolve"
	// ImagesRequire starts nothing before all of them are.
	ImagesRequire ImageMode = "Require"
	// ImagesAsWritten leaves them as they are.
	ImagesAsWritten ImageMode = "AsWritten"
)

// An ImageDigest says what the tag of an image meant when it was resolved.
type ImageDigest struct {
	// Image as the manifest has it on its cluster, such as registry.example.org/web:1.4.0.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Image string `json:"image"`
	// Digest of its manifest, or of its index where it has one for several platforms.
	// +kubebuilder:validation:MaxLength=71
	// +kubebuilder:validation:Pattern=`^sha256:[0-9a-f]{64}$`
	Digest string `json:"digest"`
}

// RolloutImages are what the tags of a revision's images meant when it began. What is
// in here does not change for as long as the revision lasts: wherever and whenever a
// cluster is moved, it gets the same.
type RolloutImages struct {
	// Bundles of the revision. The next one that shares a Bundle with it keeps what is
	// in here.
	// +listType=atomic
	// +optional
	Bundles []string `json:"bundles,omitempty"`
	// Images by name. At most 200.
	// +listType=atomic
	// +optional
	Images []ResolvedImage `json:"images,omitempty"`
	// Left is how many more images there are than that. They stay as they are written.
	// +optional
	Left int32 `json:"left,omitempty"`
}

// A ResolvedImage is what became of an image that is named by a tag.
type ResolvedImage struct {
	// Image as the manifest has it on its cluster.
	Image string `json:"image"`
	// Digest that it has. Without one it stays as it is written.
	// +optional
	Digest string `json:"digest,omitempty"`
	// Message says why it has none.
	// +optional
	Message string `json:"message,omitempty"`
	// Again is true where its registry is to be asked once more, for a retry.
	// +optional
	Again bool `json:"again,omitempty"`
}
