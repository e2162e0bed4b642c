package change

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// A command is what somebody said, wherever it was.
type command struct {
	verb          v1alpha1.ChangeVerb
	by            Person
	token, reason string
}

// Parse a comment: the command on a line of its own, as /<verb> and what it needs. It
// returns false where the comment has none. The first one counts.
func Parse(body string) (verb v1alpha1.ChangeVerb, argument string, ok bool) {
	quoted := false
	for line := range strings.Lines(cut(body, 64<<10)) {
		line = strings.TrimRight(line, "\r\n\t ")
		if strings.HasPrefix(line, "```") {
			quoted = !quoted
		}
		if quoted || !strings.HasPrefix(line, "/") {
			continue
		}
		word, rest, _ := strings.Cut(line[1:], " ")
		switch v := v1alpha1.ChangeVerb(strings.ToLower(word)); v {
		case v1alpha1.VerbHalt, v1alpha1.VerbRetry, v1alpha1.VerbResume, v1alpha1.VerbRollback, v1alpha1.VerbAbandon, v1alpha1.VerbApproveDeletions, v1alpha1.VerbEmergency:
			return v, cut(strings.TrimSpace(rest), 512), true
		}
	}
	return "", "", false
}

// Token that somebody has to repeat before what a plan takes away is taken away.
func Token(digest string) string {
	sum := sha256.Sum256([]byte("deletions of plan " + digest))
	return hex.EncodeToString(sum[:])[:12]
}

// obey what people said since, in order.
func (n *run) obey() {
	if n.o.ForgeProblem == "" {
		for _, c := range n.o.Comments {
			if c.ID > n.is.Comment {
				n.is.Comment = c.ID
				n.obeyComment(c)
			}
		}
	}
	n.obeyControl()
}

// obeyComment where it has a command, and is of the plan that could be read then.
func (n *run) obeyComment(c Comment) {
	verb, argument, ok := Parse(c.Body)
	if !ok || c.By.Name == n.o.Self {
		return
	}
	said := command{verb: verb, by: c.By, reason: argument}
	if verb == v1alpha1.VerbApproveDeletions {
		said.token, said.reason = argument, ""
	}
	p := n.is.Plan
	switch {
	case !c.By.Writes && !n.mayCallEmergency(c.By):
		why := "only who may write to the repository may say it"
		if e := n.spec.Repository.Emergency; e != nil {
			why += n.unknown(e.From)
		}
		n.refuse(said, why)
	case p != nil && p.Shown != nil && c.At.Before(p.Shown.Time):
		n.refuse(said, "it was said of an older plan: say it again")
	default:
		n.hear(said)
	}
}

// obeyControl that the Change's own specification carries.
func (n *run) obeyControl() {
	var ids []string
	if n.spec.Control != nil {
		for _, c := range n.spec.Control.Commands {
			ids = append(ids, c.ID)
			if slices.Contains(n.is.Obeyed, c.ID) {
				continue
			}
			said := command{verb: c.Verb, by: Person{Name: c.By, Writes: true}, token: c.Token, reason: c.Reason}
			head, digest := n.is.Request.HeadSHA, ""
			if n.is.Plan != nil {
				head, digest = n.is.Plan.HeadSHA, n.is.Plan.Digest
			}
			if !strings.HasPrefix(head, c.HeadSHA) || !strings.HasPrefix(digest, c.Digest) {
				n.refuse(said, fmt.Sprintf("it was said of head %s and plan %s, which are over", short(c.HeadSHA), short(c.Digest)))
				continue
			}
			n.hear(said)
		}
	}
	// Those that were taken away again need not be remembered.
	n.is.Obeyed = ids
}

// hear a command, of somebody who may say it.
func (n *run) hear(c command) {
	switch c.verb {
	case v1alpha1.VerbHalt:
		n.hearHalt(c)
	case v1alpha1.VerbRetry, v1alpha1.VerbResume:
		n.hearGoOn(c)
	case v1alpha1.VerbRollback, v1alpha1.VerbAbandon:
		n.hearBack(c)
	case v1alpha1.VerbApproveDeletions:
		n.hearDeletions(c)
	case v1alpha1.VerbEmergency:
		n.hearEmergency(c)
	default:
		n.refuse(c, "there is no such command")
	}
}

func (n *run) hearHalt(c command) {
	switch n.is.Phase {
	case v1alpha1.ChangeApproved, v1alpha1.ChangeQueued, v1alpha1.ChangePlanned, v1alpha1.ChangeExecuting, v1alpha1.ChangeVerifying, v1alpha1.ChangeMerging:
		n.accept(c)
		why := c.by.Name + " said so"
		if c.reason != "" {
			why += ": " + c.reason
		}
		n.halt(v1alpha1.HaltTold, why)
	default:
		n.refuse(c, "there is nothing to halt")
	}
}

// hearGoOn after a halt. What cannot be accepted by a word stays.
func (n *run) hearGoOn(c command) {
	h := n.is.Halt
	switch {
	case n.is.Phase != v1alpha1.ChangeHalted || h == nil:
		n.refuse(c, "it did not halt")
	case h.Reason == v1alpha1.HaltIrreversible && n.is.Back != nil:
		n.accept(c)
		n.resume(c)
		n.to(v1alpha1.ChangeAbandoning)
	case h.Reason == v1alpha1.HaltFailed && c.verb == v1alpha1.VerbResume:
		n.refuse(c, "it failed: /retry tries again, /rollback and /abandon go back")
	case h.Reason == v1alpha1.HaltDiverged:
		n.refuse(c, "the base branch says something else now: rebase and push")
	default:
		n.accept(c)
		n.resume(c)
		n.goOn()
	}
}

// resume forgets why it halted.
func (n *run) resume(c command) {
	switch n.is.Halt.Reason {
	case v1alpha1.HaltDeviates, v1alpha1.HaltEdited:
		n.acceptIt(n.is.Halt.Message)
	}
	if c.verb == v1alpha1.VerbRetry {
		n.is.Retried++
	}
	n.is.Halt = nil
}

// hearBack ends the change: as it was before, closed or not.
func (n *run) hearBack(c command) {
	closes := c.verb == v1alpha1.VerbAbandon
	switch {
	case n.over():
		n.refuse(c, "the change is over")
	case n.is.Back != nil:
		if closes && !n.is.Back.Close {
			n.accept(c)
			n.is.Back.Close = true
			return
		}
		n.refuse(c, "it goes back already")
	case !n.began() && !closes:
		n.refuse(c, "nothing was written: there is nothing to go back from")
	default:
		n.accept(c)
		n.turnBack(c.by.Name, c.reason, closes)
	}
}

func (n *run) hearDeletions(c command) {
	p := n.is.Plan
	switch {
	case p == nil || p.Token == "":
		n.refuse(c, "the plan takes nothing away")
	case c.token != p.Token:
		n.refuse(c, "the token is not that of this plan")
	case n.isAuthor(c.by.Name):
		n.refuse(c, "the author cannot approve deletions")
	default:
		n.accept(c)
		n.is.Deletions = n.word(c)
	}
}

func (n *run) hearEmergency(c command) {
	switch {
	case n.is.Plan == nil:
		n.refuse(c, "there is no plan yet")
	case n.spec.Repository.Emergency == nil:
		n.refuse(c, "the Repository has no emergency policy")
	case !n.mayCallEmergency(c.by):
		n.refuse(c, "it takes one of those in the emergency policy"+n.unknown(n.spec.Repository.Emergency.From))
	case c.reason == "":
		n.refuse(c, "it takes a reason: /emergency <reason>")
	case slices.ContainsFunc(n.is.Emergency, func(w v1alpha1.ChangeWord) bool { return w.By == c.by.Name && w.Digest == n.is.Plan.Digest }):
		n.refuse(c, "another person has to say it, too")
	default:
		n.accept(c)
		n.is.Emergency = latest(append(n.is.Emergency, *n.word(c)), 10)
	}
}

// mayCallEmergency is true for who is in the policy.
func (n *run) mayCallEmergency(p Person) bool {
	e := n.spec.Repository.Emergency
	return e != nil && p.among(e.From)
}

// isAuthor of the merge request, or of a commit of it.
func (n *run) isAuthor(name string) bool {
	r := n.o.Request
	return name == n.is.Request.Author || r != nil && (name == r.Author || slices.Contains(r.Committers, name))
}

// word of somebody on the plan.
func (n *run) word(c command) *v1alpha1.ChangeWord {
	return &v1alpha1.ChangeWord{Digest: n.is.Plan.Digest, HeadSHA: n.is.Plan.HeadSHA, By: c.by.Name, Reason: c.reason, At: *n.stamp()}
}

// accept a command: it is on the audit trail.
func (n *run) accept(c command) {
	did := "said /" + string(c.verb)
	if c.reason != "" {
		did += ": " + c.reason
	}
	n.audit(c.by.Name, did)
}

// refuse a command, and say why.
func (n *run) refuse(c command, why string) {
	n.audit(c.by.Name, "was refused /"+string(c.verb)+": "+why)
	n.is.Notices = latest(append(n.is.Notices, fmt.Sprintf("/%s of %s was refused: %s", c.verb, cut(c.by.Name, 128), why)), 5)
}
