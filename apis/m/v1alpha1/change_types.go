package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
)

// A Change is one merge request, from its plan to its merge. It is named
// <repository>-<number>.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,categories={crossplane,managed,mainstay}
// +kubebuilder:printcolumn:name="READY",type=string,JSONPath=`.status.conditions[?(@.type=='Ready')].status`
// +kubebuilder:printcolumn:name="SYNCED",type=string,JSONPath=`.status.conditions[?(@.type=='Synced')].status`
// +kubebuilder:printcolumn:name="PHASE",type=string,JSONPath=`.status.atProvider.phase`
// +kubebuilder:printcolumn:name="RISK",type=string,JSONPath=`.status.atProvider.plan.risk`
// +kubebuilder:printcolumn:name="CLUSTERS",type=integer,JSONPath=`.status.atProvider.progress.clusters`
// +kubebuilder:printcolumn:name="REACHED",type=integer,JSONPath=`.status.atProvider.progress.reached`
// +kubebuilder:printcolumn:name="MESSAGE",type=string,JSONPath=`.status.atProvider.message`
// +kubebuilder:printcolumn:name="AUTHOR",type=string,priority=1,JSONPath=`.status.atProvider.request.author`
// +kubebuilder:printcolumn:name="AGE",type=date,JSONPath=`.metadata.creationTimestamp`
type Change struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   ChangeSpec   `json:"spec"`
	Status ChangeStatus `json:"status,omitempty"`
}

// A ChangeSpec is the wanted state of a Change.
type ChangeSpec struct {
	xpv2.ManagedResourceSpec `json:",inline"`

	// ForProvider says which merge request it is.
	ForProvider ChangeParameters `json:"forProvider"`
}

// ChangeParameters say which merge request a Change is of, and what people say to it.
//
// +kubebuilder:validation:XValidation:rule="self.repositoryRef.name == oldSelf.repositoryRef.name && self.number == oldSelf.number",message="repositoryRef and number cannot change: each merge request has a Change of its own"
type ChangeParameters struct {
	// RepositoryRef names the Repository, in the same namespace.
	RepositoryRef RepositoryReference `json:"repositoryRef"`

	// Number of the merge request on the forge.
	// +kubebuilder:validation:Minimum=1
	Number int64 `json:"number"`

	// Control is what people tell a Change here. Comments of the merge request say
	// the same. It is theirs: nothing else sets it.
	// +optional
	Control *ChangeControl `json:"control,omitempty"`
}

// A RepositoryReference names a Repository in the same namespace.
type RepositoryReference struct {
	// Name of the Repository.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
}

// A ChangeControl is what people tell a Change.
type ChangeControl struct {
	// Commands that were given. Each is obeyed once, by its id.
	// +kubebuilder:validation:MaxItems=50
	// +listType=map
	// +listMapKey=id
	// +optional
	Commands []ChangeCommand `json:"commands,omitempty"`
}

// A ChangeCommand is what somebody told a Change. It is for one head and one plan, and
// means nothing to another.
//
// +kubebuilder:validation:XValidation:rule="self.verb != 'approve-deletions' || has(self.token)",message="approve-deletions needs the token that the plan shows"
// +kubebuilder:validation:XValidation:rule="self.verb != 'emergency' || has(self.reason)",message="emergency needs a reason"
type ChangeCommand struct {
	// ID of the command. It is obeyed once.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	ID string `json:"id"`

	// Verb says what to do.
	Verb ChangeVerb `json:"verb"`

	// HeadSHA that it is said of.
	// +kubebuilder:validation:MinLength=7
	// +kubebuilder:validation:MaxLength=64
	HeadSHA string `json:"headSHA"`

	// Digest of the plan that it is said of.
	// +kubebuilder:validation:MinLength=12
	// +kubebuilder:validation:MaxLength=64
	Digest string `json:"digest"`

	// Token that the plan shows, for approve-deletions.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Token string `json:"token,omitempty"`

	// Reason why, for emergency.
	// +kubebuilder:validation:MaxLength=512
	// +optional
	Reason string `json:"reason,omitempty"`

	// By whom.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	By string `json:"by"`

	// At which time.
	At metav1.Time `json:"at"`
}

// A ChangeVerb says what to do with a Change.
// +kubebuilder:validation:Enum=halt;retry;resume;rollback;abandon;approve-deletions;emergency
type ChangeVerb string

// Verbs.
const (
	// VerbHalt: start nothing further. What is in motion finishes.
	VerbHalt ChangeVerb = "halt"
	// VerbRetry: forget failures, and try what failed again.
	VerbRetry ChangeVerb = "retry"
	// VerbResume: go on where it halted, and accept what it halted for.
	VerbResume ChangeVerb = "resume"
	// VerbRollback: go back to what was before. The merge request stays open.
	VerbRollback ChangeVerb = "rollback"
	// VerbAbandon: go back, and close the merge request.
	VerbAbandon ChangeVerb = "abandon"
	// VerbApproveDeletions: what the plan takes away may be taken away.
	VerbApproveDeletions ChangeVerb = "approve-deletions"
	// VerbEmergency: execute past approvals, freezes and the queue.
	VerbEmergency ChangeVerb = "emergency"
)

// A ChangeList is a list of Changes.
// +kubebuilder:object:root=true
type ChangeList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Change `json:"items"`
}
