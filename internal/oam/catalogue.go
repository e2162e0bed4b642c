package oam

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mainstay-dev/mainstay/internal/bundle"
)

// A Catalogue knows the types of components and traits that platform teams publish.
// The types that are built in are none of its business.
type Catalogue interface {
	// ComponentTypes returns the names of the component types, sorted.
	ComponentTypes() []string
	// ComponentType returns what a reference such as flink, flink@1.2.x or
	// flink@1.2.3 stands for. Its error says which versions there are.
	ComponentType(reference string) (*ComponentType, error)
	// TraitTypes returns the names of the trait types, sorted.
	TraitTypes() []string
	// TraitType returns what a reference stands for.
	TraitType(reference string) (*TraitType, error)
}

// A ComponentType is one version of a component type that was published.
type ComponentType struct {
	// Name and Version of the definition.
	Name, Version string
	// Schema of the properties.
	Schema *Schema
	// Render a component. The properties are complete and fit the schema.
	Render func(in Instance, properties map[string]any) (Rendered, error)
}

// A TraitType is one version of a trait type that was published.
type TraitType struct {
	// Name and Version of the definition.
	Name, Version string
	// Schema of the properties.
	Schema *Schema
	// AppliesTo lists component types, without their versions. Empty means all.
	AppliesTo []string
	// ConflictsWith lists trait types, without their versions.
	ConflictsWith []string
	// Apply the trait to what a component was rendered to. The properties are complete
	// and fit the schema. What it is given is left alone.
	Apply func(in Instance, to Rendered, properties map[string]any) (Rendered, error)
}

// An Instance is what a type needs to know of a component besides its properties.
type Instance struct {
	// Application and Component are names.
	Application, Component string
	// Labels by which a workload finds its pods.
	Labels map[string]string
}

// A Rendered is what a component was rendered to.
type Rendered struct {
	// Objects of the component.
	Objects []unstructured.Unstructured
	// Workload is which of the objects has the pods, where a definition says so.
	Workload *Workload
	// What the definition says of health, needs and upgrades.
	Health    *bundle.Health
	Contract  *bundle.Contract
	Procedure []bundle.ProcedureStep
}

// A Workload is an object that has pods.
type Workload struct {
	// Index of the object.
	Index int
	// PodTemplate is the path of the pod template in it.
	PodTemplate []string
}

// A Pinned says which version of a definition a component got.
type Pinned struct {
	// Component that has the type or the trait.
	Component string
	// Type without its version, and the Version that it got.
	Type, Version string
	// Trait is true where the type is that of a trait.
	Trait bool
}

// An Option of Compile.
type Option func(*Application)

// WithCatalogue lets an application use types that were published.
func WithCatalogue(c Catalogue) Option { return func(a *Application) { a.catalogue = c } }

// WithNamespace says in which namespace the application is.
func WithNamespace(namespace string) Option { return func(a *Application) { a.namespace = namespace } }

// TypeName returns the name in a reference to a type: flink in flink@1.2.x.
func TypeName(reference string) string {
	name, _, _ := strings.Cut(reference, "@")
	return name
}

// Pinned returns which versions of definitions the components got, in the order of the
// components and traits.
func (a *Application) Pinned() []Pinned { return slices.Clone(a.pinned) }

// A Schema says which properties there are. It completes and checks them.
type Schema struct{ properties *propertySchema }

// NewSchema compiles a schema. It must be structural, and of an object.
func NewSchema(props *apiextensionsv1.JSONSchemaProps) (*Schema, error) {
	if props.Type != "object" {
		return nil, fmt.Errorf("must be of type object, got %q", props.Type)
	}
	s, err := newSchema(props)
	if err != nil {
		return nil, err
	}
	return &Schema{properties: s}, nil
}

// Complete returns the properties with defaults filled in, and what is wrong with them,
// at paths within the properties. The properties themselves are left alone.
func (s *Schema) Complete(properties map[string]any) (map[string]any, []Problem) {
	out, fs := s.properties.complete(properties)
	problems := make([]Problem, 0, len(fs))
	for _, f := range fs {
		problems = append(problems, Problem{Path: f.path.String(), Message: f.message})
	}
	return out, problems
}

// componentTypes returns all types that a component can have, sorted.
func (a *Application) componentTypes() []string {
	types := ComponentTypes()
	if a.catalogue != nil {
		types = append(types, a.catalogue.ComponentTypes()...)
	}
	slices.Sort(types)
	return slices.Compact(types)
}

// checkComponentType finds types and versions that there are not.
func (a *Application) checkComponentType(kind string, at path, ps *problems) {
	types, name := a.componentTypes(), TypeName(kind)
	switch {
	case !slices.Contains(types, name):
		ps.addf(at, "component type %q is not known: there are %s%s", name, enumerate(types), didYouMean(name, types))
	case slices.Contains(ComponentTypes(), name):
		if name != kind {
			ps.addf(at, "component type %q is built in and has no versions: write %q", kind, name)
		}
	default:
		if _, err := a.catalogue.ComponentType(kind); err != nil {
			ps.addf(at, "%v", err)
		}
	}
}

// published returns the type of a component, where it is one that was published.
func (a *Application) published(kind string) *ComponentType {
	if a.catalogue == nil || slices.Contains(ComponentTypes(), kind) {
		return nil
	}
	t, err := a.catalogue.ComponentType(kind)
	if err != nil {
		return nil // It was found where it is written.
	}
	return t
}

// publishedTraits returns the traits of a component that were published, with the
// versions that it got.
func (a *Application) publishedTraits(c *component) []string {
	var out []string
	for i := range c.traits {
		if a.catalogue == nil || slices.Contains(TraitTypes(), c.traits[i].kind) {
			continue
		}
		if t, err := a.catalogue.TraitType(c.traits[i].kind); err == nil {
			out = append(out, t.Name+"@"+t.Version)
		}
	}
	return out
}

// renderPublished renders a component of a published type.
func (a *Application) renderPublished(t *ComponentType, c *component, properties map[string]any) (Rendered, findings) {
	in := instance{application: a.name, component: c.name}
	out, err := t.Render(Instance{Application: a.name, Component: c.name, Labels: in.selector()}, properties)
	var invalid *InvalidError
	fs := findings{}
	switch {
	case errors.As(err, &invalid):
		for _, p := range invalid.Problems {
			fs.addf(nil, "%s %s cannot be rendered: %s", t.Name, t.Version, p)
		}
	case err != nil:
		fs.addf(nil, "%s %s cannot be rendered: %v", t.Name, t.Version, err)
	}
	if len(fs) > 0 {
		return Rendered{}, fs
	}
	return out, checkPublished(t.Name+" "+t.Version, in, out.Objects)
}

// checkPublished checks objects that a definition made as if a user had written them.
func checkPublished(definition string, in instance, objects []unstructured.Unstructured) findings {
	out := findings{}
	for _, f := range checkObjects(in, objects) {
		out.addf(nil, "%s renders what cannot be applied: %s %s", definition, f.path, f.message)
	}
	return out
}

// checkObjects checks objects. Our own labels, with the values that they must have, are
// no problem; they are taken off, and put on again with all others.
func checkObjects(in instance, objects []unstructured.Unstructured) findings {
	found := findings{}
	for i := range objects {
		if labels := objects[i].GetLabels(); len(labels) > 0 {
			maps.DeleteFunc(labels, func(k, v string) bool { return in.selector()[k] == v })
			objects[i].SetLabels(labels)
		}
		checkObject(objects[i].Object, path{"objects", i}, &found)
		checkText(objects[i].Object, path{"objects", i}, &found)
	}
	return found
}

// pin notes which version a component got.
func (a *Application) pin(p Pinned) {
	if !slices.Contains(a.pinned, p) {
		a.pinned = append(a.pinned, p)
	}
}

// CheckRendered finds in the objects of a component what could not be applied: kinds of
// the whole cluster, bad metadata, expressions that do not compile. The paths are within
// the objects.
func CheckRendered(in Instance, objects []unstructured.Unstructured) []Problem {
	copies := make([]unstructured.Unstructured, len(objects))
	for i := range objects {
		copies[i] = *objects[i].DeepCopy()
	}
	fs := checkObjects(instance{application: in.Application, component: in.Component}, copies)
	out := make([]Problem, 0, len(fs))
	for _, f := range fs {
		out = append(out, Problem{Path: f.path.String(), Message: f.message})
	}
	return out
}
