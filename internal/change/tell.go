package change

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// maxDescription of a commit status, in bytes.
const maxDescription = 140

// tell the forge how things stand, where it says something else.
func (n *run) tell() {
	r := n.o.Request
	if r == nil || n.o.ForgeProblem != "" {
		return
	}
	if r.State == RequestOpen && (n.is.Plan == nil || n.is.Plan.HeadSHA == r.HeadSHA) {
		for _, w := range []struct {
			context string
			status  Status
		}{{ContextPlan, n.planStatus()}, {ContextExecute, n.executeStatus()}} {
			if r.Statuses[w.context] != w.status {
				n.decision.Do = append(n.decision.Do, Action{Verb: DoStatus, Head: r.HeadSHA, Context: w.context, Status: w.status})
			}
		}
	}
	if n.o.Shown == (Shown{}) && n.over() {
		// Where nothing was ever said, nothing has to be said at the end.
		return
	}
	text, want := Markdown(n.is), Shown{At: n.o.Shown.At}
	if n.is.Plan != nil {
		want.Head, want.Digest = n.is.Plan.HeadSHA, n.is.Plan.Digest
	}
	if want.Progress = Fingerprint(text); n.o.Shown != want {
		n.decision.Do = append(n.decision.Do, Action{Verb: DoComment, Head: want.Head, Digest: want.Digest, Progress: text})
	}
}

// Fingerprint of a text that is shown. It stands in the comment, unseen, so that the text is
// posted again only where it is another.
func Fingerprint(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])[:16]
}

// planStatus says whether there is a plan that can be executed.
func (n *run) planStatus() Status {
	p := n.is.Plan
	switch {
	case n.is.Phase == v1alpha1.ChangeRefused:
		return status(StatusFailure, "no plan: see the comment")
	case p == nil:
		return status(StatusPending, "being planned")
	case p.Blocked != "":
		return status(StatusFailure, "plan "+short(p.Digest)+" cannot be executed: "+p.Blocked)
	}
	return status(StatusSuccess, "plan "+short(p.Digest)+": "+p.Summary)
}

// executeStatus says how far the change is. It turns green when everything is verified, and
// only on the head that was executed.
func (n *run) executeStatus() Status {
	switch n.is.Phase {
	case v1alpha1.ChangePlanned:
		return status(StatusPending, "waits to be approved")
	case v1alpha1.ChangeApproved, v1alpha1.ChangeQueued:
		return status(StatusPending, "queued")
	case v1alpha1.ChangeExecuting:
		return status(StatusPending, "executing")
	case v1alpha1.ChangeVerifying:
		return status(StatusPending, "all is there: verifying")
	case v1alpha1.ChangeMerging, v1alpha1.ChangeCompleted:
		return status(StatusSuccess, "verified on all clusters")
	case v1alpha1.ChangeHalted:
		reason := ""
		if n.is.Halt != nil {
			reason = ": " + n.is.Halt.Message
		}
		return status(StatusFailure, "halted"+reason)
	case v1alpha1.ChangeAbandoning:
		return status(StatusFailure, "goes back")
	case v1alpha1.ChangeRefused:
		return status(StatusFailure, "not executed: there is no plan")
	}
	return status(StatusPending, "waits for a plan")
}

// status with a description that every forge takes, on one line.
func status(s StatusState, description string) Status {
	return Status{State: s, Description: brief(strings.Join(strings.Fields(description), " "), maxDescription)}
}
