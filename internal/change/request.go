package change

import (
	"fmt"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// look at the merge request: what it is now, and what that means for what is under way.
func (n *run) look() {
	r := n.o.Request
	if r == nil || n.o.ForgeProblem != "" {
		return
	}
	n.is.Request.Title, n.is.Request.Author, n.is.Request.URL = cut(r.Title, 256), r.Author, r.URL
	if n.o.Git.Problem == "" && n.o.Git.Head == r.HeadSHA {
		n.is.Request.BaseSHA, n.is.Request.MergeBaseSHA, n.is.Request.Tree = n.o.Git.Base, n.o.Git.MergeBase, n.o.Git.Tree
	}
	if n.is.Request.HeadSHA != r.HeadSHA {
		if n.is.Request.HeadSHA != "" {
			n.audit(r.Author, "moved the merge request from "+short(n.is.Request.HeadSHA)+" to "+short(r.HeadSHA))
		}
		n.is.Request.HeadSHA = r.HeadSHA
	}
	switch r.State {
	case RequestOpen:
		n.lookOpen(r)
	case RequestClosed:
		n.lookClosed(r)
	case RequestMerged:
		n.lookMerged(r)
	}
}

// lookOpen at a merge request that is open.
func (n *run) lookOpen(r *Request) {
	p := n.is.Plan
	if p == nil || n.over() {
		return
	}
	if p.HeadSHA == r.HeadSHA {
		return
	}
	switch n.is.Phase {
	case v1alpha1.ChangeAbandoning, v1alpha1.ChangeSuperseded:
		// It goes on to where it is over. Then the new head is planned.
	case v1alpha1.ChangeExecuting, v1alpha1.ChangeVerifying, v1alpha1.ChangeMerging, v1alpha1.ChangeHalted:
		if n.began() {
			n.supersede(fmt.Sprintf("superseded plan %s: head %s was pushed while it executed", short(p.Digest), short(r.HeadSHA)))
			n.to(v1alpha1.ChangeSuperseded)
			return
		}
		fallthrough
	default:
		n.supersede(fmt.Sprintf("superseded plan %s: head %s was pushed", short(p.Digest), short(r.HeadSHA)))
		n.is.Plan = nil
		n.to(v1alpha1.ChangePending)
	}
}

// supersede the plan on record.
func (n *run) supersede(why string) {
	n.audit(us, why)
	n.is.Superseded = latest(append(n.is.Superseded, n.is.Plan.Digest), 10)
	n.is.Halt, n.is.VerifiedSince, n.is.Deletions, n.is.Emergency = nil, nil, nil, nil
}

// lookClosed at a merge request that somebody closed.
func (n *run) lookClosed(r *Request) {
	switch {
	case n.over() || n.is.Back != nil:
	case n.began():
		n.audit(named(r.By), "closed the merge request while the change was under way: it goes back")
		n.turnBack(named(r.By), closedIt, false)
	default:
		n.audit(named(r.By), "closed the merge request before anything was written")
		back := n.askedBack(named(r.By), closedIt, false)
		n.drop()
		n.is.Back = back
		n.to(v1alpha1.ChangeAbandoned)
	}
}

// lookMerged at a merge request that is merged: by us, because it is verified, or by
// somebody who did not wait for that.
func (n *run) lookMerged(r *Request) {
	if n.is.Merged != nil {
		return
	}
	if n.over() {
		// It had been abandoned.
		n.is.Back = nil
	}
	p := n.is.Plan
	executed := p != nil && p.HeadSHA == r.HeadSHA && n.is.Executed == p.Digest
	ours := executed && r.By == n.o.Self && n.o.Self != ""
	n.is.Merged = &v1alpha1.ChangeMerge{SHA: r.MergeSHA, HeadSHA: r.HeadSHA, At: *n.stamp()}
	switch {
	case executed && n.is.Phase == v1alpha1.ChangeMerging, ours && n.is.Phase != v1alpha1.ChangeAbandoning:
		n.audit(named(r.By), "merged "+short(r.HeadSHA)+" as "+short(r.MergeSHA)+": all of it is verified")
		n.to(v1alpha1.ChangeMerging)
		return
	case n.is.Phase == v1alpha1.ChangeAbandoning:
		n.is.Merged.By = named(r.By)
		n.is.Merged.Untrue = "it was merged while it went back: revert it"
	default:
		n.is.Merged.By = named(r.By)
	}
	n.audit(named(r.By), "merged "+short(r.HeadSHA)+" before it was verified")
	if n.is.Phase == v1alpha1.ChangeAbandoning {
		return
	}
	if p != nil && p.HeadSHA != r.HeadSHA {
		n.supersede(fmt.Sprintf("superseded plan %s: head %s was merged", short(p.Digest), short(r.HeadSHA)))
		if !n.began() {
			n.is.Plan = nil
		}
	}
	n.halt(v1alpha1.HaltMergedEarly, "it was merged before it was verified, by "+named(r.By)+": "+n.spec.Repository.BaseBranch+" says what is not so yet")
}

// named or somebody.
func named(who string) string {
	if who == "" {
		return "somebody"
	}
	return who
}

// drop what is known of a plan, and of what people said of it.
func (n *run) drop() {
	n.is.Plan, n.is.Claims, n.is.Findings, n.is.Halt, n.is.Back = nil, nil, nil, nil, nil
	n.is.VerifiedSince, n.is.Deletions, n.is.Emergency, n.is.Executed, n.is.Epoch = nil, nil, nil, "", 0
	n.forgetApprovals()
}

// cut a text at so many bytes.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	s = s[:limit]
	for len(s) > 0 && s[len(s)-1]&0xC0 == 0x80 {
		s = s[:len(s)-1]
	}
	if len(s) > 0 && s[len(s)-1] >= 0xC0 {
		s = s[:len(s)-1]
	}
	return s
}

// short form of a digest or a commit.
func short(s string) string {
	if len(s) > 12 {
		return s[:12]
	}
	return s
}
