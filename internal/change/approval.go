package change

import (
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// risks in order.
var risks = []v1alpha1.RiskLevel{v1alpha1.RiskLow, v1alpha1.RiskMedium, v1alpha1.RiskHigh, v1alpha1.RiskCritical}

// ruleFor a risk: its own, or that of the next higher one.
func ruleFor(p v1alpha1.ApprovalPolicy, risk v1alpha1.RiskLevel) v1alpha1.ApprovalRule {
	at := slices.Index(risks, risk)
	if at < 0 {
		// What is not known is as bad as it can be.
		at = len(risks) - 1
	}
	for _, r := range risks[at:] {
		if i := slices.IndexFunc(p.Rules, func(x v1alpha1.ApprovalRule) bool { return x.Risk == r }); i >= 0 {
			return p.Rules[i]
		}
	}
	rule := v1alpha1.ApprovalRule{Risk: risk, Count: 1}
	if at >= slices.Index(risks, v1alpha1.RiskHigh) {
		rule.Count = 2
	}
	return rule
}

// weigh who agrees to the plan on record.
func (n *run) weigh() {
	n.approved, n.urgent, n.is.Missing = false, false, ""
	n.show()
	n.bind()
	p := n.is.Plan
	if p == nil {
		return
	}
	n.urgent = n.isEmergency()
	if n.o.Request == nil {
		n.is.Missing = "the forge has not said yet who approved"
		return
	}

	rule := ruleFor(n.spec.Repository.Approval, p.Risk)
	need := rule.Count
	if p.Irreversible != "" {
		need = max(need, n.spec.Repository.Approval.Irreversible, 2)
	}
	var who, objects []string
	for i := range n.is.Approvals {
		a := &n.is.Approvals[i]
		a.Message = n.stale(a, rule)
		if a.Counts = a.Message == ""; a.Counts && !slices.Contains(who, a.By) {
			who = append(who, a.By)
		}
	}
	for _, r := range n.o.Request.Reviews {
		if !r.Approves && !r.Dismissed && r.HeadSHA == p.HeadSHA && r.By.Writes {
			objects = append(objects, r.By.Name)
		}
	}
	switch {
	case n.is.Merged == nil && len(objects) > 0:
		n.is.Missing = listed(objects, 5) + " asked for changes"
	case len(who) < int(need):
		n.is.Missing = fmt.Sprintf("%d of %d approvals", len(who), need) + from(rule.From)
		if rule.From != nil {
			n.is.Missing += n.unknown(*rule.From)
		}
		if p.Irreversible != "" {
			n.is.Missing += ", because it cannot be taken back: " + p.Irreversible
		}
	default:
		n.approved = true
	}
}

// show remembers from when on the plan could be read on the merge request.
func (n *run) show() {
	p := n.is.Plan
	if p == nil || p.Shown != nil || n.o.Shown.Digest != p.Digest || n.o.Shown.Head != p.HeadSHA || n.o.Shown.At.IsZero() {
		return
	}
	p.Shown = &metav1.Time{Time: n.o.Shown.At.Truncate(time.Second)}
}

// bind approvals to the plan that could be read when they were given, once. What was given
// before there was one to be read is bound to none.
func (n *run) bind() {
	if n.o.Request == nil || n.o.ForgeProblem != "" {
		return
	}
	var out []v1alpha1.ChangeApproval
	reviews := slices.DeleteFunc(slices.Clone(n.o.Request.Reviews), func(r Review) bool { return !r.Approves || r.Dismissed })
	for _, r := range latest(reviews, 50) {
		i := slices.IndexFunc(n.is.Approvals, func(a v1alpha1.ChangeApproval) bool { return a.ID == r.ID && a.HeadSHA == r.HeadSHA })
		if i >= 0 {
			out = append(out, n.is.Approvals[i])
			continue
		}
		a := v1alpha1.ChangeApproval{ID: r.ID, By: r.By.Name, HeadSHA: r.HeadSHA}
		if p := n.is.Plan; p != nil && p.Shown != nil && p.HeadSHA == r.HeadSHA && !r.At.Before(p.Shown.Time) {
			a.Digest = p.Digest
			n.audit(r.By.Name, "approved plan "+short(p.Digest))
		}
		out = append(out, a)
	}
	n.is.Approvals = out
}

// forgetApprovals that were given: they are of something that is over.
func (n *run) forgetApprovals() {
	for i := range n.is.Approvals {
		n.is.Approvals[i].Digest, n.is.Approvals[i].Counts = "", false
	}
}

// stale says why an approval does not count. Empty where it does.
func (n *run) stale(a *v1alpha1.ChangeApproval, rule v1alpha1.ApprovalRule) string {
	p, r := n.is.Plan, n.o.Request
	i := slices.IndexFunc(r.Reviews, func(x Review) bool { return x.ID == a.ID })
	switch {
	case i < 0:
		return "it was taken back"
	case a.By == r.Author:
		return "the author's own does not count"
	case slices.Contains(r.Committers, a.By):
		return "who committed to it does not count"
	case a.HeadSHA != p.HeadSHA:
		return "it is of head " + short(a.HeadSHA)
	case a.Digest == "":
		return "it was given before this plan could be read: approve again"
	case a.Digest != p.Digest:
		return "it is of plan " + short(a.Digest)
	case rule.From == nil && !r.Reviews[i].By.Writes:
		return a.By + " may not write to the repository"
	case rule.From != nil && !r.Reviews[i].By.among(*rule.From):
		return a.By + " is not one of those who are asked" + n.unknown(*rule.From)
	}
	return ""
}

// isEmergency is true where enough of those who may ask for it do, for this head and plan.
func (n *run) isEmergency() bool {
	policy := n.spec.Repository.Emergency
	if policy == nil {
		return false
	}
	var who []string
	for _, w := range n.is.Emergency {
		if w.Digest == n.is.Plan.Digest && w.HeadSHA == n.is.Plan.HeadSHA && !slices.Contains(who, w.By) {
			who = append(who, w.By)
		}
	}
	return len(who) >= max(2, int(policy.Count))
}

// from whom approvals are asked.
func from(p *v1alpha1.People) string {
	if p == nil {
		return ""
	}
	return " from " + listed(append(slices.Clone(p.Users), p.Teams...), 5)
}

// unknown says of which team among people it is not known who is in it.
func (n *run) unknown(people v1alpha1.People) string {
	for _, t := range people.Teams {
		if why := n.o.TeamProblems[t]; why != "" {
			return fmt.Sprintf(" (it is not known who is in %s: %s)", t, why)
		}
	}
	return ""
}

// listed names, some of them.
func listed(names []string, limit int) string {
	if len(names) > limit {
		return strings.Join(names[:limit], ", ") + fmt.Sprintf(" and %d more", len(names)-limit)
	}
	return strings.Join(names, ", ")
}
