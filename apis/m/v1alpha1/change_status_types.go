package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
)

// A ChangeStatus is the observed state of a Change.
type ChangeStatus struct {
	xpv2.ConditionedStatus `json:",inline"`

	// AtProvider is what is observed.
	// +optional
	AtProvider ChangeObservation `json:"atProvider,omitempty"`
}

// A ChangeObservation is what is observed of a Change, and all that the next decision
// remembers.
type ChangeObservation struct {
	// Message says in one line what the Change does or waits for.
	// +optional
	Message string `json:"message,omitempty"`

	// Next is what can be said to it now, as the commands that say it.
	// +listType=atomic
	// +optional
	Next []string `json:"next,omitempty"`

	// Phase the Change is in.
	// +optional
	Phase ChangePhase `json:"phase,omitempty"`

	// Request is what the forge said of the merge request last.
	// +optional
	Request ChangeRequest `json:"request,omitempty"`

	// Plan that is to be executed, or is.
	// +optional
	Plan *ChangePlan `json:"plan,omitempty"`

	// Epoch fences: it goes up whenever the locks are given to a Change, and is in every
	// write that is made for it. 0 while it has no locks.
	// +optional
	Epoch int64 `json:"epoch,omitempty"`

	// Executed is the digest of the plan that is or was executed last, with this Epoch.
	// +optional
	Executed string `json:"executed,omitempty"`

	// Approvals that are known of this merge request.
	// +listType=atomic
	// +optional
	Approvals []ChangeApproval `json:"approvals,omitempty"`

	// Missing says which approvals are not there yet, in prose.
	// +optional
	Missing string `json:"missing,omitempty"`

	// Queue says where the Change waits. Empty where it does not.
	// +optional
	Queue *ChangeWait `json:"queue,omitempty"`

	// Claims and how far they are, in the order in which they are executed. At most 200.
	// +listType=atomic
	// +optional
	Claims []ChangeClaim `json:"claims,omitempty"`

	// Progress over all claims.
	// +optional
	Progress ChangeProgress `json:"progress,omitempty"`

	// Findings of the plan, folded: the same one on many clusters is one. At most 20.
	// +listType=atomic
	// +optional
	Findings []ChangeFinding `json:"findings,omitempty"`

	// Halt says why the Change halted. Empty where it did not.
	// +optional
	Halt *ChangeHalt `json:"halt,omitempty"`

	// Back says that the Change goes back, and why. It stays where it was abandoned.
	// +optional
	Back *ChangeBack `json:"back,omitempty"`

	// Deletions says who allowed the plan of this digest to take things away.
	// +optional
	Deletions *ChangeWord `json:"deletions,omitempty"`

	// Emergency are those who asked for execution past approvals, freezes and the queue.
	// +listType=atomic
	// +optional
	Emergency []ChangeWord `json:"emergency,omitempty"`

	// Accepted is what the Change halted for, and somebody accepted, one a line.
	// +optional
	Accepted string `json:"accepted,omitempty"`

	// Retried counts how often failures were forgotten.
	// +optional
	Retried int64 `json:"retried,omitempty"`

	// VerifiedSince is since when every target is as wanted, without a break.
	// +optional
	VerifiedSince *metav1.Time `json:"verifiedSince,omitempty"`

	// Merged says what became of the merge.
	// +optional
	Merged *ChangeMerge `json:"merged,omitempty"`

	// Obeyed are the ids of the commands in control that were dealt with.
	// +listType=atomic
	// +optional
	Obeyed []string `json:"obeyed,omitempty"`

	// Comment is the id of the last comment on the merge request that was dealt with.
	// +optional
	Comment int64 `json:"comment,omitempty"`

	// Notices say what was refused and why, the latest last. At most 5.
	// +listType=atomic
	// +optional
	Notices []string `json:"notices,omitempty"`

	// Superseded are digests of plans that newer ones took the place of, the latest
	// last. At most 10.
	// +listType=atomic
	// +optional
	Superseded []string `json:"superseded,omitempty"`

	// Timeline says when which phase began, the latest last. At most 50.
	// +listType=atomic
	// +optional
	Timeline []ChangeMoment `json:"timeline,omitempty"`

	// Audit is who did what, and when.
	// +optional
	Audit ChangeAudit `json:"audit,omitempty"`
}

// A ChangePhase says in one word what a Change does.
type ChangePhase string

// Phases of a Change.
const (
	// ChangePending: it is read and planned.
	ChangePending ChangePhase = "Pending"
	// ChangeRefused: there is no plan for it, or one that cannot work. A push mends it.
	ChangeRefused ChangePhase = "Refused"
	// ChangePlanned: its plan waits for approvals, or to be allowed to begin.
	ChangePlanned ChangePhase = "Planned"
	// ChangeApproved: it may begin, and asks for its locks.
	ChangeApproved ChangePhase = "Approved"
	// ChangeQueued: it waits for changes that touch the same.
	ChangeQueued ChangePhase = "Queued"
	// ChangeExecuting: its claims are applied, and clusters move.
	ChangeExecuting ChangePhase = "Executing"
	// ChangeSuperseded: a newer head came while it executed. What is in motion finishes, then
	// the newer head is planned from what is observed.
	ChangeSuperseded ChangePhase = "Superseded"
	// ChangeVerifying: everything is there, and has to stay so for a while.
	ChangeVerifying ChangePhase = "Verifying"
	// ChangeMerging: it is verified, and is merged.
	ChangeMerging ChangePhase = "Merging"
	// ChangeCompleted: it is merged, and the base branch is true.
	ChangeCompleted ChangePhase = "Completed"
	// ChangeHalted: something is not as it should be. It waits for somebody.
	ChangeHalted ChangePhase = "Halted"
	// ChangeAbandoning: it goes back to what was before.
	ChangeAbandoning ChangePhase = "Abandoning"
	// ChangeAbandoned: it is as if it had never been, and the merge request is closed.
	ChangeAbandoned ChangePhase = "Abandoned"
)

// A ChangeRequest is what the forge said of a merge request.
type ChangeRequest struct {
	// Title of it, cut at 256 bytes.
	// +optional
	Title string `json:"title,omitempty"`
	// Author of it.
	// +optional
	Author string `json:"author,omitempty"`
	// URL of it.
	// +optional
	URL string `json:"url,omitempty"`
	// HeadSHA is the commit that is asked for.
	// +optional
	HeadSHA string `json:"headSHA,omitempty"`
	// BaseSHA is the commit of the base branch that it is compared with.
	// +optional
	BaseSHA string `json:"baseSHA,omitempty"`
	// MergeBaseSHA is the commit that both stem from.
	// +optional
	MergeBaseSHA string `json:"mergeBaseSHA,omitempty"`
	// Tree that the base branch has once it is merged.
	// +optional
	Tree string `json:"tree,omitempty"`
}

// A ChangeWait says where a Change waits for others.
type ChangeWait struct {
	// Position in the queue: 1 is next.
	Position int32 `json:"position"`
	// Behind these changes, as people name them. At most 5.
	// +listType=atomic
	// +optional
	Behind []string `json:"behind,omitempty"`
	// Takes about so long. Empty where it cannot be said.
	// +optional
	Takes *metav1.Duration `json:"takes,omitempty"`
}

// A ChangeClaim is one claim that a Change touches, and how far it is.
type ChangeClaim struct {
	ClaimReference `json:",inline"`

	// Digest of what it is to say. Empty where it is to be deleted.
	// +optional
	Digest string `json:"digest,omitempty"`
	// Before is the digest of what it said before. Empty where it did not exist.
	// +optional
	Before string `json:"before,omitempty"`
	// Step in which it is applied. The next one begins when all of one are there.
	// +optional
	Step int32 `json:"step,omitempty"`
	// Irreversible says why it cannot go back, if it cannot.
	// +optional
	Irreversible string `json:"irreversible,omitempty"`
	// Clusters that the plan has it touch.
	// +optional
	Clusters int32 `json:"clusters,omitempty"`
	// Removes is from how many clusters the plan takes it away.
	// +optional
	Removes int32 `json:"removes,omitempty"`
	// Began is true once it may have been written.
	// +optional
	Began bool `json:"began,omitempty"`
	// Phase of it.
	// +optional
	Phase ChangeClaimPhase `json:"phase,omitempty"`
	// Reached is on how many clusters it is as wanted.
	// +optional
	Reached int32 `json:"reached,omitempty"`
	// Owed are the clusters that cannot be reached.
	// +optional
	Owed int32 `json:"owed,omitempty"`
	// Failed clusters.
	// +optional
	Failed int32 `json:"failed,omitempty"`
	// Message says what it waits for, or what is wrong.
	// +optional
	Message string `json:"message,omitempty"`
}

// A ClaimReference names a claim on the hub.
type ClaimReference struct {
	// APIVersion of the claim.
	// +kubebuilder:validation:MaxLength=317
	APIVersion string `json:"apiVersion"`
	// Kind of the claim.
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind"`
	// Namespace of the claim.
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace"`
	// Name of the claim.
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// String names the claim as people do.
func (r ClaimReference) String() string {
	return r.Kind + " " + r.Namespace + "/" + r.Name
}

// A ChangeClaimPhase says how far a claim is.
type ChangeClaimPhase string

// Phases of a claim.
const (
	ClaimWaiting ChangeClaimPhase = "Waiting"
	ClaimApplied ChangeClaimPhase = "Applied"
	ClaimMoving  ChangeClaimPhase = "Moving"
	ClaimReached ChangeClaimPhase = "Reached"
	ClaimFailed  ChangeClaimPhase = "Failed"
	ClaimGoBack  ChangeClaimPhase = "GoingBack"
	ClaimIsBack  ChangeClaimPhase = "Back"
)

// A ChangeProgress counts over all claims of a Change.
type ChangeProgress struct {
	// Claims there are.
	Claims int32 `json:"claims"`
	// ClaimsReached is how many are as wanted.
	ClaimsReached int32 `json:"claimsReached"`
	// Clusters of all claims. One that has two claims counts twice.
	Clusters int32 `json:"clusters"`
	// Reached of them.
	Reached int32 `json:"reached"`
	// Owed are those that cannot be reached.
	// +optional
	Owed int32 `json:"owed,omitempty"`
	// Failed ones.
	// +optional
	Failed int32 `json:"failed,omitempty"`
}

// A ChangeFinding is something that was found before anything was written.
type ChangeFinding struct {
	// Cause of it, such as B2, as the page on preflight lists them.
	Cause string `json:"cause"`
	// Blocking is true where it must be mended first.
	// +optional
	Blocking bool `json:"blocking,omitempty"`
	// Claim that it is in.
	// +optional
	Claim string `json:"claim,omitempty"`
	// Clusters that have it.
	// +optional
	Clusters int32 `json:"clusters,omitempty"`
	// Message says what to do.
	Message string `json:"message"`
}

// A ChangeHalt says why a Change halted.
type ChangeHalt struct {
	// Reason in one word.
	Reason HaltReason `json:"reason"`
	// Message says what, where, and what it takes.
	Message string `json:"message"`
	// At which time.
	At metav1.Time `json:"at"`
}

// A HaltReason says in one word why a Change halted.
type HaltReason string

// Reasons to halt.
const (
	// HaltFailed: a Rollout halted, went back, or was aborted.
	HaltFailed HaltReason = "Failed"
	// HaltDeviates: something happens that the plan does not have.
	HaltDeviates HaltReason = "Deviates"
	// HaltEdited: somebody else changed a claim.
	HaltEdited HaltReason = "Edited"
	// HaltDiverged: the base branch moved in what is executed.
	HaltDiverged HaltReason = "Diverged"
	// HaltTold: somebody said so.
	HaltTold HaltReason = "Told"
	// HaltDraft: the merge request became a draft.
	HaltDraft HaltReason = "Draft"
	// HaltBranchGone: the branch of the merge request is gone.
	HaltBranchGone HaltReason = "BranchGone"
	// HaltMergedEarly: somebody merged it before it was verified.
	HaltMergedEarly HaltReason = "MergedEarly"
	// HaltIrreversible: it cannot go back by itself.
	HaltIrreversible HaltReason = "Irreversible"
	// HaltLocksLost: the locks are somebody else's.
	HaltLocksLost HaltReason = "LocksLost"
)

// A ChangeBack says that a Change goes back, or that it was abandoned, and why.
type ChangeBack struct {
	// Close is true where the merge request is closed in the end.
	// +optional
	Close bool `json:"close,omitempty"`
	// By whom it was asked for.
	By string `json:"by"`
	// Reason that was given with it.
	// +optional
	Reason string `json:"reason,omitempty"`
	// Halted is what the Change had halted for by then. Empty where it had not.
	// +optional
	Halted *ChangeHalt `json:"halted,omitempty"`
	// Epoch in which it went forward. It goes back in a higher one.
	// +optional
	Epoch int64 `json:"epoch,omitempty"`
	// At which time.
	At metav1.Time `json:"at"`
}

// A ChangeWord is what somebody said of one plan.
type ChangeWord struct {
	// Digest of the plan.
	Digest string `json:"digest"`
	// HeadSHA that it was said of.
	HeadSHA string `json:"headSHA"`
	// By whom.
	By string `json:"by"`
	// Reason why.
	// +optional
	Reason string `json:"reason,omitempty"`
	// At which time.
	At metav1.Time `json:"at"`
}

// A ChangeMerge says what became of a merge.
type ChangeMerge struct {
	// SHA that the base branch has since.
	SHA string `json:"sha"`
	// By whom, where it was somebody else.
	// +optional
	By string `json:"by,omitempty"`
	// HeadSHA that was merged.
	HeadSHA string `json:"headSHA"`
	// At which time it was seen.
	At metav1.Time `json:"at"`
	// Untrue says how the base branch differs from what was executed. Empty where it
	// does not.
	// +optional
	Untrue string `json:"untrue,omitempty"`
}

// A ChangeMoment says when a phase began.
type ChangeMoment struct {
	// Phase that began.
	Phase ChangePhase `json:"phase"`
	// At which time.
	At metav1.Time `json:"at"`
}
