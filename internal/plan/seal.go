package plan

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

const (
	// maxBytes of a plan, with room for what is added to it.
	maxBytes = v1alpha1.MaxPlanContentBytes - 4<<10
	// maxActions and maxNames are left of a plan that is too long otherwise.
	maxActions = 200
	maxNames   = 20
	// maxFindings of a plan.
	maxFindings = 50
)

// seal a plan: bound it, and name it by what it does.
func seal(p Plan) (Plan, error) {
	if n := len(p.Findings); n > maxFindings {
		p.Left += n - maxFindings
		p.Findings = p.Findings[:maxFindings]
	}
	shorten := []func(){
		func() { p.fields(8) }, func() { p.fields(2) }, func() { p.fields(0) },
		func() { p.names() }, func() { p.actions() },
	}
	for i := 0; ; i++ {
		raw, err := json.Marshal(p)
		if err != nil {
			return Plan{}, fmt.Errorf("cannot encode plan: %w", err)
		}
		if len(raw) <= maxBytes {
			break
		}
		if i == len(shorten) {
			return Plan{}, fmt.Errorf("plan comes to %d bytes, and %d are the most: split the change", len(raw), maxBytes)
		}
		shorten[i]()
	}
	p.Digest = p.digest()
	return p, nil
}

// fields of each action, at most.
func (p *Plan) fields(most int) {
	for i := range p.Actions {
		a := &p.Actions[i]
		if n := len(a.Fields); n > most {
			a.Left += n - most
			p.Left += n - most
			a.Fields = a.Fields[:most]
		}
	}
}

// names of clusters, at most some of each group.
func (p *Plan) names() {
	for i := range p.Groups {
		if g := &p.Groups[i]; len(g.Clusters) > maxNames {
			p.Left += len(g.Clusters) - maxNames
			g.Clusters = g.Clusters[:maxNames]
		}
	}
}

// actions at most. Those that are left out stay in the digest, by that of their whole.
func (p *Plan) actions() {
	if len(p.Actions) <= maxActions {
		return
	}
	rest := p.Actions[maxActions:]
	raw, _ := json.Marshal(rest) // As it was encoded before.
	p.Left += len(rest)
	p.Actions = append(p.Actions[:maxActions:maxActions], Action{
		ID: "rest", Claim: rest[0].Claim, Verb: Noop, Object: Object{Kind: "Rest", Name: count(len(rest), "action")},
		Reason: "left out, because there are too many", Detail: hash(raw)[:16], Reverse: Reverse{Class: Auto},
	})
}

// digest of what a plan does: target, actions, order and clusters. Ids, times, titles and
// prose are not part of it.
func (p Plan) digest() string {
	type action struct {
		Claim     int
		Component string
		Object    Object
		Verb      Verb
		Set       []int
		Clusters  int
		Fields    []Field
		Left      int
		Detail    string
		Class     Class
	}
	type claim struct {
		v1alpha1.ClaimReference

		Verb          Verb
		After, Before string
		Step          int32
		Set           []int
		Removes       int
		Waves         []Wave
		Problem       string
	}
	all := struct {
		Schema  string
		Claims  []claim
		Actions []action
		Groups  []Group
	}{Schema: p.Schema, Groups: p.Groups}
	for i := range p.Claims {
		c := &p.Claims[i]
		all.Claims = append(all.Claims, claim{c.ClaimReference, c.Verb, c.After, c.Before, c.Step, c.Set, c.Removes, c.Waves, c.Problem})
	}
	for i := range p.Actions {
		a := &p.Actions[i]
		all.Actions = append(all.Actions, action{a.Claim, a.Component, a.Object, a.Verb, a.Set, a.Clusters, a.Fields, a.Left, a.Detail, a.Reverse.Class})
	}
	raw, _ := json.Marshal(all) // Texts and numbers.
	return hash(raw)
}

// Name of the object that holds a plan.
func Name(change, digest string) string { return change + "-" + digest[:12] }

// Seal a plan of a Change into the object that holds it.
func Seal(p Plan, change, namespace string) (*v1alpha1.Plan, error) {
	raw, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("cannot encode plan: %w", err)
	}
	buf := &bytes.Buffer{}
	w, err := gzip.NewWriterLevel(buf, gzip.BestCompression)
	if err != nil {
		return nil, fmt.Errorf("cannot compress plan: %w", err)
	}
	if _, err := w.Write(raw); err != nil {
		return nil, fmt.Errorf("cannot compress plan: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("cannot compress plan: %w", err)
	}
	out := &v1alpha1.Plan{}
	out.SetName(Name(change, p.Digest))
	out.SetNamespace(namespace)
	out.Spec = v1alpha1.PlanSpec{
		Change: change, Digest: p.Digest, HeadSHA: cut(p.Source.Head, 64), BaseSHA: cut(p.Source.Base, 64),
		Summary: cut(p.Summary, 512), Encoding: "gzip", Data: buf.Bytes(),
	}
	return out, nil
}

// Open the object that holds a plan. It fails where the plan is not what its digest says.
func Open(o *v1alpha1.Plan) (Plan, error) {
	z, err := gzip.NewReader(bytes.NewReader(o.Spec.Data))
	if err != nil {
		return Plan{}, fmt.Errorf("cannot read plan %q: %w", o.GetName(), err)
	}
	defer z.Close() //nolint:errcheck // Reading from memory.
	raw, err := io.ReadAll(io.LimitReader(z, v1alpha1.MaxPlanContentBytes+1))
	if err != nil {
		return Plan{}, fmt.Errorf("cannot read plan %q: %w", o.GetName(), err)
	}
	if len(raw) > v1alpha1.MaxPlanContentBytes {
		return Plan{}, fmt.Errorf("plan %q is larger than %d bytes", o.GetName(), v1alpha1.MaxPlanContentBytes)
	}
	p := Plan{}
	if err := json.Unmarshal(raw, &p); err != nil {
		return Plan{}, fmt.Errorf("cannot decode plan %q: %w", o.GetName(), err)
	}
	if got := p.digest(); got != p.Digest || got != o.Spec.Digest {
		return Plan{}, fmt.Errorf("plan %q is not what its digest says: it was tampered with, delete it and it is made anew", o.GetName())
	}
	return p, nil
}
