package rollout

import (
	"fmt"
	"slices"
	"time"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// askAgain is how long after a question that was answered with no it is asked again.
const askAgain = 15 * time.Second

// gates of a wave that are asked at a time. It returns whether all are open, and says
// in the wave's status why not. A gate that times out fails the revision.
func (n *plan) gates(w *wave, when v1alpha1.GateTime) bool {
	before := w.status.Gates
	w.status.Gates = slices.DeleteFunc(slices.Clone(before), func(s v1alpha1.GateStatus) bool {
		return slices.ContainsFunc(w.spec.Gates, func(g v1alpha1.Gate) bool { return g.Name == s.Name && timeOf(g) == when })
	})
	all := true
	for _, g := range w.spec.Gates {
		if timeOf(g) != when {
			continue
		}
		s := v1alpha1.GateStatus{Name: g.Name}
		if i := slices.IndexFunc(before, func(s v1alpha1.GateStatus) bool { return s.Name == g.Name }); i >= 0 {
			s.Since = before[i].Since
		}
		if s.Since == nil {
			s.Since = n.stamp()
		}
		if !n.past(s.Since) {
			s.Since = n.stamp()
		}
		answer := n.ask(w, g)
		s.Open, s.Message = answer.Yes, answer.Message
		w.status.Gates = append(w.status.Gates, s)
		if answer.Yes {
			continue
		}
		if all {
			w.status.Message = fmt.Sprintf("waits for gate %q: %s", g.Name, answer.Message)
		}
		all = false
		n.expireGate(w, g, s)
	}
	return all
}

// expireGate fails the revision where a gate was closed for too long.
func (n *plan) expireGate(w *wave, g v1alpha1.Gate, s v1alpha1.GateStatus) {
	if g.Timeout == nil {
		return
	}
	end := s.Since.Add(g.Timeout.Duration)
	if n.now.Before(end) {
		n.wakeAt(end)
		return
	}
	w.status.Phase = v1alpha1.WaveFailed
	n.fail(w.name, fmt.Sprintf("gate %q of wave %q did not open within %s: %s", g.Name, w.name, g.Timeout.Duration, s.Message))
}

func timeOf(g v1alpha1.Gate) v1alpha1.GateTime {
	if g.When == v1alpha1.GateBefore {
		return v1alpha1.GateBefore
	}
	return v1alpha1.GateAfter
}

// ask a gate.
func (n *plan) ask(w *wave, g v1alpha1.Gate) Answer {
	switch {
	case g.Approval != nil:
		return n.approved(w.name+"/"+g.Name, max(1, int(g.Approval.Count)))
	case g.CEL != nil:
		return n.evaluate(w, g.CEL.Expression)
	}
	return n.question(Question{Key: "gate/" + w.name + "/" + g.Name, Gate: &g, Wave: w.name})
}

// question that the caller has to ask.
func (n *plan) question(q Question) Answer {
	q.Digest = n.is.Digest
	n.decision.Ask = append(n.decision.Ask, q)
	n.wakeAt(n.now.Add(askAgain))
	a, answered := n.observed.Answers[q.Key]
	if !answered {
		return Answer{Message: "it is being asked"}
	}
	return a
}

// approved returns whether enough different people approved this revision at a gate.
func (n *plan) approved(gate string, count int) Answer {
	people := map[string]bool{}
	for _, a := range n.control().Approvals {
		if a.Gate == gate && a.Digest == n.is.Digest {
			people[a.By] = true
		}
	}
	if missing := count - len(people); missing == 1 {
		return Answer{Message: fmt.Sprintf("an approval of %q is missing", gate)}
	} else if missing > 1 {
		return Answer{Message: fmt.Sprintf("%d approvals of %q are missing", missing, gate)}
	}
	return Answer{Yes: true, Message: "approved"}
}

// evaluate the expression of a gate.
func (n *plan) evaluate(w *wave, expression string) Answer {
	p, err := CompileGate(expression)
	if err != nil {
		return Answer{Message: err.Error()}
	}
	yes, err := p.True(map[string]any{"wave": facts(w.members), "rollout": facts(n.members)})
	if err != nil {
		return Answer{Message: err.Error()}
	}
	if !yes {
		return Answer{Message: fmt.Sprintf("%q is false", expression)}
	}
	return Answer{Yes: true, Message: fmt.Sprintf("%q is true", expression)}
}

// facts that an expression sees of some members.
func facts(members []*member) map[string]any {
	c := countOf(members)
	components := map[string]any{}
	for _, cc := range componentsOf(members) {
		components[cc.Name] = map[string]any{"healthy": int64(cc.Healthy), "total": int64(cc.Total)}
	}
	return map[string]any{
		"total": int64(c.Total), "updated": int64(c.Updated), "ready": int64(c.Ready), "failed": int64(c.Failed), "parked": int64(c.Parked),
		"components": components,
	}
}
