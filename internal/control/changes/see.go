// Package changes is what people have to do with a Change: what they see of it, what they
// can say to it, and what that means.
//
// Every command is about the head and the plan that are there when it is given. Say returns
// what is to be written, and an error where a command makes no sense: whoever gives it
// learns so at once, and not from a notice in a merge request.
//
// Deliberately absent: to read and to write, which the command line does; to act, which
// package change decides; and approvals, which are given on the forge.
package changes

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/control"
)

// A View of a Change.
type View struct {
	Namespace  string `json:"namespace"`
	Name       string `json:"name"`
	Repository string `json:"repository"`
	Number     int64  `json:"number"`
	// Age in seconds.
	Age int64 `json:"age"`
	// Phase since so many seconds, and what it does in one line.
	Phase    v1alpha1.ChangePhase `json:"phase"`
	PhaseAge int64                `json:"phaseAge,omitempty"`
	Message  string               `json:"message,omitempty"`
	// Unsynced says why it cannot be looked at, if it cannot.
	Unsynced string `json:"unsynced,omitempty"`

	Request   v1alpha1.ChangeRequest    `json:"request"`
	Plan      *v1alpha1.ChangePlan      `json:"plan,omitempty"`
	Epoch     int64                     `json:"epoch,omitempty"`
	Queue     *v1alpha1.ChangeWait      `json:"queue,omitempty"`
	Progress  v1alpha1.ChangeProgress   `json:"progress"`
	Claims    []v1alpha1.ChangeClaim    `json:"claims,omitempty"`
	Approvals []v1alpha1.ChangeApproval `json:"approvals,omitempty"`
	// Missing says which approvals are not there yet.
	Missing   string                   `json:"missing,omitempty"`
	Findings  []v1alpha1.ChangeFinding `json:"findings,omitempty"`
	Halt      *v1alpha1.ChangeHalt     `json:"halt,omitempty"`
	Back      *v1alpha1.ChangeBack     `json:"back,omitempty"`
	Deletions *v1alpha1.ChangeWord     `json:"deletions,omitempty"`
	Emergency []v1alpha1.ChangeWord    `json:"emergency,omitempty"`
	Merged    *v1alpha1.ChangeMerge    `json:"merged,omitempty"`
	Notices   []string                 `json:"notices,omitempty"`
	Timeline  []v1alpha1.ChangeMoment  `json:"timeline,omitempty"`
	// Unheard are commands that were given here and not dealt with yet.
	Unheard []v1alpha1.ChangeCommand `json:"unheard,omitempty"`
	// Next is what can be typed now, and what else can be done.
	Next []string `json:"next,omitempty"`
}

// See a Change.
func See(c *v1alpha1.Change, now time.Time) View {
	at, f := &c.Status.AtProvider, &c.Spec.ForProvider
	v := View{
		Namespace: c.GetNamespace(), Name: c.GetName(), Repository: f.RepositoryRef.Name, Number: f.Number,
		Age: seconds(now.Sub(c.GetCreationTimestamp().Time)), Phase: at.Phase, Message: at.Message,
		Request: at.Request, Plan: at.Plan, Epoch: at.Epoch, Queue: at.Queue, Progress: at.Progress, Claims: at.Claims,
		Approvals: at.Approvals, Missing: at.Missing, Findings: at.Findings, Halt: at.Halt, Back: at.Back,
		Deletions: at.Deletions, Emergency: at.Emergency, Merged: at.Merged, Notices: at.Notices, Timeline: at.Timeline,
	}
	if n := len(at.Timeline); n > 0 {
		v.PhaseAge = seconds(now.Sub(at.Timeline[n-1].At.Time))
	}
	if v.Phase == "" {
		v.Phase = v1alpha1.ChangePending
	}
	for _, cond := range c.Status.Conditions {
		if cond.Type == "Synced" && cond.Status == "False" {
			v.Unsynced = cond.Message
		}
	}
	v.Unheard = unheard(c)
	v.Next = next(v, at.Next)
	return v
}

// unheard commands, those that were given last at the end.
func unheard(c *v1alpha1.Change) []v1alpha1.ChangeCommand {
	if c.Spec.ForProvider.Control == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(c.Spec.ForProvider.Control.Commands), func(cmd v1alpha1.ChangeCommand) bool {
		return slices.Contains(c.Status.AtProvider.Obeyed, cmd.ID)
	})
}

// next is what a merge request's comments could say, as it is typed, and all else as it is.
func next(v View, said []string) []string {
	out := make([]string, 0, len(said))
	for _, s := range said {
		verb, argument, _ := strings.Cut(s, " ")
		words, is := strings.CutPrefix(verb, "/")
		if !is {
			out = append(out, s)
			continue
		}
		words = "change " + words + " " + v.Name
		switch {
		case v.Plan == nil:
			out = append(out, "comment "+s+" on the merge request")
			continue
		case verb == "/"+string(v1alpha1.VerbEmergency):
			words += ` --reason "<why>"`
		case argument != "":
			words += " " + argument
		}
		out = append(out, control.Command(words, v.Namespace))
	}
	return out
}

// Ended says whether, and how, a Change has ended. It arrived where it is merged and true, or abandoned
// as somebody asked for; it failed where it is merged and not true, or has no plan, which takes a push. One
// that halted has not ended: somebody is going to say how it goes on, or has, on the merge request. Nor has
// one to which something was said that it has not heard yet.
func (v View) Ended() control.End {
	if len(v.Unheard) > 0 {
		return control.Going
	}
	switch v.Phase {
	case v1alpha1.ChangeCompleted, v1alpha1.ChangeAbandoned:
		if v.Merged != nil && v.Merged.Untrue != "" {
			return control.Failed
		}
		return control.Arrived
	case v1alpha1.ChangeRefused:
		return control.Failed
	}
	return control.Going
}

// Halted is true where a Change waits for somebody to say how it goes on.
func (v View) Halted() bool { return v.Phase == v1alpha1.ChangeHalted && len(v.Unheard) == 0 }

// Over is true where nothing can happen to a Change any more.
func (v View) Over() bool {
	return v.Phase == v1alpha1.ChangeCompleted || v.Phase == v1alpha1.ChangeAbandoned
}

// Label that people name it by.
func (v View) Label() string { return fmt.Sprintf("!%d", v.Number) }

func seconds(d time.Duration) int64 { return int64(max(0, d.Round(time.Second)).Seconds()) }
