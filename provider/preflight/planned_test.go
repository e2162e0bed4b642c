package preflight

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/yaml"

	"github.com/crossplane/crossplane-runtime/v2/pkg/logging"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/bundle"
	"github.com/mainstay-dev/mainstay/internal/placement"
	"github.com/mainstay-dev/mainstay/internal/plan"
)

// side of a plan that puts the application of a world on its clusters, and on one that there is
// not yet.
func (w *world) side() plan.Side {
	w.t.Helper()
	u := unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(web), &u.Object); err != nil {
		w.t.Fatal(err)
	}
	c := plan.Rendered{Rollout: w.ro, Contents: map[string]bundle.Content{
		"planned": {Components: []bundle.Component{{Name: "web", Type: "webservice", Objects: []unstructured.Unstructured{u}}}},
	}}
	c.ClaimReference = v1alpha1.ClaimReference{APIVersion: "mainstay.dev/v1alpha1", Kind: "ProductApplication", Namespace: team, Name: "shop"}
	w.ro.Spec.ForProvider.Variants = []v1alpha1.Variant{{Bundle: "planned"}}
	for _, p := range w.placed {
		t := p.Target
		t.Namespace = team
		c.Targets = append(c.Targets, t)
	}
	c.Targets = append(c.Targets, placement.Target{Cluster: v1alpha1.ClusterReference{Namespace: "fleets", Name: "eu.a-new-one"}, Namespace: team})
	other := c
	other.Name = "other"
	return plan.Side{Claims: []plan.Rendered{c, other}}
}

// TestPlanned looks at a cluster of each region for what is not on the hub yet.
func TestPlanned(t *testing.T) {
	cases := map[string]struct {
		reason  string
		fleet   *fleet
		mode    v1alpha1.PreflightMode
		waivers []v1alpha1.Waiver
		want    []string
		looked  []string
		touched string
	}{
		"Clean":     {reason: "One cluster of each region is looked at, and nothing is found.", fleet: &fleet{}, looked: []string{"eu.c0", "eu.c2"}},
		"Missing":   {reason: "What is missing everywhere is one finding, and blocks.", fleet: &fleet{missing: map[string]bool{"eu.c0": true, "eu.c2": true}}, looked: []string{"eu.c0", "eu.c2"}, want: []string{"C1 2 true"}},
		"Elsewhere": {reason: "What is missing where nobody looks is found by the Rollout.", fleet: &fleet{missing: map[string]bool{"eu.c3": true}}, looked: []string{"eu.c0", "eu.c2"}},
		"Skipped":   {reason: "Where such clusters are skipped the others go on.", fleet: &fleet{missing: map[string]bool{"eu.c2": true}}, mode: v1alpha1.PreflightSkip, looked: []string{"eu.c0", "eu.c2"}, want: []string{"C1 1 false"}},
		"Waived": {
			reason: "What is accepted does not block.", fleet: &fleet{missing: map[string]bool{"eu.c2": true}}, looked: []string{"eu.c0", "eu.c2"}, want: []string{"C1 1 false"},
			waivers: []v1alpha1.Waiver{{Cause: "C1", Reason: "soon", Until: metav1.NewTime(time.Unix(2000, 0))}},
		},
		"Silent":  {reason: "What cannot be seen is counted.", fleet: &fleet{silent: map[string]bool{"eu.c2": true}}, looked: []string{"eu.c0", "eu.c2"}, want: []string{"Preflight 1 false"}},
		"Off":     {reason: "Nobody looks where nobody is to.", fleet: &fleet{missing: map[string]bool{"eu.c0": true}}, mode: v1alpha1.PreflightOff},
		"Another": {reason: "Claims that are not touched are not looked at.", fleet: &fleet{missing: map[string]bool{"eu.c0": true}}, touched: "third"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, tc.fleet)
			w.ro.Spec.ForProvider.Strategy.Waivers, w.ro.Spec.ForProvider.Strategy.Preflight = tc.waivers, tc.mode
			side := w.side()
			touched := side.Claims[0].ClaimReference
			if tc.touched != "" {
				touched.Name = tc.touched
			}
			var got []string
			for _, f := range w.runner.Planned(t.Context(), side, []v1alpha1.ClaimReference{touched}) {
				got = append(got, fmt.Sprintf("%s %d %t", f.Cause, f.Clusters, f.Blocking))
			}
			if diff := cmp.Diff(tc.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("\n%s\nPlanned(...): -want, +got:\n%s", tc.reason, diff)
			}
			slices.Sort(tc.fleet.looked)
			if diff := cmp.Diff(tc.looked, tc.fleet.looked, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("\n%s\nPlanned(...): looked at: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestPlannedStarted: of a cluster whose nodes are on their way it is said that they are not observed yet, and not
// that there are none. They are looked for again soon.
func TestPlannedStarted(t *testing.T) {
	w := newWorld(t, &fleet{started: map[string]bool{"eu.c0": true, "eu.c2": true}})
	pool := &v1alpha1.NodePool{ObjectMeta: metav1.ObjectMeta{Namespace: "fleets", Name: "eu.c0.general"}}
	pool.Spec.ForProvider.Cluster, pool.Spec.ForProvider.Size = "eu.c0", 4
	if err := w.hub.Create(t.Context(), pool); err != nil {
		t.Fatal(err)
	}
	side := w.side()
	look := func() []string {
		var out []string
		for _, f := range w.runner.Planned(t.Context(), side, []v1alpha1.ClaimReference{side.Claims[0].ClaimReference}) {
			out = append(out, fmt.Sprintf("%s %d %t %s", f.Cause, f.Clusters, f.Blocking, f.Message))
		}
		return out
	}
	got := look()
	if len(got) != 2 || !strings.HasPrefix(got[0], "B1 1 false ") || !strings.Contains(got[0], "the cluster has no nodes yet") ||
		got[1] != "Preflight 1 false their nodes are not observed yet: whether pods fit is looked at before their Rollouts begin" {
		t.Errorf("Planned(...): %q", got)
	}
	w.fleet.started = nil
	w.clock.SetTime(w.clock.Now().Add(blockedFor))
	if got := look(); len(got) > 0 {
		t.Errorf("Planned(...) once there are nodes: %q", got)
	}
}

// TestPlannedTwice: a plan that is made again soon looks at nothing again, and one that is blocked does
// so before long.
func TestPlannedTwice(t *testing.T) {
	w := newWorld(t, &fleet{missing: map[string]bool{"eu.c2": true}})
	side := w.side()
	look := func(after time.Duration) int {
		w.clock.SetTime(w.clock.Now().Add(after))
		w.fleet.looked = nil
		w.runner.Planned(t.Context(), side, []v1alpha1.ClaimReference{side.Claims[0].ClaimReference})
		return len(w.fleet.looked)
	}
	got := []int{look(0), look(time.Second), look(blockedFor), look(cleanFor)}
	if diff := cmp.Diff([]int{2, 0, 1, 2}, got); diff != "" {
		t.Errorf("clusters that are looked at: -want, +got:\n%s", diff)
	}
}

// TestPlannedHubFails: a hub that does not answer is said, and keeps nobody from planning.
func TestPlannedHubFails(t *testing.T) {
	w := newWorld(t, &fleet{})
	down := interceptor.NewClient(fake.NewClientBuilder().Build(), interceptor.Funcs{List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error {
		return errors.New("gone")
	}})
	r := New(down, w.fleet, w.fleet, w.clock, func() float64 { return 0 }, nil, logging.NewNopLogger())
	side := w.side()
	got := r.Planned(t.Context(), side, []v1alpha1.ClaimReference{side.Claims[0].ClaimReference})
	if len(got) != 1 || got[0].Blocking || got[0].Message != "clusters were not looked at: cannot list Clusters: gone" {
		t.Errorf("Planned(...): %v", got)
	}
}
