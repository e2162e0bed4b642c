package plan

import (
	"time"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/bundle"
	"github.com/mainstay-dev/mainstay/internal/placement"
	"github.com/mainstay-dev/mainstay/internal/plan/claims"
)

// A Side is what the composition functions made of all claims.
type Side struct {
	// Claims, sorted as they were read.
	Claims []Rendered
	// Problems that belong to no claim, such as a definition that does not compile.
	Problems []string
}

// A Rendered claim is what was made of it.
type Rendered struct {
	claims.Claim

	// Problem says why nothing was made of it. Then the rest has no meaning.
	Problem string
	// Rollout of the application, or of the fleet's shapes.
	Rollout *v1alpha1.Rollout
	// Contents of Bundles, by their names.
	Contents map[string]bundle.Content
	// Targets that an application is placed on. Blocked says why that is not known.
	Targets []placement.Target
	Blocked string
	// Unknown is true where no cluster is known at all.
	Unknown bool
	// Clusters and Pools of a fleet.
	Clusters []v1alpha1.Cluster
	Pools    []v1alpha1.NodePool
}

// An Observed hub.
type Observed struct {
	// Known is true where the hub was looked at. Else clusters are taken to have what
	// the side before says.
	Known bool
	// Releases, Clusters and Pools that there are.
	Releases []v1alpha1.Release
	Clusters []v1alpha1.Cluster
	Pools    []v1alpha1.NodePool
	// Contents of the Bundles that Releases have, by <namespace>/<name>. What is
	// missing is not known.
	Contents map[string]bundle.Content
	// Findings of the preflight, folded.
	Findings []v1alpha1.ChangeFinding
}

// Limits that guards are asked with.
type Limits struct {
	// Shrink is by how many percent of its nodes a fleet may shrink. Defaults to 10.
	Shrink int
	// Share is how many percent of all clusters one wave may have before that counts as
	// risky. Defaults to 25.
	Share int
}

// Options of a plan.
type Options struct {
	Source Source
	Limits Limits
	// Carry are claims that are part of the plan even if nothing is to be done.
	Carry []v1alpha1.ClaimReference
	// Broken are claims of which the base does not say validly what they were, and why. They
	// do not go back by themselves: there is nothing to go back to.
	Broken map[v1alpha1.ClaimReference]string
	// Now is the time at which waivers are judged. Zero takes all of them.
	Now time.Time
}
