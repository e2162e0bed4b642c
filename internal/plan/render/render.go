// Package render makes of claims what the composition pipeline makes of them: it plays
// Crossplane's part around the functions, for a hub on which nothing is composed yet.
//
// Which transport the functions are reached by is not known here: in process, or as the
// endpoints that Crossplane uses. Both are a Function.
//
// Invariants: the same input gives the same output, in the same order. A claim that a
// function refuses has a problem and nothing else; the others are rendered. A function that
// cannot be asked fails the whole: a side that is not complete is none.
//
// Deliberately absent: readiness. What is composed later, once something is ready, does not
// exist among our functions.
package render

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	appsv1alpha1 "github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/plan"
	"github.com/mainstay-dev/mainstay/internal/plan/claims"
)

// A Function composes, as the whole pipeline of a Composition does. See internal/plan/pipeline.
type Function func(ctx context.Context, req Request) (Response, error)

// A Request to a function.
type Request struct {
	// Composite that is observed.
	Composite map[string]any
	// Composed resources that are observed, by their names in the pipeline.
	Composed map[string]map[string]any
	// Find what it requires besides.
	Find Find
}

// Find resources. None is an answer, and an error is none.
type Find func(Selector) ([]map[string]any, error)

// A Response of a function.
type Response struct {
	// Composed resources that are desired, by their names in the pipeline.
	Composed map[string]map[string]any
	// Refused says why the claim is refused. Then the rest has no meaning.
	Refused string
}

// A Selector names one resource, or some.
type Selector struct {
	APIVersion, Kind, Namespace string
	// Name of the one. Empty for all that have the labels.
	Name string
	// Labels in the form a=b,c=d.
	Labels string
}

// A Renderer makes a side of a plan.
type Renderer interface {
	// Render all claims. The error says that it could not be done, and not that
	// something is wrong with a claim.
	Render(ctx context.Context, in Input) (plan.Side, error)
}

// An Input is what is rendered, and among what.
type Input struct {
	Claims claims.Set
	// Hub has what functions require and files do not. It may be nil.
	Hub Find
	// Statuses of claims on the hub: what their applications have pinned.
	Statuses map[v1alpha1.ClaimReference]map[string]any
	// Complete is true where all clusters that there are are known. Else an application
	// goes nobody knows where, as long as no cluster is known.
	Complete bool
	// Clusters of the hub. Those of fleets among the claims are not taken from here.
	Clusters []v1alpha1.Cluster
}

// A Pipeline renders with functions, by the kind of their composites.
type Pipeline struct {
	functions map[string]Function
	// known is what was rendered before. What is the same on both sides of a plan is
	// rendered once.
	known map[string]plan.Rendered
}

// Kinds of composites that functions are registered for.
const (
	ClusterFleet       = "XClusterFleet"
	FleetCell          = appsv1alpha1.FleetCellKind
	ProductApplication = "XProductApplication"
)

// New pipeline of the functions for ClusterFleet, FleetCell and ProductApplication.
func New(functions map[string]Function) *Pipeline {
	return &Pipeline{functions: functions, known: map[string]plan.Rendered{}}
}

// Render all claims: fleets first, because applications are placed on their clusters.
func (p *Pipeline) Render(ctx context.Context, in Input) (plan.Side, error) {
	side := plan.Side{Claims: make([]plan.Rendered, len(in.Claims.Claims))}
	fleets := map[string]bool{}
	inventory := []v1alpha1.Cluster{}
	for i, c := range in.Claims.Claims {
		if c.Kind != "ClusterFleet" {
			continue
		}
		r, err := p.once(c, "", func() (plan.Rendered, error) { return p.fleet(ctx, in, c) })
		if err != nil {
			return plan.Side{}, err
		}
		side.Claims[i] = r
		if r.Problem == "" {
			// A fleet that is refused keeps the clusters that it has.
			fleets[c.Namespace+"/"+c.Name] = true
			inventory = append(inventory, r.Clusters...)
		}
	}
	for i := range in.Clusters {
		if c := &in.Clusters[i]; !fleets[c.GetNamespace()+"/"+c.Spec.ForProvider.Fleet] {
			inventory = append(inventory, *c)
		}
	}
	types, problems, err := published(in.Claims.Definitions, in.find)
	if err != nil {
		return plan.Side{}, err
	}
	side.Problems = problems
	around, err := fingerprint(inventory, in.Claims.Definitions, in.Complete)
	if err != nil {
		return plan.Side{}, err
	}
	for i, c := range in.Claims.Claims {
		if c.Kind != "ProductApplication" {
			continue
		}
		r, err := p.once(c, around, func() (plan.Rendered, error) {
			return p.application(ctx, in, c, types, inventory)
		})
		if err != nil {
			return plan.Side{}, err
		}
		side.Claims[i] = r
	}
	return side, nil
}

// once renders what was not rendered before.
func (p *Pipeline) once(c claims.Claim, around string, render func() (plan.Rendered, error)) (plan.Rendered, error) {
	key := c.String() + " " + c.Digest + " " + around
	r, known := p.known[key]
	if !known {
		var err error
		if r, err = render(); err != nil {
			return r, fmt.Errorf("cannot render %s: %w", c, err)
		}
		p.known[key] = r
	}
	r.Claim = c
	return r, nil
}

// run the function of a kind.
func (p *Pipeline) run(ctx context.Context, kind string, req Request) (Response, error) {
	f := p.functions[kind]
	if f == nil {
		return Response{}, fmt.Errorf("there is no function for %s", kind)
	}
	return f(ctx, req)
}

// composite of a claim, as Crossplane makes it.
func composite(kind string, c claims.Claim, status map[string]any) map[string]any {
	spec := make(map[string]any, len(c.Spec)+1)
	for k, v := range c.Spec {
		spec[k] = v
	}
	spec["claimRef"] = map[string]any{"apiVersion": c.APIVersion, "kind": c.Kind, "namespace": c.Namespace, "name": c.Name}
	out := map[string]any{
		"apiVersion": c.APIVersion, "kind": kind,
		"metadata": map[string]any{"name": c.Name + "-plan", "uid": "plan", "generation": 1},
		"spec":     spec,
	}
	if status != nil {
		out["status"] = status
	}
	return out
}

// decode what a function desires.
func decode(v map[string]any, into any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("cannot encode what a function desires: %w", err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("cannot decode what a function desires: %w", err)
	}
	return nil
}

// find what a function requires. Whether a change has to carry a claim is not found out for a
// plan: it is of what is to be approved.
func (in Input) find(s Selector) ([]map[string]any, error) {
	if in.Hub == nil || s.holds() {
		return nil, nil
	}
	return in.Hub(s)
}

// holds is true of what functions know by that a claim is held back.
func (s Selector) holds() bool {
	return s.APIVersion == v1alpha1.GroupVersion.String() && s.Kind == v1alpha1.ClaimGrantGVK.Kind || s.APIVersion == "v1" && s.Kind == "Namespace"
}
