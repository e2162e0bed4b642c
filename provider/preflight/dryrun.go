package preflight

import (
	"context"
	"errors"

	rbacv1 "k8s.io/api/rbac/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/apply"
	"github.com/mainstay-dev/mainstay/internal/bundle"
	"github.com/mainstay-dev/mainstay/internal/preflight"
	"github.com/mainstay-dev/mainstay/internal/rollout"
	"github.com/mainstay-dev/mainstay/provider/target"
)

// try what would be applied to a cluster, as its tenant, without doing it. Objects that
// need others of the application to be there first are left out: in a dry run they never
// are.
func (r *Runner) try(ctx context.Context, ro *v1alpha1.Rollout, cr *v1alpha1.Cluster, p rollout.Placed, c bundle.Content) ([]v1alpha1.Finding, error) {
	t, err := r.targets.Tenant(ctx, cr, ro.GetNamespace())
	if err != nil {
		return nil, err
	}
	set, err := apply.Build(c, apply.Options{
		Release:     types.NamespacedName{Namespace: ro.GetNamespace(), Name: p.Name},
		Application: ro.Spec.ForProvider.Application,
		Namespace:   p.Payload.Namespace,
		Allowed:     allowed(cr, ro.GetNamespace()),
	}, scopeOf(t))
	if err != nil {
		// Where it is the cluster's fault it is looked at again; otherwise the Release
		// will say what is wrong, to its author.
		if target.IsUnreachable(err) || target.IsUnauthorized(err) {
			return nil, err
		}
		return nil, nil
	}
	var out []v1alpha1.Finding
	for _, comp := range set.Components {
		for _, o := range comp.Objects {
			if waits(c, o.Unstructured) || !servedBy(t, o.GroupVersionKind()) {
				continue
			}
			err := t.Client().Apply(ctx, client.ApplyConfigurationFromUnstructured(o.DeepCopy()), client.FieldOwner(v1alpha1.FieldManager), client.ForceOwnership, client.DryRunAll)
			if target.IsUnreachable(err) || target.IsUnauthorized(err) || ctx.Err() != nil {
				return nil, errors.Join(err, ctx.Err())
			}
			if s := kerrors.APIStatus(nil); errors.As(err, &s) {
				out = append(out, preflight.Refused(o.Unstructured, comp.Name, s.Status())...)
			}
		}
	}
	return out, nil
}

// waits is true for an object that a server could only judge once others of the
// application are there, or outputs of other components are known.
func waits(c bundle.Content, o *unstructured.Unstructured) bool {
	if preflight.Late(o.Object) {
		return true
	}
	switch o.GetKind() {
	case "RoleBinding", "ClusterRoleBinding":
		name, _, _ := unstructured.NestedString(o.Object, "roleRef", "name")
		kind, _, _ := unstructured.NestedString(o.Object, "roleRef", "kind")
		return brings(c, rbacv1.GroupName, kind, name)
	case "Pod":
		account, _, _ := unstructured.NestedString(o.Object, "spec", "serviceAccountName")
		class, _, _ := unstructured.NestedString(o.Object, "spec", "priorityClassName")
		runtime, _, _ := unstructured.NestedString(o.Object, "spec", "runtimeClassName")
		return brings(c, "", "ServiceAccount", account) || brings(c, "scheduling.k8s.io", "PriorityClass", class) || brings(c, "node.k8s.io", "RuntimeClass", runtime)
	}
	return brings(c, "", "Namespace", o.GetNamespace())
}

func brings(c bundle.Content, group, kind, name string) bool {
	if name == "" {
		return false
	}
	for _, comp := range c.Components {
		for i := range comp.Objects {
			o := &comp.Objects[i]
			if o.GetKind() == kind && o.GetName() == name && o.GroupVersionKind().Group == group {
				return true
			}
		}
	}
	return false
}

func scopeOf(t target.Target) apply.Scope {
	return func(gvk schema.GroupVersionKind) (bool, bool, error) {
		m, err := t.Mapper().RESTMapping(gvk.GroupKind(), gvk.Version)
		if meta.IsNoMatchError(err) {
			return false, false, nil
		}
		if err != nil {
			return false, false, err
		}
		return m.Scope.Name() == meta.RESTScopeNameNamespace, true, nil
	}
}

// servedBy is false for a kind that is not served, which has been said already, or that
// the application brings.
func servedBy(t target.Target, gvk schema.GroupVersionKind) bool {
	_, served, err := scopeOf(t)(gvk)
	return err == nil && served
}

// allowed namespaces of a tenant on a cluster. It is never nil: that would be all.
func allowed(cr *v1alpha1.Cluster, namespace string) []string {
	for _, t := range cr.Spec.ForProvider.Tenants {
		if t.Namespace == namespace {
			return append([]string{}, t.Namespaces()...)
		}
	}
	return []string{}
}
