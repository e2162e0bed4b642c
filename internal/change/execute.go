package change

import (
	"fmt"
	"time"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// retryAfter is how long something that failed by itself is left alone.
const retryAfter = 30 * time.Second

// execute the plan: step by step, until everything is reached.
func (n *run) execute() {
	if !n.goesOn() {
		return
	}
	n.is.VerifiedSince = nil
	for i := range n.is.Claims {
		if !n.watch(&n.is.Claims[i]) {
			return
		}
	}
	step, rest := n.frontier()
	if rest == 0 {
		n.to(v1alpha1.ChangeVerifying)
		return
	}
	for i := range n.is.Claims {
		if c := &n.is.Claims[i]; c.Step == step && !c.Began {
			c.Began, c.Phase = true, v1alpha1.ClaimApplied
		}
	}
}

// goesOn is true where nothing speaks against going on with what is under way.
func (n *run) goesOn() bool {
	switch {
	case n.o.QueueProblem != "":
		n.wait("the queue cannot be read, and without it nothing is written: " + n.o.QueueProblem)
		return false
	case !n.fenced():
		n.halt(v1alpha1.HaltLocksLost, "its locks were given to another change: /resume queues it again")
		return false
	}
	if n.o.ForgeProblem != "" || n.o.Request == nil {
		return true
	}
	switch {
	case n.o.Request.Draft && n.o.Request.State == RequestOpen:
		n.halt(v1alpha1.HaltDraft, "the merge request became a draft: mark it as ready to go on")
		return false
	case n.diverged() != "":
		n.halt(v1alpha1.HaltDiverged, n.diverged())
		return false
	}
	return true
}

// diverged says how the base moved in what is executed. Empty where it did not, or where
// that is not known.
func (n *run) diverged() string {
	g, p, r := n.o.Git, n.is.Plan, n.o.Request
	if g.Problem != "" || g.Head != p.HeadSHA || r == nil || r.State != RequestOpen {
		return ""
	}
	base := n.spec.Repository.BaseBranch
	switch {
	case r.BaseRef != base:
		return fmt.Sprintf("it asks to be merged into %s now: set it back to %s", r.BaseRef, base)
	case len(g.Conflicts) > 0:
		return fmt.Sprintf("%s changed on %s meanwhile: rebase and push", listed(g.Conflicts, 5), base)
	case g.Content != p.Content:
		return fmt.Sprintf("%s moved in what is executed: rebase and push", base)
	}
	p.BaseSHA, p.Tree = g.Base, g.Tree
	return ""
}

// watch a claim that was written. It is false where that halts the change.
func (n *run) watch(c *v1alpha1.ChangeClaim) bool {
	if !c.Began {
		c.Phase = v1alpha1.ClaimWaiting
		return true
	}
	o, ok := n.o.Claims[c.ClaimReference]
	if !ok {
		c.Phase, c.Message = v1alpha1.ClaimApplied, "it cannot be read"
		return true
	}
	if n.edited(c.Digest, o) {
		why := edit(c)
		if !accepted(n.is.Accepted, why) {
			n.halt(v1alpha1.HaltEdited, why)
			return false
		}
		c.Phase = v1alpha1.ClaimApplied
		return true
	}
	if n.written(c.Digest, o) {
		// It is written over. The next edit is another.
		n.forget(edit(c))
	}
	n.judge(c, o, c.Digest)
	if why := Deviates(*c, o); why != "" && !accepted(n.is.Accepted, why) {
		n.halt(v1alpha1.HaltDeviates, why)
		return false
	}
	if c.Phase == v1alpha1.ClaimFailed {
		// That its Rollout halted is what this says.
		n.halt(v1alpha1.HaltFailed, fmt.Sprintf("%s: %s", c.ClaimReference, cause(c.Message)))
		return false
	}
	return true
}

// edit says that a claim was edited, and is what is accepted where it is to be written all the same.
func edit(c *v1alpha1.ChangeClaim) string {
	return fmt.Sprintf("%s was changed by somebody else: /retry writes it again, or go back", c.ClaimReference)
}

// Overwrites is true where somebody said that a claim is to be written although somebody else
// changed it.
func Overwrites(s v1alpha1.ChangeObservation, ref v1alpha1.ClaimReference) bool {
	return accepted(s.Accepted, edit(&v1alpha1.ChangeClaim{ClaimReference: ref}))
}

// written is true where a claim says what it should, because we wrote it in this epoch.
func (n *run) written(digest string, o Claim) bool {
	if digest == "" {
		return !o.Exists
	}
	return o.Exists && o.Digest == digest && o.Ours && o.Epoch == n.is.Epoch
}

// edited is true where a claim that we wrote in this epoch says something else since.
func (n *run) edited(digest string, o Claim) bool {
	if digest == "" || !o.Ours || o.Epoch != n.is.Epoch {
		return false
	}
	if n.spec.Repository.Delivery.Mode == v1alpha1.DeliverBranch {
		// There the engine writes, and takes its time.
		return false
	}
	return o.Exists && o.Digest != digest
}

// judge how far a claim is.
func (n *run) judge(c *v1alpha1.ChangeClaim, o Claim, digest string) {
	c.Reached, c.Owed, c.Failed, c.Message = 0, 0, 0, o.Message
	if o.TakenIn && n.written(digest, o) {
		c.Reached, c.Owed, c.Failed = o.Reached, o.Owed, o.Failed
	}
	c.Phase = v1alpha1.ClaimMoving
	switch {
	case digest == "" && !o.Exists:
		c.Phase = v1alpha1.ClaimReached
	case o.Refused != "" && o.RefusedAt >= n.is.Retried && !n.written(digest, o):
		c.Phase, c.Message = v1alpha1.ClaimFailed, o.Refused
	case !n.written(digest, o):
		c.Phase = v1alpha1.ClaimApplied
		c.Message = orElse(o.Message, "being written")
	case digest == "", !o.TakenIn:
		c.Message = orElse(o.Message, "not taken in yet")
	case reached(o):
		c.Phase = v1alpha1.ClaimReached
	case failed(o) && o.Retried >= n.tries():
		c.Phase = v1alpha1.ClaimFailed
		c.Message = orElse(o.Message, "its Rollout is "+string(o.Phase))
	case o.Phase == v1alpha1.RolloutBlocked, o.Phase == v1alpha1.RolloutPreflight, o.Phase == v1alpha1.RolloutWaiting:
		c.Message = orElse(o.Message, "its Rollout is "+string(o.Phase))
	}
}

// reached is true where every cluster of a claim is as wanted, or owed.
func reached(o Claim) bool {
	return o.TakenIn && o.Failed == 0 && o.InMotion == 0 && o.Reached+o.Owed >= o.Clusters && o.Phase == v1alpha1.RolloutCompleted
}

// failed is true where the Rollout of a claim does not go on by itself.
func failed(o Claim) bool {
	switch o.Phase {
	case v1alpha1.RolloutHalted, v1alpha1.RolloutRolledBack, v1alpha1.RolloutAborted, v1alpha1.RolloutRollingBack:
		return true
	}
	return false
}

// tries is what Rollouts are told to try again with. It rises with every retry, and with
// every epoch.
func (n *run) tries() int64 {
	if n.is.Retried == 0 {
		return 0
	}
	return n.is.Epoch*1000 + n.is.Retried
}

// frontier is the first step that is not reached, and how many claims are not.
func (n *run) frontier() (step int32, rest int) {
	for _, c := range n.is.Claims {
		if c.Phase == v1alpha1.ClaimReached && c.Began {
			continue
		}
		if rest == 0 {
			step = c.Step
		}
		rest++
	}
	return step, rest
}

// settleBatch lets what is in motion finish, before the newer head is planned.
func (n *run) settleBatch() {
	if n.o.QueueProblem == "" && n.fenced() {
		for _, c := range n.is.Claims {
			o, ok := n.o.Claims[c.ClaimReference]
			if !c.Began {
				continue
			}
			switch {
			case !ok:
				n.wait(c.String() + " cannot be read")
			case o.InMotion > 0:
				n.wait(fmt.Sprintf("%s of %s finish", count(o.InMotion, "cluster"), c.ClaimReference))
			case o.Exists && !o.Paused && hasMore(o):
				n.wait(c.String() + " is being paused")
			}
		}
	}
	if len(n.waits) > 0 {
		return
	}
	n.is.Plan = nil
	n.to(v1alpha1.ChangePending)
}

// hasMore is true where a Rollout would go on by itself.
func hasMore(o Claim) bool {
	return o.Phase != "" && o.Phase != v1alpha1.RolloutCompleted && !failed(o)
}

// halt and say why. What it was doing stops, what is in motion finishes.
func (n *run) halt(reason v1alpha1.HaltReason, why string) {
	why = brief(why, 1024)
	if n.is.Phase == v1alpha1.ChangeHalted && n.is.Halt != nil && n.is.Halt.Reason == reason {
		n.is.Halt.Message = why
		return
	}
	n.audit(us, "halted: "+why)
	n.is.Halt = &v1alpha1.ChangeHalt{Reason: reason, Message: why, At: *n.stamp()}
	n.is.VerifiedSince = nil
	n.to(v1alpha1.ChangeHalted)
}

// halted waits for somebody, or for what it halted for to be over.
func (n *run) halted() {
	for i := range n.is.Claims {
		c := &n.is.Claims[i]
		if o, ok := n.o.Claims[c.ClaimReference]; ok && c.Began {
			c.Reached, c.Owed, c.Failed = o.Reached, o.Owed, o.Failed
		}
	}
	h, r := n.is.Halt, n.o.Request
	if h == nil {
		n.goOn()
		return
	}
	if n.is.Back != nil || r == nil || n.o.ForgeProblem != "" {
		return
	}
	over := false
	switch h.Reason {
	case v1alpha1.HaltDraft:
		over = !r.Draft
	case v1alpha1.HaltBranchGone:
		over = !r.BranchGone
	case v1alpha1.HaltDiverged:
		over = n.is.Plan != nil && n.o.Git.Problem == "" && n.o.Git.Head == n.is.Plan.HeadSHA && n.diverged() == ""
	}
	if over {
		n.audit(us, "goes on: what it halted for is over")
		n.is.Halt = nil
		n.goOn()
	}
}

// goOn after a halt, where it was.
func (n *run) goOn() {
	n.weigh()
	p := n.is.Plan
	head := n.is.Request.HeadSHA
	switch {
	case !n.began():
		n.to(v1alpha1.ChangePending)
	case p == nil || p.HeadSHA != head:
		n.to(v1alpha1.ChangeSuperseded)
	case n.is.Merged != nil && !n.approved && !n.urgent:
		n.to(v1alpha1.ChangePlanned)
	case n.fenced() && n.is.Executed == p.Digest:
		n.to(v1alpha1.ChangeExecuting)
	default:
		n.to(v1alpha1.ChangeQueued)
	}
}
