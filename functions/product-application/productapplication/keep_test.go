package productapplication

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"

	mv1alpha1 "github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/functions/internal/pipeline"
	"github.com/mainstay-dev/mainstay/internal/names"
	"github.com/mainstay-dev/mainstay/internal/oam"
)

// stored is a Bundle as it is observed, of some size, cut into parts or not.
func stored(name string, bytes int, parts ...string) map[string]any {
	spec := map[string]any{"application": "app", "data": base64.StdEncoding.EncodeToString(make([]byte, bytes))}
	for _, p := range parts {
		list, _ := spec["parts"].([]any)
		spec["parts"] = append(list, map[string]any{"digest": p})
	}
	return map[string]any{"apiVersion": "m.mainstay.dev/v1alpha1", "kind": "Bundle", "metadata": map[string]any{"name": name}, "spec": spec}
}

func TestKeeps(t *testing.T) {
	revision := func(bundles ...string) mv1alpha1.RolloutRevision {
		r := mv1alpha1.RolloutRevision{}
		for _, b := range bundles {
			r.Variants = append(r.Variants, mv1alpha1.Variant{Bundle: b})
		}
		return r
	}
	reached := revision("app.reached")
	cases := map[string]struct {
		reason  string
		bundles map[string]map[string]any
		status  mv1alpha1.RolloutObservation
		want    []string
	}{
		"InUse": {
			reason:  "What clusters have is kept, with its parts, and what nobody needs is not.",
			bundles: map[string]map[string]any{"app.used": stored("app.used", 0, "111111111111", "222222222222"), "app.111111111111": stored("app.111111111111", 9), "app.222222222222": stored("app.222222222222", 9), "app.old": stored("app.old", 9)},
			status:  mv1alpha1.RolloutObservation{BundlesInUse: []string{"app.used", "app.gone"}},
			want:    []string{"app.111111111111", "app.222222222222", "app.used"},
		},
		"History": {
			reason:  "So is what can be gone back to.",
			bundles: map[string]map[string]any{"app.reached": stored("app.reached", 9), "app.before": stored("app.before", 9)},
			status:  mv1alpha1.RolloutObservation{Reached: &reached, History: []mv1alpha1.RolloutRevision{revision("app.before")}},
			want:    []string{"app.before", "app.reached"},
		},
		"TooMuch": {
			reason:  "For as long as there is room, the latest first, and whole.",
			bundles: map[string]map[string]any{"app.reached": stored("app.reached", 1<<20), "app.before": stored("app.before", 2<<20), "app.first": stored("app.first", 1)},
			status:  mv1alpha1.RolloutObservation{Reached: &reached, History: []mv1alpha1.RolloutRevision{revision("app.before"), revision("app.first")}},
			want:    []string{"app.reached"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			ro := &mv1alpha1.Rollout{}
			ro.Status.AtProvider = tc.status
			w := wanted{rollout: ro}
			w.keep(observed{rollout: ro, bundles: tc.bundles}, 0)
			got := map[string]bool{}
			for _, b := range w.bundles {
				got[b.name] = b.exists
			}
			want := map[string]bool{}
			for _, n := range tc.want {
				want[n] = true
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestLargeApplication(t *testing.T) {
	var objects []string
	for i := range 6 {
		objects = append(objects, fmt.Sprintf(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c%d"},"data":{"a":%q}}`, i, strings.Repeat(string(rune('a'+i)), 400<<10)))
	}
	spec := &v1alpha1.ProductApplicationSpec{Components: []v1alpha1.Component{{
		Name: "web", Type: "k8s-objects", Properties: &runtime.RawExtension{Raw: []byte(`{"objects":[` + strings.Join(objects, ",") + `]}`)},
	}}}
	app, err := oam.Compile("app", spec)
	if err != nil {
		t.Fatal(err)
	}
	w, err := decide(pipeline.Claim{Name: "app", Namespace: "shop"}, app, observed{})
	if err != nil {
		t.Fatal(err)
	}
	if len(w.bundles) < 4 || len(w.rollout.Spec.ForProvider.Variants) != 1 {
		t.Fatalf("a large application is one variant, and a Bundle with parts: got %d Bundles", len(w.bundles))
	}
	for _, b := range w.bundles {
		if sealed := b.resource.(*mv1alpha1.Bundle); sealed.GetNamespace() != "shop" || names.Bundle("app", sealed.Spec.Digest) != b.name {
			t.Errorf("all of them are where the application is: got %s", b.name)
		}
	}

	used := &mv1alpha1.Rollout{}
	used.Status.AtProvider.BundlesInUse = []string{"app.used"}
	_, err = decide(pipeline.Claim{Name: "app", Namespace: "shop"}, app, observed{rollout: used, bundles: map[string]map[string]any{"app.used": stored("app.used", 3<<20)}})
	var invalid *oam.InvalidError
	if !errors.As(err, &invalid) || !strings.Contains(err.Error(), "wait until clusters have moved on") {
		t.Errorf("where there is no room for another revision it is refused: got %v", err)
	}
}
