// Package controltest has a Rollout that tests look at and talk to.
package controltest

import (
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// Digests of revisions.
const (
	Present = "3f2a1b9c8d7e6f5a"
	Earlier = "91bc2d3e4f5a6b7c"
	Oldest  = "0042aabbccddeeff"
)

// Now is when all happens.
var Now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// Before now.
func Before(d time.Duration) metav1.Time { return metav1.NewTime(Now.Add(-d)) }

// Images of the revision, one of which could not be resolved.
func Images() *v1alpha1.RolloutImages {
	return &v1alpha1.RolloutImages{Bundles: []string{"shop.1"}, Images: []v1alpha1.ResolvedImage{
		{Image: "registry.example/shop:2.0", Digest: "sha256:" + strings.Repeat("0123456789abcdef", 4)},
		{Image: "registry.internal/proxy:1", Message: "the registry wants credentials, and is asked without"},
	}}
}

// Rollout on its way: the canary wave is over, the next waits for its gates.
func Rollout(change ...func(*v1alpha1.Rollout)) *v1alpha1.Rollout {
	ago := Before(3 * time.Minute)
	ro := &v1alpha1.Rollout{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "shop", Generation: 4}}
	ro.Spec.ForProvider.Application = "shop"
	ro.Spec.ForProvider.Strategy.Waves = []v1alpha1.Wave{
		{Name: "canary"},
		{Name: "europe", Soak: &metav1.Duration{Duration: 10 * time.Minute}, Gates: []v1alpha1.Gate{
			{Name: "go", Approval: &v1alpha1.ApprovalGate{Count: 2}},
			{Name: "errors", Prometheus: &v1alpha1.PrometheusGate{}},
		}},
		{Name: "rest", Gates: []v1alpha1.Gate{{Name: "final", Approval: &v1alpha1.ApprovalGate{Count: 1}}}},
	}
	ro.Status.SetConditions(xpv2.ReconcileSuccess().WithObservedGeneration(4))
	ro.Status.AtProvider = v1alpha1.RolloutObservation{
		Message:  "wave europe waits for its gates",
		Phase:    v1alpha1.RolloutWaiting,
		Digest:   Present,
		Epoch:    7,
		Reached:  &v1alpha1.RolloutRevision{Digest: Earlier, At: Before(26 * time.Hour)},
		Clusters: v1alpha1.RolloutCount{Total: 1000, Updated: 44, Ready: 44},
		Waves: []v1alpha1.WaveStatus{
			{Name: "canary", Phase: v1alpha1.WaveOver, Clusters: v1alpha1.RolloutCount{Total: 4, Updated: 4, Ready: 4}, Started: &ago},
			{Name: "europe", Phase: v1alpha1.WaveGated, Clusters: v1alpha1.RolloutCount{Total: 40, Updated: 40, Ready: 40}, Started: &ago, Gates: []v1alpha1.GateStatus{
				{Name: "go", Since: &ago, Message: "waits for 2 approvals, has 0"},
				{Name: "errors", Since: &ago, Message: "0.4 is not below 0.1"},
			}},
			{Name: "rest", Phase: v1alpha1.WavePending, Clusters: v1alpha1.RolloutCount{Total: 956}},
		},
	}
	for _, c := range change {
		c(ro)
	}
	return ro
}

// Control that people have written.
func Control(c v1alpha1.RolloutControl) func(*v1alpha1.Rollout) {
	return func(ro *v1alpha1.Rollout) { ro.Spec.ForProvider.Control = &c }
}

// Phase that it is in, and what it says.
func Phase(p v1alpha1.RolloutPhase, message string) func(*v1alpha1.Rollout) {
	return func(ro *v1alpha1.Rollout) {
		ro.Status.AtProvider.Phase, ro.Status.AtProvider.Message = p, message
	}
}

// Halted in its second wave.
func Halted(ro *v1alpha1.Rollout) {
	Phase(v1alpha1.RolloutHalted, "halted in wave europe: 3 clusters failed, 2 may")(ro)
	at := &ro.Status.AtProvider
	at.Failed = &v1alpha1.RolloutFailure{Digest: Present, Wave: "europe", Message: "3 clusters failed, 2 may", At: Before(time.Minute), Action: v1alpha1.FailureHalt}
	at.Clusters = v1alpha1.RolloutCount{Total: 1000, Updated: 20, Ready: 17, InMotion: 4, Failed: 3, Parked: 2}
	at.Waves[1] = v1alpha1.WaveStatus{Name: "europe", Phase: v1alpha1.WaveFailed, Clusters: v1alpha1.RolloutCount{Total: 40, Updated: 16, Ready: 13, InMotion: 4, Failed: 3, Parked: 2}}
	at.Problems = []v1alpha1.ReleaseProblem{
		{Cluster: "prod.eu-7", Message: "component web: 0 of 3 replicas available"},
		{Cluster: "prod.eu-9", Message: "component web: \x1b[31mBack-off pulling image"},
	}
}
