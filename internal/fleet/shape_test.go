package fleet

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	mv1alpha1 "github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
)

const (
	oldShape = "0123456789abcdef"
	newShape = "fedcba9876543210"
)

// running is a cluster that has the old shape and is asked to have the new one.
func running(change func(c *mv1alpha1.Cluster)) *mv1alpha1.Cluster {
	c := &mv1alpha1.Cluster{}
	c.Spec.ForProvider.Shape = newShape
	c.Spec.ForProvider.KubernetesVersion = "v1.35.3"
	c.Status.AtProvider.Shape = oldShape
	c.Status.AtProvider.Version = "v1.34.1"
	c.SetConditions(xpv2.Available())
	change(c)
	return c
}

func admit(c *mv1alpha1.Cluster) {
	c.Spec.ForProvider.Admitted = &mv1alpha1.AdmittedShape{Shape: newShape, Epoch: 2}
}

func TestVersionToAsk(t *testing.T) {
	cases := map[string]struct {
		reason string
		change func(c *mv1alpha1.Cluster)
		want   string
	}{
		"NotAdmitted": {"A cluster keeps its version until it is its turn.", func(*mv1alpha1.Cluster) {}, "v1.34.1"},
		"Admitted":    {"Then it takes the new one.", admit, "v1.35.3"},
		"OtherShape": {"To be admitted to an older shape says nothing of this one.", func(c *mv1alpha1.Cluster) {
			admit(c)
			c.Spec.ForProvider.Admitted.Shape = oldShape
		}, "v1.34.1"},
		"NotGated": {"Without a rollout there are no turns.", func(c *mv1alpha1.Cluster) { c.Spec.ForProvider.Shape = "" }, "v1.35.3"},
		"New": {"A cluster that never ran waits for nobody.", func(c *mv1alpha1.Cluster) {
			c.Status.AtProvider = mv1alpha1.ClusterObservation{}
		}, "v1.35.3"},
		"GatedLater": {"One that ran before its fleet rolled out waits for its turn.", func(c *mv1alpha1.Cluster) { c.Status.AtProvider.Shape = "" }, "v1.34.1"},
		"TwoMinors": {"A cluster that was left behind does not skip a minor version.", func(c *mv1alpha1.Cluster) {
			admit(c)
			c.Status.AtProvider.Version = "v1.33.9"
		}, "v1.33.9"},
		"Back": {"A control plane does not go back.", func(c *mv1alpha1.Cluster) {
			admit(c)
			c.Spec.ForProvider.KubernetesVersion = "v1.33.0"
		}, "v1.34.1"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, VersionToAsk(running(tc.change))); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestPoolWaits(t *testing.T) {
	pool := func(shape string) *mv1alpha1.NodePool {
		p := &mv1alpha1.NodePool{}
		p.Spec.ForProvider.Shape = shape
		return p
	}
	gone := pool(oldShape)
	gone.SetDeletionTimestamp(&metav1.Time{})
	upgraded := func(c *mv1alpha1.Cluster) {
		admit(c)
		c.Status.AtProvider.Version = "v1.35.3"
	}
	cases := map[string]struct {
		reason string
		change func(c *mv1alpha1.Cluster)
		pool   *mv1alpha1.NodePool
		want   string
	}{
		"NotAdmitted":  {"Pools wait for their cluster's turn.", func(*mv1alpha1.Cluster) {}, pool(newShape), "waits for its turn in the rollout of the fleet"},
		"ControlPlane": {"The control plane goes first.", admit, pool(newShape), "waits for the control plane to run v1.35.3"},
		"Turn":         {"Then the pool may change.", upgraded, pool(newShape), ""},
		"Stale":        {"A pool that was not told yet would take half of a change.", upgraded, pool(oldShape), "waits for its cluster to be told of the same change"},
		"Removed":      {"A pool that is to go waits too.", func(*mv1alpha1.Cluster) {}, gone, "waits for its turn in the rollout of the fleet"},
		"RemovedTurn":  {"A pool that is to go is never told of the new shape.", upgraded, gone, ""},
		"NotGated":     {"Without a rollout nobody waits.", func(c *mv1alpha1.Cluster) { c.Spec.ForProvider.Shape = "" }, pool(""), ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, PoolWaits(running(tc.change), tc.pool)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestShapeReached(t *testing.T) {
	readyFor := func(shape string, generation int64) mv1alpha1.NodePool {
		p := mv1alpha1.NodePool{}
		p.Generation = 3
		p.Spec.ForProvider.Shape = shape
		p.SetConditions(xpv2.Available().WithObservedGeneration(generation), xpv2.ReconcileSuccess().WithObservedGeneration(3))
		return p
	}
	ready := func(shape string) mv1alpha1.NodePool { return readyFor(shape, 3) }
	stale := readyFor(newShape, 2)
	leaving := ready(newShape)
	leaving.SetDeletionTimestamp(&metav1.Time{})
	upgraded := func(c *mv1alpha1.Cluster) {
		admit(c)
		c.Status.AtProvider.Version = "v1.35.3"
	}
	cases := map[string]struct {
		reason string
		change func(c *mv1alpha1.Cluster)
		pools  []mv1alpha1.NodePool
		want   string
	}{
		"All":         {"A cluster has its shape once all of it is there.", upgraded, []mv1alpha1.NodePool{ready(newShape)}, newShape},
		"NoPools":     {"A cluster without pools is all of it.", upgraded, []mv1alpha1.NodePool{}, newShape},
		"Unknown":     {"What is not known does not count.", upgraded, nil, oldShape},
		"Version":     {"The control plane is not there yet.", admit, []mv1alpha1.NodePool{ready(newShape)}, oldShape},
		"PoolStale":   {"A pool that is ready for what was asked before is not.", upgraded, []mv1alpha1.NodePool{stale}, oldShape},
		"PoolLeaving": {"A pool that is still to go is part of the old shape.", upgraded, []mv1alpha1.NodePool{ready(newShape), leaving}, oldShape},
		"NotAdmitted": {"A cluster that must not move has what it had.", func(*mv1alpha1.Cluster) {}, []mv1alpha1.NodePool{ready(newShape)}, oldShape},
		"NotReady": {"A cluster that does not answer has nothing new.", func(c *mv1alpha1.Cluster) {
			upgraded(c)
			c.SetConditions(xpv2.Unavailable())
		}, []mv1alpha1.NodePool{ready(newShape)}, oldShape},
		"New": {"A cluster that is made is made with its shape.", func(c *mv1alpha1.Cluster) {
			c.Status.AtProvider = mv1alpha1.ClusterObservation{}
		}, nil, newShape},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, ShapeReached(running(tc.change), tc.pools)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestShape(t *testing.T) {
	pools := []v1alpha1.FleetNodePool{{Name: "general", Class: "c", Size: 2}}
	if Shape("v1.35.3", pools) != Shape("v1.35.3", []v1alpha1.FleetNodePool{{Name: "general", Class: "c", Size: 2}}) {
		t.Error("The same version and pools are the same shape.")
	}
	bigger := []v1alpha1.FleetNodePool{{Name: "general", Class: "c", Size: 3}}
	if Shape("v1.35.3", pools) == Shape("v1.35.3", bigger) || Shape("v1.35.3", pools) == Shape("v1.35.4", pools) {
		t.Error("Another version, or another size, is another shape.")
	}
}
