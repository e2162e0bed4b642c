package plan

import (
	"context"
	"encoding/json"
	"fmt"

	"google.golang.org/protobuf/types/known/structpb"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/mainstay-dev/mainstay/functions/cluster-fleet/clusterfleet"
	"github.com/mainstay-dev/mainstay/functions/fleet-cell/fleetcell"
	"github.com/mainstay-dev/mainstay/functions/product-application/productapplication"
	"github.com/mainstay-dev/mainstay/internal/plan/render"
)

// Local renders with the functions that are part of this program. They are of its own
// version: a hub that runs another may make something else.
func Local() *render.Pipeline {
	return render.New(map[string]render.Function{
		render.ClusterFleet:       inProcess(clusterfleet.Run),
		render.FleetCell:          inProcess(fleetcell.Run),
		render.ProductApplication: inProcess(productapplication.Run),
	})
}

// inProcess calls a function as what it is.
func inProcess(run func(*fnv1.RunFunctionRequest) (*fnv1.RunFunctionResponse, error)) render.Function {
	return func(_ context.Context, req render.Request) (render.Response, error) {
		return call(req, run)
	}
}

// call a function with what the protocol of Crossplane has for it.
func call(req render.Request, run func(*fnv1.RunFunctionRequest) (*fnv1.RunFunctionResponse, error)) (render.Response, error) {
	in := &fnv1.RunFunctionRequest{Observed: &fnv1.State{Resources: map[string]*fnv1.Resource{}}}
	var err error
	if in.Observed.Composite, err = resource(req.Composite); err != nil {
		return render.Response{}, err
	}
	for name, r := range req.Composed {
		if in.Observed.Resources[name], err = resource(r); err != nil {
			return render.Response{}, err
		}
	}
	if req.Required != nil {
		in.RequiredResources = map[string]*fnv1.Resources{}
	}
	for key, list := range req.Required {
		in.RequiredResources[key] = &fnv1.Resources{}
		for _, r := range list {
			item, err := resource(r)
			if err != nil {
				return render.Response{}, err
			}
			in.RequiredResources[key].Items = append(in.RequiredResources[key].Items, item)
		}
	}
	rsp, err := run(in)
	if err != nil {
		return render.Response{}, fmt.Errorf("cannot run function: %w", err)
	}
	return response(rsp), nil
}

func response(rsp *fnv1.RunFunctionResponse) render.Response {
	out := render.Response{Composed: map[string]map[string]any{}, Required: map[string]render.Selector{}}
	for _, r := range rsp.GetResults() {
		if r.GetSeverity() == fnv1.Severity_SEVERITY_FATAL {
			out.Refused = r.GetMessage()
			return out
		}
	}
	for name, r := range rsp.GetDesired().GetResources() {
		out.Composed[name] = r.GetResource().AsMap()
	}
	for key, s := range rsp.GetRequirements().GetResources() {
		out.Required[key] = render.Selector{APIVersion: s.GetApiVersion(), Kind: s.GetKind(), Namespace: s.GetNamespace(), Name: s.GetMatchName()}
	}
	return out
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
