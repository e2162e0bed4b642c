package tenancy

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

func TestGrants(t *testing.T) {
	cases := map[string]struct {
		reason  string
		tenants []v1alpha1.Tenant
		want    []Grant
	}{
		"None": {
			reason: "A cluster without tenants grants nothing.",
			want:   []Grant{},
		},
		"OwnName": {
			reason:  "A tenant gets the namespace named like its own by default.",
			tenants: []v1alpha1.Tenant{{Namespace: "shop"}},
			want:    []Grant{{Namespace: "shop", Tenants: []string{"shop"}}},
		},
		"Shared": {
			reason: "Tenants that share a namespace are both let in, and the smaller of each figure of their quotas holds, in whatever order they are listed.",
			tenants: []v1alpha1.Tenant{
				{Namespace: "web", TargetNamespaces: []string{"front", "shared"}, Quota: quota("cpu", "8", "pods", "10")},
				{Namespace: "api", TargetNamespaces: []string{"shared"}, Quota: quota("cpu", "4", "memory", "8Gi")},
			},
			want: []Grant{
				{Namespace: "front", Tenants: []string{"web"}, Quota: list("cpu", "8", "pods", "10")},
				{Namespace: "shared", Tenants: []string{"api", "web"}, Quota: list("cpu", "4", "memory", "8Gi", "pods", "10")},
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, Grants(tc.tenants)); diff != "" {
				t.Errorf("\n%s\nGrants(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestReconcile(t *testing.T) {
	shop := Grants([]v1alpha1.Tenant{{Namespace: "shop", Quota: quota("limits.cpu", "4", "pods", "10")}})
	plain := Grants([]v1alpha1.Tenant{{Namespace: "shop"}})

	type want struct {
		Delete, Update, Apply []string
	}
	cases := map[string]struct {
		reason string
		grants []Grant
		state  State
		want   want
	}{
		"Fresh": {
			reason: "A cluster that has nothing gets all, the namespace first.",
			grants: shop,
			want: want{Apply: []string{
				"Namespace shop", "RoleBinding shop/mainstay:tenant:shop", "ResourceQuota shop/mainstay", "LimitRange shop/mainstay",
			}},
		},
		"Settled": {
			reason: "What is as granted is left alone, whichever way quantities are written.",
			grants: shop,
			state:  settled(shop, func(s *State) { s.Quotas[0].Spec.Hard["limits.cpu"] = resource.MustParse("4000m") }),
		},
		"Drifted": {
			reason: "What somebody changed is applied again.",
			grants: shop,
			state: settled(shop, func(s *State) {
				s.Namespaces[0].Labels = nil
				s.RoleBindings[0].Subjects = nil
				s.Quotas[0].Spec.Hard["pods"] = resource.MustParse("1000")
				s.LimitRanges[0].Spec.Limits[0].Default = nil
			}),
			want: want{Apply: []string{
				"Namespace shop", "RoleBinding shop/mainstay:tenant:shop", "ResourceQuota shop/mainstay", "LimitRange shop/mainstay",
			}},
		},
		"OtherRole": {
			reason: "A binding's role cannot change, so it is made again.",
			grants: plain,
			state:  settled(plain, func(s *State) { s.RoleBindings[0].RoleRef.Name = "cluster-admin" }),
			want: want{
				Delete: []string{"RoleBinding shop/mainstay:tenant:shop"},
				Apply:  []string{"RoleBinding shop/mainstay:tenant:shop"},
			},
		},
		"QuotaGone": {
			reason: "A quota that is no longer set is removed, with its limits.",
			grants: plain,
			state:  settled(shop, nil),
			want:   want{Delete: []string{"ResourceQuota shop/mainstay", "LimitRange shop/mainstay"}},
		},
		"Left": {
			reason: "A tenant that left loses its rights and keeps its namespace.",
			state:  settled(shop, nil),
			want: want{Delete: []string{
				"RoleBinding shop/mainstay:tenant:shop", "ResourceQuota shop/mainstay", "LimitRange shop/mainstay",
			}},
		},
		"BackDoor": {
			reason: "A tenant that left itself another binding in a namespace it lost loses that too. Others in the binding keep theirs.",
			grants: Grants([]v1alpha1.Tenant{{Namespace: "web"}}),
			state: settled(Grants([]v1alpha1.Tenant{{Namespace: "web"}}), func(s *State) {
				s.RoleBindings = append(s.RoleBindings,
					binding("shop", "door", User("shop")),
					binding("shop", "mixed", User("web"), "alice"),
					binding("shop", "other", "alice"),
					binding("web", "own", User("web")),
				)
			}),
			want: want{Delete: []string{"RoleBinding shop/door"}, Update: []string{"RoleBinding shop/mixed"}},
		},
		"Group": {
			reason: "Nothing may be granted to all tenants at once.",
			state: State{RoleBindings: []rbacv1.RoleBinding{{
				ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "all"},
				Subjects:   []rbacv1.Subject{{Kind: rbacv1.GroupKind, Name: Group}},
			}}},
			want: want{Delete: []string{"RoleBinding shop/all"}},
		},
		"TenantsOwnLimits": {
			reason: "Quotas and limits of other names are none of ours, even where a tenant's objects carry its label.",
			state: State{
				Quotas:      []corev1.ResourceQuota{{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "own"}}},
				LimitRanges: []corev1.LimitRange{{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "own"}}},
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p := Reconcile(tc.grants, tc.state)
			got := want{Delete: describe(p.Delete), Update: describe(p.Update), Apply: describe(p.Apply)}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\nReconcile(...): -want, +got:\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(len(got.Delete)+len(got.Update)+len(got.Apply) == 0, p.Empty()); diff != "" {
				t.Errorf("\n%s\nEmpty(): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestLimits(t *testing.T) {
	cases := map[string]struct {
		reason string
		quota  corev1.ResourceList
		want   []corev1.LimitRangeItem
	}{
		"Pods": {
			reason: "A quota on pods asks nothing of containers.",
			quota:  list("pods", "10"),
		},
		"CPU": {
			reason: "A quota on requested CPU wants requests, and no limits.",
			quota:  list("requests.cpu", "4"),
			want:   []corev1.LimitRangeItem{{Type: "Container", DefaultRequest: list("cpu", "50m")}},
		},
		"Both": {
			reason: "A quota on limits wants both.",
			quota:  list("limits.cpu", "4", "memory", "4Gi"),
			want:   []corev1.LimitRangeItem{{Type: "Container", DefaultRequest: list("cpu", "50m", "memory", "64Mi"), Default: list("cpu", "500m")}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			g := &Grant{Namespace: "shop", Tenants: []string{"shop"}, Quota: tc.quota}
			var got []corev1.LimitRangeItem
			if l := g.limits(); l != nil {
				got = l.Spec.Limits
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\nlimits(): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// settled returns the state of a cluster that has what was granted, changed.
func settled(grants []Grant, change func(*State)) State {
	s := State{}
	for _, o := range Reconcile(grants, State{}).Apply {
		switch o := o.DeepCopyObject().(type) {
		case *corev1.Namespace:
			s.Namespaces = append(s.Namespaces, *o)
		case *rbacv1.RoleBinding:
			s.RoleBindings = append(s.RoleBindings, *o)
		case *corev1.ResourceQuota:
			s.Quotas = append(s.Quotas, *o)
		case *corev1.LimitRange:
			s.LimitRanges = append(s.LimitRanges, *o)
		}
	}
	if change != nil {
		change(&s)
	}
	return s
}

func binding(namespace, name string, users ...string) rbacv1.RoleBinding {
	b := rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	for _, u := range users {
		b.Subjects = append(b.Subjects, rbacv1.Subject{Kind: rbacv1.UserKind, Name: u})
	}
	return b
}

func describe(in []runtime.Object) []string {
	var out []string
	for _, o := range in {
		out = append(out, Describe(o))
	}
	return out
}

func list(kv ...string) corev1.ResourceList {
	out := corev1.ResourceList{}
	for i := 0; i < len(kv); i += 2 {
		out[corev1.ResourceName(kv[i])] = resource.MustParse(kv[i+1])
	}
	return out
}

func quota(kv ...string) map[string]resource.Quantity {
	out := map[string]resource.Quantity{}
	for k, v := range list(kv...) {
		out[string(k)] = v
	}
	return out
}
