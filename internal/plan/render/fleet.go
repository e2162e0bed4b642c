package render

import (
	"context"
	"maps"
	"slices"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	appsv1alpha1 "github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/plan"
	"github.com/mainstay-dev/mainstay/internal/plan/claims"
)

// fleet renders the cells of a fleet, and the clusters of its cells.
func (p *Pipeline) fleet(ctx context.Context, in Input, c claims.Claim) (plan.Rendered, error) {
	out := plan.Rendered{Claim: c}
	rsp, err := p.run(ctx, ClusterFleet, Request{Composite: composite(ClusterFleet, c, nil), Find: in.find})
	if err != nil || rsp.Refused != "" {
		out.Problem = rsp.Refused
		return out, err
	}
	for _, name := range slices.Sorted(maps.Keys(rsp.Composed)) {
		r := rsp.Composed[name]
		switch r["kind"] {
		case appsv1alpha1.FleetCellKind:
			cell, err := p.run(ctx, FleetCell, Request{Composite: r, Find: in.find})
			if err != nil {
				return out, err
			}
			if cell.Refused != "" {
				out.Problem = cell.Refused
				return out, nil
			}
			if err := members(&out, cell); err != nil {
				return out, err
			}
		case v1alpha1.RolloutGVK.Kind:
			out.Rollout = &v1alpha1.Rollout{}
			if err := decode(r, out.Rollout); err != nil {
				return out, err
			}
		}
	}
	return out, nil
}

// members of a cell.
func members(out *plan.Rendered, cell Response) error {
	for _, name := range slices.Sorted(maps.Keys(cell.Composed)) {
		r := cell.Composed[name]
		switch r["kind"] {
		case v1alpha1.ClusterGVK.Kind:
			c := v1alpha1.Cluster{}
			if err := decode(r, &c); err != nil {
				return err
			}
			out.Clusters = append(out.Clusters, c)
		case v1alpha1.NodePoolGVK.Kind:
			n := v1alpha1.NodePool{}
			if err := decode(r, &n); err != nil {
				return err
			}
			out.Pools = append(out.Pools, n)
		}
	}
	return nil
}
