package change

import (
	"fmt"
	"strings"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// closedIt is the reason of who closes a merge request.
const closedIt = "closed the merge request"

// turnBack to what was before: because somebody said so, or closed the merge request.
func (n *run) turnBack(by, reason string, closes bool) {
	n.is.Back = n.askedBack(by, reason, closes)
	if h := n.is.Halt; h != nil {
		n.audit(us, "goes back; it had halted: "+h.Message)
	}
	n.is.Halt, n.is.VerifiedSince = nil, nil
	for i := range n.is.Claims {
		if c := &n.is.Claims[i]; c.Began {
			c.Phase, c.Message = v1alpha1.ClaimGoBack, ""
		}
	}
	n.forgetApprovals()
	n.to(v1alpha1.ChangeAbandoning)
}

// askedBack says who wants it to go back, and why.
func (n *run) askedBack(by, reason string, closes bool) *v1alpha1.ChangeBack {
	return &v1alpha1.ChangeBack{Close: closes, By: by, Reason: reason, Halted: n.is.Halt, Epoch: n.is.Epoch, At: *n.stamp()}
}

// goBack step by step, the last one first.
func (n *run) goBack() {
	if n.o.QueueProblem != "" {
		n.wait("the queue cannot be read, and without it nothing is written: " + n.o.QueueProblem)
		return
	}
	if n.began() {
		if r := n.o.Request; r != nil && r.State == RequestOpen && r.Statuses[ContextExecute].State == StatusSuccess {
			// A merge that was sent before must not arrive after.
			n.wait(ContextExecute + " turns red first")
			return
		}
		if !n.o.Place.Held || n.o.Place.Epoch <= n.is.Back.Epoch {
			n.wait("waits for its locks")
			return
		}
		n.is.Epoch = n.o.Place.Epoch
		if !n.allBack() {
			return
		}
		if !n.sealed() {
			n.wait("what is granted is put on record")
			return
		}
	}
	n.ends()
}

// sealed is true where the grants of all claims that were written have only what the
// claims say now. One that cannot be read is not waited for: it holds nothing back.
func (n *run) sealed() bool {
	for _, c := range n.is.Claims {
		if o, ok := n.o.Claims[c.ClaimReference]; c.Began && ok && !o.Sealed {
			return false
		}
	}
	return true
}

// allBack watches the claims go back. It is true where all are.
func (n *run) allBack() bool {
	rest := 0
	for i := len(n.is.Claims) - 1; i >= 0; i-- {
		c := &n.is.Claims[i]
		if !c.Began {
			continue
		}
		o, ok := n.o.Claims[c.ClaimReference]
		if ok && n.takenOver(o) {
			// It lost its locks, and what is there now is another change's to answer for.
			c.Phase, c.Message = v1alpha1.ClaimIsBack, "a later change has it"
			continue
		}
		if c.Irreversible != "" {
			if c.Phase == v1alpha1.ClaimIsBack {
				continue
			}
			why := fmt.Sprintf("%s cannot go back by itself: %s: put it right by hand, then /resume", c.ClaimReference, c.Irreversible)
			if !accepted(n.is.Accepted, why) {
				n.acceptIt(why)
				n.halt(v1alpha1.HaltIrreversible, why)
				return false
			}
			// Somebody did what it takes, and said so.
			c.Phase, c.Message = v1alpha1.ClaimIsBack, "was put right by hand"
			continue
		}
		n.judge(c, o, c.Before)
		switch {
		case !ok:
			c.Phase, c.Message = v1alpha1.ClaimGoBack, "it cannot be read"
		case c.Phase == v1alpha1.ClaimReached:
			c.Phase = v1alpha1.ClaimIsBack
			continue
		case c.Phase == v1alpha1.ClaimFailed:
			// It is said and goes on being tried: there is nothing to go back to from here.
			n.wait(fmt.Sprintf("%s: %s", c.ClaimReference, c.Message))
		default:
			c.Phase = v1alpha1.ClaimGoBack
		}
		rest++
	}
	if rest > 0 {
		n.wait(fmt.Sprintf("%s not back yet", count(rest, "claim")))
	}
	return rest == 0
}

// takenOver is true where a later change was granted a claim.
func (n *run) takenOver(o Claim) bool { return !o.GrantedUs && o.Granted > n.is.Back.Epoch }

// backStep is the step whose claims go back now.
func (n *run) backStep() (int32, bool) {
	for i := len(n.is.Claims) - 1; i >= 0; i-- {
		if c := n.is.Claims[i]; c.Began && c.Phase != v1alpha1.ClaimIsBack {
			return c.Step, true
		}
	}
	return 0, false
}

// ends what went back: closed, or planned anew.
func (n *run) ends() {
	r := n.o.Request
	if r == nil || n.o.ForgeProblem != "" {
		n.wait("all is back: the forge has to say what became of the merge request")
		return
	}
	if r.State == RequestOpen && n.is.Back.Close {
		n.wait("all is back: it is being closed")
		return
	}
	n.audit(us, "is back at what was before")
	back, merged := n.is.Back, n.is.Merged
	n.drop()
	if merged == nil && r.State == RequestOpen {
		n.to(v1alpha1.ChangePending)
		return
	}
	if merged != nil && merged.Untrue == "" {
		merged.Untrue = "it was taken back by " + back.By + ": revert it"
	}
	n.is.Back = back
	n.to(v1alpha1.ChangeAbandoned)
}

// asked says who wanted it to go back.
func asked(b *v1alpha1.ChangeBack) string {
	switch {
	case b == nil:
		return ""
	case b.Reason == closedIt && !b.Close:
		return ", because " + b.By + " closed the merge request"
	case b.Reason != "":
		return ", as " + b.By + " asked for: " + strings.TrimRight(b.Reason, ". ")
	}
	return ", as " + b.By + " asked for"
}

// hadHalted says what it had halted for when it was to go back.
func hadHalted(b *v1alpha1.ChangeBack) string {
	if b == nil || b.Halted == nil {
		return ""
	}
	return "; it had halted: " + b.Halted.Message
}

// ended stays so, unless somebody opens the merge request again.
func (n *run) ended() {
	r := n.o.Request
	if n.is.Phase == v1alpha1.ChangeAbandoned && n.is.Merged == nil && r != nil && n.o.ForgeProblem == "" && r.State == RequestOpen {
		n.audit(us, "the merge request was opened again")
		n.drop()
		n.to(v1alpha1.ChangePending)
	}
}
