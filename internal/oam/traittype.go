package oam

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// A traitType is what traits of one type do: data plus a function, as a component
// type is.
type traitType struct {
	schema *propertySchema
	// appliesTo says which components can have the trait. One of these is enough:
	// a component type; the kind of a workload, such as Deployment or
	// deployments.apps; replicable or podspecable, in OAM's words; or * for any.
	appliesTo []string
	// conflictsWith are types of traits that a component cannot have as well. To say
	// it on one side is enough.
	conflictsWith []string
	// apply changes the rendered component. The properties fit the schema, and have
	// its defaults. The findings have paths within the properties.
	apply func(t *target, properties map[string]any) findings
}

// What a workload can be, in OAM's words.
const (
	// anything means that there is an object at all.
	anyWorkload = "*"
	// podspecable means that the workload has a template of its pods.
	podspecable = "podspecable"
	// replicable means that it also has a number of them that is free to change.
	replicable = "replicable"
)

// traitType returns what a reference to a trait type stands for, or nil where it
// stands for nothing. Built-in types come first.
func (a *Application) traitType(c *component, reference string) *traitType {
	types, err := builtInTraits()
	if err != nil {
		return nil
	}
	if t, ok := types[reference]; ok {
		return t
	}
	if a.catalogue == nil {
		return nil
	}
	t, err := a.catalogue.TraitType(reference)
	if err != nil {
		return nil // It was found where it is written.
	}
	a.pin(Pinned{Component: c.name, Type: t.Name, Version: t.Version, Trait: true})
	return publishedTrait(t)
}

// publishedTrait makes a trait type of one that was published.
func publishedTrait(t *TraitType) *traitType {
	out := &traitType{schema: t.Schema.properties, appliesTo: t.AppliesTo, conflictsWith: t.ConflictsWith}
	if len(out.appliesTo) == 0 {
		out.appliesTo = []string{anyWorkload}
	}
	out.apply = func(to *target, properties map[string]any) findings {
		in := Instance{Application: to.in.application, Component: to.in.component, Labels: to.in.selector()}
		made, err := t.Apply(in, to.rendered(), properties)
		if err != nil {
			fs := findings{}
			fs.addf(nil, "%s %s cannot be applied: %v", t.Name, t.Version, err)
			return fs
		}
		to.take(made)
		return checkPublished(t.Name+" "+t.Version, to.in, made.Objects)
	}
	return out
}

// traitTypes returns all types that a trait can have, sorted.
func (a *Application) traitTypes() []string {
	types := TraitTypes()
	if a.catalogue != nil {
		types = append(types, a.catalogue.TraitTypes()...)
	}
	slices.Sort(types)
	return slices.Compact(types)
}

// checkTraitType finds types and versions that there are not.
func (a *Application) checkTraitType(kind string, at path, ps *problems) {
	types, name := a.traitTypes(), TypeName(kind)
	switch {
	case !slices.Contains(types, name):
		ps.addf(at, "trait type %q is not known: there are %s%s", name, enumerate(types), didYouMean(name, types))
	case slices.Contains(TraitTypes(), name):
		if name != kind {
			ps.addf(at, "trait type %q is built in and has no versions: write %q", kind, name)
		}
	default:
		if _, err := a.catalogue.TraitType(kind); err != nil {
			ps.addf(at, "%v", err)
		}
	}
}

// TraitTypes returns the names of the built-in trait types, sorted.
func TraitTypes() []string {
	types, err := builtInTraits()
	if err != nil {
		return nil
	}
	return slices.Sorted(maps.Keys(types))
}

// builtInTraits are made once. That they can be is tested, so an error cannot happen
// in a build that passed its tests.
var builtInTraits = sync.OnceValues(func() (map[string]*traitType, error) {
	schemas, err := traitTypeSchemas()
	if err != nil {
		return nil, err
	}
	out := map[string]*traitType{}
	for name, t := range traitTable() {
		s, ok := schemas[name]
		if !ok {
			return nil, fmt.Errorf("trait type %q has no schema", name)
		}
		t.schema = s
		out[name] = &t
	}
	return out, nil
})

// changes makes the function of a trait type of one over typed properties.
func changes[P any](apply func(t *target, p P, fs *findings)) func(*target, map[string]any) findings {
	return func(t *target, properties map[string]any) findings {
		fs := findings{}
		var p P
		if err := fromMap(properties, &p); err != nil {
			fs.addf(nil, "cannot be read: %v", err)
			return fs
		}
		apply(t, p, &fs)
		return fs
	}
}

// fits returns true where a trait type applies to the component.
func (t *target) fits(kind *traitType) bool { return slices.ContainsFunc(kind.appliesTo, t.is) }

func (t *target) is(what string) bool {
	w := t.workload()
	if w == nil {
		return false
	}
	group, _, _ := strings.Cut(w.GetAPIVersion(), "/")
	switch what {
	case anyWorkload:
		return true
	case podspecable:
		return t.pod() != nil
	case replicable:
		return t.pod() != nil && !slices.Contains([]string{"Job", "CronJob", "DaemonSet", "Pod"}, w.GetKind())
	case TypeName(t.kind), w.GetKind(), strings.ToLower(w.GetKind()) + "s." + group:
		return true
	}
	return false
}

// misfit says why a trait type does not apply.
func (t *target) misfit(name string, kind *traitType) string {
	needs := make([]string, 0, len(kind.appliesTo))
	for _, what := range kind.appliesTo {
		switch what {
		case anyWorkload:
			what = "an object"
		case podspecable:
			what = "a workload with a template of its pods"
		case replicable:
			what = "a workload with a number of pods, such as a Deployment or a StatefulSet"
		}
		needs = append(needs, what)
	}
	has := "has no object"
	if w := t.workload(); w != nil {
		has = fmt.Sprintf("has a %s", w.GetKind())
	}
	return fmt.Sprintf("trait %q does not fit component %q, which %s: it is for %s", name, t.in.component, has, strings.Join(needs, " or "))
}
