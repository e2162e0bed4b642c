package change

import (
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/change/lock"
	"github.com/mainstay-dev/mainstay/internal/freeze"
)

// MaxClaims is how many claims one change may touch.
const MaxClaims = 200

// blockedAgain is after which time a plan that cannot be executed is made anew.
const blockedAgain = 2 * time.Minute

// plan what the merge request asks for, or say why it cannot be.
func (n *run) plan() {
	if !n.readable() {
		return
	}
	if why := n.refusal(); why != "" {
		n.to(v1alpha1.ChangeRefused)
		n.wait(why)
		return
	}
	if !n.planned(0) {
		if n.decision.Plan != nil {
			n.to(v1alpha1.ChangePending)
			n.wait("being planned")
		}
		return
	}
	n.to(v1alpha1.ChangePlanned)
}

// readable is true where forge and mirror say what the merge request is now.
func (n *run) readable() bool {
	switch {
	case n.o.ForgeProblem != "":
		// It is said in any case.
	case n.o.Request == nil:
		n.wait("the forge has not answered yet")
	case n.o.Git.Problem != "":
		n.wait("taken as diverged, because Git cannot be fetched: " + n.o.Git.Problem)
	case n.o.Git.Head != n.o.Request.HeadSHA:
		n.wait("head " + short(n.o.Request.HeadSHA) + " has not been fetched yet")
	default:
		return true
	}
	return false
}

// refusal of a merge request that cannot be planned, whatever is in it.
func (n *run) refusal() string {
	r, base := n.o.Request, n.spec.Repository.BaseBranch
	switch {
	case r.State == RequestOpen && r.BaseRef != base:
		return fmt.Sprintf("it asks to be merged into %s: only what is merged into %s is executed", r.BaseRef, base)
	case r.State == RequestOpen && r.BranchGone:
		return "its branch is gone: push it again, or close the merge request"
	case len(n.o.Git.Conflicts) > 0:
		return fmt.Sprintf("%s changed on %s as well: rebase and push", listed(n.o.Git.Conflicts, 5), base)
	}
	return ""
}

// planned is true where the plan on record is of what the merge request asks for now, and
// was made under the locks of an epoch. Otherwise it takes the answer, or asks.
func (n *run) planned(epoch int64) bool {
	g, p := n.o.Git, n.is.Plan
	if p != nil && p.HeadSHA == g.Head && p.Content == g.Content && p.Epoch == epoch && (p.Expires == nil || n.now.Before(p.Expires.Time)) {
		// The base may have moved elsewhere. It is the same plan.
		p.BaseSHA, p.Tree = g.Base, g.Tree
		return true
	}
	want := PlanRequest{Head: g.Head, Base: g.Base, Tree: g.Tree, Content: g.Content, Epoch: epoch, Carry: n.carried()}
	if n.took {
		// One answer is put on record before the next question: without that the first one
		// would be asked again.
		n.wakeAt(n.now.Add(time.Second))
		n.wait("being planned again")
		return false
	}
	if n.o.Planned == nil || !n.o.Planned.For.equal(want) {
		n.decision.Plan = &want
		return false
	}
	n.took = true
	return n.take(*n.o.Planned)
}

// carried claims are those that were written already.
func (n *run) carried() []v1alpha1.ClaimReference {
	var out []v1alpha1.ClaimReference
	for _, c := range n.is.Claims {
		if c.Began {
			out = append(out, c.ClaimReference)
		}
	}
	return out
}

// take the answer of the planner. It is true where there is a plan.
func (n *run) take(a Planned) bool {
	problem := a.Problem
	switch {
	case problem != "":
	case len(a.Claims) > MaxClaims:
		problem = fmt.Sprintf("it touches %d claims, and %d is the most: split it", len(a.Claims), MaxClaims)
	case !n.carries(a.Claims):
		problem = "the plan forgets claims that were written already"
	case !locked(a):
		problem = "the plan does not lock all that it touches"
	}
	n.is.Findings = latest(a.Findings, 20)
	if problem != "" {
		n.wait(problem)
		if a.Later {
			// It is asked again when something happens, or after a while.
			n.wakeAt(n.now.Add(retryAfter))
			return false
		}
		n.to(v1alpha1.ChangeRefused)
		return false
	}
	old := n.is.Plan
	p := a.Plan.DeepCopy()
	p.HeadSHA, p.BaseSHA, p.Tree, p.Content, p.Epoch = a.For.Head, a.For.Base, a.For.Tree, a.For.Content, a.For.Epoch
	p.Locks = n.keysFor(p.Locks)
	p.Made = *n.stamp()
	p.Shown = nil
	if a.removes() {
		p.Token = Token(p.Digest)
	}
	if p.Blocked != "" {
		// What stands in the way is mended elsewhere, such as a Secret that is missing.
		if soon := n.now.Add(blockedAgain); p.Expires == nil || p.Expires.After(soon) {
			p.Expires = &metav1.Time{Time: soon}
		}
	}
	same := old != nil && old.Digest == p.Digest && old.HeadSHA == p.HeadSHA
	if same {
		p.Shown = old.Shown
	}
	n.is.Plan = p
	n.is.Claims = n.merged(a.Claims)
	if !same {
		n.is.Accepted, n.is.Deletions, n.is.Emergency, n.is.Notices = "", nil, nil, nil
		n.audit(us, fmt.Sprintf("planned %s of head %s on %s: %s", short(p.Digest), short(p.HeadSHA), short(p.BaseSHA), p.Summary))
	}
	return true
}

// keysFor what a plan locks. One that touches no claim, such as that of a merge request that changes a
// page, locks itself: whatever is merged is merged under a lock and in an epoch.
func (n *run) keysFor(keys []v1alpha1.LockKey) []v1alpha1.LockKey {
	if len(keys) == 0 {
		return []v1alpha1.LockKey{{Claim: fmt.Sprintf("Change/%s-%d", n.spec.RepositoryRef.Name, n.spec.Number)}}
	}
	return lock.Tidy(keys)
}

// removes is true where a plan takes something away.
func (a Planned) removes() bool {
	return a.Plan.Actions.Delete > 0 || a.Plan.Actions.Replace > 0 ||
		slices.ContainsFunc(a.Claims, func(c v1alpha1.ChangeClaim) bool { return c.Removes > 0 || c.Digest == "" && c.Before != "" })
}

// locked is true where a plan locks every claim that it touches.
func locked(a Planned) bool {
	for _, c := range a.Claims {
		if !slices.ContainsFunc(a.Plan.Locks, func(k v1alpha1.LockKey) bool {
			return k.Namespace == c.Namespace && (k.Claim == "" || k.Claim == c.Kind+"/"+c.Name)
		}) {
			return false
		}
	}
	return true
}

// carries is true where a plan has all claims that were written already.
func (n *run) carries(claims []v1alpha1.ChangeClaim) bool {
	for _, c := range n.carried() {
		if !slices.ContainsFunc(claims, func(x v1alpha1.ChangeClaim) bool { return x.ClaimReference == c }) {
			return false
		}
	}
	return true
}

// merged claims of a new plan with what is on record of them: that they were written.
func (n *run) merged(claims []v1alpha1.ChangeClaim) []v1alpha1.ChangeClaim {
	out := slices.Clone(claims)
	for i := range out {
		c := &out[i]
		c.Began, c.Phase = false, v1alpha1.ClaimWaiting
		c.Reached, c.Owed, c.Failed, c.Message = 0, 0, 0, ""
		if j := slices.IndexFunc(n.is.Claims, func(x v1alpha1.ChangeClaim) bool { return x.ClaimReference == c.ClaimReference }); j >= 0 && n.is.Claims[j].Began {
			c.Began = true
		}
	}
	slices.SortStableFunc(out, func(a, b v1alpha1.ChangeClaim) int { return int(a.Step - b.Step) })
	return out
}

// mayBegin once everything that is asked for is there.
func (n *run) mayBegin() {
	if !n.current() {
		return
	}
	n.hinders()
	if len(n.waits) > 0 {
		return
	}
	if n.urgent {
		n.audit(us, "goes past approvals, freezes and the queue: it is an emergency")
	}
	n.to(v1alpha1.ChangeApproved)
}

// current is true where the plan on record is still of what the merge request asks for.
// Otherwise it is planned anew.
func (n *run) current() bool {
	if !n.readable() {
		return false
	}
	p := n.is.Plan
	if p == nil || n.refusal() != "" || p.HeadSHA != n.o.Git.Head || p.Content != n.o.Git.Content {
		n.to(v1alpha1.ChangePending)
		return false
	}
	// It may have expired. Then it is made anew where it is.
	if !n.planned(p.Epoch) {
		n.wait("being planned again")
		return false
	}
	if e := n.is.Plan.Expires; e != nil {
		n.wakeAt(e.Time)
	}
	return true
}

// hinders lists what keeps the plan on record from being executed.
func (n *run) hinders() {
	p, r := n.is.Plan, n.o.Request
	if p.Blocked != "" {
		n.wait(p.Blocked)
	}
	if r.Draft && r.State == RequestOpen {
		n.wait("it is a draft: mark it as ready")
	}
	if p.Shown == nil {
		n.wait("the plan has to be shown on the merge request first")
	}
	if !n.approved && !n.urgent {
		n.wait(n.is.Missing)
	}
	if p.Token != "" && !n.deletionsAllowed() {
		n.wait("things are taken away: somebody other than the author has to say /approve-deletions " + p.Token)
	}
	if r.State == RequestOpen {
		for _, c := range n.spec.Repository.Merge.RequiredContexts {
			if s := r.Statuses[c]; !ours(c) && s.State != StatusSuccess {
				n.wait(fmt.Sprintf("%s is %s", c, orElse(string(s.State), "not there")))
			}
		}
	}
	if w := freeze.Active(n.spec.Repository.Freezes, n.now); w != nil && !n.urgent {
		what := "freeze " + w.Name
		if !w.Until.IsZero() {
			what += " until " + w.Until.UTC().Format("2006-01-02 15:04") + " UTC"
			n.wakeAt(w.Until)
		}
		n.wait(what)
	}
}

// deletionsAllowed by somebody, for this plan.
func (n *run) deletionsAllowed() bool {
	d, p := n.is.Deletions, n.is.Plan
	return d != nil && d.Digest == p.Digest && d.HeadSHA == p.HeadSHA
}

// ours is true for a status that we post ourselves. Waiting for it would never end.
func ours(context string) bool { return strings.HasPrefix(context, "mainstay/") }

// queue for locks, and begin once they are there and the plan is still the same.
func (n *run) queue() {
	if n.o.QueueProblem != "" {
		n.wait("the queue cannot be read: " + n.o.QueueProblem)
		return
	}
	if !n.current() {
		return
	}
	if n.hinders(); len(n.waits) > 0 {
		n.to(v1alpha1.ChangePlanned)
		return
	}
	if !n.o.Place.Held || !sameKeys(n.o.Place.Wants, n.is.Plan.Locks) || n.urgent && !n.o.Place.Urgent {
		if n.o.Place.Asked {
			n.to(v1alpha1.ChangeQueued)
		}
		return
	}
	if n.o.Place.Epoch <= n.is.Epoch {
		// What was meant by the plan before is not to be done in the name of this one.
		n.wait("waits for another epoch")
		return
	}
	n.begin()
}

// begin to execute, where the plan under the locks is the one that was agreed to.
func (n *run) begin() {
	agreed, keys := n.is.Plan.Digest, n.is.Plan.Locks
	head := n.is.Plan.HeadSHA
	if !n.planned(n.o.Place.Epoch) {
		if n.decision.Plan != nil {
			n.wait("being planned again, with its locks")
		}
		return
	}
	if n.is.Plan.Digest != agreed || n.is.Plan.HeadSHA != head || !sameKeys(n.is.Plan.Locks, keys) {
		n.audit(us, fmt.Sprintf("what is there is not what plan %s was made of: %s has to be agreed to", short(agreed), short(n.is.Plan.Digest)))
		// It is planned under its locks once more when that is done.
		n.is.Plan.Epoch = 0
		n.to(v1alpha1.ChangePlanned)
		return
	}
	// The same actions can be judged otherwise by now, and take more people.
	n.weigh()
	if n.hinders(); len(n.waits) > 0 {
		n.is.Plan.Epoch = 0
		n.to(v1alpha1.ChangePlanned)
		return
	}
	n.is.Epoch, n.is.Executed = n.o.Place.Epoch, agreed
	n.is.VerifiedSince, n.is.Halt = nil, nil
	who := n.agreed()
	n.audit(us, fmt.Sprintf("executes plan %s, %s", short(agreed), who))
	n.to(v1alpha1.ChangeExecuting)
}

// agreed to by whom.
func (n *run) agreed() string {
	var who []string
	for _, a := range n.is.Approvals {
		if a.Counts {
			who = append(who, a.By)
		}
	}
	switch {
	case n.urgent:
		return "as an emergency"
	case len(who) == 0:
		return "which nobody has to approve"
	}
	return "approved by " + listed(who, 5)
}

func sameKeys(a, b []v1alpha1.LockKey) bool {
	return slices.EqualFunc(a, b, func(x, y v1alpha1.LockKey) bool {
		return x.Namespace == y.Namespace && x.Claim == y.Claim && slices.Equal(x.Clusters, y.Clusters)
	})
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
