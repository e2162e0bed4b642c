package clusterfleet

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	protectionv1beta1 "github.com/crossplane/crossplane/apis/v2/protection/v1beta1"
	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	mv1alpha1 "github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/functions/internal/pipeline"
	"github.com/mainstay-dev/mainstay/internal/change/grant"
	"github.com/mainstay-dev/mainstay/internal/fleet"
)

// Names of what is required to know whether a change has to carry the claim.
const (
	grantRequired     = "claim-grant"
	namespaceRequired = "namespace"
)

// holdOf says why what the claim says is held back. Empty where it is not, and where Crossplane
// has not looked yet: then it calls the function again before it composes anything.
func holdOf(req *fnv1.RunFunctionRequest, rsp *fnv1.RunFunctionResponse, claim pipeline.Claim) (string, error) {
	is, ns := &mv1alpha1.ClaimGrant{}, &metav1.PartialObjectMetadata{}
	granted, err := pipeline.Require(req, rsp, grantRequired, pipeline.Selector{
		APIVersion: mv1alpha1.GroupVersion.String(), Kind: mv1alpha1.ClaimGrantGVK.Kind, Namespace: claim.Namespace, Name: grant.Name(claim.Kind, claim.Name),
	}, is)
	if err != nil {
		return "", err
	}
	labelled, err := pipeline.Require(req, rsp, namespaceRequired, pipeline.Selector{
		APIVersion: corev1.SchemeGroupVersion.String(), Kind: "Namespace", Name: claim.Namespace,
	}, ns)
	if err != nil || granted == pipeline.Unresolved || labelled == pipeline.Unresolved {
		return "", err
	}
	var spec *mv1alpha1.ClaimGrantSpec
	if granted == pipeline.Found {
		spec = &is.Spec
	}
	if h := grant.Hold(ns.GetLabels(), spec, claim.Digest); h != nil {
		return h.Message, nil
	}
	return "", nil
}

// keep what there is, and say why nothing else comes of the claim. How clusters are doing is
// still said.
func keep(claim pipeline.Claim, seen observed) outcome {
	out := outcome{progress: fleet.Progress{Settled: true, Held: seen.held}}
	clusters := 0
	var statuses []v1alpha1.FleetCellStatus
	for _, number := range seen.assignment(0).Cells() {
		have := seen.cells[number]
		out.cells = append(out.cells, composedCell{number: number, resource: fleet.KeepCell(have.FleetCell), ready: have.state.Ready()})
		out.progress.Settled = out.progress.Settled && have.state.Ready()
		clusters += len(have.Spec.Clusters)
		statuses = append(statuses, have.status())
	}
	if seen.rollout != nil {
		out.rollout = fleet.KeepRollout(seen.rollout)
	}
	if seen.guard != nil {
		out.guard = fleet.KeepGuard(claim.Name, seen.guard)
	}
	out.finish(clusters, statuses, seen)
	return out
}

// guardOf the fleet, where there is one.
func guardOf(req *fnv1.RunFunctionRequest) (*protectionv1beta1.Usage, error) {
	found, err := pipeline.Observed[protectionv1beta1.Usage](req, protectionv1beta1.SchemeGroupVersion.String(), protectionv1beta1.UsageKind)
	return found[guardResource], err
}
