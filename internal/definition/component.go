package definition

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/expr"
	"github.com/mainstay-dev/mainstay/internal/oam"
)

// A Component is a component type that was found to be right.
type Component struct {
	name, version string
	parameters    *parameters

	objects   []objectTemplate
	chart     *chart
	workload  *workload
	contract  *contract
	procedure []step
	health    *v1alpha1.DefinitionHealth
}

// A workload says which object has the pods.
type workload struct {
	kind string
	name *expr.Template
	path []string
}

// CompileComponent checks a component definition. A chart must have its archive or its
// files, whatever it names in a registry. What is wrong is an oam.InvalidError, with
// paths in the definition.
func CompileComponent(name string, spec *v1alpha1.ComponentDefinitionSpec) (*Component, error) {
	ps := &problems{}
	if slices.Contains(oam.ComponentTypes(), name) {
		ps.addf("metadata.name", "%q is a built-in component type: choose another name", name)
	}
	checkVersion(spec.Version, ps)
	c := &Component{name: name, version: spec.Version, parameters: readParameters(spec.Parameters, "spec.parameters", ps)}
	if c.parameters == nil {
		return nil, ps.err()
	}
	s, err := newScope(c.parameters, nil)
	if err != nil {
		return nil, fmt.Errorf("cannot set up the expressions of %q: %w", name, err)
	}
	switch {
	case spec.Chart != nil && len(spec.Objects) > 0:
		ps.addf("spec", "has objects and a chart: keep one")
	case spec.Chart != nil:
		c.chart = s.chart(spec.Chart, "spec.chart", ps)
	case len(spec.Objects) > 0:
		c.objects = s.objects(spec.Objects, "spec.objects", ps)
	default:
		ps.addf("spec", "has neither objects nor a chart: it would render nothing")
	}
	c.workload = s.workload(spec.Workload, "spec.workload", ps)
	c.contract = s.contract(spec.Contract, "spec.contract", ps)
	c.procedure = s.procedure(spec.Procedure, "spec.procedure", ps)
	c.health = spec.Health
	checkHealth(spec.Health, "spec.health", ps)
	if len(*ps) == 0 {
		c.try(spec.Examples, ps)
	}
	if err := ps.err(); err != nil {
		return nil, err
	}
	return c, nil
}

// Type returns the component type for applications.
func (c *Component) Type() *oam.ComponentType {
	return &oam.ComponentType{Name: c.name, Version: c.version, Schema: c.parameters.schema, Render: c.Render}
}

// Render a component. The properties must be complete.
func (c *Component) Render(in oam.Instance, properties map[string]any) (oam.Rendered, error) {
	vars, left := variablesOf(in, properties), newBudget()
	var out oam.Rendered
	var kinds []string
	var err error
	if c.chart != nil {
		out.Objects, kinds, err = c.chart.render(in, vars, left)
		if err != nil {
			return oam.Rendered{}, err
		}
	}
	for i := range c.objects {
		if out.Objects, err = c.objects[i].render(vars, left, out.Objects); err != nil {
			return oam.Rendered{}, err
		}
	}
	if len(out.Objects) == 0 {
		return oam.Rendered{}, fmt.Errorf("renders no object at all")
	}
	if out.Workload, err = c.workload.find(out.Objects, vars); err != nil {
		return oam.Rendered{}, err
	}
	if out.Contract, err = c.contract.render(vars, c.version, kinds); err != nil {
		return oam.Rendered{}, err
	}
	if out.Procedure, err = renderProcedure(c.procedure, vars); err != nil {
		return oam.Rendered{}, err
	}
	out.Health = healthOf(c.health)
	return out, nil
}

// try renders examples: what fails here would fail in an application.
func (c *Component) try(examples []v1alpha1.DefinitionExample, ps *problems) {
	render := func(in oam.Instance, properties map[string]any) ([]unstructured.Unstructured, error) {
		out, err := c.Render(in, properties)
		return out.Objects, err
	}
	tryExamples(c.parameters, examples, render, ps)
}

// tryExamples renders each example, or where there is none, what the schema requires.
func tryExamples(p *parameters, examples []v1alpha1.DefinitionExample, render func(oam.Instance, map[string]any) ([]unstructured.Unstructured, error), ps *problems) {
	in := oam.Instance{Application: "example", Component: "example", Labels: map[string]string{}}
	if len(examples) == 0 {
		if m, ok := p.sample(); ok {
			tryOne(p, in, m, "spec.objects", " with nothing but what is required (give examples to try others)", render, ps)
		}
		return
	}
	for i, e := range examples {
		at := fmt.Sprintf("spec.examples[%d]", i)
		m, err := properties(e.Properties)
		if err != nil {
			ps.addf(at+".properties", "cannot be read: %v", err)
			continue
		}
		tryOne(p, in, m, at, "", render, ps)
	}
}

func tryOne(p *parameters, in oam.Instance, written map[string]any, at, how string, render func(oam.Instance, map[string]any) ([]unstructured.Unstructured, error), ps *problems) {
	complete, err := p.complete(written)
	if err != nil {
		ps.addf(at+".properties", "%v", err)
		return
	}
	first, err := render(in, complete)
	if err != nil {
		ps.addf(at, "cannot be rendered%s: %v", how, err)
		return
	}
	again, err := render(in, complete)
	if err != nil || !same(first, again) {
		ps.addf(at, "gives another result each time it is rendered%s: it must not make anything up, such as passwords; make it a parameter", how)
		return
	}
	for _, problem := range oam.CheckRendered(in, first) {
		ps.addf(at, "renders what cannot be applied%s: %s", how, problem)
	}
}

func same(a, b []unstructured.Unstructured) bool {
	x, err := json.Marshal(a)
	if err != nil {
		return false
	}
	y, err := json.Marshal(b)
	return err == nil && bytes.Equal(x, y)
}

func (s *scope) workload(in *v1alpha1.WorkloadReference, at string, ps *problems) *workload {
	if in == nil {
		return nil
	}
	path := in.PodTemplate
	if path == "" {
		path = podKinds["Deployment"]
	}
	return &workload{kind: in.Kind, name: s.text(in.Name, at+".name", ps), path: strings.Split(path, ".")}
}

// find the workload among objects.
func (w *workload) find(objects []unstructured.Unstructured, vars map[string]any) (*oam.Workload, error) {
	if w == nil {
		return firstWorkload(objects), nil
	}
	name, err := renderText(w.name, vars, "spec.workload.name", "")
	if err != nil {
		return nil, err
	}
	for i := range objects {
		if objects[i].GetKind() != w.kind || name != "" && objects[i].GetName() != name {
			continue
		}
		if _, found, err := unstructured.NestedMap(objects[i].Object, w.path...); err != nil || !found {
			return nil, fmt.Errorf("spec.workload: %s %q has no %s", w.kind, objects[i].GetName(), strings.Join(w.path, "."))
		}
		return &oam.Workload{Index: i, PodTemplate: w.path}, nil
	}
	if name != "" {
		return nil, fmt.Errorf("spec.workload: there is no %s %q among the objects", w.kind, name)
	}
	return nil, fmt.Errorf("spec.workload: there is no %s among the objects", w.kind)
}
