package fleet

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	mv1alpha1 "github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/rollout"
)

// A fleetWorld plays the controllers around a fleet's Rollout.
type fleetWorld struct {
	now      time.Time
	rollout  *mv1alpha1.Rollout
	clusters []mv1alpha1.Cluster
	// breaks names clusters whose upgrade fails.
	breaks map[string]bool
	// story is what happened, a line for each change.
	story []string
}

func newFleetWorld(waves []mv1alpha1.Wave, names ...string) *fleetWorld {
	w := &fleetWorld{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), breaks: map[string]bool{}}
	w.rollout = &mv1alpha1.Rollout{}
	w.rollout.Spec.ForProvider = mv1alpha1.RolloutParameters{Fleet: "eu", Strategy: mv1alpha1.RolloutStrategy{
		MaxConcurrent: ptr.To(intstr.FromInt32(1)), FailureBudget: ptr.To(intstr.FromInt32(0)),
		OnFailure: mv1alpha1.FailureHalt, Preflight: mv1alpha1.PreflightOff, Waves: waves,
		Strata: []string{"region"}, ProgressDeadline: &metav1.Duration{Duration: time.Hour},
	}}
	for i, n := range names {
		c := mv1alpha1.Cluster{}
		c.SetName("eu." + n)
		c.SetNamespace("platform")
		c.Spec.ForProvider = mv1alpha1.ClusterParameters{
			Fleet: "eu", Name: n, KubernetesVersion: "v1.34.1", Shape: oldShape,
			Labels: map[string]mv1alpha1.LabelValue{"region": mv1alpha1.LabelValue(fmt.Sprintf("r%d", i%2))},
		}
		c.Status.AtProvider = mv1alpha1.ClusterObservation{Version: "v1.34.1", Shape: oldShape}
		c.SetConditions(xpv2.Available())
		w.clusters = append(w.clusters, c)
	}
	return w
}

// upgrade asks all clusters for another version.
func (w *fleetWorld) upgrade() {
	for i := range w.clusters {
		w.clusters[i].Spec.ForProvider.KubernetesVersion = "v1.35.3"
		w.clusters[i].Spec.ForProvider.Shape = newShape
	}
}

// run so many rounds of a minute: decide, admit, and let clusters do what they may.
func (w *fleetWorld) run(rounds int) {
	for range rounds {
		d := rollout.Decision{}
		for range 3 {
			spec, observed := Rolling(w.rollout, w.clusters)
			d = rollout.Next(spec, observed, w.now)
			w.rollout.Status.AtProvider = d.Status
			for _, p := range append(d.Create, d.Update...) {
				for i := range w.clusters {
					if c := &w.clusters[i]; c.GetName() == p.Target.Cluster.Name {
						c.Spec.ForProvider.Admitted = &mv1alpha1.AdmittedShape{Shape: p.Payload.Bundle, Epoch: d.Epoch, Wave: p.Wave, At: metav1.NewTime(w.now)}
						w.story = append(w.story, fmt.Sprintf("%s admits %s", w.now.Format("15:04"), c.Spec.ForProvider.Name))
					}
				}
			}
		}
		w.now = w.now.Add(time.Minute)
		w.settle()
	}
	w.story = append(w.story, fmt.Sprintf("%s %s: %s", w.now.Format("15:04"), w.rollout.Status.AtProvider.Phase, w.rollout.Status.AtProvider.Message))
}

func (w *fleetWorld) settle() {
	for i := range w.clusters {
		c := &w.clusters[i]
		if !Admitted(c) {
			continue
		}
		if w.breaks[c.Spec.ForProvider.Name] {
			c.SetConditions(xpv2.ReconcileError(fmt.Errorf("cannot make cluster: the control plane does not start")))
			continue
		}
		c.Status.AtProvider.Version = VersionToAsk(c)
		c.Status.AtProvider.Shape = ShapeReached(c, []mv1alpha1.NodePool{})
	}
}

func TestRolling(t *testing.T) {
	canary := []mv1alpha1.Wave{{Name: "canary", Canary: ptr.To[int32](1), Soak: &metav1.Duration{Duration: 2 * time.Minute}}, {Name: "rest"}}
	cases := map[string]struct {
		reason string
		play   func() *fleetWorld
		want   []string
	}{
		"Waves": {
			reason: "One cluster of each region goes first, one at a time, and the rest when they have soaked.",
			play: func() *fleetWorld {
				w := newFleetWorld(canary, "a", "b", "c", "d")
				w.run(1)
				w.upgrade()
				w.run(12)
				return w
			},
			want: []string{
				"00:01 Completed: ",
				"00:01 admits a", "00:02 admits b", "00:05 admits c", "00:06 admits d",
				"00:13 Completed: ",
			},
		},
		"CanaryFails": {
			reason: "Where the canary fails no other cluster is touched.",
			play: func() *fleetWorld {
				w := newFleetWorld(canary, "a", "b", "c", "d")
				w.run(1)
				w.upgrade()
				w.breaks["a"] = true
				w.run(12)
				return w
			},
			want: []string{
				"00:01 Completed: ",
				"00:01 admits a",
				"00:13 Halted: ",
			},
		},
		"SkipsMinor": {
			reason: "A cluster that cannot get there at once fails, and does not move.",
			play: func() *fleetWorld {
				w := newFleetWorld(nil, "a")
				w.run(1)
				w.clusters[0].Status.AtProvider.Version = "v1.33.0"
				w.upgrade()
				w.run(3)
				return w
			},
			want: []string{"00:01 Completed: ", "00:01 admits a", "00:04 Halted: "},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := tc.play().story
			for i := range got {
				t.Log(got[i])
				if len(got[i]) > 6 && i < len(tc.want) && len(got[i]) > len(tc.want[i]) {
					got[i] = got[i][:len(tc.want[i])] // What it says is package rollout's.
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}
