package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A ChangeQueue says which changes have which locks, and which wait for them. There is
// one on a hub, named mainstay. Whoever writes it names the version that was read, so
// that the API server decides who was first.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster,categories={crossplane,mainstay}
// +kubebuilder:printcolumn:name="EPOCH",type=integer,JSONPath=`.spec.epoch`
// +kubebuilder:printcolumn:name="AGE",type=date,JSONPath=`.metadata.creationTimestamp`
type ChangeQueue struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +optional
	Spec ChangeQueueSpec `json:"spec,omitempty"`
}

// ChangeQueueName is the name of the only ChangeQueue.
const ChangeQueueName = "mainstay"

// A ChangeQueueSpec says who has which locks, and who waits.
//
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.epoch) || has(self.epoch) && self.epoch >= oldSelf.epoch",message="epoch of a ChangeQueue cannot go back: it would let a change that lost its locks write again"
type ChangeQueueSpec struct {
	// Epoch counts the times that locks were given. It never goes back.
	// +optional
	Epoch int64 `json:"epoch,omitempty"`

	// Ticket is the last one that was drawn.
	// +optional
	Ticket int64 `json:"ticket,omitempty"`

	// Changes that have locks or wait for some, in the order of their tickets.
	// +kubebuilder:validation:MaxItems=1000
	// +listType=atomic
	// +optional
	Changes []QueuedChange `json:"changes,omitempty"`
}

// A QueuedChange is a change that has locks or waits for some.
type QueuedChange struct {
	// UID of the Change.
	// +kubebuilder:validation:MaxLength=64
	UID string `json:"uid"`
	// Change as <namespace>/<name>.
	// +kubebuilder:validation:MaxLength=317
	Change string `json:"change"`
	// Label that people name it by, such as !41.
	// +kubebuilder:validation:MaxLength=128
	Label string `json:"label"`
	// Group whose members are limited: the Repository, as <namespace>/<name>.
	// +kubebuilder:validation:MaxLength=317
	// +optional
	Group string `json:"group,omitempty"`
	// Limit of the group.
	// +optional
	Limit int32 `json:"limit,omitempty"`
	// Ticket that it drew. A lower one is served first. It is kept until the change leaves.
	Ticket int64 `json:"ticket"`
	// Wants these locks.
	// +kubebuilder:validation:MaxItems=64
	// +listType=atomic
	// +optional
	Wants []LockKey `json:"wants,omitempty"`
	// Has these locks. A change that wants others than it has waits for those.
	// +kubebuilder:validation:MaxItems=128
	// +listType=atomic
	// +optional
	Has []LockKey `json:"has,omitempty"`
	// Epoch in which its locks were given. 0 where it waits.
	// +optional
	Epoch int64 `json:"epoch,omitempty"`
	// Urgent ones are served first.
	// +optional
	Urgent bool `json:"urgent,omitempty"`
	// Idle is true where nothing is written for it, because it halted or waits for
	// somebody. Its locks can be taken for one that is urgent.
	// +optional
	Idle bool `json:"idle,omitempty"`
	// Ends is when it should be done.
	// +optional
	Ends *metav1.Time `json:"ends,omitempty"`
	// Takes is how long it should take once it has its locks.
	// +optional
	Takes *metav1.Duration `json:"takes,omitempty"`
}

// A LockKey is what a change has to itself: one claim on some clusters, or on all.
type LockKey struct {
	// Namespace of the claim.
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace"`
	// Claim as <kind>/<name>. Empty stands for all claims of the namespace.
	// +kubebuilder:validation:MaxLength=317
	// +optional
	Claim string `json:"claim,omitempty"`
	// Clusters as <fleet>.<cluster>. Empty stands for all.
	// +kubebuilder:validation:MaxItems=200
	// +kubebuilder:validation:items:MaxLength=128
	// +listType=atomic
	// +optional
	Clusters []string `json:"clusters,omitempty"`
}

// A ChangeQueueList is a list of ChangeQueues.
// +kubebuilder:object:root=true
type ChangeQueueList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ChangeQueue `json:"items"`
}
