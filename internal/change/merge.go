package change

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// turnAgain is how long a merge takes, about, where forges are quick.
const turnAgain = 500 * time.Millisecond

// verify that everything is there, and stays so for a while.
func (n *run) verify() {
	if !n.stillThere() {
		return
	}
	if s := n.spec.Repository.Soak; s != nil && s.Duration > 0 {
		if n.is.VerifiedSince != nil && n.is.VerifiedSince.After(n.now.Add(1e9)) {
			// The clock went back: how long it has been so is not known.
			n.is.VerifiedSince = nil
		}
		if n.is.VerifiedSince == nil {
			n.is.VerifiedSince = n.stamp()
		}
		if end := n.is.VerifiedSince.Add(s.Duration); n.now.Before(end) {
			n.wakeAt(end)
			n.wait("all is there, and has to stay so until " + end.UTC().Format("15:04:05") + " UTC")
			return
		}
	}
	if n.is.VerifiedSince == nil {
		n.is.VerifiedSince = n.stamp()
	}
	n.audit(us, fmt.Sprintf("verified plan %s on all clusters%s", short(n.is.Plan.Digest), owing(n.is.Claims)))
	n.to(v1alpha1.ChangeMerging)
}

// stillThere is true where every target is as wanted, but for what may be owed.
func (n *run) stillThere() bool {
	if !n.goesOn() {
		return false
	}
	clusters, owed := int64(0), int64(0)
	for i := range n.is.Claims {
		c := &n.is.Claims[i]
		if !n.watch(c) {
			return false
		}
		if c.Phase != v1alpha1.ClaimReached {
			n.to(v1alpha1.ChangeExecuting)
			return false
		}
		if c.Digest != "" {
			clusters += int64(n.o.Claims[c.ClaimReference].Clusters)
			owed += int64(c.Owed)
		}
	}
	if limit := n.mayOwe(clusters); owed > limit {
		n.is.VerifiedSince = nil
		n.to(v1alpha1.ChangeVerifying)
		n.wait(fmt.Sprintf("%s cannot be reached%s: %d may be owed when it is merged", count(owed, "cluster"), owing(n.is.Claims), limit))
		return false
	}
	return true
}

// mayOwe is how many clusters may be owed when it is merged.
func (n *run) mayOwe(clusters int64) int64 {
	m := n.spec.Repository.MaxOwed
	if m == nil {
		return 0
	}
	if percent, ok := strings.CutSuffix(m.StrVal, "%"); ok {
		p, err := strconv.ParseInt(percent, 10, 32)
		if err != nil {
			return 0
		}
		return clusters * p / 100
	}
	return int64(m.IntVal)
}

// owing says which claims owe clusters.
func owing(claims []v1alpha1.ChangeClaim) string {
	var out []string
	for _, c := range claims {
		if c.Owed > 0 {
			out = append(out, fmt.Sprintf("%s owes %d", c.ClaimReference, c.Owed))
		}
	}
	if len(out) == 0 {
		return ""
	}
	return " (" + listed(out, 5) + ")"
}

// merge the head that was executed, and see that the base branch then says so.
func (n *run) merge() {
	r := n.o.Request
	if n.is.Merged != nil {
		n.confirm()
		return
	}
	if !n.stillThere() {
		return
	}
	if !n.readable() {
		return
	}
	if r.State == RequestOpen && r.BranchGone {
		n.halt(v1alpha1.HaltBranchGone, "all is there, but its branch is gone and cannot be merged: push it again at "+short(n.is.Plan.HeadSHA))
		return
	}
	if r.Statuses[ContextExecute].State != StatusSuccess {
		n.wait(ContextExecute + " turns green first")
		return
	}
	if ahead := n.o.MergesAhead; ahead > 0 {
		// Not how many: it is said on the forge, which has enough to do as it is.
		n.wait("others of this repository are merged first")
		n.wakeAt(n.now.Add(time.Duration(ahead) * turnAgain))
		return
	}
	if n.o.MergeRefused != "" {
		n.wait("the forge refuses to merge: " + n.o.MergeRefused)
		n.wakeAt(n.now.Add(retryAfter))
	}
}

// mayMerge is true where nothing is left but to merge.
func (n *run) mayMerge() bool {
	r := n.o.Request
	return n.is.Phase == v1alpha1.ChangeMerging && n.is.Merged == nil && n.o.ForgeProblem == "" && n.open() && n.fenced() &&
		n.o.Git.Problem == "" && n.o.Git.Head == n.is.Plan.HeadSHA && r.HeadSHA == n.is.Plan.HeadSHA && n.is.Executed == n.is.Plan.Digest &&
		n.o.MergesAhead == 0 && !r.BranchGone && r.Statuses[ContextExecute].State == StatusSuccess
}

// confirm that the base branch says what was executed.
func (n *run) confirm() {
	m := n.is.Merged
	if n.o.Git.Problem != "" || n.o.Git.Merged == "" {
		n.wait("it is merged: " + n.spec.Repository.BaseBranch + " is read once more")
		return
	}
	if n.o.Git.Merged != n.is.Plan.Content {
		m.Untrue = fmt.Sprintf("%s says something else than what was executed: compare %s with plan %s", n.spec.Repository.BaseBranch, short(m.SHA), short(n.is.Plan.Digest))
		n.audit(us, m.Untrue)
	}
	n.is.Halt = nil
	n.to(v1alpha1.ChangeCompleted)
}

// mergeMessage for the commit of the merge.
func (n *run) mergeMessage() string {
	p := n.is.Plan
	return fmt.Sprintf("%s\n\n%s\n\nMainstay-Plan: %s\n%s\n", n.is.Request.Title, p.Summary, p.Digest, Anchor(n.is.Audit))
}
