package planner

import (
	"encoding/json"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/functions/builtin"
	"github.com/mainstay-dev/mainstay/internal/plan"
	"github.com/mainstay-dev/mainstay/internal/plan/claims"
	"github.com/mainstay-dev/mainstay/internal/plan/render"
)

// large fleet of 999 clusters.
var largeFleet = strings.Replace(fleetClaim, "  clusters:\n", "  generate: [{prefix: c, regions: [a, b, c, d, e], count: 199}]\n  clusters:\n    - {name: x-1, region: x}\n    - {name: x-2, region: x}\n", 1)

// running hub: what the claims ask for, as it runs on all clusters.
func running(t testing.TB) []client.Object {
	t.Helper()
	set, err := claims.Read(map[string][]byte{"a": []byte(largeFleet), "b": []byte(shopClaim)}, claims.Options{Namespace: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	side, err := render.New(builtin.Pipelines()).Render(t.Context(), render.Input{Claims: set, Complete: true})
	if err != nil {
		t.Fatal(err)
	}
	var out []client.Object
	fleet, shop := side.Claims[0], side.Claims[1]
	for i := range fleet.Clusters {
		out = append(out, &fleet.Clusters[i])
	}
	for i := range fleet.Pools {
		out = append(out, &fleet.Pools[i])
	}
	for _, target := range shop.Targets {
		r := &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop." + target.Cluster.Name}}
		r.Spec.ForProvider = v1alpha1.ReleaseParameters{
			ClusterRef: target.Cluster, Application: "shop", Namespace: target.Namespace, Bundle: shop.Rollout.Spec.ForProvider.Variants[0].Bundle,
		}
		r.Status.AtProvider.Bundle, r.Status.AtProvider.Namespace = r.Spec.ForProvider.Bundle, target.Namespace
		out = append(out, r)
	}
	return out
}

// thousands are changes that touch a thousand clusters: a release, and with it an upgrade of all of them.
func thousands() map[string]map[string]string {
	return map[string]map[string]string{
		"Release": {"apps/shop.yaml": edited(shopClaim, "web:1.0.0", "web:1.1.0")},
		"Upgrade": {"apps/shop.yaml": edited(shopClaim, "web:1.0.0", "web:1.1.0"), "platform/fleet.yaml": edited(largeFleet, "v1.34.2", "v1.35.3")},
	}
}

// BenchmarkThousand plans for a thousand clusters, from two commits to the plan on the hub, with nothing
// remembered from before. Five seconds are the aim: somebody waits.
func BenchmarkThousand(b *testing.B) {
	objects := running(b)
	for name, files := range thousands() {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				w := newWorld(b, map[string]string{"platform/fleet.yaml": largeFleet, "apps/shop.yaml": shopClaim}, objects...)
				req := w.push(write(b, files))
				b.StartTimer()
				if got := w.plan(req); got.Problem != "" {
					b.Fatal(got.Problem)
				}
			}
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/5, "of-5s")
		})
	}
}

// TestThousand keeps plans for a thousand clusters within bounds.
func TestThousand(t *testing.T) {
	objects := running(t)
	w := newWorld(t, map[string]string{"platform/fleet.yaml": largeFleet, "apps/shop.yaml": shopClaim}, objects...)
	for name, files := range thousands() {
		t.Run(name, func(t *testing.T) {
			w.t = t
			got := w.plan(w.push(write(t, files)))
			if got.Problem != "" {
				t.Fatal(got.Problem)
			}
			o := &v1alpha1.Plan{}
			if err := w.hub.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: got.Plan.Name}, o); err != nil {
				t.Fatal(err)
			}
			made, err := plan.Open(o)
			if err != nil {
				t.Fatal(err)
			}
			raw, err := json.Marshal(made)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d clusters: %d bytes, %d compressed: %s", got.Plan.Clusters, len(raw), len(o.Spec.Data), made.Summary)
			if got.Plan.Clusters != 999 || len(raw) > v1alpha1.MaxPlanContentBytes {
				t.Errorf("%d clusters, %d bytes", got.Plan.Clusters, len(raw))
			}
		})
	}
}
