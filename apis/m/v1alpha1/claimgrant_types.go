package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A ClaimGrant says what one claim may say, because a change that was approved says so. It
// is in the claim's namespace, and is written before the claim is. The API server
// refuses a lower epoch: whoever executes from an older state cannot get past it.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Namespaced,categories={crossplane,mainstay}
// +kubebuilder:printcolumn:name="KIND",type=string,JSONPath=`.spec.claim.kind`
// +kubebuilder:printcolumn:name="CLAIM",type=string,JSONPath=`.spec.claim.name`
// +kubebuilder:printcolumn:name="CHANGE",type=string,JSONPath=`.spec.change`
// +kubebuilder:printcolumn:name="REQUIRED",type=boolean,JSONPath=`.spec.required`
// +kubebuilder:printcolumn:name="AGE",type=date,JSONPath=`.metadata.creationTimestamp`
type ClaimGrant struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec ClaimGrantSpec `json:"spec"`
}

// A ClaimGrantSpec says what a claim may say.
//
// +kubebuilder:validation:XValidation:rule="self.epoch >= oldSelf.epoch",message="epoch of a ClaimGrant cannot go back: whoever wrote this decided from an older state"
// +kubebuilder:validation:XValidation:rule="self.epoch > oldSelf.epoch || self.change == oldSelf.change",message="an epoch is of one change"
// +kubebuilder:validation:XValidation:rule="self.claim == oldSelf.claim",message="claim cannot change"
type ClaimGrantSpec struct {
	// Claim that it is for.
	Claim ClaimReference `json:"claim"`

	// Digest of what the claim may say. Empty where it is to be deleted.
	// +kubebuilder:validation:Pattern=`^([0-9a-f]{64})?$`
	// +optional
	Digest string `json:"digest,omitempty"`

	// Before is the digest of what it may say as well, while a change executes: what it
	// said until then, and goes back to.
	// +kubebuilder:validation:Pattern=`^([0-9a-f]{64})?$`
	// +optional
	Before string `json:"before,omitempty"`

	// Required holds everything else back. It stays until a change says otherwise: an
	// edit of the claim cannot end it.
	// +optional
	Required bool `json:"required,omitempty"`

	// Change that wrote it, as <namespace>/<name>.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=317
	Change string `json:"change"`

	// HeadSHA of the merge request.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	HeadSHA string `json:"headSHA,omitempty"`

	// Epoch of the change that wrote it.
	// +kubebuilder:validation:Minimum=1
	Epoch int64 `json:"epoch"`
}

// A ClaimGrantList is a list of ClaimGrants.
// +kubebuilder:object:root=true
type ClaimGrantList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ClaimGrant `json:"items"`
}
