package oam

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
)

// apply returns the components as the override makes them. Those it is given are
// left alone.
func (o *override) apply(components []component, ps *problems) []component {
	out := slices.Clone(components)
	for i := range o.patches {
		out = o.patch(&o.patches[i], out, ps)
	}
	if o.selector == nil {
		return out
	}
	names := componentNames(out)
	for i, s := range o.selector {
		if !slices.Contains(names, s) {
			ps.addf(o.at.field("selector").index(i), "%q is no component of this application%s", s, didYouMean(s, names))
		}
	}
	return selected(out, o.selector)
}

func (o *override) patch(p *patch, components []component, ps *problems) []component {
	var matched []component
	for i := range components {
		if p.matches(&components[i]) {
			matched = append(matched, components[i])
			components[i] = o.merge(p, components[i])
		}
	}
	p.checkDisabled(matched, ps)
	names := componentNames(components)
	switch {
	case len(matched) > 0:
	case p.Name == "" && p.Type == "":
	case p.Name == "":
		ps.addf(p.at.field("type"), "no component of this application is of type %q", p.Type)
	case strings.Contains(p.Name, "*"):
		ps.addf(p.at.field("name"), "%q matches no component of this application", p.Name)
	case p.Type == "":
		ps.addf(p.at.field("name"), "%q is no component of this application, and without a type it cannot be added%s", p.Name, didYouMean(p.Name, names))
	default:
		checkComponentName(p.Name, p.at.field("name"), ps)
		components = append(components, component{
			name: p.Name, kind: p.Type, at: p.at,
			properties: p.Properties,
			sources:    []source{o.source(p)},
			traits:     o.mergeTraits(p, nil),
		})
	}
	return components
}

// matches returns true where the patch is for a component: for all of them, for all
// of a type, or by name, where * stands for any characters.
func (p *patch) matches(c *component) bool {
	if p.Name == "" {
		return p.Type == "" || TypeName(p.Type) == TypeName(c.kind)
	}
	parts := strings.Split(p.Name, "*")
	if len(parts) == 1 {
		return p.Name == c.name
	}
	rest, ok := strings.CutPrefix(c.name, parts[0])
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(rest, part)
		if !ok || i < 0 {
			return false
		}
		rest = rest[i+len(part):]
	}
	return ok && strings.HasSuffix(rest, parts[len(parts)-1])
}

// merge returns a component with a patch applied. A patch of another type takes the
// place of the properties and traits, any other is merged into them. One of the same type
// may give it another version.
func (o *override) merge(p *patch, c component) component {
	if p.Type != "" && TypeName(p.Type) == TypeName(c.kind) && p.Type != TypeName(p.Type) {
		c.kind = p.Type
	}
	if p.Type != "" && TypeName(p.Type) != TypeName(c.kind) {
		c.kind, c.properties, c.at = p.Type, p.Properties, p.at
		c.sources, c.traits = []source{o.source(p)}, o.mergeTraits(p, nil)
		return c
	}
	c.properties = mergeProperties(c.properties, p.Properties)
	c.sources = append(slices.Clone(c.sources), o.source(p))
	c.traits = o.mergeTraits(p, c.traits)
	return c
}

func (o *override) source(p *patch) source {
	return source{at: p.at.field("properties"), properties: p.Properties, policy: o.name}
}

// mergeProperties returns base with patch merged in: objects key by key, anything
// else, lists included, as a whole. A null removes a key.
func mergeProperties(base, patch map[string]any) map[string]any {
	out := maps.Clone(base)
	if out == nil {
		out = map[string]any{}
	}
	for k, v := range patch {
		into, ok := out[k].(map[string]any)
		from, isObject := v.(map[string]any)
		switch {
		case v == nil:
			delete(out, k)
		case ok && isObject:
			out[k] = mergeProperties(into, from)
		default:
			out[k] = runtime.DeepCopyJSONValue(v)
		}
	}
	return out
}

func componentNames(components []component) []string {
	out := make([]string, 0, len(components))
	for _, c := range components {
		out = append(out, c.name)
	}
	return out
}
