package tenancy

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

const (
	// ClusterRole is what a tenant may do in its target namespaces.
	ClusterRole = "admin"
	// LimitsName is the name of the ResourceQuota and the LimitRange of a target namespace.
	LimitsName = "mainstay"
)

// What a container asks for, and is limited to, where it does not say and a quota
// wants it to.
const (
	defaultCPURequest    = "50m"
	defaultCPULimit      = "500m"
	defaultMemoryRequest = "64Mi"
	defaultMemoryLimit   = "256Mi"
)

// A Grant is one target namespace of a cluster: who may deploy there, and how much.
type Grant struct {
	// Namespace on the cluster.
	Namespace string
	// Tenants who may deploy there, by their namespaces on the hub, sorted.
	Tenants []string
	// Quota of the namespace. Where several tenants share it and each sets one,
	// the smaller of each figure holds: neither gets more than it was given.
	Quota corev1.ResourceList
}

// Grants returns the target namespaces of tenants, sorted.
func Grants(tenants []v1alpha1.Tenant) []Grant {
	byNamespace := map[string]*Grant{}
	for _, t := range tenants {
		for _, ns := range t.Namespaces() {
			g, ok := byNamespace[ns]
			if !ok {
				g = &Grant{Namespace: ns}
				byNamespace[ns] = g
			}
			if !slices.Contains(g.Tenants, t.Namespace) {
				g.Tenants = append(g.Tenants, t.Namespace)
			}
			g.Quota = smaller(g.Quota, t.Quota)
		}
	}
	out := make([]Grant, 0, len(byNamespace))
	for _, ns := range slices.Sorted(maps.Keys(byNamespace)) {
		slices.Sort(byNamespace[ns].Tenants)
		out = append(out, *byNamespace[ns])
	}
	return out
}

func smaller(a corev1.ResourceList, b map[string]resource.Quantity) corev1.ResourceList {
	if len(b) == 0 {
		return a
	}
	out := a.DeepCopy()
	if out == nil {
		out = corev1.ResourceList{}
	}
	for k, q := range b {
		if have, ok := out[corev1.ResourceName(k)]; !ok || q.Cmp(have) < 0 {
			out[corev1.ResourceName(k)] = q.DeepCopy()
		}
	}
	return out
}

// podSecurity is the label by which the API server keeps pods in bounds. Without it
// a tenant's pod could mount its node's disk, and so leave its namespace.
const (
	podSecurity         = "pod-security.kubernetes.io/enforce"
	podSecurityBaseline = "baseline"
)

// namespace of a grant. Where tenants share it, it is labelled with the first. How
// pods are kept in bounds is the cluster's owner's to say, where it was said.
func (g *Grant) namespace(have map[string]string) *corev1.Namespace {
	labels := g.labels()
	labels[podSecurity] = podSecurityBaseline
	if said := have[podSecurity]; said != "" {
		labels[podSecurity] = said
	}
	return &corev1.Namespace{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
		ObjectMeta: metav1.ObjectMeta{Name: g.Namespace, Labels: labels},
	}
}

// bindings that let each tenant, and nobody else, act in the namespace.
func (g *Grant) bindings() []*rbacv1.RoleBinding {
	out := make([]*rbacv1.RoleBinding, 0, len(g.Tenants))
	for _, t := range g.Tenants {
		out = append(out, &rbacv1.RoleBinding{
			TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "RoleBinding"},
			ObjectMeta: metav1.ObjectMeta{Namespace: g.Namespace, Name: User(t), Labels: map[string]string{v1alpha1.LabelTenant: t}},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: ClusterRole},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: User(t)}},
		})
	}
	return out
}

// quota of the namespace, or nil where nothing is limited.
func (g *Grant) quota() *corev1.ResourceQuota {
	if len(g.Quota) == 0 {
		return nil
	}
	return &corev1.ResourceQuota{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ResourceQuota"},
		ObjectMeta: metav1.ObjectMeta{Namespace: g.Namespace, Name: LimitsName, Labels: g.labels()},
		Spec:       corev1.ResourceQuotaSpec{Hard: g.Quota},
	}
}

// limits give containers that ask for nothing the little that a quota on CPU or
// memory wants them to ask for. Nil where there is no such quota.
func (g *Grant) limits() *corev1.LimitRange {
	item := corev1.LimitRangeItem{Type: corev1.LimitTypeContainer, DefaultRequest: corev1.ResourceList{}, Default: corev1.ResourceList{}}
	for name, d := range map[corev1.ResourceName][2]string{
		corev1.ResourceCPU:    {defaultCPURequest, defaultCPULimit},
		corev1.ResourceMemory: {defaultMemoryRequest, defaultMemoryLimit},
	} {
		if g.limited(name) || g.limited("requests."+name) || g.limited("limits."+name) {
			item.DefaultRequest[name] = resource.MustParse(d[0])
		}
		if g.limited("limits." + name) {
			item.Default[name] = resource.MustParse(d[1])
		}
	}
	if len(item.DefaultRequest) == 0 {
		return nil
	}
	if len(item.Default) == 0 {
		item.Default = nil
	}
	return &corev1.LimitRange{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "LimitRange"},
		ObjectMeta: metav1.ObjectMeta{Namespace: g.Namespace, Name: LimitsName, Labels: g.labels()},
		Spec:       corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{item}},
	}
}

func (g *Grant) limited(name corev1.ResourceName) bool {
	_, ok := g.Quota[name]
	return ok
}

func (g *Grant) labels() map[string]string {
	return map[string]string{v1alpha1.LabelTenant: g.Tenants[0]}
}
