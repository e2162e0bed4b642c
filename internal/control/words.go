// Package control is what people have to do with a Rollout: what they see of it, what they
// can say to it, and what that means.
//
// Every word is about the revision that is there when it is said. Say returns what is to
// be written, and an error where a word makes no sense: whoever says it learns so at
// once, and not from a Rollout that does nothing.
//
// Deliberately absent: to read and to write, which the command does, and to act, which
// package rollout decides.
package control

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// A Word is what a person can tell a Rollout.
type Word string

// Words.
const (
	Pause          Word = "pause"
	Resume         Word = "resume"
	Abort          Word = "abort"
	Approve        Word = "approve"
	Retry          Word = "retry"
	Rollback       Word = "rollback"
	AllowDeletions Word = "allow-deletions"
)

// minRevision is how much of a digest must be named at least.
const minRevision = 6

// maxApprovals that a Rollout takes.
const maxApprovals = 100

// A Saying is a word with what belongs to it.
type Saying struct {
	Word Word
	// Revision that is meant, or the beginning of its digest. Empty for the present one.
	Revision string
	// Gates that an approval is for.
	Gates []string
	// By whom.
	By string
}

// An Outcome is what becomes of a Saying.
type Outcome struct {
	// Control to write, or nil where it says so already.
	Control *v1alpha1.RolloutControl
	// Said in one line.
	Said string
	// Risk is what it costs, in one line, where it should not be said by mistake.
	Risk string
}

// Say a word to a Rollout. An error says why it makes no sense now.
func Say(ro *v1alpha1.Rollout, s Saying) (Outcome, error) {
	at := ro.Status.AtProvider
	if err := meant(at, s); err != nil {
		return Outcome{}, err
	}
	before := v1alpha1.RolloutControl{}
	if ro.Spec.ForProvider.Control != nil {
		before = *ro.Spec.ForProvider.Control
	}
	o, err := say(ro, s, *before.DeepCopy())
	if err != nil {
		return Outcome{}, err
	}
	if o.Control != nil {
		o.Control.Approvals = current(o.Control.Approvals, at.Digest)
	}
	return o, nil
}

// meant is an error where there is no revision, or another than was meant.
func meant(at v1alpha1.RolloutObservation, s Saying) error {
	if at.Digest == "" && s.Word != Pause && s.Word != Resume {
		return errors.New("it has no revision yet that this could be said about: wait until its status shows one")
	}
	if s.Revision == "" {
		return nil
	}
	if len(s.Revision) < minRevision {
		return fmt.Errorf("--revision takes at least %d characters of the revision", minRevision)
	}
	if !strings.HasPrefix(at.Digest, s.Revision) {
		return fmt.Errorf("the revision is %s now, and not %s: look at its status again before you say this", Short(at.Digest), Short(s.Revision))
	}
	return nil
}

func say(ro *v1alpha1.Rollout, s Saying, c v1alpha1.RolloutControl) (Outcome, error) {
	at := ro.Status.AtProvider
	switch s.Word {
	case Pause:
		if c.Paused {
			return Outcome{Said: "It is paused already."}, nil
		}
		c.Paused = true
		return Outcome{Control: &c, Said: "Paused. Clusters in motion finish, and no other is started."}, nil
	case Resume:
		return resume(ro, c)
	case Approve:
		return approve(ro, s, c)
	case Retry:
		return retry(ro, c)
	case Abort:
		return abort(at, c)
	case Rollback:
		return rollback(at, c)
	case AllowDeletions:
		if c.AllowDeletions == at.Digest {
			return Outcome{Said: "They are allowed already."}, nil
		}
		c.AllowDeletions = at.Digest
		return Outcome{
			Control: &c,
			Said:    fmt.Sprintf("Revision %s may take the application away from more clusters than strategy.maxDeletions.", Short(at.Digest)),
			Risk:    fmt.Sprintf("Takes the application away from every cluster that revision %s leaves out, with what it stores there. ", Short(at.Digest)) + sentence(at.Message),
		}, nil
	}
	return Outcome{}, fmt.Errorf("there is no word %q", s.Word)
}

// resume takes back what held a revision: a pause, and that it was aborted.
func resume(ro *v1alpha1.Rollout, c v1alpha1.RolloutControl) (Outcome, error) {
	aborted := c.Abort != "" && c.Abort == ro.Status.AtProvider.Digest
	if !c.Paused && !aborted {
		if ro.Spec.ForProvider.Strategy.Paused {
			return Outcome{}, errors.New("it is its strategy that pauses it: take paused out of the application's rollout policy")
		}
		return Outcome{Said: "It is not paused."}, nil
	}
	c.Paused = false
	if aborted {
		c.Abort = ""
	}
	said := "It goes on."
	if ro.Spec.ForProvider.Strategy.Paused {
		said = "It is paused by its strategy still: take paused out of the application's rollout policy."
	}
	return Outcome{Control: &c, Said: said}, nil
}

// retry raises the number of tries. What was asked for before, and stands in the way of
// another, is taken back.
func retry(ro *v1alpha1.Rollout, c v1alpha1.RolloutControl) (Outcome, error) {
	at := ro.Status.AtProvider
	ended := at.Failed != nil || c.Abort == at.Digest || c.Rollback == at.Digest
	if !ended && at.Clusters.Failed == 0 {
		return Outcome{}, errors.New("nothing of this revision has failed, so there is nothing to retry")
	}
	if c.Retry > at.Retried && c.Abort != at.Digest && c.Rollback != at.Digest {
		return Outcome{Said: "It is asked to try again already."}, nil
	}
	c.Retry = max(c.Retry, at.Retried) + 1
	if c.Abort == at.Digest {
		c.Abort = ""
	}
	if c.Rollback == at.Digest {
		c.Rollback = ""
	}
	return Outcome{Control: &c, Said: fmt.Sprintf("Revision %s is tried again, where it has failed.", Short(at.Digest))}, nil
}

func abort(at v1alpha1.RolloutObservation, c v1alpha1.RolloutControl) (Outcome, error) {
	switch {
	case at.Phase == v1alpha1.RolloutCompleted:
		return Outcome{}, errors.New("it is complete, so there is nothing to abort: rollback goes back to what was there before")
	case c.Abort == at.Digest:
		return Outcome{Said: "It is aborted already."}, nil
	}
	c.Abort = at.Digest
	n := at.Clusters
	return Outcome{
		Control: &c,
		Said:    "Aborted. Clusters in motion finish, and no other is started. Resume takes it back, and rollback goes back.",
		Risk:    fmt.Sprintf("Ends revision %s with %s that have it and %d that do not.", Short(at.Digest), Clusters(n.Updated), n.Total-n.Updated),
	}, nil
}

func rollback(at v1alpha1.RolloutObservation, c v1alpha1.RolloutControl) (Outcome, error) {
	to := goesBackTo(at)
	switch {
	case c.Rollback == at.Digest:
		return Outcome{Said: "It goes back already."}, nil
	case to == nil:
		return Outcome{}, errors.New("no revision was reached before this one, so there is none to go back to: apply the application as it should be, or remove it")
	}
	c.Rollback = at.Digest
	return Outcome{
		Control: &c,
		Said:    fmt.Sprintf("Clusters go back to revision %s. The claim still asks for %s: change it too, or retry brings it back.", Short(to.Digest), Short(at.Digest)),
		Risk:    fmt.Sprintf("Takes %s from revision %s back to %s, which was reached on %s.", Clusters(at.Clusters.Updated), Short(at.Digest), Short(to.Digest), to.At.UTC().Format("2006-01-02 15:04 UTC")),
	}, nil
}

// goesBackTo is the revision that a rollback of the present one would go to.
func goesBackTo(at v1alpha1.RolloutObservation) *v1alpha1.RolloutRevision {
	if at.Reached != nil && at.Reached.Digest != at.Digest {
		return at.Reached
	}
	for i := range at.History {
		if at.History[i].Digest != at.Digest {
			return &at.History[i]
		}
	}
	return nil
}

// approve gates and steps. Without any, it is the reader who must say which.
func approve(ro *v1alpha1.Rollout, s Saying, c v1alpha1.RolloutControl) (Outcome, error) {
	at := ro.Status.AtProvider
	if s.By == "" {
		return Outcome{}, errors.New("it is not known who approves")
	}
	var said []string
	changed := false
	for _, name := range s.Gates {
		a, err := find(Approvals(ro), name)
		if err != nil {
			return Outcome{}, err
		}
		if slices.Contains(a.By, s.By) {
			said = append(said, fmt.Sprintf("%s has approved %s already.", s.By, a.Gate))
			continue
		}
		changed = true
		c.Approvals = append(current(c.Approvals, at.Digest), v1alpha1.Approval{Gate: a.Gate, Digest: at.Digest, By: s.By})
		text := fmt.Sprintf("%s approves %s of revision %s.", s.By, a.Gate, Short(at.Digest))
		switch missing := a.Needed - len(a.By) - 1; {
		case missing > 0:
			text += fmt.Sprintf(" It needs %d more.", missing)
		case !a.Asked:
			text += " It is passed when its turn comes."
		}
		said = append(said, text)
	}
	if len(c.Approvals) > maxApprovals {
		return Outcome{}, fmt.Errorf("a Rollout takes %d approvals, and has that many", maxApprovals)
	}
	o := Outcome{Said: strings.Join(said, "\n")}
	if changed {
		o.Control = &c
	}
	return o, nil
}

// find an approval by its full name, or by the end of it where there is only one such.
func find(all []Approval, name string) (Approval, error) {
	var ends []Approval
	var there []string
	for _, a := range all {
		if a.Gate == name {
			return a, nil
		}
		if strings.HasSuffix(a.Gate, "/"+name) {
			ends = append(ends, a)
		}
		there = append(there, a.Gate)
	}
	switch {
	case len(ends) == 1:
		return ends[0], nil
	case len(ends) > 1:
		return Approval{}, fmt.Errorf("there are %d gates %q: say which, such as %s", len(ends), name, ends[0].Gate)
	case len(there) == 0:
		return Approval{}, errors.New("nothing of it waits for an approval")
	}
	return Approval{}, fmt.Errorf("nothing is called %q that could be approved: there is %s", name, strings.Join(there, ", "))
}

// current approvals are the only ones that still mean something.
func current(all []v1alpha1.Approval, digest string) []v1alpha1.Approval {
	var out []v1alpha1.Approval
	for _, a := range all {
		if a.Digest == digest {
			out = append(out, a)
		}
	}
	return out
}

// Short form of a digest.
func Short(digest string) string { return digest[:min(len(digest), 12)] }

// Clusters in words.
func Clusters(n int32) string {
	if n == 1 {
		return "1 cluster"
	}
	return fmt.Sprintf("%d clusters", n)
}

func sentence(s string) string {
	if s == "" {
		return ""
	}
	return "It says: " + s
}
