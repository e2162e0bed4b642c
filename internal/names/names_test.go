package names

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/validation"
)

func TestNames(t *testing.T) {
	cases := map[string]struct {
		reason string
		got    string
		want   string
	}{
		"Cluster": {
			reason: "A cluster is named by its fleet and by its name there.",
			got:    Cluster("analytics", "eu-1"),
			want:   "analytics.eu-1",
		},
		"NodePool": {
			reason: "A pool is named below its cluster.",
			got:    NodePool("analytics", "eu-1", "general"),
			want:   "analytics.eu-1.general",
		},
		"Kubeconfig": {
			reason: "The Secret stands beside its cluster in a list.",
			got:    Kubeconfig("analytics.eu-1"),
			want:   "analytics.eu-1.kubeconfig",
		},
		"Bundle": {
			reason: "Twelve digits tell revisions of one application apart.",
			got:    Bundle("shop", strings.Repeat("0123456789abcdef", 4)),
			want:   "shop.0123456789ab",
		},
		"BundleShortDigest": {
			reason: "Whatever is no digest is not cut, and fails where it is checked.",
			got:    Bundle("shop", "abc"),
			want:   "shop.abc",
		},
		"Release": {
			reason: "Clusters of two namespaces may have one name.",
			got:    Release("shop", "platform", "analytics.eu-1"),
			want:   "shop.platform.analytics.eu-1",
		},
		"NoClash": {
			reason: "A dash in a part cannot be mistaken for what joins parts.",
			got:    Cluster("a", "b-c") + " " + Cluster("a-b", "c"),
			want:   "a.b-c a-b.c",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, tc.got); diff != "" {
				t.Errorf("\n%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestLongestNamesAreValid(t *testing.T) {
	fleet, cluster, pool, app, ns := strings.Repeat("f", 40), strings.Repeat("c", 45), strings.Repeat("p", 20), strings.Repeat("a", 40), strings.Repeat("n", 63)
	for _, name := range []string{NodePool(fleet, cluster, pool), Kubeconfig(Cluster(fleet, cluster)), Release(app, ns, Cluster(fleet, cluster))} {
		if errs := validation.IsDNS1123Subdomain(name); len(errs) > 0 {
			t.Errorf("%q of %d characters is no name: %v", name, len(name), errs)
		}
	}
}
