package cluster

import (
	"context"
	"fmt"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/tenancy"
	"github.com/mainstay-dev/mainstay/provider/target"
)

// How long rights may take to have effect before a reconcile goes on without, and how
// often it is asked whether they have.
const (
	effectTimeout = 2 * time.Second
	effectPoll    = 100 * time.Millisecond
)

// tenants of a cluster: what they were granted and what is to be done about it.
type tenants struct {
	client client.Client
	grants []tenancy.Grant
	plan   tenancy.Plan
}

// observe what tenants have. It reads what carries their label, in a request a kind.
func (t *tenants) observe(ctx context.Context) error {
	s, err := t.state(ctx, client.HasLabels{v1alpha1.LabelTenant})
	if err != nil {
		return err
	}
	t.plan = tenancy.Reconcile(t.grants, s)
	return nil
}

// settle what was observed. It reads all bindings before it does, so that those without
// a label that give a tenant more than it was granted go too.
func (t *tenants) settle(ctx context.Context) error {
	s, err := t.state(ctx)
	if err != nil {
		return err
	}
	t.plan = tenancy.Reconcile(t.grants, s)
	for _, o := range t.plan.Delete {
		if err := t.do(o, "delete", func(o client.Object) error { return client.IgnoreNotFound(t.client.Delete(ctx, o)) }); err != nil {
			return err
		}
	}
	for _, o := range t.plan.Update {
		if err := t.do(o, "update", func(o client.Object) error { return t.client.Update(ctx, o) }); err != nil {
			return err
		}
	}
	for _, o := range t.plan.Apply {
		if err := t.do(o, "apply", func(o client.Object) error { return apply(ctx, t.client, o) }); err != nil {
			return err
		}
	}
	return nil
}

func (t *tenants) do(o runtime.Object, verb string, fn func(client.Object) error) error {
	co, ok := o.(client.Object)
	if !ok {
		return fmt.Errorf("cannot %s %s: it is not an object", verb, tenancy.Describe(o))
	}
	if err := fn(co); err != nil {
		return fmt.Errorf("cannot %s %s on cluster: %w", verb, tenancy.Describe(o), err)
	}
	return nil
}

// state of tenants on a cluster. Options apply to bindings only: of all else nothing is
// ours that is not labelled, but for namespaces, which may have been there before.
func (t *tenants) state(ctx context.Context, bindings ...client.ListOption) (tenancy.State, error) {
	labelled := client.HasLabels{v1alpha1.LabelTenant}
	namespaces, roles, quotas, limits := &corev1.NamespaceList{}, &rbacv1.RoleBindingList{}, &corev1.ResourceQuotaList{}, &corev1.LimitRangeList{}
	for _, l := range []struct {
		what string
		into client.ObjectList
		opts []client.ListOption
	}{
		{"Namespaces", namespaces, nil},
		{"RoleBindings", roles, bindings},
		{"ResourceQuotas", quotas, []client.ListOption{labelled}},
		{"LimitRanges", limits, []client.ListOption{labelled}},
	} {
		if err := t.client.List(ctx, l.into, l.opts...); err != nil {
			return tenancy.State{}, fmt.Errorf("cannot list %s of cluster: %w", l.what, err)
		}
	}
	return tenancy.State{Namespaces: namespaces.Items, RoleBindings: roles.Items, Quotas: quotas.Items, LimitRanges: limits.Items}, nil
}

// effective returns true once every tenant can use what it was granted. A cluster that
// was just made takes a moment to fill in what its roles allow, and any cluster to
// notice a binding. It waits that moment.
func (t *tenants) effective(ctx context.Context) (bool, error) {
	var failed error
	err := wait.PollUntilContextTimeout(ctx, effectPoll, effectTimeout, true, func(context.Context) (bool, error) {
		var ok bool // A call that has begun ends, whether in time or not.
		ok, failed = t.allowed(ctx)
		return ok, failed
	})
	if failed != nil {
		return false, failed
	}
	return err == nil, nil
}

func (t *tenants) allowed(ctx context.Context) (bool, error) {
	for _, g := range t.grants {
		for _, tenant := range g.Tenants {
			r := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
				User:               tenancy.User(tenant),
				Groups:             []string{tenancy.Group},
				ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: g.Namespace, Verb: "create", Resource: "configmaps"},
			}}
			if err := t.client.Create(ctx, r); err != nil {
				return false, fmt.Errorf("cannot ask cluster what tenants may do: %w", err)
			}
			if !r.Status.Allowed {
				return false, nil
			}
		}
	}
	return true, nil
}

// describe what is to be done, for the change log.
func (t *tenants) describe() map[string]string {
	out := map[string]string{}
	for verb, objects := range map[string][]runtime.Object{"deleted": t.plan.Delete, "updated": t.plan.Update, "applied": t.plan.Apply} {
		for _, o := range objects {
			out[tenancy.Describe(o)] = verb
		}
	}
	return out
}

// apply an object as ours, and say of it only what it says.
func apply(ctx context.Context, c client.Client, o client.Object) error {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		return fmt.Errorf("cannot convert object: %w", err)
	}
	u := &unstructured.Unstructured{Object: fields}
	unstructured.RemoveNestedField(u.Object, "metadata", "creationTimestamp")
	unstructured.RemoveNestedField(u.Object, "status")
	if spec, ok, _ := unstructured.NestedMap(u.Object, "spec"); ok && len(spec) == 0 {
		unstructured.RemoveNestedField(u.Object, "spec")
	}
	return c.Apply(ctx, client.ApplyConfigurationFromUnstructured(u), client.FieldOwner(v1alpha1.FieldManager), client.ForceOwnership)
}

// countNodes of a cluster. A count that is a moment old is good enough.
func countNodes(ctx context.Context, c client.Reader) (v1alpha1.NodeCount, error) {
	l := &corev1.NodeList{}
	if err := c.List(ctx, l, &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: "0"}}); err != nil {
		return v1alpha1.NodeCount{}, fmt.Errorf("cannot list nodes of cluster: %w", err)
	}
	n := v1alpha1.NodeCount{Total: int32(min(len(l.Items), 1<<30))} //nolint:gosec // Bounded.
	for i := range l.Items {
		for _, c := range l.Items[i].Status.Conditions {
			if c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue {
				n.Ready++
			}
		}
	}
	return n, nil
}

// lost is true where a cluster cannot be reached, or does not let us in.
func lost(err error) bool {
	return target.IsUnreachable(err) || target.IsUnauthorized(err) || kerrors.IsForbidden(err)
}
