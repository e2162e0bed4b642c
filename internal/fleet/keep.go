package fleet

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	protectionv1beta1 "github.com/crossplane/crossplane/apis/v2/protection/v1beta1"

	mv1alpha1 "github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
)

// What is kept is wanted as it is observed, and only in the fields that a fleet wants at
// all: the others belong to whoever wrote them.

// KeepCell wants a FleetCell as it is.
func KeepCell(have *v1alpha1.FleetCell) *v1alpha1.FleetCell {
	return &v1alpha1.FleetCell{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.FleetCellKind},
		ObjectMeta: keepMeta(have, have.Spec.Fleet),
		Spec:       *have.Spec.DeepCopy(),
	}
}

// KeepRollout wants the Rollout of a fleet as it is. What people say to a Rollout stays theirs.
func KeepRollout(have *mv1alpha1.Rollout) *mv1alpha1.Rollout {
	p := have.Spec.ForProvider.DeepCopy()
	return &mv1alpha1.Rollout{
		TypeMeta:   typeMeta(mv1alpha1.RolloutGVK.Kind),
		ObjectMeta: keepMeta(have, p.Fleet),
		Spec: mv1alpha1.RolloutSpec{
			ManagedResourceSpec: xpv2.ManagedResourceSpec{
				ProviderConfigReference: have.Spec.ProviderConfigReference.DeepCopy(),
				ManagementPolicies:      append(xpv2.ManagementPolicies{}, have.Spec.ManagementPolicies...),
			},
			ForProvider: mv1alpha1.RolloutParameters{Fleet: p.Fleet, Revision: p.Revision, ClaimDigest: p.ClaimDigest, Strategy: p.Strategy},
		},
	}
}

// KeepGuard wants the Usage that guards a fleet as it is.
func KeepGuard(fleet string, have *protectionv1beta1.Usage) *protectionv1beta1.Usage {
	spec := have.Spec.DeepCopy()
	return &protectionv1beta1.Usage{
		TypeMeta:   metav1.TypeMeta{APIVersion: protectionv1beta1.SchemeGroupVersion.String(), Kind: protectionv1beta1.UsageKind},
		ObjectMeta: keepMeta(have, fleet),
		Spec:       protectionv1beta1.UsageSpec{Of: spec.Of, Reason: spec.Reason},
	}
}

// keepMeta is what a fleet writes of an object's metadata.
func keepMeta(have metav1.Object, fleet string) metav1.ObjectMeta {
	return meta(have.GetNamespace(), have.GetName(), map[string]string{mv1alpha1.LabelFleet: fleet})
}
