package release

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/provider/metrics"
)

// objects that were counted so far, by what was done with them.
func objects(t *testing.T) map[string]float64 {
	t.Helper()
	reg := prometheus.NewRegistry()
	if err := metrics.Default.Register(reg); err != nil {
		t.Fatal(err)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		if f.GetName() == "mainstay_release_objects_total" {
			for _, m := range f.GetMetric() {
				out[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
			}
		}
	}
	return out
}

func TestMeasures(t *testing.T) {
	before := objects(t)
	since := func() map[string]float64 {
		now := objects(t)
		out := map[string]float64{}
		for k := range now {
			if n := now[k] - before[k]; n > 0 && k != metrics.ObjectSkipped {
				out[k] = n
			}
		}
		before = now
		return out
	}
	h := started(t, component(t, "web", nil, configMap("a", "x"), configMap("b", "x"), configMap("c", "x")))
	h.settle()
	if diff := cmp.Diff(map[string]float64{"applied": 3}, since()); diff != "" {
		t.Errorf("what is new is applied: -want, +got:\n%s", diff)
	}

	h.edit(configMapRef("a"), func(u *unstructured.Unstructured) { u.Object["data"] = map[string]any{"key": "edited"} })
	h.must(h.far.Delete(h.ctx, h.live(configMapRef("b"))))
	h.settle()
	if diff := cmp.Diff(map[string]float64{"repaired": 2}, since()); diff != "" {
		t.Errorf("what somebody else changed is repaired: -want, +got:\n%s", diff)
	}

	h.update(func(r *v1alpha1.Release) {
		r.Spec.ForProvider.Bundle = h.bundle(component(t, "web", nil, configMap("a", "z"), configMap("b", "x")))
	})
	h.settle()
	if diff := cmp.Diff(map[string]float64{"applied": 1, "pruned": 1}, since()); diff != "" {
		t.Errorf("what is wanted otherwise is applied, and what is dropped is pruned: -want, +got:\n%s", diff)
	}
}
