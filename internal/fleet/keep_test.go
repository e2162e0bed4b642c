package fleet

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/utils/ptr"

	mv1alpha1 "github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
)

// What a fleet wants, and what others write to it, is kept as what the fleet wants.
func TestKeep(t *testing.T) {
	s := &v1alpha1.ClusterFleetSpec{
		ProviderConfigRef: v1alpha1.ProviderConfigReference{Kind: "ClusterProviderConfig", Name: "default"},
		KubernetesVersion: "v1.35.3",
		NodePools:         []v1alpha1.FleetNodePool{{Name: "general", Class: "general", Size: 2}},
		Tenants:           []mv1alpha1.Tenant{{Namespace: "shop"}},
		Upgrade:           &v1alpha1.FleetUpgrade{Paused: true},
	}
	cell := Cell("platform", "eu", 3, s, []v1alpha1.FleetCluster{{Name: "a", Region: "eu"}})
	have := cell.DeepCopy()
	have.SetUID("u")
	have.SetResourceVersion("7")
	have.SetFinalizers([]string{"x"})
	have.Status.Nodes = 4
	if diff := cmp.Diff(cell, KeepCell(have)); diff != "" {
		t.Errorf("cell: -want, +got:\n%s", diff)
	}

	rollout := Rollout("platform", "eu", s)
	rollout.Spec.ForProvider.ClaimDigest = "d"
	told := rollout.DeepCopy()
	told.SetUID("u")
	told.Annotations = map[string]string{"by": "hand"}
	told.Spec.ForProvider.Control = &mv1alpha1.RolloutControl{}
	told.Status.AtProvider.Phase = mv1alpha1.RolloutHalted
	if diff := cmp.Diff(rollout, KeepRollout(told)); diff != "" {
		t.Errorf("Rollout: -want, +got:\n%s", diff)
	}

	guard := Guard("platform", "eu", s, []string{"shop/web"})
	used := guard.DeepCopy()
	used.SetUID("u")
	used.Spec.ReplayDeletion = ptr.To(true)
	if diff := cmp.Diff(guard, KeepGuard("eu", used)); diff != "" {
		t.Errorf("Usage: -want, +got:\n%s", diff)
	}
}
