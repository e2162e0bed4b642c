package oam

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mainstay-dev/mainstay/internal/bundle"
)

// content renders components.
func (a *Application) content(components []component, overrides []string, ps *problems) bundle.Content {
	out := bundle.Content{Components: make([]bundle.Component, 0, len(components)), Policies: a.policies.content()}
	owners := map[objectKey]*component{}
	for i := range components {
		c := &components[i]
		r := a.component(c, overrides, ps)
		for j := range r.Objects {
			claim(c, &r.Objects[j], owners, ps)
			checkFixed(c, &r.Objects[j], ps)
		}
		part := bundle.Component{
			Name: c.name, Type: TypeName(c.kind), DependsOn: c.dependsOn, Objects: r.Objects,
			Health: r.Health, Contract: r.Contract, Procedure: r.Procedure, Outputs: c.outputs,
		}
		if t := a.published(c.kind); t != nil {
			part.Version = t.Version
			a.pin(Pinned{Component: c.name, Type: t.Name, Version: t.Version})
		}
		part.Traits = a.publishedTraits(c)
		out.Components = append(out.Components, part)
	}
	a.connect(&out, components, overrides, ps)
	return out
}

// component renders one component.
func (a *Application) component(c *component, overrides []string, ps *problems) Rendered {
	s, render, err := a.typeOf(c)
	if err != nil {
		ps.addf(c.at, "%v", err)
		return Rendered{}
	}
	if s == nil {
		return Rendered{} // The type was found to be unknown where it is written.
	}
	in := instance{application: a.name, component: c.name}
	properties, fs := s.complete(literal(c.properties))
	var made *target
	if len(fs) == 0 {
		var out Rendered
		if out, fs = render(in, properties); len(fs) == 0 {
			made = newTarget(in, c.kind, out)
		}
	}
	for _, f := range fs {
		at, from := c.locate(f.path)
		if from.input {
			f.message = fmt.Sprintf("property %s %s: an output is put there as a text", f.path, f.message)
		}
		ps.addWithSuffix(Problem{Path: at.String(), Message: f.message}, suffix(c, from, overrides))
	}
	a.applyTraits(c, made, overrides, ps)
	if made == nil {
		return Rendered{}
	}
	out := made.rendered()
	if c.kind == TypeTask {
		if err := nameTask(in, out.Objects); err != nil {
			ps.addf(c.at, "%v", err)
		}
	}
	for i := range out.Objects {
		labels := out.Objects[i].GetLabels()
		if labels == nil {
			labels = map[string]string{}
		}
		setLabels(labels, in)
		out.Objects[i].SetLabels(labels)
	}
	return out
}

// typeOf returns the schema and the template of a component's type, built in or
// published. The schema is nil where there is no such type.
func (a *Application) typeOf(c *component) (*propertySchema, func(in instance, properties map[string]any) (Rendered, findings), error) {
	if t := a.published(c.kind); t != nil {
		return t.Schema.properties, func(_ instance, properties map[string]any) (Rendered, findings) {
			return a.renderPublished(t, c, properties)
		}, nil
	}
	schemas, err := componentTypeSchemas()
	if err != nil {
		return nil, nil, err
	}
	s, known := schemas[c.kind]
	render, hasTemplate := templateOf(c.kind)
	if !known || !hasTemplate {
		return nil, nil, nil
	}
	return s, func(in instance, properties map[string]any) (Rendered, findings) {
		objects, fs := render(in, properties)
		return Rendered{Objects: objects}, fs
	}, nil
}

// An objectKey identifies an object on a cluster, whatever version of its kind it
// is written in.
type objectKey struct{ group, kind, namespace, name string }

// claim checks that no object is rendered twice.
func claim(c *component, o *unstructured.Unstructured, owners map[objectKey]*component, ps *problems) {
	gv, err := schema.ParseGroupVersion(o.GetAPIVersion())
	if err != nil {
		ps.addf(c.at, "cannot render %s %q: %v", o.GetKind(), o.GetName(), err)
		return
	}
	k := objectKey{group: gv.Group, kind: o.GetKind(), namespace: o.GetNamespace(), name: o.GetName()}
	before, taken := owners[k]
	switch {
	case !taken:
		owners[k] = c
	case before.name == c.name:
		ps.addf(c.at, "component %q has %s %q twice: rename one", c.name, k.kind, k.name)
	default:
		ps.addf(c.at, "components %q and %q both have %s %q: rename one", before.name, c.name, k.kind, k.name)
	}
}
