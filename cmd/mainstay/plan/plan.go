package plan

import (
	"context"
	"fmt"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mainstay-dev/mainstay/functions/builtin"
	"github.com/mainstay-dev/mainstay/internal/plan"
	"github.com/mainstay-dev/mainstay/internal/plan/claims"
	"github.com/mainstay-dev/mainstay/internal/plan/render"
	"github.com/mainstay-dev/mainstay/provider/planner/hub"
)

// An Input is two sides, and what is around them.
type Input struct {
	// Before and After are files by name.
	Before, After map[string][]byte
	// Read says how.
	Read claims.Options
	// Hub whose clusters are looked at. Without one they are taken to have what Before says.
	Hub client.Client
	// Options of the plan.
	Options plan.Options
	// Renderer in place of the functions in this program.
	Renderer render.Renderer
}

// Make the plan.
func Make(ctx context.Context, in Input) (plan.Plan, error) {
	before, err := claims.Read(in.Before, in.Read)
	if err != nil {
		return plan.Plan{}, fmt.Errorf("cannot read what is before: %w", err)
	}
	after, err := claims.Read(in.After, in.Read)
	if err != nil {
		return plan.Plan{}, fmt.Errorf("cannot read what is after: %w", err)
	}
	if before, after, err = plan.Narrow(before, after, in.Options.Carry); err != nil {
		return plan.Plan{}, err
	}
	around := render.Input{Complete: in.Hub != nil || hasFleet(before) || hasFleet(after)}
	o := plan.Observed{}
	if in.Hub != nil {
		if o, around.Statuses, err = hub.Look(ctx, in.Hub, before, after); err != nil {
			return plan.Plan{}, err
		}
		around.Clusters, around.Hub = o.Clusters, hub.Find(ctx, in.Hub)
	}
	r := in.Renderer
	if r == nil {
		r = Local()
	}
	sides := make([]plan.Side, 2)
	for i, set := range []claims.Set{before, after} {
		around.Claims = set
		if sides[i], err = r.Render(ctx, around); err != nil {
			return plan.Plan{}, err
		}
	}
	return plan.Build(sides[0], sides[1], o, in.Options)
}

// Local renders with the functions that are part of this program. They are of its own
// version: a hub that runs another may make something else.
func Local() *render.Pipeline { return render.New(builtin.Pipelines()) }

// hasFleet is true where clusters are among the claims.
func hasFleet(s claims.Set) bool {
	return slices.ContainsFunc(s.Claims, func(c claims.Claim) bool { return c.Kind == "ClusterFleet" })
}
