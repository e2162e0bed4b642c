package tenancy

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

func TestCheck(t *testing.T) {
	c := &v1alpha1.Cluster{}
	c.SetNamespace("platform")
	c.SetName("analytics.eu-1")
	c.Spec.ForProvider = v1alpha1.ClusterParameters{
		Fleet: "analytics",
		Name:  "eu-1",
		Tenants: []v1alpha1.Tenant{
			{Namespace: "shop", TargetNamespaces: []string{"shop", "shop-batch"}},
			{Namespace: "insight"},
		},
	}

	cases := map[string]struct {
		reason            string
		namespace, target string
		want              string
	}{
		"Listed": {
			reason:    "A tenant may use what is listed for it.",
			namespace: "shop", target: "shop-batch",
		},
		"Default": {
			reason:    "Without a list it is the namespace of the same name.",
			namespace: "insight", target: "insight",
		},
		"NoTenant": {
			reason:    "A stranger is told whom to ask, and not who is a tenant.",
			namespace: "stranger", target: "shop",
			want: `namespace "stranger" is not a tenant of cluster "eu-1": ask the owner of fleet "analytics" in namespace "platform" to add it to spec.tenants`,
		},
		"OwnNamespaceIsNoTenant": {
			reason:    "The fleet's own namespace has no right that is not written down.",
			namespace: "platform", target: "platform",
			want: `namespace "platform" is not a tenant of cluster "eu-1": ask the owner of fleet "analytics" in namespace "platform" to add it to spec.tenants`,
		},
		"ForeignNamespace": {
			reason:    "A tenant stays out of another's namespaces.",
			namespace: "insight", target: "shop",
			want: `tenant "insight" may not deploy into namespace "shop" of cluster "eu-1", only into insight: ask the owner of fleet "analytics" in namespace "platform" to add it to spec.tenants[].targetNamespaces`,
		},
		"ListReplacesDefault": {
			reason:    "Where there is a list, the namespace of the same name must be on it.",
			namespace: "insight", target: "",
			want: `tenant "insight" may not deploy into namespace "" of cluster "eu-1", only into insight: ask the owner of fleet "analytics" in namespace "platform" to add it to spec.tenants[].targetNamespaces`,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := ""
			if err := Check(c, tc.namespace, tc.target); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestUser(t *testing.T) {
	if diff := cmp.Diff("mainstay:tenant:shop", User("shop")); diff != "" {
		t.Error(diff)
	}
}
