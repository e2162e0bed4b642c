package changes

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/control"
)

const (
	// minPlan is how much of a digest must be named at least.
	minPlan = 6
	// maxCommands that a Change takes.
	maxCommands = 50
)

// A Saying is a command with what belongs to it.
type Saying struct {
	Verb v1alpha1.ChangeVerb
	// ID that makes it one of a kind.
	ID string
	// Plan that is meant, or the beginning of its digest. Empty for the present one.
	Plan string
	// Token of deletions, and the reason of an emergency or a halt.
	Token, Reason string
	// By whom, and when.
	By string
	At metav1.Time
}

// An Outcome is what becomes of a Saying.
type Outcome struct {
	// Control to write, or nil where it says so already.
	Control *v1alpha1.ChangeControl
	// Said in one line.
	Said string
	// Risk is what it costs, in one line, where it should not be said by mistake.
	Risk string
}

// Say a command to a Change. An error says why it makes no sense now.
func Say(c *v1alpha1.Change, s Saying) (Outcome, error) {
	at := &c.Status.AtProvider
	switch {
	case at.Plan == nil:
		return Outcome{}, errors.New("it has no plan yet that this could be said about: wait until its status shows one")
	case s.Plan != "" && len(s.Plan) < minPlan:
		return Outcome{}, fmt.Errorf("--plan takes at least %d characters of the plan's digest", minPlan)
	case !strings.HasPrefix(at.Plan.Digest, s.Plan):
		return Outcome{}, fmt.Errorf("the plan is %s now, and not %s: look at it again before you say this", control.Short(at.Plan.Digest), control.Short(s.Plan))
	}
	o, err := sense(at, s)
	if err != nil {
		return Outcome{}, err
	}
	if pending(c, s) {
		return Outcome{Said: "It was said already, and is going to be heard."}, nil
	}
	o.Control = &v1alpha1.ChangeControl{}
	if have := c.Spec.ForProvider.Control; have != nil {
		o.Control = have.DeepCopy()
	}
	o.Control.Commands = room(o.Control.Commands, at.Obeyed)
	if len(o.Control.Commands) >= maxCommands {
		return Outcome{}, fmt.Errorf("%d commands wait to be heard, and more are not taken: is the provider running?", len(o.Control.Commands))
	}
	o.Control.Commands = append(o.Control.Commands, v1alpha1.ChangeCommand{
		ID: s.ID, Verb: s.Verb, HeadSHA: at.Plan.HeadSHA, Digest: at.Plan.Digest, Token: s.Token, Reason: s.Reason, By: s.By, At: s.At,
	})
	return o, nil
}

// pending is true where the same person has said the same of this plan, and was not heard yet.
func pending(c *v1alpha1.Change, s Saying) bool {
	return slices.ContainsFunc(unheard(c), func(u v1alpha1.ChangeCommand) bool {
		p := c.Status.AtProvider.Plan
		return u.Verb == s.Verb && u.By == s.By && u.Digest == p.Digest && u.HeadSHA == p.HeadSHA
	})
}

// room for another command: those that were heard are taken away, the oldest first, where
// there would be too many. They are on the audit trail.
func room(commands []v1alpha1.ChangeCommand, obeyed []string) []v1alpha1.ChangeCommand {
	drop := len(commands) - maxCommands + 1
	return slices.DeleteFunc(commands, func(c v1alpha1.ChangeCommand) bool {
		if drop <= 0 || !slices.Contains(obeyed, c.ID) {
			return false
		}
		drop--
		return true
	})
}

// sense of a command in the phase that the Change is in.
func sense(at *v1alpha1.ChangeObservation, s Saying) (Outcome, error) {
	switch s.Verb {
	case v1alpha1.VerbHalt:
		return halt(at)
	case v1alpha1.VerbRetry, v1alpha1.VerbResume:
		return goOn(at, s.Verb)
	case v1alpha1.VerbRollback, v1alpha1.VerbAbandon:
		return back(at, s.Verb)
	case v1alpha1.VerbApproveDeletions:
		return deletions(at, s)
	case v1alpha1.VerbEmergency:
		return emergency(at, s)
	}
	return Outcome{}, fmt.Errorf("there is no command %q", s.Verb)
}

func halt(at *v1alpha1.ChangeObservation) (Outcome, error) {
	switch at.Phase {
	case v1alpha1.ChangePlanned, v1alpha1.ChangeApproved, v1alpha1.ChangeQueued, v1alpha1.ChangeExecuting, v1alpha1.ChangeVerifying, v1alpha1.ChangeMerging:
		return Outcome{Said: "Told to halt. Clusters in motion finish, and nothing further is started."}, nil
	}
	return Outcome{}, fmt.Errorf("it is %s: there is nothing to halt", at.Phase)
}

func goOn(at *v1alpha1.ChangeObservation, verb v1alpha1.ChangeVerb) (Outcome, error) {
	if at.Phase != v1alpha1.ChangeHalted || at.Halt == nil {
		return Outcome{}, fmt.Errorf("it is %s, and did not halt", at.Phase)
	}
	switch at.Halt.Reason {
	case v1alpha1.HaltDiverged:
		return Outcome{}, errors.New("the base branch says something else now: rebase the merge request, and push")
	case v1alpha1.HaltFailed:
		if verb == v1alpha1.VerbResume {
			return Outcome{}, errors.New("it failed: say retry to try again, or rollback or abandon to go back")
		}
		return Outcome{Said: "Told to try again what failed."}, nil
	case v1alpha1.HaltDeviates, v1alpha1.HaltEdited, v1alpha1.HaltIrreversible:
		return Outcome{Said: "Told to go on.", Risk: "What it halted for is accepted: " + at.Halt.Message + "."}, nil
	}
	return Outcome{Said: "Told to go on."}, nil
}

func back(at *v1alpha1.ChangeObservation, verb v1alpha1.ChangeVerb) (Outcome, error) {
	began := slices.ContainsFunc(at.Claims, func(c v1alpha1.ChangeClaim) bool { return c.Began })
	closes := verb == v1alpha1.VerbAbandon
	switch {
	case at.Phase == v1alpha1.ChangeCompleted || at.Phase == v1alpha1.ChangeAbandoned:
		return Outcome{}, errors.New("the change is over: what it did is undone by another merge request")
	case at.Back != nil && (!closes || at.Back.Close):
		return Outcome{}, errors.New("it goes back already")
	case at.Back != nil:
		return Outcome{Said: "Told to close the merge request once everything is back."}, nil
	case !began && !closes:
		return Outcome{}, errors.New("nothing was written: there is nothing to go back from")
	case !began:
		return Outcome{Said: "Told to close the merge request. Nothing was written.", Risk: "The merge request is closed. Nothing was written for it."}, nil
	}
	o := Outcome{
		Said: "Told to go back. The merge request stays open.",
		Risk: fmt.Sprintf("%s to what was before, on up to %s.", claims(len(at.Claims)), control.Clusters(at.Progress.Clusters)),
	}
	if closes {
		o.Said = "Told to go back, and to close the merge request then."
		o.Risk += " Then the merge request is closed."
	}
	if at.Plan.Irreversible != "" {
		o.Risk += " What cannot go back stays: " + at.Plan.Irreversible + "."
	}
	return o, nil
}

func claims(n int) string {
	if n == 1 {
		return "1 claim goes back"
	}
	return fmt.Sprintf("%d claims go back", n)
}

func deletions(at *v1alpha1.ChangeObservation, s Saying) (Outcome, error) {
	switch {
	case at.Plan.Token == "":
		return Outcome{}, errors.New("the plan takes nothing away")
	case s.Token == "":
		return Outcome{}, errors.New("it takes the token that the plan shows, so that whoever says it has read the plan")
	case s.Token != at.Plan.Token:
		return Outcome{}, errors.New("the token is not that of this plan: read the plan again")
	case s.By == at.Request.Author:
		return Outcome{}, errors.New("the author cannot approve deletions: somebody else has to")
	case at.Deletions != nil && at.Deletions.Digest == at.Plan.Digest && at.Deletions.HeadSHA == at.Plan.HeadSHA:
		return Outcome{}, fmt.Errorf("%s approved them already", at.Deletions.By)
	}
	removes := int32(0)
	for _, c := range at.Claims {
		removes += c.Removes
	}
	risk := "What the plan takes away is taken away for good."
	if removes > 0 {
		risk = fmt.Sprintf("What the plan takes away from %s is taken away for good.", control.Clusters(removes))
	}
	return Outcome{Said: "Said that what the plan takes away may be taken away.", Risk: risk}, nil
}

func emergency(at *v1alpha1.ChangeObservation, s Saying) (Outcome, error) {
	switch {
	case strings.TrimSpace(s.Reason) == "":
		return Outcome{}, errors.New("it takes a reason, which is on the audit trail: --reason")
	case at.Phase == v1alpha1.ChangeCompleted || at.Phase == v1alpha1.ChangeAbandoned:
		return Outcome{}, errors.New("the change is over")
	}
	said := 0
	for _, w := range at.Emergency {
		if w.Digest != at.Plan.Digest || w.HeadSHA != at.Plan.HeadSHA {
			continue
		}
		if w.By == s.By {
			return Outcome{}, errors.New("you said so already: another person has to say it, too")
		}
		said++
	}
	o := Outcome{
		Said: "Said that it is an emergency. Another person of the repository's emergency policy has to say so, too.",
		Risk: "Approvals, freezes and the queue are skipped. Checks, locks, gates and verification are not.",
	}
	if said > 0 {
		o.Said = "Said that it is an emergency, as " + at.Emergency[len(at.Emergency)-1].By + " did."
	}
	return o, nil
}
