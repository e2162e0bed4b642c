package change

import (
	"time"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/change/lock"
)

// A Decision says what to ask and what to write now, and how things stand.
type Decision struct {
	// Status to report.
	Status v1alpha1.ChangeObservation
	// PersistFirst is true where the status must be persisted before anything is done.
	PersistFirst bool
	// Plan this, and decide again with the answer. Nil where nothing has to be planned.
	Plan *PlanRequest
	// Do these, in order. One that fails does not keep the others from being done.
	Do []Action
	// Wake is the next instant at which something may be different although nothing
	// happens. Zero where there is none.
	Wake time.Time
	// Done is true where nothing of the change is under way and nothing more is to come.
	Done bool
}

// A PlanRequest asks for a plan.
type PlanRequest struct {
	// Head, Base, Tree and Content to plan.
	Head, Base, Tree, Content string
	// Epoch of the locks that it is planned under. 0 for none.
	Epoch int64
	// Carry are claims that this change has written already. They are part of the plan,
	// also where the head does not have them: then they go back to what the base says.
	Carry []v1alpha1.ClaimReference
}

// equal is true where two ask for the same.
func (r PlanRequest) equal(o PlanRequest) bool {
	return r.Head == o.Head && r.Base == o.Base && r.Tree == o.Tree && r.Content == o.Content && r.Epoch == o.Epoch
}

// A Verb says what an Action does.
type Verb string

// What can be done. All may be done twice. Those that write to the hub carry the epoch,
// and are refused by whoever has seen a higher one.
const (
	// DoStatus posts a commit status.
	DoStatus Verb = "Status"
	// DoComment edits the comment, or makes it.
	DoComment Verb = "Comment"
	// DoLock says to the queue what is wanted.
	DoLock Verb = "Lock"
	// DoUnlock leaves the queue.
	DoUnlock Verb = "Unlock"
	// DoApply grants a claim and writes it, or deletes it where Digest is empty.
	DoApply Verb = "Apply"
	// DoBranch grants claims and puts their files on the branch that is delivered from.
	DoBranch Verb = "Branch"
	// DoSeal takes what was before out of the grant of a claim.
	DoSeal Verb = "Seal"
	// DoPause and DoUnpause tell the Rollout of a claim.
	DoPause   Verb = "Pause"
	DoUnpause Verb = "Unpause"
	// DoRetry has the Rollout of a claim forget its failures: its control.retry becomes
	// Count, unless it is higher.
	DoRetry Verb = "Retry"
	// DoAllow lets the Rollout of a claim take away what the plan says.
	DoAllow Verb = "Allow"
	// DoMerge merges the head, and nothing else.
	DoMerge Verb = "Merge"
	// DoClose closes the merge request.
	DoClose Verb = "Close"
)

// An Action is one thing to do.
type Action struct {
	Verb Verb
	// Epoch of the locks, for what writes to the hub.
	Epoch int64
	// Claim it is done to.
	Claim v1alpha1.ClaimReference
	// Digest of what the claim is to say. Before is what it may say as well.
	Digest, Before string
	// Commit whose tree has what the claim is to say: the plan's head merged into its
	// base, or the base where it goes Back.
	Head, Base string
	Back       bool
	// Count of a DoRetry.
	Count int64
	// Claims for the branch, each with what it is to say.
	Claims []v1alpha1.ChangeClaim
	// Context and Status for a commit status. It is posted on Head.
	Context string
	Status  Status
	// Progress for the comment, in Markdown.
	Progress string
	// Lock says what is wanted of the queue.
	Lock *lock.Request
	// Message of the merge, or of the comment that closes the merge request, in Markdown.
	Message string
}

// Writes is true where an action changes what runs. It is done in its epoch, or not at all.
func (a Action) Writes() bool {
	switch a.Verb {
	case DoApply, DoBranch, DoSeal, DoPause, DoUnpause, DoRetry, DoAllow, DoMerge:
		return true
	}
	return false
}

// OnHub is true where an action takes nothing but the hub. It is done also where neither forge nor Git
// can be reached: nobody has to wait for them to halt what runs.
func (a Action) OnHub() bool {
	switch a.Verb {
	case DoLock, DoUnlock, DoSeal, DoPause, DoUnpause, DoRetry, DoAllow:
		return true
	}
	return false
}
