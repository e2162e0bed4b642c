package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A ChangePlan is what a Change knows of its plan. The whole of it is in a Plan.
type ChangePlan struct {
	// Digest of the plan: of its target, its actions, their order and the clusters.
	Digest string `json:"digest"`
	// Name of the Plan that holds it.
	Name string `json:"name"`
	// HeadSHA, BaseSHA and Tree that were planned.
	HeadSHA string `json:"headSHA"`
	// BaseSHA that was planned.
	BaseSHA string `json:"baseSHA"`
	// Tree that was planned.
	Tree string `json:"tree"`
	// Content identifies what the claims of the merge request say in that tree. Where
	// the base branch moves elsewhere it stays the same.
	Content string `json:"content"`
	// Epoch in which it was planned. 0 where it was planned without locks.
	// +optional
	Epoch int64 `json:"epoch,omitempty"`
	// Made is when it was.
	Made metav1.Time `json:"made"`
	// Shown is when it could first be read in the merge request, by the forge's clock.
	// Approvals and comments from before are not of it.
	// +optional
	Shown *metav1.Time `json:"shown,omitempty"`
	// Expires is when it has to be made anew, if it has not begun by then.
	// +optional
	Expires *metav1.Time `json:"expires,omitempty"`
	// Summary of it in one line.
	// +optional
	Summary string `json:"summary,omitempty"`
	// Risk of it.
	Risk RiskLevel `json:"risk"`
	// Reasons for the risk. At most 5.
	// +listType=atomic
	// +optional
	Reasons []string `json:"reasons,omitempty"`
	// Irreversible says what cannot be taken back. Empty where everything can be.
	// +optional
	Irreversible string `json:"irreversible,omitempty"`
	// Actions by what they do.
	// +optional
	Actions PlanActions `json:"actions,omitempty"`
	// Clusters that it touches.
	Clusters int32 `json:"clusters"`
	// Waves that it takes.
	// +optional
	Waves int32 `json:"waves,omitempty"`
	// Token that somebody has to repeat before anything is taken away. Empty where
	// nothing is.
	// +optional
	Token string `json:"token,omitempty"`
	// Blocked says why it must not be executed, such as what the preflight found.
	// +optional
	Blocked string `json:"blocked,omitempty"`
	// Locks that it needs. At most 64.
	// +listType=atomic
	// +optional
	Locks []LockKey `json:"locks,omitempty"`
	// Takes is how long it should take.
	// +optional
	Takes *metav1.Duration `json:"takes,omitempty"`
}

// PlanActions counts the actions of a plan on objects of clusters.
type PlanActions struct {
	// Create so many.
	// +optional
	Create int32 `json:"create,omitempty"`
	// Update so many.
	// +optional
	Update int32 `json:"update,omitempty"`
	// Replace so many.
	// +optional
	Replace int32 `json:"replace,omitempty"`
	// Delete so many.
	// +optional
	Delete int32 `json:"delete,omitempty"`
}

// A ChangeApproval is somebody's word that a plan may be executed.
type ChangeApproval struct {
	// ID of it on the forge.
	ID string `json:"id"`
	// By whom.
	By string `json:"by"`
	// HeadSHA that it is of.
	HeadSHA string `json:"headSHA"`
	// Digest of the plan that it is of. Empty where it was given before there was one
	// to be read.
	// +optional
	Digest string `json:"digest,omitempty"`
	// Counts is true where it counts now.
	Counts bool `json:"counts"`
	// Message says why it does not.
	// +optional
	Message string `json:"message,omitempty"`
}
