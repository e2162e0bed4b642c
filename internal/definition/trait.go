package definition

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/expr"
	"github.com/mainstay-dev/mainstay/internal/oam"
)

// A Trait is a trait type that was found to be right.
type Trait struct {
	name, version string
	parameters    *parameters

	appliesTo, conflictsWith []string
	patches                  []traitPatch
	objects                  []objectTemplate
}

type traitPatch struct {
	at     string
	target *v1alpha1.PatchTarget
	name   *expr.Template
	when   *expr.Program
	patch  *mergePatch
}

// CompileTrait checks a trait definition. What is wrong is an oam.InvalidError, with
// paths in the definition.
func CompileTrait(name string, spec *v1alpha1.TraitDefinitionSpec) (*Trait, error) {
	ps := &problems{}
	if slices.Contains(oam.TraitTypes(), name) {
		ps.addf("metadata.name", "%q is a built-in trait type: choose another name", name)
	}
	checkVersion(spec.Version, ps)
	t := &Trait{
		name: name, version: spec.Version, appliesTo: spec.AppliesTo, conflictsWith: spec.ConflictsWith,
		parameters: readParameters(spec.Parameters, "spec.parameters", ps),
	}
	if t.parameters == nil {
		return nil, ps.err()
	}
	if len(spec.Patches) == 0 && len(spec.Objects) == 0 {
		ps.addf("spec", "has neither patches nor objects: it would do nothing")
	}
	s, err := newScope(t.parameters, nil)
	if err != nil {
		return nil, fmt.Errorf("cannot set up the expressions of %q: %w", name, err)
	}
	patching, err := newScope(t.parameters, expr.Variables{"object": expr.Object})
	if err != nil {
		return nil, fmt.Errorf("cannot set up the expressions of %q: %w", name, err)
	}
	for i := range spec.Patches {
		p, at := &spec.Patches[i], fmt.Sprintf("spec.patches[%d]", i)
		tp := traitPatch{at: at, target: p.Target, when: patching.program(p.When, expr.Bool, at+".when", ps), patch: patching.mergePatch(p.Patch.Raw, at+".patch", ps)}
		if p.Target != nil {
			tp.name = s.text(p.Target.Name, at+".target.name", ps)
			if p.Target.Kind == "" && p.Target.Name == "" {
				ps.addf(at+".target", "selects nothing: give it a kind or a name, or leave it out for the workload")
			}
		}
		t.patches = append(t.patches, tp)
	}
	t.objects = s.objects(spec.Objects, "spec.objects", ps)
	if len(*ps) == 0 {
		tryExamples(t.parameters, spec.Examples, t.sample, ps)
	}
	if err := ps.err(); err != nil {
		return nil, err
	}
	return t, nil
}

// Type returns the trait type for applications.
func (t *Trait) Type() *oam.TraitType {
	return &oam.TraitType{
		Name: t.name, Version: t.version, Schema: t.parameters.schema,
		AppliesTo: t.appliesTo, ConflictsWith: t.conflictsWith, Apply: t.Apply,
	}
}

// sample renders the objects that the trait adds. What it patches is there only in an
// application.
func (t *Trait) sample(in oam.Instance, properties map[string]any) ([]unstructured.Unstructured, error) {
	return t.added(variablesOf(in, properties), newBudget())
}

func (t *Trait) added(vars map[string]any, left *budget) ([]unstructured.Unstructured, error) {
	var out []unstructured.Unstructured
	var err error
	for i := range t.objects {
		if out, err = t.objects[i].render(vars, left, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Apply the trait to a component. The properties must be complete. What it is given is
// left alone.
func (t *Trait) Apply(in oam.Instance, to oam.Rendered, properties map[string]any) (oam.Rendered, error) {
	vars, left := variablesOf(in, properties), newBudget()
	objects := make([]unstructured.Unstructured, len(to.Objects))
	for i := range to.Objects {
		objects[i] = *to.Objects[i].DeepCopy()
	}
	if to.Workload == nil {
		to.Workload = firstWorkload(objects)
	}
	for i := range t.patches {
		if err := t.patches[i].apply(objects, to.Workload, vars); err != nil {
			return oam.Rendered{}, err
		}
	}
	for i := range objects {
		if err := left.spend(objects[i].Object); err != nil {
			return oam.Rendered{}, err
		}
	}
	added, err := t.added(vars, left)
	if err != nil {
		return oam.Rendered{}, err
	}
	to.Objects = slices.Concat(objects, added)
	return to, nil
}

func (p *traitPatch) apply(objects []unstructured.Unstructured, w *oam.Workload, vars map[string]any) error {
	name, err := renderText(p.name, vars, p.at+".target.name", "")
	if err != nil {
		return err
	}
	found := false
	for i := range objects {
		if !p.selects(i, &objects[i], w, name) {
			continue
		}
		found = true
		inner := with(vars, map[string]any{"object": objects[i].Object})
		if p.when != nil {
			wanted, err := p.when.True(inner)
			if err != nil {
				return fmt.Errorf("%s.when: %w", p.at, err)
			}
			if !wanted {
				continue
			}
		}
		patch, err := p.patch.render(inner, p.at+".patch")
		if err != nil {
			return err
		}
		merged := merge(objects[i].Object, patch)
		if err := checkIdentity(objects[i].Object, merged); err != nil {
			return fmt.Errorf("%s.patch: %w", p.at, err)
		}
		objects[i].Object = merged
	}
	switch {
	case found || p.target != nil && p.target.Optional:
		return nil
	case p.target == nil:
		return fmt.Errorf("%s: the component has no workload to patch", p.at)
	}
	return fmt.Errorf("%s.target: the component has no object of kind %q and name %q", p.at, p.target.Kind, name)
}

func (p *traitPatch) selects(i int, o *unstructured.Unstructured, w *oam.Workload, name string) bool {
	if p.target == nil {
		return w != nil && w.Index == i
	}
	return (p.target.Kind == "" || p.target.Kind == o.GetKind()) && (name == "" || name == o.GetName())
}

// checkIdentity refuses a patch that makes another object of one.
func checkIdentity(before, after map[string]any) error {
	a, b := unstructured.Unstructured{Object: before}, unstructured.Unstructured{Object: after}
	if a.GetAPIVersion() != b.GetAPIVersion() || a.GetKind() != b.GetKind() || a.GetName() != b.GetName() || a.GetNamespace() != b.GetNamespace() {
		return fmt.Errorf("must not change apiVersion, kind, name or namespace of %s %q", a.GetKind(), a.GetName())
	}
	return nil
}
