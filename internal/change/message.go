package change

import (
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// maxMessage is how long the message of a Change is at most.
const maxMessage = 1024

// message in one line: what is done, or what is waited for.
func (n *run) message() string {
	return brief(strings.Join(nonEmpty(n.course(), strings.Join(n.waits, "; "), n.forge()), "; "), maxMessage)
}

// course that the change is on.
func (n *run) course() string {
	p := n.is.Progress
	there := fmt.Sprintf("%d of %s", p.Reached, count(p.Clusters, "cluster"))
	switch n.is.Phase {
	case v1alpha1.ChangePlanned:
		if len(n.waits) > 0 {
			return "planned, and waits"
		}
		return "planned"
	case v1alpha1.ChangeApproved, v1alpha1.ChangeQueued:
		if w := n.is.Queue; w != nil {
			return Waiting(*w)
		}
		return "begins"
	case v1alpha1.ChangeExecuting:
		return there + parts(p) + stepOf(n.is.Claims)
	case v1alpha1.ChangeSuperseded:
		return "head " + short(n.is.Request.HeadSHA) + " was pushed while it executed: what is in motion finishes first; " + there
	case v1alpha1.ChangeVerifying:
		return "there on " + there + parts(p)
	case v1alpha1.ChangeMerging:
		return "verified on " + there + parts(p)
	case v1alpha1.ChangeHalted:
		if n.is.Halt == nil {
			return "halted"
		}
		return "halted: " + n.is.Halt.Message + "; " + there
	case v1alpha1.ChangeAbandoning:
		return "goes back" + asked(n.is.Back)
	case v1alpha1.ChangeCompleted:
		return n.completed()
	case v1alpha1.ChangeAbandoned:
		if m := n.is.Merged; m != nil {
			return "ABANDONED AND MERGED: " + m.Untrue
		}
		return "abandoned" + asked(n.is.Back) + "; everything is as it was before" + hadHalted(n.is.Back)
	}
	return ""
}

func (n *run) completed() string {
	m, p := n.is.Merged, n.is.Progress
	switch {
	case m == nil:
		return "completed"
	case m.Untrue != "":
		return "MERGED AND NOT TRUE: " + m.Untrue
	}
	out := fmt.Sprintf("merged as %s: true on %d of %s%s", short(m.SHA), p.Reached, count(p.Clusters, "cluster"), parts(p))
	if m.By != "" {
		out += "; " + m.By + " merged it before it was"
	}
	return out
}

// forge says since when it cannot be asked, where that is so.
func (n *run) forge() string {
	if n.o.ForgeProblem == "" || n.over() {
		return ""
	}
	return "the forge cannot be asked: " + n.o.ForgeProblem
}

// parts of the clusters that are not there.
func parts(p v1alpha1.ChangeProgress) string {
	var out string
	if p.Failed > 0 {
		out += fmt.Sprintf(", %d failed", p.Failed)
	}
	if p.Owed > 0 {
		out += fmt.Sprintf(", %d owed because they cannot be reached", p.Owed)
	}
	return out
}

// stepOf claims that is under way, where there are several.
func stepOf(claims []v1alpha1.ChangeClaim) string {
	steps, at := map[int32]bool{}, 0
	seen := false
	for _, c := range claims {
		if !steps[c.Step] && !seen {
			at++
		}
		steps[c.Step] = true
		if c.Phase != v1alpha1.ClaimReached {
			seen = true
		}
	}
	if len(steps) < 2 {
		return ""
	}
	return fmt.Sprintf("; step %d of %d", at, len(steps))
}

// Waiting says where a change is in the queue: 2nd behind !41, about 12 min.
func Waiting(w v1alpha1.ChangeWait) string {
	out := ordinal(w.Position) + " in the queue"
	if len(w.Behind) > 0 {
		out = ordinal(w.Position) + " behind " + listed(w.Behind, 3)
	}
	if w.Takes != nil && w.Takes.Duration > 0 {
		out += ", about " + about(w.Takes.Duration)
	}
	return out
}

// count of things, in words.
func count[N int | int32 | int64](n N, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

func ordinal(i int32) string {
	switch {
	case i%100 >= 11 && i%100 <= 13:
	case i%10 == 1:
		return fmt.Sprintf("%dst", i)
	case i%10 == 2:
		return fmt.Sprintf("%dnd", i)
	case i%10 == 3:
		return fmt.Sprintf("%drd", i)
	}
	return fmt.Sprintf("%dth", i)
}

func about(d time.Duration) string {
	m := int(d.Round(time.Minute) / time.Minute)
	switch {
	case m < 1:
		return "a minute"
	case m < 90:
		return fmt.Sprintf("%d min", m)
	}
	return fmt.Sprintf("%d h", (m+30)/60)
}

func durationOf(d time.Duration) *metav1.Duration { return &metav1.Duration{Duration: d} }

// next is what can be said to it now.
func (n *run) next() []string {
	var out []string
	switch n.is.Phase {
	case v1alpha1.ChangePlanned:
		if p := n.is.Plan; p.Token != "" && !n.deletionsAllowed() {
			out = append(out, "/approve-deletions "+p.Token)
		}
		if n.spec.Repository.Emergency != nil && n.is.Plan.Blocked == "" && !n.urgent {
			out = append(out, "/emergency <reason>")
		}
		out = append(out, "/abandon")
	case v1alpha1.ChangeRefused:
		out = append(out, "push what mends it", "/abandon")
	case v1alpha1.ChangePending:
		out = append(out, "/abandon")
	case v1alpha1.ChangeApproved, v1alpha1.ChangeQueued:
		out = append(out, "/halt", "/abandon")
		if n.spec.Repository.Emergency != nil {
			out = append(out, "/emergency <reason>")
		}
	case v1alpha1.ChangeExecuting, v1alpha1.ChangeVerifying, v1alpha1.ChangeMerging:
		out = append(out, "/halt", "/rollback", "/abandon")
	case v1alpha1.ChangeHalted:
		out = n.nextHalted()
	}
	return out
}

func (n *run) nextHalted() []string {
	if n.is.Halt == nil {
		return nil
	}
	var out []string
	switch n.is.Halt.Reason {
	case v1alpha1.HaltFailed, v1alpha1.HaltEdited:
		out = append(out, "/retry")
	case v1alpha1.HaltDiverged:
		out = append(out, "rebase and push")
	case v1alpha1.HaltDraft:
		out = append(out, "mark it as ready")
	case v1alpha1.HaltBranchGone:
		out = append(out, "push the branch again")
	default:
		out = append(out, "/resume")
	}
	if n.is.Back != nil {
		return out
	}
	if n.began() {
		out = append(out, "/rollback")
	}
	return append(out, "/abandon")
}

// progress counts over all claims.
func (n *run) progress() {
	p := v1alpha1.ChangeProgress{}
	for _, c := range n.is.Claims {
		p.Claims++
		clusters := c.Clusters
		if o, ok := n.o.Claims[c.ClaimReference]; ok && c.Began && o.TakenIn {
			clusters = max(o.Clusters, o.Reached)
		}
		if c.Phase == v1alpha1.ClaimReached || c.Phase == v1alpha1.ClaimIsBack {
			p.ClaimsReached++
		}
		reached := c.Reached
		if c.Digest == "" {
			// Where it goes, nobody is left who could say how far it is.
			clusters, reached = c.Clusters, 0
			if c.Phase == v1alpha1.ClaimReached {
				reached = c.Clusters
			}
		}
		p.Clusters += clusters
		p.Reached += reached
		p.Owed += c.Owed
		p.Failed += c.Failed
	}
	n.is.Progress = p
}

func nonEmpty(in ...string) []string {
	var out []string
	for _, s := range in {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}
