// Package pipeline runs the pipeline of a Composition as Crossplane does: one function after
// the other, each with what the one before desires, and each as often as it requires more.
//
// It knows Crossplane's protocol, and not how a function is reached: in process or by its
// endpoint, both are a Run.
//
// Invariants: what a function says is handed on whole to the next one. A function that refuses
// ends the pipeline, and nothing that was desired until then counts.
//
// Deliberately absent: credentials, schemas that functions ask for, and what Crossplane does
// with what is desired: names, owners, readiness, events.
package pipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/mainstay-dev/mainstay/internal/plan/render"
)

// maxRounds is how often a function is asked once more because it requires more, as
// Crossplane limits it.
const maxRounds = 5

// Run a function once.
type Run func(ctx context.Context, req *fnv1.RunFunctionRequest) (*fnv1.RunFunctionResponse, error)

// A Step of a pipeline.
type Step struct {
	// Name of the step.
	Name string
	// Run its function.
	Run Run
	// Input of the function, as JSON. It may be empty.
	Input []byte
	// Requires are the resources that the Composition itself names for the step, by key.
	Requires map[string]render.Selector
}

// Of steps: what is rendered with them.
func Of(steps ...Step) render.Function {
	return func(ctx context.Context, req render.Request) (render.Response, error) {
		observed, err := observe(req)
		if err != nil {
			return render.Response{}, err
		}
		desired, carried := &fnv1.State{}, &structpb.Struct{Fields: map[string]*structpb.Value{}}
		for _, s := range steps {
			in := &fnv1.RunFunctionRequest{
				Observed: observed, Desired: desired, Context: carried,
				Meta: &fnv1.RequestMeta{Tag: s.Name, Capabilities: []fnv1.Capability{
					fnv1.Capability_CAPABILITY_CAPABILITIES, fnv1.Capability_CAPABILITY_REQUIRED_RESOURCES, fnv1.Capability_CAPABILITY_CONDITIONS,
				}},
			}
			rsp, err := s.settle(ctx, in, req.Find)
			if err != nil {
				return render.Response{}, fmt.Errorf("cannot run step %q: %w", s.Name, err)
			}
			if why, refused := fatal(rsp); refused {
				return render.Response{Refused: why}, nil
			}
			desired, carried = rsp.GetDesired(), rsp.GetContext()
		}
		out := render.Response{Composed: map[string]map[string]any{}}
		for name, r := range desired.GetResources() {
			out.Composed[name] = r.GetResource().AsMap()
		}
		return out, nil
	}
}

// settle a step: ask until it requires nothing that it did not have.
func (s Step) settle(ctx context.Context, in *fnv1.RunFunctionRequest, find render.Find) (*fnv1.RunFunctionResponse, error) {
	if len(s.Input) > 0 {
		in.Input = &structpb.Struct{}
		if err := in.Input.UnmarshalJSON(s.Input); err != nil {
			return nil, fmt.Errorf("cannot read its input: %w", err)
		}
	}
	given := map[string]*fnv1.Resources{}
	for key, sel := range s.Requires {
		var err error
		if given[key], err = fetch(sel, find); err != nil {
			return nil, err
		}
	}
	in.RequiredResources = given
	var before *fnv1.Requirements
	for range maxRounds + 1 {
		rsp, err := s.Run(ctx, in)
		if err != nil {
			return nil, err
		}
		if _, refused := fatal(rsp); refused {
			return rsp, nil
		}
		wants := rsp.GetRequirements()
		if proto.Equal(wants, before) || len(wants.GetResources())+len(wants.GetSchemas()) == 0 && len(extra(wants)) == 0 {
			return rsp, nil
		}
		if len(wants.GetSchemas()) > 0 {
			return nil, fmt.Errorf("its function asks for schemas of kinds, which is not planned with")
		}
		in = &fnv1.RunFunctionRequest{Meta: in.GetMeta(), Observed: in.GetObserved(), Desired: in.GetDesired(), Input: in.GetInput(), Context: rsp.GetContext()}
		if in.RequiredResources, err = fetchAll(wants.GetResources(), given, find); err != nil {
			return nil, err
		}
		if older := extra(wants); len(older) > 0 {
			found, err := fetchAll(older, nil, find)
			if err != nil {
				return nil, err
			}
			in.ExtraResources = found //nolint:staticcheck // Functions that are older read no other field.
		}
		before = wants
	}
	return nil, fmt.Errorf("its function requires more after %d rounds", maxRounds)
}

// extra requirements are those of functions that know the older field only.
func extra(r *fnv1.Requirements) map[string]*fnv1.ResourceSelector {
	return r.GetExtraResources() //nolint:staticcheck // See above.
}

// fetchAll that is asked for, on top of what was given to begin with.
func fetchAll(wants map[string]*fnv1.ResourceSelector, given map[string]*fnv1.Resources, find render.Find) (map[string]*fnv1.Resources, error) {
	out := make(map[string]*fnv1.Resources, len(wants)+len(given))
	maps.Copy(out, given)
	for key, w := range wants {
		s := render.Selector{APIVersion: w.GetApiVersion(), Kind: w.GetKind(), Namespace: w.GetNamespace(), Name: w.GetMatchName(), Labels: labels(w.GetMatchLabels().GetLabels())}
		var err error
		if out[key], err = fetch(s, find); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// labels in the form of a Selector.
func labels(l map[string]string) string {
	out := make([]string, 0, len(l))
	for _, k := range slices.Sorted(maps.Keys(l)) {
		out = append(out, k+"="+l[k])
	}
	return strings.Join(out, ",")
}

// fetch resources. The key of what is not there is there, and empty.
func fetch(s render.Selector, find render.Find) (*fnv1.Resources, error) {
	out := &fnv1.Resources{}
	if find == nil {
		return out, nil
	}
	found, err := find(s)
	if err != nil {
		return nil, err
	}
	for _, f := range found {
		r, err := resource(f)
		if err != nil {
			return nil, err
		}
		out.Items = append(out.Items, r)
	}
	return out, nil
}

// fatal says why a function refuses.
func fatal(rsp *fnv1.RunFunctionResponse) (string, bool) {
	for _, r := range rsp.GetResults() {
		if r.GetSeverity() == fnv1.Severity_SEVERITY_FATAL {
			return r.GetMessage(), true
		}
	}
	return "", false
}

// observe a composite, and what is composed of it.
func observe(req render.Request) (*fnv1.State, error) {
	out := &fnv1.State{Resources: map[string]*fnv1.Resource{}}
	var err error
	if out.Composite, err = resource(req.Composite); err != nil {
		return nil, err
	}
	for name, r := range req.Composed {
		if out.Resources[name], err = resource(r); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func resource(v map[string]any) (*fnv1.Resource, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("cannot encode resource: %w", err)
	}
	s := &structpb.Struct{}
	if err := s.UnmarshalJSON(raw); err != nil {
		return nil, fmt.Errorf("cannot encode resource: %w", err)
	}
	return &fnv1.Resource{Resource: s}, nil
}
