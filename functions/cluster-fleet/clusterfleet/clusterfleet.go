// Package clusterfleet composes the FleetCells of a ClusterFleet, and the Usage that
// refuses its deletion while applications run on it.
//
// What a fleet consists of is decided in package fleet. The cells that exist are the
// memory of which cluster is where: a cell is composed for as long as it has clusters,
// wanted or on their way out.
//
// Invariant: where only an approved change may say what the claim says, and none does, all
// that is composed stays as it is observed.
package clusterfleet

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	protectionv1beta1 "github.com/crossplane/crossplane/apis/v2/protection/v1beta1"
	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	mv1alpha1 "github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/functions/internal/pipeline"
	"github.com/mainstay-dev/mainstay/internal/fleet"
)

// Names of what is composed and required, in the pipeline.
const (
	cellPrefix     = "cell-"
	guardResource  = "deletion-guard"
	upgrade        = "upgrade"
	configRequired = "provider-config"
)

// Run the function: load, decide, write.
func Run(req *fnv1.RunFunctionRequest) (*fnv1.RunFunctionResponse, error) {
	rsp := pipeline.Respond(req)
	claim, err := pipeline.ClaimOf(req)
	if err != nil {
		pipeline.Refuse(rsp, err)
		return rsp, nil
	}
	in := &v1alpha1.ClusterFleet{}
	if err := pipeline.Composite(req, in); err != nil {
		pipeline.Refuse(rsp, err)
		return rsp, nil
	}
	seen, err := observe(req, rsp, claim, &in.Spec)
	if err != nil {
		return nil, err
	}

	out, err := decide(claim, &in.Spec, seen)
	var invalid *fleet.InvalidError
	if errors.As(err, &invalid) {
		pipeline.Refuse(rsp, err)
		return rsp, nil
	}
	if err != nil {
		return nil, err
	}
	return rsp, write(req, rsp, out)
}

// observed is what there is already.
type observed struct {
	// cells by their number.
	cells map[int]cell
	// lookup says whether the provider configuration is there, config what it says.
	lookup pipeline.Lookup
	config mv1alpha1.ClusterProviderConfigSpec
	// rollout of the clusters' shapes, where there is one.
	rollout *mv1alpha1.Rollout
	// guard against deletion, where there is one.
	guard *protectionv1beta1.Usage
	// held says why what the claim says is held back, where it is.
	held string
	// wasReached is true where the fleet as it is specified now was reached before.
	wasReached bool
}

type cell struct {
	*v1alpha1.FleetCell

	state pipeline.State
}

func observe(req *fnv1.RunFunctionRequest, rsp *fnv1.RunFunctionResponse, claim pipeline.Claim, s *v1alpha1.ClusterFleetSpec) (observed, error) {
	o := observed{cells: map[int]cell{}}
	found, err := pipeline.Observed[v1alpha1.FleetCell](req, v1alpha1.GroupVersion.String(), v1alpha1.FleetCellKind)
	if err != nil {
		return o, err
	}
	for name, c := range found {
		number, err := strconv.Atoi(strings.TrimPrefix(name, cellPrefix))
		if err != nil {
			return o, fmt.Errorf("cannot use composed resource %q: its name is not that of a cell", name)
		}
		state, err := pipeline.StateOf(req, name)
		if err != nil {
			return o, fmt.Errorf("cannot load conditions of %q: %w", name, err)
		}
		o.cells[number] = cell{FleetCell: c, state: state}
	}

	rollouts, err := pipeline.Observed[mv1alpha1.Rollout](req, mv1alpha1.GroupVersion.String(), mv1alpha1.RolloutGVK.Kind)
	if err != nil {
		return o, err
	}
	o.rollout = rollouts[upgrade]
	if o.guard, err = guardOf(req); err != nil {
		return o, err
	}
	if o.held, err = holdOf(req, rsp, claim); err != nil {
		return o, err
	}

	sel := pipeline.Selector{APIVersion: mv1alpha1.GroupVersion.String(), Kind: s.ProviderConfigRef.Kind, Name: s.ProviderConfigRef.Name}
	if sel.Kind == mv1alpha1.ProviderConfigGVK.Kind {
		sel.Namespace = claim.Namespace
	}
	config := &mv1alpha1.ClusterProviderConfig{}
	if o.lookup, err = pipeline.Require(req, rsp, configRequired, sel, config); err != nil {
		return o, err
	}
	o.config = config.Spec
	o.wasReached, err = pipeline.WasReached(req)
	return o, err
}

func write(req *fnv1.RunFunctionRequest, rsp *fnv1.RunFunctionResponse, out outcome) error {
	for _, c := range out.cells {
		if err := pipeline.Compose(rsp, fmt.Sprintf("%s%02d", cellPrefix, c.number), c.resource, c.ready); err != nil {
			return err
		}
	}
	if out.guard != nil {
		if err := pipeline.Compose(rsp, guardResource, out.guard, true); err != nil {
			return err
		}
	}
	if out.rollout != nil {
		// The clusters say whether the fleet is as wanted. Its Rollout may wait forever
		// for one that cannot be reached.
		if err := pipeline.Compose(rsp, upgrade, out.rollout, true); err != nil {
			return err
		}
	}
	if err := pipeline.SetStatus(req, rsp, out.status, out.progress.Ready()); err != nil {
		return err
	}
	reason, message := out.progress.Outcome()
	if out.progress.Held != "" {
		pipeline.ReportHeld(rsp, reason, message)
		return nil
	}
	pipeline.Report(rsp, reason, message)
	return nil
}
