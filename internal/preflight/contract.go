package preflight

import (
	"iter"
	"maps"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/mainstay-dev/mainstay/internal/bundle"
)

// contracts of components, by their names, in order.
func (s *Subject) contracts() iter.Seq2[string, *bundle.Contract] {
	return func(yield func(string, *bundle.Contract) bool) {
		for _, name := range slices.Sorted(maps.Keys(s.components)) {
			if c := s.components[name].Contract; c != nil && !yield(name, c) {
				return
			}
		}
	}
}

// lead is the object that stands for a component: its workload, or its first. It is nil
// for a component without objects.
func (s *Subject) lead(component string) *object {
	if ws := s.workloadsOf(component); len(ws) > 0 {
		return ws[0].object
	}
	i := slices.IndexFunc(s.objects, func(o *object) bool { return o.component == component })
	if i < 0 {
		return nil
	}
	return s.objects[i]
}

func (s *Subject) workloadsOf(component string) []*workload {
	var out []*workload
	for _, w := range s.workloads {
		if w.component == component {
			out = append(out, w)
		}
	}
	return out
}

// workloadOf an object. It is nil for one that makes no pods.
func (s *Subject) workloadOf(o *object) *workload {
	i := slices.IndexFunc(s.workloads, func(w *workload) bool { return w.object == o })
	if i < 0 {
		return nil
	}
	return s.workloads[i]
}

// An accessNeed is a right that a component's service account must have.
type accessNeed struct {
	Access

	component string
}

// accessNeeds of all contracts.
func (s *Subject) accessNeeds() []accessNeed {
	var out []accessNeed
	for name, c := range s.contracts() {
		for _, w := range s.workloadsOf(name) {
			for _, a := range c.Access {
				for _, v := range a.Verbs {
					out = append(out, accessNeed{component: name, Access: Access{Namespace: w.namespace, ServiceAccount: w.account(), Group: a.Group, Resource: a.Resource, Verb: v}})
				}
			}
		}
	}
	return out
}

// checkAccess is D8.
func checkAccess(r *run) {
	for _, o := range r.strangers {
		r.find(o, "metadata.namespace", "use a namespace of the tenant, or ask the cluster's owner for this one", "the tenant may not deploy into namespace %q, only into %s", o.namespace, strings.Join(r.allowed, ", "))
	}
	for _, n := range r.accessNeeds() {
		allowed, known := r.snap.Access[n.Access]
		if !known || allowed || r.grants(n.Access) {
			continue
		}
		what := n.Resource
		if n.Group != "" {
			what += "." + n.Group
		}
		r.find(r.lead(n.component), "serviceAccountName["+n.Verb+" "+what+"]", "give the service account a Role with this right", "service account %q may not %s %s, which component %q needs", n.ServiceAccount, n.Verb, what, n.component)
	}
}

// grants is true where the application itself gives a right.
func (r *run) grants(a Access) bool {
	return slices.ContainsFunc(r.objects, func(o *object) bool {
		var subjects []rbacv1.Subject
		var ref rbacv1.RoleRef
		switch t := o.typed.(type) {
		case *rbacv1.RoleBinding:
			if o.namespace != a.Namespace {
				return false
			}
			subjects, ref = t.Subjects, t.RoleRef
		case *rbacv1.ClusterRoleBinding:
			subjects, ref = t.Subjects, t.RoleRef
		default:
			return false
		}
		mine := slices.ContainsFunc(subjects, func(s rbacv1.Subject) bool {
			return s.Kind == rbacv1.ServiceAccountKind && s.Name == a.ServiceAccount && (s.Namespace == a.Namespace || s.Namespace == "") ||
				s.Kind == rbacv1.GroupKind && (s.Name == "system:serviceaccounts" || s.Name == "system:serviceaccounts:"+a.Namespace || s.Name == "system:authenticated")
		})
		if !mine {
			return false
		}
		role := r.brings(rbacv1.GroupName, ref.Kind, "", ref.Name)
		if ref.Kind == "Role" {
			role = r.brings(rbacv1.GroupName, ref.Kind, o.namespace, ref.Name)
		}
		if role == nil {
			return true // A role that is there already. What it holds is not looked at.
		}
		return slices.ContainsFunc(rulesOf(role), func(rule rbacv1.PolicyRule) bool { return allows(rule, a.Group, a.Resource, a.Verb) })
	})
}

// rulesOf a role.
func rulesOf(o *object) []rbacv1.PolicyRule {
	switch t := o.typed.(type) {
	case *rbacv1.Role:
		return t.Rules
	case *rbacv1.ClusterRole:
		return t.Rules
	}
	return nil
}

func allows(rule rbacv1.PolicyRule, group, resource, verb string) bool {
	has := func(list []string, v string) bool { return slices.Contains(list, v) || slices.Contains(list, "*") }
	return has(rule.APIGroups, group) && has(rule.Resources, resource) && has(rule.Verbs, verb)
}
