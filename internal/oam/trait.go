package oam

import (
	"fmt"
	"slices"

	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
)

// A trait of a component as it is written, or as overrides have made it.
type trait struct {
	// kind is the trait's type.
	kind string
	// at is where the trait is written.
	at path
	// properties as merged, and where they come from.
	properties map[string]any
	sources    []source
}

// readTraits reads the traits of a component and checks what can be checked without
// rendering it.
func (a *Application) readTraits(in []v1alpha1.Trait, component string, at path, ps *problems) []trait {
	var out []trait
	for i := range in {
		at := at.index(i)
		a.checkTraitType(in[i].Type, at.field("type"), ps)
		if j := indexTrait(out, in[i].Type); j >= 0 {
			ps.addf(at.field("type"), "component %q has the trait %q already, at %s: it can have one of a type", component, TypeName(in[i].Type), out[j].at)
			continue
		}
		properties := readProperties(in[i].Properties, at.field("properties"), ps)
		out = append(out, trait{
			kind: in[i].Type, at: at, properties: properties,
			sources: []source{{at: at.field("properties"), properties: properties}},
		})
	}
	return out
}

// indexTrait returns which trait is of a type, in whatever version, or -1.
func indexTrait(traits []trait, kind string) int {
	return slices.IndexFunc(traits, func(t trait) bool { return TypeName(t.kind) == TypeName(kind) })
}

// A traitPatch changes one trait of the components that an override's patch matches.
type traitPatch struct {
	Type       string         `json:"type"`
	Properties map[string]any `json:"properties"`
	// Disable takes the trait away.
	Disable bool `json:"disable"`
}

// checkTraits finds what is wrong with the traits of a patch, whatever it matches.
func (a *Application) checkTraits(p *patch, ps *problems) {
	known := map[string]bool{}
	for i, t := range p.Traits {
		at := p.traitAt(i)
		if known[TypeName(t.Type)] {
			ps.addf(at.field("type"), "has the trait %q twice: put its properties together", t.Type)
		}
		known[TypeName(t.Type)] = true
		if t.Disable && len(t.Properties) > 0 {
			ps.addf(at.field("properties"), "would be ignored, because disable takes the trait away: keep one")
		}
		if !t.Disable {
			a.checkTraitType(t.Type, at.field("type"), ps)
		}
	}
}

func (p *patch) traitAt(i int) path { return p.at.field("traits").index(i) }

// mergeTraits returns the traits of a component as a patch makes them: properties
// are merged into those of a trait of the same type, which may get another version,
// other traits come last.
func (o *override) mergeTraits(p *patch, traits []trait) []trait {
	out := slices.Clone(traits)
	for i, t := range p.Traits {
		from := source{at: p.traitAt(i).field("properties"), properties: t.Properties, policy: o.name}
		j := indexTrait(out, t.Type)
		switch {
		case t.Disable && j >= 0:
			out = slices.Delete(out, j, j+1)
		case t.Disable:
		case j >= 0:
			if t.Type != TypeName(t.Type) {
				out[j].kind = t.Type
			}
			out[j].properties = mergeProperties(out[j].properties, t.Properties)
			out[j].sources = append(slices.Clone(out[j].sources), from)
		default:
			out = append(out, trait{
				kind: t.Type, at: p.traitAt(i), properties: mergeProperties(nil, t.Properties), sources: []source{from},
			})
		}
	}
	return out
}

// checkDisabled finds traits that a patch takes away and that none of the components
// it matches has.
func (p *patch) checkDisabled(matched []component, ps *problems) {
	for i, t := range p.Traits {
		has := func(c component) bool { return indexTrait(c.traits, t.Type) >= 0 }
		if t.Disable && !slices.ContainsFunc(matched, has) {
			ps.addf(p.traitAt(i).field("disable"), "there is no trait %q to take away", t.Type)
		}
	}
}

// applyTraits changes the objects of a component as its traits say, one after
// another. Where the component could not be rendered, rendered is nil, and the
// traits are checked as far as that goes.
func (a *Application) applyTraits(c *component, rendered *target, overrides []string, ps *problems) {
	report := func(t *trait, fs findings) {
		for _, f := range fs {
			at, from := locate(t.sources, f.path)
			ps.addWithSuffix(Problem{Path: at.String(), Message: f.message}, suffix(c, from, overrides))
		}
	}
	found := len(ps.list)
	var last []func()
	for i := range c.traits {
		t := &c.traits[i]
		kind := a.traitType(c, t.kind)
		if kind == nil {
			continue // The type was found to be unknown where it is written.
		}
		if i := a.conflict(c, i, kind); i >= 0 {
			t.refuse(c, overrides, ps, "trait %q does not go together with trait %q of component %q: keep one", t.kind, c.traits[i].kind, c.name)
		}
		properties, fs := kind.schema.complete(literal(t.properties))
		switch {
		case len(fs) > 0 || rendered == nil || len(ps.list) > found:
		case !rendered.fits(kind):
			t.refuse(c, overrides, ps, "%s", rendered.misfit(t.kind, kind))
		default:
			fs = kind.apply(rendered, properties)
			for _, check := range rendered.checks {
				last = append(last, func() { report(t, check()) })
			}
			rendered.checks = nil
		}
		report(t, fs)
	}
	for _, check := range last {
		check()
	}
}

// refuse says that a component cannot have the trait.
func (t *trait) refuse(c *component, overrides []string, ps *problems, format string, args ...any) {
	at, from := t.at.field("type"), t.sources[len(t.sources)-1]
	ps.addWithSuffix(Problem{Path: at.String(), Message: fmt.Sprintf(format, args...)}, suffix(c, from, overrides))
}

// conflict returns which trait before the given one does not go together with it,
// or -1.
func (a *Application) conflict(c *component, i int, kind *traitType) int {
	return slices.IndexFunc(c.traits[:i], func(other trait) bool {
		against := a.traitType(c, other.kind)
		return slices.Contains(kind.conflictsWith, TypeName(other.kind)) ||
			against != nil && slices.Contains(against.conflictsWith, TypeName(c.traits[i].kind))
	})
}
