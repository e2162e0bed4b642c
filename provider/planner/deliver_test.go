package planner

import (
	"strings"
	"testing"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// TestDeliverable: what could not be delivered step by step is refused when it is planned.
func TestDeliverable(t *testing.T) {
	together := map[string]string{"all.yaml": fleetClaim + "---\n" + edited(shopClaim, "{name: shop}", "{name: shop, namespace: shop}")}
	release := []string{"web:1.0.0", "web:1.1.0", "size: 4", "size: 5"}
	cases := map[string]struct {
		reason string
		base   map[string]string
		mode   v1alpha1.DeliveryMode
		head   map[string]string
		want   []string
	}{
		"Together": {
			reason: "A fleet and an application are of two steps, and a branch takes whole files.", base: together, mode: v1alpha1.DeliverBranch,
			head: map[string]string{"all.yaml": edited(together["all.yaml"], release...)},
			want: []string{"all.yaml: ProductApplication shop/shop is in one file with ClusterFleet platform/edge", "put it into a file of its own"},
		},
		"One": {
			reason: "One of them alone does not mind.", base: together, mode: v1alpha1.DeliverBranch,
			head: map[string]string{"all.yaml": edited(together["all.yaml"], release[:2]...)},
		},
		"Direct": {
			reason: "Nor does what is written claim by claim.", base: together, mode: v1alpha1.DeliverDirect,
			head: map[string]string{"all.yaml": edited(together["all.yaml"], release...)},
		},
		"Apart": {
			reason: "Each may have a file of its own.", base: base(), mode: v1alpha1.DeliverBranch,
			head: map[string]string{"platform/fleet.yaml": edited(fleetClaim, release...), "apps/shop.yaml": edited(shopClaim, release...)},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, tc.base)
			w.owner.Spec.ForProvider.Delivery = v1alpha1.Delivery{Mode: tc.mode, Branch: &v1alpha1.DeliveryBranch{Name: "fleet"}}
			got := w.plan(w.push(write(t, tc.head)))
			if (got.Problem != "") != (len(tc.want) > 0) || got.Later {
				t.Errorf("%s\nPlan(...): %q, later %t", tc.reason, got.Problem, got.Later)
			}
			for _, want := range tc.want {
				if !strings.Contains(got.Problem, want) {
					t.Errorf("%s\nPlan(...): want %q in %q", tc.reason, want, got.Problem)
				}
			}
		})
	}
}
