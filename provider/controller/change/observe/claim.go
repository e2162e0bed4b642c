package observe

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	xr "github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/change"
	"github.com/mainstay-dev/mainstay/internal/change/grant"
)

// seen is what there is of one claim on the hub. What is nil is not there.
type seen struct {
	claim, composite *unstructured.Unstructured
	grant            *v1alpha1.ClaimGrant
	rollout          *v1alpha1.Rollout
	// releases of the Rollout.
	releases []v1alpha1.Release
	// clusters of the fleet.
	clusters []v1alpha1.Cluster
	// removes is from how many clusters it is taken away, or how many of a fleet go.
	removes int32
}

// claimOf what there is of a claim, for a change that is named <namespace>/<name>. It fails where a spec
// cannot be read.
func claimOf(ref v1alpha1.ClaimReference, name string, mode v1alpha1.DeliveryMode, s seen, p *plannedClaim) (change.Claim, error) {
	out := change.Claim{Exists: s.claim != nil, Sealed: true}
	if g := s.grant; g != nil {
		out.Granted, out.GrantedUs, out.Sealed = g.Spec.Epoch, g.Spec.Change == name, g.Spec.Before == ""
	}
	if s.claim != nil {
		spec, _, _ := unstructured.NestedMap(s.claim.Object, "spec")
		digest, err := grant.Digest(ref.Kind, ref.Namespace, ref.Name, spec)
		if err != nil {
			return out, err
		}
		out.Digest = digest
		out.Ours, out.Epoch = stamp(s.claim.GetAnnotations()[v1alpha1.AnnotationChange], name)
		if s.claim.GetDeletionTimestamp() != nil {
			out.Message = "is being deleted"
		}
	}
	if mode == v1alpha1.DeliverBranch {
		out.Epoch, out.Ours = out.Granted, out.GrantedUs
	}
	if s.rollout != nil {
		tell(s.rollout, &out)
	}
	if s.claim == nil || s.claim.GetDeletionTimestamp() != nil {
		return out, nil
	}
	said, err := compositeOf(ref, s.composite)
	if err != nil {
		return out, err
	}
	switch {
	case s.rollout != nil && s.rollout.Spec.ForProvider.ClaimDigest == out.Digest && ref.Kind != xr.ClusterFleetKind:
		out.TakenIn = true
	case said.digest == out.Digest && said.current && said.reason == xr.ReasonInvalidSpec:
		refused(said, &out)
	case ref.Kind == xr.ClusterFleetKind || s.rollout == nil && ref.Kind != xr.ProductApplicationKind:
		byComposite(said, s.rollout, &out)
	}
	if out.TakenIn {
		out.Removes = s.removes
		out.Strangers = strangers(s, p)
	}
	return out, nil
}

// stamp says for which change, and in which epoch, a claim was written.
func stamp(says, name string) (ours bool, epoch int64) {
	i := strings.LastIndexByte(says, '.')
	if i < 0 {
		return false, 0
	}
	epoch, err := strconv.ParseInt(says[i+1:], 10, 64)
	if err != nil {
		return false, 0
	}
	return says[:i] == name, epoch
}

// tell what a Rollout says of itself.
func tell(ro *v1alpha1.Rollout, out *change.Claim) {
	at, control := ro.Status.AtProvider, ro.Spec.ForProvider.Control
	out.Phase, out.Retried, out.Message = at.Phase, at.Retried, at.Message
	c := at.Clusters
	out.Clusters, out.Reached, out.InMotion, out.Failed, out.Owed = c.Total, c.Ready, c.InMotion, c.Failed, c.Parked
	if control != nil {
		out.Paused = control.Paused
		out.Allowed = at.Digest != "" && control.AllowDeletions == at.Digest
	}
	if out.Phase == v1alpha1.RolloutCompleted && behind(ro) {
		// It says so of what it was told before.
		out.Phase, out.Message = v1alpha1.RolloutProgressing, "its Rollout has not looked yet at what it is told now"
		out.Reached = 0
	}
}

// behind is true where a Rollout speaks of an older specification than there is.
func behind(ro *v1alpha1.Rollout) bool {
	return !slices.ContainsFunc(ro.Status.Conditions, func(c xpv2.Condition) bool { return c.ObservedGeneration >= ro.GetGeneration() })
}

// A said is what a composite says of itself.
type said struct {
	// digest of what the composite is made from, and current where its condition is of that.
	digest  string
	current bool
	// reason and message of its condition Reached.
	reason, message string
	// total and ready clusters.
	total, ready int32
}

// compositeOf a claim. Of none nothing is said.
func compositeOf(ref v1alpha1.ClaimReference, u *unstructured.Unstructured) (said, error) {
	if u == nil {
		return said{}, nil
	}
	spec, _, _ := unstructured.NestedMap(u.Object, "spec")
	digest, err := grant.Digest(ref.Kind, ref.Namespace, ref.Name, spec)
	if err != nil {
		return said{}, err
	}
	out := said{digest: digest}
	conditions, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
	for _, c := range conditions {
		m, ok := c.(map[string]any)
		if !ok || m["type"] != xr.ConditionReached {
			continue
		}
		out.reason, _ = m["reason"].(string)
		out.message, _ = m["message"].(string)
		g, _, _ := unstructured.NestedInt64(m, "observedGeneration")
		out.current = g >= u.GetGeneration()
	}
	total, _, _ := unstructured.NestedInt64(u.Object, "status", "clusters", "total")
	ready, _, _ := unstructured.NestedInt64(u.Object, "status", "clusters", "ready")
	out.total, out.ready = int32(min(total, math.MaxInt32)), int32(min(ready, math.MaxInt32)) //nolint:gosec // They are bounded.
	return out, nil
}

// refused claims are not rolled out: what ran before goes on. Nothing changes that but another claim.
func refused(s said, out *change.Claim) {
	out.TakenIn, out.Phase, out.Message, out.Retried = true, v1alpha1.RolloutHalted, "it is refused: "+s.message, math.MaxInt64
	out.Reached, out.InMotion = 0, 0
}

// byComposite is how far a claim is of which all is not in one Rollout: it has none, or one for a part
// of it only.
func byComposite(s said, ro *v1alpha1.Rollout, out *change.Claim) {
	out.TakenIn = s.digest == out.Digest && s.current && (ro == nil || ro.Spec.ForProvider.ClaimDigest == out.Digest)
	if !out.TakenIn {
		out.Message = s.message
		return
	}
	out.Clusters, out.Reached = s.total, s.ready
	if ro != nil && out.Phase != v1alpha1.RolloutCompleted {
		return
	}
	if ro == nil {
		out.Retried = math.MaxInt64
	}
	out.Message = s.message
	switch s.reason {
	case xr.ReasonReached:
		out.Phase = v1alpha1.RolloutCompleted
	case xr.ReasonBlocked:
		out.Phase = v1alpha1.RolloutBlocked
	default:
		out.Phase = v1alpha1.RolloutProgressing
	}
}

// A plannedClaim is what a plan says of where a claim moves.
type plannedClaim struct {
	// clusters that it touches, as the resources are called.
	clusters map[string]bool
	// made is when.
	made time.Time
}

// maxStrangers that are named.
const maxStrangers = 20

// strangers are clusters that are moved now, although the plan leaves them as they are. Those that
// came since the plan was made have joined.
func strangers(s seen, p *plannedClaim) []string {
	if p == nil {
		return nil
	}
	var out []string
	for i := range s.releases {
		r := &s.releases[i]
		if s.rollout != nil && began(s.rollout, r.Spec.ForProvider.Epoch) && p.leaves(r.Spec.ForProvider.ClusterRef.Name, r) {
			out = append(out, r.Spec.ForProvider.ClusterRef.Name)
		}
	}
	for i := range s.clusters {
		c := &s.clusters[i]
		if (c.GetDeletionTimestamp() != nil || s.rollout != nil && admitted(s.rollout, c, p.made)) && p.leaves(c.GetName(), c) {
			out = append(out, c.GetName())
		}
	}
	slices.Sort(out)
	return out[:min(len(out), maxStrangers)]
}

// leaves a cluster as it is: it was there when the plan was made, which does not name it.
func (p *plannedClaim) leaves(cluster string, o client.Object) bool {
	return !p.clusters[cluster] && !o.GetCreationTimestamp().After(p.made)
}

// began is true where what was written in an epoch is of what a Rollout does now.
func began(ro *v1alpha1.Rollout, epoch int64) bool {
	return ro.Status.AtProvider.Began > 0 && epoch >= ro.Status.AtProvider.Began
}

// admitted is true where a Rollout let a cluster of a fleet take another shape since a time. A fleet may say
// something new that is no new shape: then what it let in before is of the same epoch.
func admitted(ro *v1alpha1.Rollout, c *v1alpha1.Cluster, since time.Time) bool {
	a := c.Spec.ForProvider.Admitted
	return a != nil && began(ro, a.Epoch) && a.At.After(since)
}
