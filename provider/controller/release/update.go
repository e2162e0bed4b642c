package release

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/crossplane/crossplane-runtime/v2/pkg/reconciler/managed"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/apply"
	"github.com/mainstay-dev/mainstay/internal/health"
	"github.com/mainstay-dev/mainstay/provider/target"
)

// Update applies what is missing or not as it should be, in order, as far as it can be
// at the moment, and takes away what is not wanted any more.
func (a *applier) Update(ctx context.Context, mg *v1alpha1.Release) (managed.ExternalUpdate, error) {
	if a.problem != nil {
		return managed.ExternalUpdate{}, a.refuse(mg, a.problem)
	}
	a.holdForeign(mg)
	if err := a.writeAhead(ctx, mg); err != nil {
		return managed.ExternalUpdate{}, err
	}
	if err := a.applyAll(ctx, mg); err != nil {
		return managed.ExternalUpdate{}, a.fail(mg, err)
	}
	done, err := a.applied(mg)
	if err != nil {
		return managed.ExternalUpdate{}, a.fail(mg, err)
	}
	if done {
		if err := a.prune(ctx, mg); err != nil {
			return managed.ExternalUpdate{}, a.refuse(mg, err)
		}
	}
	if len(a.held) > 0 {
		return managed.ExternalUpdate{}, a.refuse(mg, errors.New(a.holdText()))
	}
	a.report(mg, done)
	return managed.ExternalUpdate{}, nil
}

// holdForeign holds components with an object that is another Release's.
func (a *applier) holdForeign(mg *v1alpha1.Release) {
	for _, c := range a.set.Components {
		for _, o := range c.Objects {
			live := a.live[a.key(o.Ref())]
			if live == nil || apply.Owner(live) == "" || owns(mg, live) {
				continue
			}
			a.hold(c.Name, fmt.Sprintf("%s %q in namespace %q of cluster %q belongs to Release %s: give it another name, or remove it there",
				o.GetKind(), o.GetName(), o.GetNamespace(), a.cluster.GetName(), apply.Owner(live)))
		}
	}
}

// writeAhead puts on record what may be put on the cluster, before it is.
func (a *applier) writeAhead(ctx context.Context, mg *v1alpha1.Release) error {
	wanted := a.wanted()
	if apply.Covers(mg.Status.AtProvider.Inventory, wanted) {
		return nil
	}
	at := &mg.Status.AtProvider
	at.Inventory = apply.Union(wanted, at.Inventory)
	at.Health, at.Message = v1alpha1.Progressing, "is being applied"
	at.Components = nil
	for _, c := range a.set.Components {
		at.Components = append(at.Components, v1alpha1.ComponentHealth{Name: c.Name, Health: v1alpha1.Progressing})
	}
	a.setReady(mg)
	a.setSynced(mg)
	a.before = *mg.Status.DeepCopy()
	// A conflict goes up as it is: the runtime tries again, and nothing was applied.
	return a.hub.Status().Update(ctx, mg)
}

// applyAll components whose turn it is, until it is nobody's any more.
func (a *applier) applyAll(ctx context.Context, mg *v1alpha1.Release) error {
	tried := map[string]bool{}
	for {
		var open []apply.Component
		open, a.waiting = a.set.Open(func(name string) bool { return a.done(mg, name) })
		i := slices.IndexFunc(open, func(c apply.Component) bool { return !tried[c.Name] && a.held[c.Name] == "" })
		if i < 0 {
			return nil
		}
		c := open[i]
		tried[c.Name] = true
		if err := a.applyComponent(ctx, mg, c); err != nil {
			if isSilent(err) {
				return err
			}
			a.hold(c.Name, err.Error())
		}
	}
}

// applyComponent applies the objects of a component that are not as they should be,
// if all that its pods need is there.
func (a *applier) applyComponent(ctx context.Context, mg *v1alpha1.Release, c apply.Component) error {
	settled, err := a.settled(mg, c)
	if err != nil || settled {
		return err
	}
	for _, ref := range a.set.References(c) {
		there, err := a.remote.exists(ctx, ref.To)
		if err != nil {
			return err
		}
		if !there {
			a.hold(c.Name, fmt.Sprintf("%s, which is not in namespace %q of cluster %q: make it there, or correct the component", ref, ref.To.Namespace, a.cluster.GetName()))
		}
	}
	if a.held[c.Name] != "" {
		return nil
	}
	for _, o := range c.Objects {
		key := a.key(o.Ref())
		if live := a.live[key]; live != nil && live.GetDeletionTimestamp() != nil {
			continue // It has to go before it can come back.
		}
		settled, err := a.objectSettled(mg, o)
		if err != nil {
			return err
		}
		if settled {
			continue
		}
		live, err := a.remote.apply(ctx, o)
		if err != nil {
			return err
		}
		a.live[key] = live
		if err := a.memory.remember(mg.GetUID(), key, o.Unstructured, live); err != nil {
			return err
		}
	}
	return nil
}

// done is true where a component is as wanted, and healthy.
func (a *applier) done(mg *v1alpha1.Release, name string) bool {
	i := slices.IndexFunc(a.set.Components, func(c apply.Component) bool { return c.Name == name })
	if i < 0 {
		return false
	}
	settled, err := a.settled(mg, a.set.Components[i])
	return err == nil && settled && a.healthOf(a.set.Components[i]).Health == v1alpha1.Healthy
}

// prune takes away what is not wanted any more. What is gone leaves the inventory.
func (a *applier) prune(ctx context.Context, mg *v1alpha1.Release) error {
	var left []v1alpha1.ObjectReference
	for _, ref := range apply.Backwards(a.dropped) {
		live := a.live[a.key(ref)]
		if live == nil {
			continue
		}
		if live.GetDeletionTimestamp() == nil {
			if err := a.cleaner.remove(ctx, ref, live); err != nil {
				return err
			}
			now, err := a.cleaner.get(ctx, ref)
			if err != nil {
				return err
			}
			if !owns(mg, now) {
				continue
			}
		}
		left = append(left, ref)
	}
	slices.Reverse(left)
	a.dropped = left
	mg.Status.AtProvider.Inventory = append(a.wanted(), left...)

	keys := map[objectKey]bool{}
	for _, ref := range a.wanted() {
		keys[a.key(ref)] = true
	}
	a.memory.retain(mg.GetUID(), keys)
	return nil
}

// hold a component back.
func (a *applier) hold(component, why string) {
	if a.held[component] != "" {
		why = a.held[component] + "; " + why
	}
	a.held[component] = why
}

// holdText says what is held, in the order of the components.
func (a *applier) holdText() string {
	var parts []string
	for _, c := range a.set.Components {
		if why := a.held[c.Name]; why != "" {
			parts = append(parts, fmt.Sprintf("component %q: %s", c.Name, why))
		}
	}
	return strings.Join(parts, "; ")
}

// healthOf a component's live objects.
func (a *applier) healthOf(c apply.Component) v1alpha1.ComponentHealth {
	results := make([]health.Result, 0, len(c.Objects))
	for _, o := range c.Objects {
		live := a.live[a.key(o.Ref())]
		if live == nil {
			results = append(results, health.Missing(o.Ref()))
			continue
		}
		results = append(results, a.health(a.key(o.Ref()), live))
	}
	return health.Component(c.Name, results)
}

// isSilent is true where a cluster does not answer, or does not let anybody in: there
// is no use in going on.
func isSilent(err error) bool {
	return target.IsUnreachable(err) || target.IsNotReady(err) || target.IsUnauthorized(err)
}
