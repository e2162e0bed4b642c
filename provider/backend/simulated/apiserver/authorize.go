package apiserver

import (
	"fmt"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	roleBindings        = schema.GroupResource{Group: rbacv1.GroupName, Resource: "rolebindings"}
	clusterRoleBindings = schema.GroupResource{Group: rbacv1.GroupName, Resource: "clusterrolebindings"}
	roles               = schema.GroupResource{Group: rbacv1.GroupName, Resource: "roles"}
	clusterRoles        = schema.GroupResource{Group: rbacv1.GroupName, Resource: "clusterroles"}
)

// A user is who asks.
type user struct {
	name   string
	groups []string
}

func administrator() user {
	return user{name: "mainstay:administrator", groups: []string{"system:masters", "system:authenticated"}}
}

// An access is what somebody would do.
type access struct {
	verb, group, resource, subresource string
	namespace, name                    string
}

func (c *Cluster) authorize(req *request) error {
	a := access{verb: req.verb, group: req.kind.gvk.Group, resource: req.kind.resource, subresource: req.subresource, namespace: req.namespace, name: req.name}
	if isKind(req.kind, "authorization.k8s.io", "SelfSubjectAccessReview") || isKind(req.kind, "authorization.k8s.io", "SelfSubjectRulesReview") || isKind(req.kind, "authentication.k8s.io", "SelfSubjectReview") {
		return nil
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.allows(req.who, a) {
		return nil
	}
	in := "at the cluster scope"
	if a.namespace != "" {
		in = fmt.Sprintf("in the namespace %q", a.namespace)
	}
	return apierrors.NewForbidden(req.kind.groupResource(), req.name,
		fmt.Errorf("User %q cannot %s resource %q in API group %q %s", req.who.name, a.verb, a.resource, a.group, in)) //nolint:staticcheck // As the API server puts it.
}

// allows is true where a role of a user's lets it do something. Callers hold the lock.
func (c *Cluster) allows(who user, a access) bool {
	if slices.Contains(who.groups, "system:masters") {
		return true
	}
	for _, o := range c.objects[clusterRoleBindings] {
		b := &rbacv1.ClusterRoleBinding{}
		if convert(o.decode().Object, b) == nil && binds(b.Subjects, who) && c.grants(b.RoleRef, "", a) {
			return true
		}
	}
	if a.namespace == "" {
		return false
	}
	for at, o := range c.objects[roleBindings] {
		if ns, _, _ := cut(at); ns != a.namespace {
			continue
		}
		b := &rbacv1.RoleBinding{}
		if convert(o.decode().Object, b) == nil && binds(b.Subjects, who) && c.grants(b.RoleRef, a.namespace, a) {
			return true
		}
	}
	return false
}

func binds(subjects []rbacv1.Subject, who user) bool {
	return slices.ContainsFunc(subjects, func(s rbacv1.Subject) bool {
		switch s.Kind {
		case rbacv1.UserKind:
			return s.Name == who.name
		case rbacv1.GroupKind:
			return slices.Contains(who.groups, s.Name)
		}
		return s.Kind == rbacv1.ServiceAccountKind && who.name == "system:serviceaccount:"+s.Namespace+":"+s.Name
	})
}

// grants is true where a role has a rule for something.
func (c *Cluster) grants(ref rbacv1.RoleRef, namespace string, a access) bool {
	in, at := clusterRoles, key("", ref.Name)
	if ref.Kind == "Role" {
		in, at = roles, key(namespace, ref.Name)
	}
	o := c.objects[in][at]
	if o == nil {
		return false
	}
	r := &rbacv1.ClusterRole{}
	if convert(o.decode().Object, r) != nil {
		return false
	}
	return slices.ContainsFunc(r.Rules, func(r rbacv1.PolicyRule) bool { return covers(r, a) })
}

func covers(r rbacv1.PolicyRule, a access) bool {
	resource := a.resource
	if a.subresource != "" {
		resource += "/" + a.subresource
	}
	return has(r.Verbs, a.verb) && has(r.APIGroups, a.group) &&
		(has(r.Resources, resource) || a.subresource != "" && slices.Contains(r.Resources, "*/"+a.subresource)) &&
		(len(r.ResourceNames) == 0 || slices.Contains(r.ResourceNames, a.name))
}

func has(list []string, s string) bool { return slices.Contains(list, "*") || slices.Contains(list, s) }
