package release

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/reconciler/managed"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/apply"
	"github.com/mainstay-dev/mainstay/internal/health"
	"github.com/mainstay-dev/mainstay/provider/metrics"
	"github.com/mainstay-dev/mainstay/provider/target"
)

// Update applies what is missing or not as it should be, in order, as far as it can be
// at the moment, and takes away what is not wanted any more.
func (a *applier) Update(ctx context.Context, mg *v1alpha1.Release) (managed.ExternalUpdate, error) {
	began := a.clock.Now()
	err := a.update(ctx, mg)
	a.measure(began, err)
	return managed.ExternalUpdate{}, err
}

func (a *applier) update(ctx context.Context, mg *v1alpha1.Release) error {
	if a.problem != nil {
		return a.refuse(mg, a.problem)
	}
	if err := a.fence(mg); err != nil {
		return a.refuse(mg, err)
	}
	a.holdForeign(mg)
	if err := a.writeAhead(ctx, mg); err != nil {
		return err
	}
	if err := a.applyAll(ctx, mg); err != nil {
		if isSuperseded(err) {
			return a.refuse(mg, err)
		}
		return a.fail(mg, err)
	}
	done, err := a.applied(mg)
	if err != nil {
		return a.fail(mg, err)
	}
	if done {
		mg.Status.AtProvider.Procedures = nil
		if err := a.prune(ctx, mg); err != nil {
			return a.refuse(mg, err)
		}
	}
	if len(a.held) > 0 {
		return a.refuse(mg, errors.New(a.holdText()))
	}
	a.report(mg, done)
	return nil
}

// holdForeign holds components with an object that is another Release's, or that was
// there before and is nobody's.
func (a *applier) holdForeign(mg *v1alpha1.Release) {
	for _, c := range a.set.Components {
		for _, o := range c.Objects {
			if live := a.live[a.key(o.Ref())]; live != nil && !o.ReadOnly {
				if why := a.foreign(mg, o, live); why != "" {
					a.hold(c.Name, why)
				}
			}
		}
	}
}

// writeAhead puts on record what may be put on the cluster, before it is. Whoever does not
// know the Release as it is now cannot.
func (a *applier) writeAhead(ctx context.Context, mg *v1alpha1.Release) error {
	wanted, at := a.wanted(), &mg.Status.AtProvider
	if apply.Recorded(at.Inventory, wanted) {
		return nil
	}
	at.Inventory = apply.Union(apply.Carry(wanted, at.Inventory), at.Inventory)
	at.Health, at.Message = v1alpha1.Progressing, "is being applied"
	components := make([]v1alpha1.ComponentHealth, 0, len(a.set.Components))
	for _, c := range a.set.Components {
		components = append(components, v1alpha1.ComponentHealth{Name: c.Name, Version: a.versionOf(c.Name), Health: v1alpha1.Progressing})
	}
	at.Components = components
	return a.save(ctx, mg)
}

// save the status in the midst of a reconcile. A conflict goes up as it is: the runtime
// tries again, and nothing was applied.
func (a *applier) save(ctx context.Context, mg *v1alpha1.Release) error {
	mg.Status.AtProvider.Epoch, mg.Status.AtProvider.Target = mg.Spec.ForProvider.Epoch, mg.Spec.ForProvider.Bundle
	a.setReady(mg)
	a.setSynced(mg)
	if err := a.hub.Status().Update(ctx, mg); err != nil {
		return err
	}
	a.before = *mg.Status.DeepCopy()
	a.checked = a.clock.Now()
	return nil
}

// applyAll components whose turn it is, until it is nobody's any more.
func (a *applier) applyAll(ctx context.Context, mg *v1alpha1.Release) error {
	tried := map[string]bool{}
	for {
		var open []apply.Component
		open, a.waiting = a.set.Open(func(name string) bool { return a.done(mg, name) })
		i := slices.IndexFunc(open, func(c apply.Component) bool {
			return !tried[c.Name] && a.held[c.Name] == "" && len(a.bound.Waiting[c.Name]) == 0
		})
		if i < 0 {
			return nil
		}
		c := open[i]
		tried[c.Name] = true
		if err := a.applyComponent(ctx, mg, c); err != nil {
			if isSilent(err) || isSuperseded(err) {
				return err
			}
			a.hold(c.Name, err.Error())
		}
		if err := a.giveOutputs(mg); err != nil {
			return err
		}
		if a.problem != nil {
			return nil //nolint:nilerr // The components that it concerns say so.
		}
	}
}

// applyComponent applies the objects of a component that are not as they should be,
// if all that its pods need is there, and its upgrade procedure is through.
func (a *applier) applyComponent(ctx context.Context, mg *v1alpha1.Release, c apply.Component) error {
	settled, err := a.settled(mg, c)
	if settled {
		counted(metrics.ObjectSkipped, len(c.Objects))
	}
	if err != nil || settled {
		return err
	}
	if err := a.stillWanted(ctx, mg, a.began); err != nil {
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
	if through, err := a.proceed(ctx, mg, c); err != nil || !through {
		return err
	}
	for _, phase := range c.Phases() {
		if err := a.applyPhase(ctx, mg, phase); err != nil {
			return err
		}
	}
	return nil
}

// applyPhase applies objects that do not need each other, a few at a time.
func (a *applier) applyPhase(ctx context.Context, mg *v1alpha1.Release, objects []apply.Object) error {
	var todo []apply.Object
	for _, o := range objects {
		if live := a.live[a.key(o.Ref())]; live != nil && live.GetDeletionTimestamp() != nil {
			continue // It has to go before it can come back.
		}
		settled, err := a.objectSettled(mg, o)
		if err != nil {
			return err
		}
		if !settled {
			todo = append(todo, o)
		}
	}
	counted(metrics.ObjectSkipped, len(objects)-len(todo))
	if slices.ContainsFunc(todo, func(o apply.Object) bool { return a.live[a.key(o.Ref())] == nil }) {
		if err := a.stillWanted(ctx, mg, time.Time{}); err != nil {
			return err
		}
	}
	results := make([]written, len(todo))
	parallel(len(todo), func(i int) { results[i] = a.write(ctx, mg, todo[i]) })
	for i, o := range todo {
		if results[i].err != nil {
			return results[i].err
		}
		a.live[a.key(o.Ref())] = results[i].live
		if results[i].skipped {
			continue
		}
		trace, err := a.traceNow(o, results[i].live)
		if err != nil {
			return err
		}
		a.count(mg, o, trace)
		a.memory.remember(mg.GetUID(), a.key(o.Ref()), trace)
	}
	return nil
}

// prune takes away what is not wanted any more. What is gone leaves the inventory.
func (a *applier) prune(ctx context.Context, mg *v1alpha1.Release) error {
	var left []v1alpha1.ObjectReference
	for _, ref := range apply.Backwards(a.dropped) {
		live := a.live[a.key(ref)]
		if live == nil {
			continue
		}
		if apply.WrittenIn(live, mg.GetUID()) > mg.Spec.ForProvider.Epoch {
			return errSuperseded
		}
		if live.GetDeletionTimestamp() == nil {
			if err := a.cleaner.remove(ctx, ref, live); err != nil {
				return err
			}
			counted(metrics.ObjectPruned, 1)
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
	mg.Status.AtProvider.Inventory = slices.Concat(apply.Carry(a.wanted(), mg.Status.AtProvider.Inventory), a.kept, left)

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

// healthOf a component's live objects, by its own rule where it has one.
func (a *applier) healthOf(c apply.Component) v1alpha1.ComponentHealth {
	rule := a.opened.rules[c.Name]
	results := make([]health.Result, 0, len(c.Objects))
	for _, o := range c.Objects {
		live := a.live[a.key(o.Ref())]
		if live == nil {
			results = append(results, health.Missing(o.Ref()))
			continue
		}
		if rule == nil {
			results = append(results, a.health(a.key(o.Ref()), live))
		}
	}
	if rule != nil && len(results) == 0 {
		results = append(results, rule.Of(a.inOrder(c)))
	}
	return health.Component(c.Name, results)
}

// isSilent is true where a cluster does not answer, or does not let anybody in: there
// is no use in going on.
func isSilent(err error) bool {
	return target.IsUnreachable(err) || target.IsNotReady(err) || target.IsUnauthorized(err)
}
