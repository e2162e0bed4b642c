package release

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/apply"
)

// proceed with the upgrade procedure of a component, as far as that is possible at the
// moment. It returns true where the component's objects can be applied.
func (a *applier) proceed(ctx context.Context, mg *v1alpha1.Release, c apply.Component) (bool, error) {
	procedure := a.opened.procedures[c.Name]
	if procedure == nil {
		return true, nil
	}
	at, err := a.progress(mg, c, procedure)
	if err != nil || at == nil {
		return err == nil, err
	}
	for at.Step != "" {
		step, _ := c.StepOf(at.Step)
		view := a.view(c, step, at)
		skips, err := procedure.Skips(at.Step, view)
		if err != nil {
			return false, err
		}
		if !skips {
			if verdict, err := a.take(ctx, mg, c, step, at, procedure); err != nil || !verdict.Done {
				a.stepping[c.Name] = verdict.Message
				if verdict.Failed {
					a.failed[c.Name] = true
					a.hold(c.Name, verdict.Message)
				}
				return false, err
			}
		}
		at.Step, at.Started = procedure.Next(at.Step), a.now()
	}
	// From here on the component's objects are not what the steps' conditions speak of.
	return true, a.saveProgress(ctx, mg, at, nil)
}

// progress of a component's upgrade: where it was left, or at its first step. It is nil
// where there is nothing to upgrade: the component is new, or only somebody changed it.
func (a *applier) progress(mg *v1alpha1.Release, c apply.Component, procedure *apply.Procedure) (*v1alpha1.ProcedureStatus, error) {
	target, err := apply.Target(c)
	if err != nil {
		return nil, err
	}
	if p := apply.ProgressOf(mg.Status.AtProvider.Procedures, c.Name); p != nil && p.Target == target && (p.Step == "" || procedure.Index(p.Step) >= 0) {
		at := *p
		return &at, nil
	}
	from := a.versionOf(c.Name)
	there, differs := false, from != "" && from != c.Version
	for _, o := range c.Objects {
		if live := a.live[a.key(o.Ref())]; live == nil || o.ReadOnly || !owns(mg, live) {
			continue
		}
		there = true
		changed, err := a.changed(mg, o)
		if err != nil {
			return nil, err
		}
		differs = differs || (changed && !o.Once)
	}
	if !there || !differs {
		return nil, nil //nolint:nilnil // There is nothing to upgrade.
	}
	return &v1alpha1.ProcedureStatus{
		Component: c.Name, From: from, To: c.Version, Target: target,
		Step: procedure.First(), Started: a.now(),
	}, nil
}

// take a step: put on record that it is being taken, do what it says where it is not done
// yet, and judge whether that has had its effect.
func (a *applier) take(ctx context.Context, mg *v1alpha1.Release, c apply.Component, step apply.Step, at *v1alpha1.ProcedureStatus, procedure *apply.Procedure) (apply.Verdict, error) {
	if err := a.saveProgress(ctx, mg, at, step.Objects); err != nil {
		return apply.Verdict{}, err
	}
	for _, p := range step.Patches {
		if err := a.patch(ctx, mg, c, p.Kind, p.Name, p.Patch); err != nil {
			return apply.Verdict{}, fmt.Errorf("step %q of its upgrade procedure: %w", step.Name, err)
		}
	}
	for _, o := range step.Objects {
		ready, err := a.applyStep(ctx, mg, o, at.Target)
		if err != nil {
			return apply.Verdict{}, fmt.Errorf("step %q of its upgrade procedure: %w", step.Name, err)
		}
		if !ready {
			return apply.Verdict{Message: fmt.Sprintf("step %q of its upgrade procedure waits until %s %q of an earlier upgrade is gone", step.Name, o.GetKind(), o.GetName())}, nil
		}
	}
	return procedure.Judge(step.Name, at.Started.Time, a.clock.Now(), a.view(c, step, at)), nil
}

// patch an object of a component that is on the cluster, if the patch is not in it yet.
func (a *applier) patch(ctx context.Context, mg *v1alpha1.Release, c apply.Component, kind, name string, patch map[string]any) error {
	i := slices.IndexFunc(c.Objects, func(o apply.Object) bool { return o.GetKind() == kind && o.GetName() == name })
	if i < 0 {
		return fmt.Errorf("%s %q is no object of the component", kind, name)
	}
	key := a.key(c.Objects[i].Ref())
	live := a.live[key]
	if live == nil || !owns(mg, live) || live.GetDeletionTimestamp() != nil {
		return nil // What is not there, or new, needs no preparation.
	}
	data, err := apply.Merge(live, patch)
	if err != nil || data == nil {
		return err
	}
	u := live.DeepCopy()
	if err := a.remote.merge(ctx, u, data); err != nil {
		return err
	}
	a.live[key] = u
	return nil
}

// applyStep applies an object of a step, once in an upgrade. It returns false where one
// of an earlier upgrade has to go first: a Job that is done would otherwise seem to have
// been run again.
func (a *applier) applyStep(ctx context.Context, mg *v1alpha1.Release, o apply.Object, upgrade string) (bool, error) {
	key := a.key(o.Ref())
	live, err := a.remote.get(ctx, o.Ref())
	if err != nil {
		return false, err
	}
	a.live[key] = live
	if live != nil {
		switch {
		case !owns(mg, live):
			if why := a.foreign(mg, o, live); why != "" {
				return false, fmt.Errorf("%s", why) //nolint:err113 // It is for a reader only.
			}
		case live.GetDeletionTimestamp() != nil:
			return false, nil
		case live.GetAnnotations()[v1alpha1.AnnotationProcedure] == upgrade:
			return true, nil
		default:
			return false, a.cleaner.remove(ctx, o.Ref(), live)
		}
	}
	marked := o
	marked.Unstructured = o.DeepCopy()
	annotate(marked.Unstructured, v1alpha1.AnnotationProcedure, upgrade)
	w := a.write(ctx, mg, marked)
	if w.err != nil {
		return false, w.err
	}
	a.live[key] = w.live
	return !w.skipped, nil
}

// saveProgress of an upgrade, and put on record what its step is going to apply.
func (a *applier) saveProgress(ctx context.Context, mg *v1alpha1.Release, at *v1alpha1.ProcedureStatus, objects []apply.Object) error {
	all, refs := &mg.Status.AtProvider, apply.Refs(objects)
	recorded := len(apply.Dropped(refs, all.Inventory)) == 0
	if p := apply.ProgressOf(all.Procedures, at.Component); p != nil {
		if equality.Semantic.DeepEqual(p, at) && recorded {
			return nil
		}
		*p = *at
	} else {
		all.Procedures = append(all.Procedures, *at)
	}
	all.Inventory = append(all.Inventory, apply.Dropped(refs, all.Inventory)...)
	all.Health, all.Message = v1alpha1.Progressing, "is being upgraded"
	return a.save(ctx, mg)
}

// view of a component for its upgrade procedure.
func (a *applier) view(c apply.Component, step apply.Step, at *v1alpha1.ProcedureStatus) apply.View {
	v := apply.View{Objects: a.inOrder(c), From: at.From, To: at.To}
	objects := slices.Clone(step.Objects)
	slices.SortFunc(objects, func(x, y apply.Object) int { return x.Position - y.Position })
	for _, o := range objects {
		if live := a.live[a.key(o.Ref())]; live != nil {
			v.Applied = append(v.Applied, live)
		}
	}
	return v
}

// now as it is written to a status.
func (a *applier) now() metav1.Time { return metav1.NewTime(a.clock.Now()).Rfc3339Copy() }
