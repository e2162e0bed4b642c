package planner

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/plan"
)

// keepPlans of one Change that nothing refers to any more.
const keepPlans = 5

// keep a plan on the hub. It goes with its Change.
func (p *Planner) keep(ctx context.Context, c *v1alpha1.Change, made plan.Plan) error {
	o, err := plan.Seal(made, c.GetName(), c.GetNamespace())
	if err != nil {
		return err
	}
	o.SetOwnerReferences([]metav1.OwnerReference{{
		APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.ChangeGVK.Kind, Name: c.GetName(), UID: c.GetUID(),
	}})
	err = p.hub.Create(ctx, o)
	switch {
	case apierrors.IsAlreadyExists(err):
		return p.same(ctx, o)
	case err != nil:
		return fmt.Errorf("cannot keep plan %q: %w", o.GetName(), err)
	}
	return p.prune(ctx, c, o.GetName())
}

// same is true of a plan that is there already: it is named by what it says. One that is not what
// its name says, or is of a Change that was before, is taken away, and kept anew when it is made again.
func (p *Planner) same(ctx context.Context, o *v1alpha1.Plan) error {
	there := &v1alpha1.Plan{}
	if err := p.live.Get(ctx, client.ObjectKeyFromObject(o), there); err != nil {
		return fmt.Errorf("cannot get Plan %q: %w", o.GetName(), err)
	}
	_, err := plan.Open(there)
	if err == nil && there.Spec.Digest == o.Spec.Digest && slices.ContainsFunc(there.GetOwnerReferences(), func(r metav1.OwnerReference) bool {
		return r.UID == o.GetOwnerReferences()[0].UID
	}) {
		return nil
	}
	uid := there.GetUID()
	if err := p.hub.Delete(ctx, there, client.Preconditions{UID: &uid}); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("cannot take away Plan %q, which is not this change's: %w", o.GetName(), err)
	}
	if err := p.hub.Create(ctx, o); err != nil {
		return fmt.Errorf("cannot keep plan %q: %w", o.GetName(), err)
	}
	return nil
}

// prune plans of a Change that are neither new nor in use.
func (p *Planner) prune(ctx context.Context, c *v1alpha1.Change, made string) error {
	l := &metav1.PartialObjectMetadataList{}
	l.SetGroupVersionKind(v1alpha1.PlanGVK.GroupVersion().WithKind(v1alpha1.PlanGVK.Kind + "List"))
	if err := p.live.List(ctx, l, client.InNamespace(c.GetNamespace())); err != nil {
		return fmt.Errorf("cannot list Plans: %w", err)
	}
	used := []string{made}
	if is := c.Status.AtProvider; is.Plan != nil {
		used = append(used, is.Plan.Name)
	}
	if d := c.Status.AtProvider.Executed; len(d) >= 12 {
		used = append(used, plan.Name(c.GetName(), d))
	}
	old := slices.DeleteFunc(l.Items, func(o metav1.PartialObjectMetadata) bool {
		return slices.Contains(used, o.GetName()) || !slices.ContainsFunc(o.GetOwnerReferences(), func(r metav1.OwnerReference) bool { return r.UID == c.GetUID() })
	})
	slices.SortStableFunc(old, func(a, b metav1.PartialObjectMetadata) int {
		return b.GetCreationTimestamp().Compare(a.GetCreationTimestamp().Time)
	})
	for i := keepPlans; i < len(old); i++ {
		o := &v1alpha1.Plan{ObjectMeta: metav1.ObjectMeta{Namespace: old[i].GetNamespace(), Name: old[i].GetName()}}
		if err := p.hub.Delete(ctx, o); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("cannot take away Plan %q: %w", o.GetName(), err)
		}
	}
	return nil
}
