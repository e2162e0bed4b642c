package fleet

import (
	"cmp"

	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	mv1alpha1 "github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/names"
)

// Rollout returns the Rollout that takes a fleet's clusters to their shape, and nil
// where the fleet does not roll shapes out.
func Rollout(namespace, fleet string, s *v1alpha1.ClusterFleetSpec) *mv1alpha1.Rollout {
	u := s.Upgrade
	if u == nil {
		return nil
	}
	one := intstr.FromInt32(1)
	return &mv1alpha1.Rollout{
		TypeMeta:   typeMeta(mv1alpha1.RolloutGVK.Kind),
		ObjectMeta: meta(namespace, names.FleetRollout(fleet), map[string]string{mv1alpha1.LabelFleet: fleet}),
		Spec: mv1alpha1.RolloutSpec{
			ManagedResourceSpec: xpv2.ManagedResourceSpec{
				ProviderConfigReference: &xpv2.ProviderConfigReference{Kind: s.ProviderConfigRef.Kind, Name: s.ProviderConfigRef.Name},
				ManagementPolicies:      xpv2.ManagementPolicies{xpv2.ManagementActionAll},
			},
			ForProvider: mv1alpha1.RolloutParameters{
				Fleet:    fleet,
				Revision: Revision(s),
				Strategy: mv1alpha1.RolloutStrategy{
					MaxConcurrent:    cmp.Or(u.MaxConcurrent, &one),
					MaxUnavailable:   u.MaxUnavailable,
					FailureBudget:    cmp.Or(u.FailureBudget, ptr.To(intstr.FromInt32(0))),
					OnFailure:        mv1alpha1.FailureHalt,
					ProgressDeadline: u.ProgressDeadline,
					Strata:           u.Strata,
					Waves:            u.Waves,
					Freezes:          u.Freezes,
					Preflight:        mv1alpha1.PreflightOff,
					Paused:           u.Paused,
				},
			},
		},
	}
}

// UpgradeStatus says how far the Rollout of a fleet is. While clusters move it says no
// more than the wave, so that a fleet is not woken by each of them.
func UpgradeStatus(r *mv1alpha1.Rollout) *v1alpha1.FleetUpgradeStatus {
	o := &r.Status.AtProvider
	if o.Phase == "" || o.Phase == mv1alpha1.RolloutCompleted && o.Clusters.Total == 0 {
		return nil
	}
	s := &v1alpha1.FleetUpgradeStatus{Phase: o.Phase}
	for _, w := range o.Waves {
		if w.Phase != mv1alpha1.WaveOver {
			s.Wave = w.Name
			break
		}
	}
	if o.Phase != mv1alpha1.RolloutProgressing {
		s.Message = shorten(o.Message)
	}
	return s
}

// UpgradeBlocked says why the Rollout of a fleet cannot go on by itself. Empty where it
// can.
func UpgradeBlocked(r *mv1alpha1.Rollout) string {
	o := &r.Status.AtProvider
	switch o.Phase {
	case mv1alpha1.RolloutHalted, mv1alpha1.RolloutBlocked, mv1alpha1.RolloutAborted:
		return "upgrade: " + shorten(o.Message)
	default:
		return ""
	}
}
