package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A Plan is the whole of what a Change is going to do. It is immutable and named by its
// content. What it says is defined by internal/plan.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Namespaced,categories={crossplane,mainstay}
// +kubebuilder:printcolumn:name="CHANGE",type=string,JSONPath=`.spec.change`
// +kubebuilder:printcolumn:name="SUMMARY",type=string,JSONPath=`.spec.summary`
// +kubebuilder:printcolumn:name="AGE",type=date,JSONPath=`.metadata.creationTimestamp`
type Plan struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec of the plan. It cannot change. The rule is on the digest, which binds the
	// rest: the API server's expressions cannot read bytes.
	// +kubebuilder:validation:XValidation:rule="self.change == oldSelf.change && self.digest == oldSelf.digest",message="a Plan is immutable: its name is the digest of its content"
	Spec PlanSpec `json:"spec"`
}

// MaxPlanContentBytes is the most that a plan may be, before compression.
const MaxPlanContentBytes = 256 << 10

// A PlanSpec is the content of a Plan.
type PlanSpec struct {
	// Change the plan is of.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Change string `json:"change"`

	// Digest of the plan. The Plan's name is the Change's, a dash, and its first twelve
	// digits.
	// +kubebuilder:validation:Pattern=`^[0-9a-f]{64}$`
	Digest string `json:"digest"`

	// HeadSHA and BaseSHA that it was made of. Another head with the same target has the
	// same plan: what is approved is bound to the head in the Change.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	HeadSHA string `json:"headSHA,omitempty"`
	// BaseSHA that it was made of.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	BaseSHA string `json:"baseSHA,omitempty"`

	// Summary in one line, for the reader.
	// +kubebuilder:validation:MaxLength=512
	// +optional
	Summary string `json:"summary,omitempty"`

	// Encoding of the data.
	// +kubebuilder:validation:Enum=gzip
	// +kubebuilder:default=gzip
	// +optional
	Encoding string `json:"encoding,omitempty"`

	// Data is the plan: canonical JSON, compressed.
	// +kubebuilder:validation:MaxLength=400000
	Data []byte `json:"data"`
}

// A PlanList is a list of Plans.
// +kubebuilder:object:root=true
type PlanList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Plan `json:"items"`
}
