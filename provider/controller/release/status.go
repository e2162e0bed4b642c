package release

import (
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/crossplane/crossplane-runtime/v2/pkg/reconciler/managed"
	"github.com/crossplane/crossplane-runtime/v2/pkg/resource"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/apply"
	"github.com/mainstay-dev/mainstay/internal/health"
	"github.com/mainstay-dev/mainstay/internal/images"
	"github.com/mainstay-dev/mainstay/provider/target"
)

const (
	// quiet is how long a change that is under way is not news. Most are over before,
	// and cost one write less for it.
	quiet = 10 * time.Second
	// unsaid is how long a change that has begun is no news at all, for the same reason.
	unsaid = 5 * time.Second
	// deadline after which what is still on its way counts as failed.
	deadline = 10 * time.Minute

	// soonest is when a change that has just begun is looked at again.
	soonest = 700 * time.Millisecond
	// fresh is how long what is on its way is looked at often, and stale how often
	// it is looked at afterwards.
	fresh = time.Minute
	stale = 10 * time.Second
)

// report what is observed.
func (a *applier) report(mg *v1alpha1.Release, done bool) {
	at := &mg.Status.AtProvider
	if done {
		at.Bundle, at.Applied, at.Namespace = mg.Spec.ForProvider.Bundle, a.identity(mg), mg.Spec.ForProvider.Namespace
		at.Images = images.Identity(mg.Spec.ForProvider.Images)
	}
	at.Epoch, at.Target = mg.Spec.ForProvider.Epoch, mg.Spec.ForProvider.Bundle
	at.Components = a.components(mg)
	whole := health.RollUp(at.Components)
	at.Health, at.Message = whole.Health, whole.Message
	if !done && at.Health == v1alpha1.Healthy {
		at.Health, at.Message = v1alpha1.Progressing, "is being applied"
	}
	if len(a.dropped) > 0 && at.Health == v1alpha1.Healthy {
		at.Message = fmt.Sprintf("%s %s, which is not wanted any more, is not gone yet", a.dropped[0].Kind, a.dropped[0].Name)
	}
	a.expire(mg)
	a.setReady(mg)
	if at.Health == v1alpha1.Progressing {
		a.pending.saw(mg, a.identity(mg), a.clock.Now(), a.healthy(mg))
	}
	if a.noNews(mg) {
		mg.Status = *a.before.DeepCopy()
		a.pending.wait(mg)
		return
	}
	at.Inventory = a.record(mg, at.Inventory)
	if at.Health != v1alpha1.Progressing {
		a.pending.end(mg.GetUID())
	}
}

// components and their health.
func (a *applier) components(mg *v1alpha1.Release) []v1alpha1.ComponentHealth {
	if a.problem != nil {
		return a.inventoried()
	}
	out := make([]v1alpha1.ComponentHealth, 0, len(a.set.Components))
	for _, c := range a.set.Components {
		h := a.healthOf(c)
		switch {
		case a.failed[c.Name]:
			h.Health, h.Message = v1alpha1.Degraded, a.held[c.Name]
		case a.held[c.Name] != "":
			h = a.running(c)
			h.Message = a.held[c.Name]
		case len(a.waiting[c.Name]) > 0 && h.Health != v1alpha1.Healthy:
			h.Message = "waits for " + strings.Join(a.waiting[c.Name], ", ")
		case a.stepping[c.Name] != "":
			h.Health, h.Message = v1alpha1.Progressing, a.stepping[c.Name]
		case len(a.bound.Waiting[c.Name]) > 0 && h.Health != v1alpha1.Healthy:
			h.Message = "waits for outputs of " + strings.Join(a.bound.Waiting[c.Name], ", ")
		}
		h.Version = a.versionOf(c.Name)
		if settled, err := a.settled(mg, c); err == nil && settled {
			h.Version = c.Version
		}
		out = append(out, h)
	}
	return out
}

// versionOf a component's definition that was on the cluster when the reconcile began.
func (a *applier) versionOf(component string) string {
	for _, c := range a.before.AtProvider.Components {
		if c.Name == component {
			return c.Version
		}
	}
	return ""
}

// running is the health of what is there of a component that is held. What ran before
// goes on, and may well be healthy. It is just not what is wanted.
func (a *applier) running(c apply.Component) v1alpha1.ComponentHealth {
	var results []health.Result
	for _, o := range c.Objects {
		if live := a.live[a.key(o.Ref())]; live != nil {
			results = append(results, a.health(a.key(o.Ref()), live))
		}
	}
	if len(results) == 0 {
		return v1alpha1.ComponentHealth{Name: c.Name, Health: v1alpha1.Degraded}
	}
	return health.Component(c.Name, results)
}

// inventoried are the components of what was once put on the cluster.
func (a *applier) inventoried() []v1alpha1.ComponentHealth {
	var names []string
	results := map[string][]health.Result{}
	for _, ref := range a.before.AtProvider.Inventory {
		if _, ok := results[ref.Component]; !ok {
			names = append(names, ref.Component)
		}
		r := health.Missing(ref)
		if live := a.live[a.key(ref)]; live != nil {
			r = a.health(a.key(ref), live)
		}
		results[ref.Component] = append(results[ref.Component], r)
	}
	out := make([]v1alpha1.ComponentHealth, 0, len(names))
	for _, n := range names {
		h := health.Component(n, results[n])
		h.Version = a.versionOf(n)
		out = append(out, h)
	}
	return out
}

// refuse to go on for a reason that has nothing to do with the cluster. What runs is
// reported as it is.
func (a *applier) refuse(mg *v1alpha1.Release, err error) error {
	at := &mg.Status.AtProvider
	at.Components = a.components(mg)
	at.Health = health.RollUp(at.Components).Health
	if len(at.Components) == 0 {
		at.Health = v1alpha1.Progressing
	}
	at.Message = stable(err)
	a.setReadyTo(mg, corev1.ConditionFalse)
	return fmt.Errorf("%s", at.Message) //nolint:err113 // The runtime only ever prints it.
}

// fail to reach the cluster, or to be let in. What runs there is not known.
func (c *connector) fail(mg *v1alpha1.Release, err error) error {
	if silent := (&target.UnreachableError{}); errors.As(err, &silent) {
		err = silent // Which call it was that got no answer is of no interest.
	}
	at := &mg.Status.AtProvider
	at.Health, at.Message = v1alpha1.Unknown, stable(err)
	for i := range at.Components {
		at.Components[i].Health, at.Components[i].Message = v1alpha1.Unknown, ""
	}
	c.setReadyTo(mg, corev1.ConditionUnknown)
	return fmt.Errorf("%s", at.Message) //nolint:err113 // The runtime only ever prints it.
}

// expire what has been on its way for too long.
func (c *connector) expire(mg *v1alpha1.Release) {
	at := &mg.Status.AtProvider
	if at.Health == v1alpha1.Healthy || at.Health == v1alpha1.Degraded {
		return
	}
	ready := mg.GetCondition(xpv2.TypeReady)
	if ready.Status == corev1.ConditionFalse && ready.ObservedGeneration == mg.GetGeneration() && c.clock.Since(ready.LastTransitionTime.Time) > deadline {
		at.Health = v1alpha1.Degraded
		at.Message = fmt.Sprintf("%s (for more than %s)", at.Message, deadline)
	}
}

// noNews is true where all there is to say is that a change is still under way, and
// either the status says so already, or the change has only just begun. Its Ready
// condition is of a former generation then, which says so too.
func (a *applier) noNews(mg *v1alpha1.Release) bool {
	if mg.Status.AtProvider.Health != v1alpha1.Progressing ||
		a.before.GetCondition(xpv2.TypeSynced).Status != corev1.ConditionTrue ||
		!equality.Semantic.DeepEqual(a.before.AtProvider.Procedures, mg.Status.AtProvider.Procedures) ||
		!apply.Recorded(a.before.AtProvider.Inventory, mg.Status.AtProvider.Inventory) {
		return false
	}
	ready := a.before.GetCondition(xpv2.TypeReady)
	if ready.ObservedGeneration == mg.GetGeneration() {
		return a.before.AtProvider.Health == v1alpha1.Progressing && ready.Status == corev1.ConditionFalse && a.clock.Since(ready.LastTransitionTime.Time) < quiet
	}
	return a.clock.Since(a.pending.begun(mg)) < unsaid
}

// setReady to what the health says.
func (c *connector) setReady(mg *v1alpha1.Release) {
	switch mg.Status.AtProvider.Health {
	case v1alpha1.Healthy:
		c.setReadyTo(mg, corev1.ConditionTrue)
	case v1alpha1.Progressing, v1alpha1.Degraded:
		c.setReadyTo(mg, corev1.ConditionFalse)
	case v1alpha1.Unknown:
		c.setReadyTo(mg, corev1.ConditionUnknown)
	}
}

// setReadyTo a status. The time of its last transition is kept for as long as the
// status is the same for the same generation: deadlines count from it.
func (c *connector) setReadyTo(mg *v1alpha1.Release, s corev1.ConditionStatus) {
	cond := xpv2.Condition{
		Type:               xpv2.TypeReady,
		Status:             s,
		Reason:             xpv2.ReasonUnavailable,
		Message:            mg.Status.AtProvider.Message,
		LastTransitionTime: metav1.NewTime(c.clock.Now()),
		ObservedGeneration: mg.GetGeneration(),
	}
	if s == corev1.ConditionTrue {
		cond.Reason = xpv2.ReasonAvailable
	}
	if before := mg.GetCondition(xpv2.TypeReady); before.Status == s && before.ObservedGeneration == cond.ObservedGeneration && !before.LastTransitionTime.IsZero() {
		cond.LastTransitionTime = before.LastTransitionTime
	}
	mg.SetConditions(cond)
}

// setSynced says what the runtime is going to say, so that it need not be written twice.
func (c *connector) setSynced(mg *v1alpha1.Release) {
	cond := xpv2.ReconcileSuccess().WithObservedGeneration(mg.GetGeneration())
	cond.LastTransitionTime = metav1.NewTime(c.clock.Now())
	mg.SetConditions(cond)
}

// poll often while something is on its way, at first. Most changes are through within
// seconds, and waves wait for each other.
func (c *connector) poll(steady managed.PollIntervalHook, perSecond int) managed.PollIntervalHook {
	return func(mg resource.Managed, interval time.Duration) time.Duration {
		interval = c.looks.every(interval, perSecond)
		if c.looks.believed(mg.GetUID()) {
			return turn(interval)
		}
		next := steady(mg, interval)
		ready := mg.GetCondition(xpv2.TypeReady)
		began := c.pending.since(mg.GetUID())
		switch {
		case !began.IsZero() && c.clock.Since(began) < fresh:
			return min(next, max(soonest, c.clock.Since(began)))
		case ready.Status != corev1.ConditionTrue && c.clock.Since(ready.LastTransitionTime.Time) > fresh:
			return max(next, min(stale, interval))
		}
		return next
	}
}

func keyOf(mg *v1alpha1.Release) types.NamespacedName {
	return types.NamespacedName{Namespace: mg.GetNamespace(), Name: mg.GetName()}
}
