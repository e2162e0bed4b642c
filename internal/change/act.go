package change

import (
	"slices"
	"time"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/change/lock"
)

// act in the phase that was decided.
func (n *run) act() {
	n.askForLocks()
	if n.fenced() {
		switch n.is.Phase {
		case v1alpha1.ChangeExecuting, v1alpha1.ChangeVerifying:
			n.actForward()
		case v1alpha1.ChangeSuperseded, v1alpha1.ChangeHalted:
			n.actPause()
		case v1alpha1.ChangeAbandoning:
			n.actBack()
		case v1alpha1.ChangeCompleted:
			n.actSeal()
		}
		if n.mayMerge() {
			n.do(Action{Verb: DoMerge, Head: n.is.Plan.HeadSHA, Base: n.is.Plan.BaseSHA, Message: n.mergeMessage()})
		}
	}
	if b := n.is.Back; n.is.Phase == v1alpha1.ChangeAbandoning && b != nil && b.Close && n.open() && n.o.ForgeProblem == "" && n.allIsBack() {
		n.do(Action{Verb: DoClose, Message: closing(n.is)})
	}
}

// actForward writes claims, and helps their Rollouts along.
func (n *run) actForward() {
	var branch []v1alpha1.ChangeClaim
	for _, c := range n.is.Claims {
		o, ok := n.o.Claims[c.ClaimReference]
		if !c.Began || !ok {
			continue
		}
		if !n.written(c.Digest, o) {
			if n.spec.Repository.Delivery.Mode == v1alpha1.DeliverBranch {
				branch = append(branch, c)
				continue
			}
			n.do(Action{Verb: DoApply, Claim: c.ClaimReference, Digest: c.Digest, Before: c.Before, Head: n.is.Plan.HeadSHA, Base: n.is.Plan.BaseSHA})
			continue
		}
		n.help(c, o)
		if c.Removes > 0 && o.TakenIn && !o.Allowed && n.deletionsAllowed() {
			n.do(Action{Verb: DoAllow, Claim: c.ClaimReference})
		}
	}
	if len(branch) > 0 {
		n.do(Action{Verb: DoBranch, Claims: branch, Head: n.is.Plan.HeadSHA, Base: n.is.Plan.BaseSHA})
	}
}

// help a Rollout along that was paused, or is to try again.
func (n *run) help(c v1alpha1.ChangeClaim, o Claim) {
	if o.Paused {
		n.do(Action{Verb: DoUnpause, Claim: c.ClaimReference})
	}
	if o.TakenIn && failed(o) && o.Retried < n.tries() && n.is.Back == nil {
		n.do(Action{Verb: DoRetry, Claim: c.ClaimReference, Count: n.tries()})
	}
}

// actPause has Rollouts start nothing further.
func (n *run) actPause() {
	for _, c := range n.is.Claims {
		if o, ok := n.o.Claims[c.ClaimReference]; ok && c.Began && o.Exists && !o.Paused && hasMore(o) {
			n.do(Action{Verb: DoPause, Claim: c.ClaimReference})
		}
	}
}

// actBack writes what claims said before, the last step first.
func (n *run) actBack() {
	if b := n.is.Back; b == nil || n.is.Epoch <= b.Epoch && n.began() {
		// What went forward could still be written in the same epoch.
		return
	}
	step, more := n.backStep()
	if !more {
		n.actSeal()
		return
	}
	var branch []v1alpha1.ChangeClaim
	for _, c := range n.is.Claims {
		o, ok := n.o.Claims[c.ClaimReference]
		if !c.Began || !ok || c.Step != step || c.Irreversible != "" || n.takenOver(o) {
			continue
		}
		if n.written(c.Before, o) {
			n.help(c, o)
			continue
		}
		if n.spec.Repository.Delivery.Mode == v1alpha1.DeliverBranch {
			c.Digest = c.Before
			branch = append(branch, c)
			continue
		}
		n.do(Action{Verb: DoApply, Claim: c.ClaimReference, Digest: c.Before, Before: c.Digest, Base: n.base(), Back: true})
	}
	if len(branch) > 0 {
		n.do(Action{Verb: DoBranch, Claims: branch, Base: n.base(), Back: true})
	}
}

// base that the change goes back to.
func (n *run) base() string {
	if n.is.Plan != nil {
		return n.is.Plan.BaseSHA
	}
	return n.is.Request.BaseSHA
}

// actSeal leaves in grants only what claims say now.
func (n *run) actSeal() {
	for _, c := range n.is.Claims {
		if o, ok := n.o.Claims[c.ClaimReference]; c.Began && ok && !o.Sealed {
			digest := c.Digest
			if n.is.Back != nil {
				digest = c.Before
			}
			n.do(Action{Verb: DoSeal, Claim: c.ClaimReference, Digest: digest})
		}
	}
}

// allIsBack is true where nothing that was written is left.
func (n *run) allIsBack() bool {
	_, more := n.backStep()
	return !more && n.sealed()
}

// askForLocks says to the queue what is wanted, where that is not what it knows.
func (n *run) askForLocks() {
	if n.o.QueueProblem != "" {
		return
	}
	p := n.o.Place
	r := lock.Request{Group: n.spec.RepositoryRef.Name, Limit: n.spec.Repository.MaxExecuting, Wants: p.Wants, Urgent: n.urgent}
	if n.is.Plan != nil && n.is.Plan.Takes != nil {
		r.Takes = n.is.Plan.Takes.Duration
	}
	switch n.is.Phase {
	case v1alpha1.ChangeCompleted, v1alpha1.ChangeAbandoned:
		if p.Asked && (n.sealed() || !n.fenced()) {
			n.do(Action{Verb: DoUnlock})
		}
		return
	case v1alpha1.ChangeApproved, v1alpha1.ChangeQueued:
		r.Wants = n.is.Plan.Locks
		if p.Held && sameKeys(p.Wants, r.Wants) && n.is.Epoch > 0 && p.Epoch <= n.is.Epoch {
			r.Renew = p.Epoch
		}
	case v1alpha1.ChangeAbandoning:
		if b := n.is.Back; p.Held && b != nil && n.began() && p.Epoch <= b.Epoch {
			r.Renew = p.Epoch
		}
		if n.began() && len(p.Wants) == 0 {
			r.Wants = n.keys()
		}
	case v1alpha1.ChangePending, v1alpha1.ChangeRefused, v1alpha1.ChangePlanned, v1alpha1.ChangeHalted:
		r.Keep = n.began()
		r.Idle = true
		if !r.Keep {
			r.Wants = nil
		}
	default:
		r.Keep = true
	}
	if !p.Asked && len(r.Wants) == 0 {
		return
	}
	if !p.Asked || !sameKeys(p.Wants, r.Wants) || p.Urgent != r.Urgent || p.Idle != r.Idle || r.Renew > 0 {
		n.do(Action{Verb: DoLock, Lock: &r})
	}
}

// keys of what was written.
func (n *run) keys() []v1alpha1.LockKey {
	var targets []lock.Target
	for _, c := range n.is.Claims {
		if c.Began {
			targets = append(targets, lock.Target{Claim: c.ClaimReference})
		}
	}
	return lock.Keys(targets)
}

// place in the queue, for people.
func (n *run) place() *v1alpha1.ChangeWait {
	p := n.o.Place
	waits := []v1alpha1.ChangePhase{v1alpha1.ChangeApproved, v1alpha1.ChangeQueued, v1alpha1.ChangeAbandoning}
	if !p.Asked || p.Held || p.Position == 0 || !slices.Contains(waits, n.is.Phase) {
		return nil
	}
	w := &v1alpha1.ChangeWait{Position: p.Position, Behind: p.Behind[:min(len(p.Behind), 5)]}
	if p.Takes > 0 {
		w.Takes = durationOf(p.Takes.Round(time.Minute))
	}
	return w
}
