package tenancy

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

func TestPodsAreKeptInBounds(t *testing.T) {
	grants := Grants([]v1alpha1.Tenant{{Namespace: "shop"}})
	cases := map[string]struct {
		reason string
		have   map[string]string
		want   map[string]string
	}{
		"New": {
			reason: "A namespace that is made keeps pods off their nodes.",
			want:   map[string]string{v1alpha1.LabelTenant: "shop", podSecurity: "baseline"},
		},
		"Unlabelled": {
			reason: "So does one that was there, and said nothing.",
			have:   map[string]string{v1alpha1.LabelTenant: "shop"},
			want:   map[string]string{v1alpha1.LabelTenant: "shop", podSecurity: "baseline"},
		},
		"Stricter": {
			reason: "What the cluster's owner said is not weakened.",
			have:   map[string]string{podSecurity: "restricted"},
			want:   map[string]string{v1alpha1.LabelTenant: "shop", podSecurity: "restricted"},
		},
		"Settled": {
			reason: "Nothing is written where nothing changes, even where the owner allowed more.",
			have:   map[string]string{v1alpha1.LabelTenant: "shop", podSecurity: "privileged"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := State{}
			if tc.have != nil {
				s.Namespaces = []corev1.Namespace{{ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: tc.have}}}
			}
			var got map[string]string
			plan := Reconcile(grants, s)
			for _, o := range plan.Apply {
				if ns, ok := o.(*corev1.Namespace); ok {
					got = ns.GetLabels()
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
