// Package builtin has Mainstay's own functions as parts of a program that renders with them:
// the command, and a provider that cannot reach those of the hub. They are of the program's
// version, so a hub that runs another may make something else.
//
// Deliberately absent: everything else that a Composition may have steps for.
package builtin

import (
	"context"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/mainstay-dev/mainstay/functions/cluster-fleet/clusterfleet"
	"github.com/mainstay-dev/mainstay/functions/fleet-cell/fleetcell"
	"github.com/mainstay-dev/mainstay/functions/product-application/productapplication"
	"github.com/mainstay-dev/mainstay/internal/plan/pipeline"
	"github.com/mainstay-dev/mainstay/internal/plan/render"
)

// Names of the Functions, as Compositions refer to them.
const (
	ClusterFleet       = "mainstay-function-cluster-fleet"
	FleetCell          = "mainstay-function-fleet-cell"
	ProductApplication = "mainstay-function-product-application"
)

// Functions by their names.
func Functions() map[string]pipeline.Run {
	return map[string]pipeline.Run{
		ClusterFleet:       inProcess(clusterfleet.Run),
		FleetCell:          inProcess(fleetcell.Run),
		ProductApplication: inProcess(productapplication.Run),
	}
}

// Shipped says which Function composes a kind, as Mainstay is shipped.
func Shipped() map[string]string {
	return map[string]string{
		render.ClusterFleet: ClusterFleet, render.FleetCell: FleetCell, render.ProductApplication: ProductApplication,
	}
}

// Pipelines by the kind of their composites, each of one step, as they are shipped.
func Pipelines() map[string]render.Function {
	out, own := map[string]render.Function{}, Functions()
	for kind, name := range Shipped() {
		out[kind] = pipeline.Of(pipeline.Step{Name: "compose", Run: own[name]})
	}
	return out
}

func inProcess(run func(*fnv1.RunFunctionRequest) (*fnv1.RunFunctionResponse, error)) pipeline.Run {
	return func(_ context.Context, req *fnv1.RunFunctionRequest) (*fnv1.RunFunctionResponse, error) {
		return run(req)
	}
}
