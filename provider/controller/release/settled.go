package release

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/apply"
)

// applied is true where all that is wanted is there as it was applied last.
func (a *applier) applied(mg *v1alpha1.Release) (bool, error) {
	if a.problem != nil || len(a.held) > 0 {
		return false, nil //nolint:nilerr // Update reports it.
	}
	for _, c := range a.set.Components {
		settled, err := a.settled(mg, c)
		if err != nil || !settled {
			return false, err
		}
	}
	return true, nil
}

// settled is true where a component is as it was applied last.
func (a *applier) settled(mg *v1alpha1.Release, c apply.Component) (bool, error) {
	if len(c.Problems) > 0 || len(a.bound.Waiting[c.Name]) > 0 {
		return false, nil
	}
	for _, o := range c.Objects {
		ok, err := a.objectSettled(mg, o)
		if err != nil || !ok {
			return false, err
		}
	}
	return true, nil
}

func (a *applier) objectSettled(mg *v1alpha1.Release, o apply.Object) (bool, error) {
	if o.ReadOnly {
		return true, nil
	}
	key := a.key(o.Ref())
	live := a.live[key]
	if live == nil || live.GetDeletionTimestamp() != nil {
		return false, nil
	}
	if o.Once && owns(mg, live) {
		return true, nil
	}
	before := a.memory.trace(mg.GetUID(), key, a.traces[key])
	if before == "" {
		return false, nil
	}
	now, err := a.traceNow(o, live)
	return before == now, err
}

// traceNow of an object as it is. It is asked for again and again, and not cheap.
func (a *applier) traceNow(o apply.Object, live *unstructured.Unstructured) (string, error) {
	if t, ok := a.current[live]; ok {
		return t, nil
	}
	t, err := traceOf(o, live)
	if err == nil {
		a.current[live] = t
	}
	return t, err
}

// changed is true where something else is wanted of an object than was applied last, or
// where it is not known what was.
func (a *applier) changed(mg *v1alpha1.Release, o apply.Object) (bool, error) {
	key := a.key(o.Ref())
	before := a.memory.trace(mg.GetUID(), key, a.traces[key])
	wanted, err := wantedTrace(o)
	return !strings.HasPrefix(before, wanted+"."), err
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

// record what is on the cluster, with the traces of what was applied.
func (a *applier) record(mg *v1alpha1.Release, refs []v1alpha1.ObjectReference) []v1alpha1.ObjectReference {
	out := slices.Clone(refs)
	for i := range out {
		key := a.key(out[i])
		out[i].Trace = a.memory.trace(mg.GetUID(), key, a.traces[key])
	}
	return out
}

// healthy objects that are as they were applied last. Nobody waits for those.
func (a *applier) healthy(mg *v1alpha1.Release) map[objectKey]*unstructured.Unstructured {
	out := map[objectKey]*unstructured.Unstructured{}
	for _, c := range a.set.Components {
		for _, o := range c.Objects {
			key := a.key(o.Ref())
			live := a.live[key]
			if live == nil || a.health(key, live).Health != v1alpha1.Healthy {
				continue
			}
			if settled, err := a.objectSettled(mg, o); err == nil && settled {
				out[key] = live
			}
		}
	}
	return out
}
