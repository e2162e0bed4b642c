package oam

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mainstay-dev/mainstay/internal/bundle"
)

// content renders components.
func (a *Application) content(components []component, overrides []string, ps *problems) bundle.Content {
	out := bundle.Content{Components: make([]bundle.Component, 0, len(components))}
	owners := map[objectKey]*component{}
	for i := range components {
		c := &components[i]
		objects := a.objects(c, overrides, ps)
		for j := range objects {
			claim(c, &objects[j], owners, ps)
			checkFixed(c, &objects[j], ps)
		}
		out.Components = append(out.Components, bundle.Component{Name: c.name, Type: c.kind, DependsOn: c.dependsOn, Objects: objects})
	}
	return out
}

// objects renders one component.
func (a *Application) objects(c *component, overrides []string, ps *problems) []unstructured.Unstructured {
	schemas, err := componentTypeSchemas()
	if err != nil {
		ps.addf(c.at, "%v", err)
		return nil
	}
	s, known := schemas[c.kind]
	render, hasTemplate := templateOf(c.kind)
	if !known || !hasTemplate {
		return nil // The type was found to be unknown where it is written.
	}
	in := instance{application: a.name, component: c.name}
	literal, _ := unescapeKeys(c.properties).(map[string]any)
	properties, fs := s.complete(literal)
	var objects []unstructured.Unstructured
	if len(fs) == 0 {
		objects, fs = render(in, properties)
	}
	for _, f := range fs {
		at, from := c.locate(f.path)
		ps.addWithSuffix(Problem{Path: at.String(), Message: f.message}, suffix(c, from, overrides))
	}
	for i := range objects {
		labels := objects[i].GetLabels()
		if labels == nil {
			labels = map[string]string{}
		}
		setLabels(labels, in)
		objects[i].SetLabels(labels)
	}
	return objects
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
