package explain

import (
	"fmt"
	"strings"
)

// Conditions of claims and composites, and reasons of Mainstay's own.
const (
	typeReached    = "Reached"
	typeSynced     = "Synced"
	typeReady      = "Ready"
	typeResponsive = "Responsive"
	typeHealthy    = "Healthy"
	typeInstalled  = "Installed"

	reasonInvalidSpec = "InvalidSpec"
	reasonBlocked     = "Blocked"
	reasonDegraded    = "Degraded"

	isTrue  = "True"
	isFalse = "False"
)

// claim and what is below it.
func (e *explainer) claim(below []Node) Node {
	if e.Claim == nil {
		n := e.absent()
		n.Children = below
		return n
	}
	reached := e.Claim.condition(typeReached)
	n := Node{What: fmt.Sprintf("%s %s", e.Kind, e.Name), Message: reached.Message, State: Progressing}
	composite := e.composite(below)
	n.Children = []Node{composite}
	switch {
	case e.Claim.Deleting:
		n.State = Progressing
		if n.Message == "" {
			n.Message = "is being deleted"
		}
	case reached.Reason == reasonInvalidSpec:
		n.State = Failed
		n.because = []Cause{{State: Failed, Message: reached.Message, Next: []string{
			"Correct the field in the claim, and apply it again. What ran before goes on as it was.",
		}}}
	case e.Held != nil:
		n.State = Failed
		n.because = []Cause{e.held(e.Kind, e.Name, e.Held)}
	case reached.Status == isTrue && composite.State == Healthy:
		n.State = Healthy
	case reached.Reason == reasonBlocked, reached.Reason == reasonDegraded:
		n.State = Failed
	}
	if composite.State == Failed && n.State == Progressing && !e.Claim.Deleting {
		n.State = Failed
	}
	if n.Message == "" && composite.State != Failed && n.State != Healthy {
		n.Message = "Crossplane has not composed it yet"
	}
	return n
}

// composite that Crossplane made of the claim, with what hinders Crossplane.
func (e *explainer) composite(below []Node) Node {
	if e.Composite == nil {
		return e.notPickedUp(below)
	}
	n := Node{What: e.Composite.Kind + " " + e.Composite.Name, State: worst(below), Children: below, mute: true}
	synced, responsive := e.Composite.condition(typeSynced), e.Composite.condition(typeResponsive)
	switch {
	case e.invalid():
		// It is for the claim that it does not sync, and the claim says so.
		n.Message = "composes nothing new while the claim is refused"
		n.State = Waiting
	case synced.Status == isFalse && !e.Composite.Deleting:
		n.State, n.Message = Failed, synced.Message
		n.Children = append(e.packages(), below...)
		if len(e.Packages) == 0 {
			n.because = []Cause{{State: Failed, Message: "Crossplane cannot compose it: " + synced.Message, Next: []string{
				fmt.Sprintf("kubectl describe %s %s", strings.ToLower(e.Composite.Kind), e.Composite.Name),
			}}}
		}
	case responsive.Status == isFalse:
		n.State, n.Message = Waiting, responsive.Message
		n.because = []Cause{{State: Waiting, Message: "Crossplane's circuit breaker is open: what changes is seen late. " + responsive.Message, Next: []string{
			"It closes by itself. docs/install.md says how to give it room.",
		}}}
	}
	return n
}

// invalid is true where the claim is refused.
func (e *explainer) invalid() bool {
	return e.Claim.condition(typeReached).Reason == reasonInvalidSpec
}

// notPickedUp is a claim without composite.
func (e *explainer) notPickedUp(below []Node) Node {
	n := Node{What: "X" + string(e.Kind), State: Failed, Message: "does not exist", Children: append(e.packages(), below...)}
	if synced := e.Claim.condition(typeSynced); synced.Status == isFalse {
		n.Message = synced.Message
	}
	if len(e.Packages) == 0 {
		n.because = []Cause{{State: Failed, Message: "Crossplane has not taken the claim up: " + n.Message, Next: []string{
			"kubectl get configurations,functions,providers",
			"kubectl get compositeresourcedefinitions",
		}}}
	}
	return n
}

// packages that are not healthy.
func (e *explainer) packages() []Node {
	var out []Node
	for i := range e.Packages {
		p := &e.Packages[i]
		message := "is not healthy"
		for _, t := range []string{typeInstalled, typeHealthy} {
			if c := p.condition(t); c.Status != isTrue && c.Message != "" {
				message = c.Message
			}
		}
		what := p.Kind + " " + p.Name
		out = append(out, Node{What: what, State: Failed, Message: message, because: []Cause{{
			State: Failed, Message: what + " is not healthy: " + message, Next: []string{
				fmt.Sprintf("kubectl describe %s %s", strings.ToLower(p.Kind), p.Name),
			},
		}}})
	}
	return out
}
