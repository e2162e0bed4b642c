package tenancy

import (
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// A State is what tenants have on a cluster: all namespaces, and of the rest at least
// what carries the tenant label. Where it holds more, more is put right.
type State struct {
	Namespaces   []corev1.Namespace
	RoleBindings []rbacv1.RoleBinding
	Quotas       []corev1.ResourceQuota
	LimitRanges  []corev1.LimitRange
}

// A Plan is what to do for a cluster's tenants to have what they were granted, and no
// more: first Delete and Update, then Apply.
type Plan struct {
	// Delete these objects.
	Delete []runtime.Object
	// Update these objects, which somebody else owns, as they are here.
	Update []runtime.Object
	// Apply these objects, in order.
	Apply []runtime.Object
}

// Empty is true where there is nothing to do.
func (p *Plan) Empty() bool { return len(p.Delete)+len(p.Update)+len(p.Apply) == 0 }

// Reconcile returns how to get from a state to what was granted. Namespaces are never
// deleted: what a tenant leaves in them may be data.
func Reconcile(grants []Grant, s State) Plan {
	p := Plan{}
	for i := range grants {
		p.namespace(&grants[i], s)
	}
	p.bindings(grants, s)
	p.quotas(grants, s)
	p.limits(grants, s)
	return p
}

func (p *Plan) namespace(g *Grant, s State) {
	have := map[string]string{}
	if i := slices.IndexFunc(s.Namespaces, func(n corev1.Namespace) bool { return n.GetName() == g.Namespace }); i >= 0 {
		have = s.Namespaces[i].GetLabels()
	}
	if want := g.namespace(have); !labelled(want.GetLabels(), have) || have[podSecurity] == "" {
		p.Apply = append(p.Apply, want)
	}
}

func (p *Plan) bindings(grants []Grant, s State) {
	wanted := map[[2]string]*rbacv1.RoleBinding{}
	for i := range grants {
		for _, b := range grants[i].bindings() {
			wanted[[2]string{b.GetNamespace(), b.GetName()}] = b
		}
	}
	for i := range s.RoleBindings {
		have := s.RoleBindings[i].DeepCopy()
		have.TypeMeta = metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "RoleBinding"}
		key := [2]string{have.GetNamespace(), have.GetName()}
		switch want := wanted[key]; {
		case want != nil && want.RoleRef != have.RoleRef:
			p.Delete = append(p.Delete, have) // A role cannot change.
		case want != nil && equality.Semantic.DeepEqual(want.Subjects, have.Subjects) && labelled(want.GetLabels(), have.GetLabels()):
			delete(wanted, key)
		case want == nil:
			p.revoke(grants, have)
		}
	}
	for _, key := range slices.SortedFunc(maps.Keys(wanted), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) }) {
		p.Apply = append(p.Apply, wanted[key])
	}
}

// revoke what a binding gives to tenants in a namespace that is not theirs. A tenant
// that loses a namespace may have left itself a way back in.
func (p *Plan) revoke(grants []Grant, b *rbacv1.RoleBinding) {
	left := slices.DeleteFunc(slices.Clone(b.Subjects), func(s rbacv1.Subject) bool { return stray(grants, b.GetNamespace(), s) })
	switch {
	case len(left) == len(b.Subjects) && !strings.HasPrefix(b.GetName(), UserPrefix):
	case len(left) == 0 || strings.HasPrefix(b.GetName(), UserPrefix):
		p.Delete = append(p.Delete, b)
	default:
		b.Subjects = left
		p.Update = append(p.Update, b)
	}
}

func stray(grants []Grant, namespace string, s rbacv1.Subject) bool {
	if s.Kind == rbacv1.GroupKind {
		return s.Name == Group
	}
	tenant, ok := strings.CutPrefix(s.Name, UserPrefix)
	if !ok || s.Kind != rbacv1.UserKind {
		return false
	}
	return !slices.ContainsFunc(grants, func(g Grant) bool { return g.Namespace == namespace && slices.Contains(g.Tenants, tenant) })
}

func (p *Plan) quotas(grants []Grant, s State) {
	settled := map[string]bool{}
	for i := range s.Quotas {
		have := s.Quotas[i].DeepCopy()
		have.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "ResourceQuota"}
		if have.GetName() != LimitsName {
			continue
		}
		g := find(grants, have.GetNamespace())
		if g == nil || g.quota() == nil {
			p.Delete = append(p.Delete, have)
			continue
		}
		want := g.quota()
		settled[g.Namespace] = labelled(want.GetLabels(), have.GetLabels()) && equality.Semantic.DeepEqual(want.Spec.Hard, have.Spec.Hard)
	}
	for i := range grants {
		if want := grants[i].quota(); want != nil && !settled[want.GetNamespace()] {
			p.Apply = append(p.Apply, want)
		}
	}
}

func (p *Plan) limits(grants []Grant, s State) {
	settled := map[string]bool{}
	for i := range s.LimitRanges {
		have := s.LimitRanges[i].DeepCopy()
		have.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "LimitRange"}
		if have.GetName() != LimitsName {
			continue
		}
		g := find(grants, have.GetNamespace())
		if g == nil || g.limits() == nil {
			p.Delete = append(p.Delete, have)
			continue
		}
		want := g.limits()
		settled[g.Namespace] = labelled(want.GetLabels(), have.GetLabels()) && equality.Semantic.DeepEqual(want.Spec, have.Spec)
	}
	for i := range grants {
		if want := grants[i].limits(); want != nil && !settled[want.GetNamespace()] {
			p.Apply = append(p.Apply, want)
		}
	}
}

func find(grants []Grant, namespace string) *Grant {
	for i := range grants {
		if grants[i].Namespace == namespace {
			return &grants[i]
		}
	}
	return nil
}

func labelled(want, have map[string]string) bool {
	return want[v1alpha1.LabelTenant] == have[v1alpha1.LabelTenant]
}

// Describe an object of a Plan, for people.
func Describe(o runtime.Object) string {
	m, err := meta.Accessor(o)
	if err != nil {
		return o.GetObjectKind().GroupVersionKind().Kind
	}
	name := m.GetName()
	if m.GetNamespace() != "" {
		name = m.GetNamespace() + "/" + name
	}
	return o.GetObjectKind().GroupVersionKind().Kind + " " + name
}
