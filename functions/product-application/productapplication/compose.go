// Package productapplication turns a ProductApplication into one Bundle for each variant that
// clusters need, and one Rollout that says what goes where.
//
// Which variants those are is known to whoever knows the clusters. So the two shake
// hands: the Rollout's status lists the combinations of overrides it needs, and its
// specification names a Bundle for each. The one without scoped overrides is there
// from the beginning, so an application that is the same everywhere needs no handshake.
//
// Invariants: a Bundle that exists is desired with the very bytes it has, because it
// is immutable and the next compressor may write others; a Bundle that a cluster has
// or wants is kept; an application with anything wrong in it composes nothing and
// removes nothing; it is reached only where what is observed is about what is wanted
// now. Deliberately absent: which clusters there are.
package productapplication

import (
	"errors"
	"fmt"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	mv1alpha1 "github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/functions/internal/pipeline"
	"github.com/mainstay-dev/mainstay/internal/oam"
)

// Names of what is composed, in the pipeline.
const (
	rolloutResource = "rollout"
	bundlePrefix    = "bundle-"
)

// Run the function: load, decide, write.
func Run(req *fnv1.RunFunctionRequest) (*fnv1.RunFunctionResponse, error) {
	rsp := pipeline.Respond(req)
	claim, err := pipeline.ClaimOf(req)
	if err != nil {
		pipeline.Refuse(rsp, err)
		return rsp, nil
	}
	app := &v1alpha1.ProductApplication{}
	if err := pipeline.Composite(req, app); err != nil {
		pipeline.Refuse(rsp, err)
		return rsp, nil
	}
	seen, err := observe(req)
	if err != nil {
		return nil, err
	}

	types, resolved, err := catalogue(req, rsp, app)
	if err != nil {
		return nil, err
	}
	if !resolved {
		return rsp, nil
	}
	compiled, err := oam.Compile(claim.Name, &app.Spec, oam.WithNamespace(claim.Namespace), oam.WithCatalogue(types))
	if err != nil {
		pipeline.Refuse(rsp, err)
		return rsp, nil
	}
	want, err := decide(claim, compiled, seen)
	var invalid *oam.InvalidError
	if errors.As(err, &invalid) {
		pipeline.Refuse(rsp, err)
		return rsp, nil
	}
	if err != nil {
		return nil, err
	}
	is := assess(want, seen)
	is.status.Definitions = applied(compiled)
	return rsp, write(req, rsp, want, is)
}

// observed is what there is already.
type observed struct {
	// rollout is nil before there is one.
	rollout *mv1alpha1.Rollout
	state   pipeline.State
	// bundles as they are, by name.
	bundles map[string]map[string]any
	// reached is the condition Reached that the composite has.
	reached pipeline.Condition
}

func observe(req *fnv1.RunFunctionRequest) (observed, error) {
	o := observed{bundles: map[string]map[string]any{}}
	rollouts, err := pipeline.Observed[mv1alpha1.Rollout](req, mv1alpha1.GroupVersion.String(), mv1alpha1.RolloutGVK.Kind)
	if err != nil {
		return o, err
	}
	o.rollout = rollouts[rolloutResource]
	if o.state, err = pipeline.StateOf(req, rolloutResource); err != nil {
		return o, fmt.Errorf("cannot load conditions of the Rollout: %w", err)
	}
	bundles, err := pipeline.Observed[map[string]any](req, mv1alpha1.GroupVersion.String(), mv1alpha1.BundleGVK.Kind)
	if err != nil {
		return o, err
	}
	for _, b := range bundles {
		meta, _ := (*b)["metadata"].(map[string]any)
		if name, ok := meta["name"].(string); ok {
			o.bundles[name] = *b
		}
	}
	composite := struct {
		Status struct {
			Conditions []pipeline.Condition `json:"conditions"`
		} `json:"status"`
	}{}
	if err := pipeline.Composite(req, &composite); err != nil {
		return o, err
	}
	o.reached = pipeline.State{Conditions: composite.Status.Conditions}.Condition(v1alpha1.ConditionReached)
	return o, nil
}

func write(req *fnv1.RunFunctionRequest, rsp *fnv1.RunFunctionResponse, want wanted, is outcome) error {
	for _, b := range want.bundles {
		if err := pipeline.Compose(rsp, bundlePrefix+digestOf(b.name), b.resource, b.exists); err != nil {
			return err
		}
	}
	reached := is.reason == v1alpha1.ReasonReached
	if err := pipeline.Compose(rsp, rolloutResource, want.rollout, reached); err != nil {
		return err
	}
	if err := pipeline.SetStatus(req, rsp, is.status, reached); err != nil {
		return err
	}
	pipeline.Report(rsp, is.reason, is.message)
	return nil
}
