// Package apply turns the content of a Bundle into what is written to a cluster, and
// in which order: components after those that they depend on, and within a component
// in phases. It also says what is to be removed, and what must be there before.
//
// An inventory is every object that a Release may have put on a cluster. It is
// written before the first of them is, in the order of application, so that reading
// it backwards is the order of removal.
//
// Deliberately absent: the cluster. Whoever asks says which kinds have namespaces,
// which components are done, and which references are there.
package apply

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/bundle"
)

// A Set is everything that is to be applied.
type Set struct {
	// Components, each after those that it depends on.
	Components []Component
}

// A Component is the objects of one component.
type Component struct {
	// Name of the component.
	Name string
	// DependsOn names the components that must be done before.
	DependsOn []string
	// Type of the component, and the version of the definition it was rendered from.
	Type, Version string
	// Objects in the order of their phases.
	Objects []Object
	// Steps of its upgrade procedure.
	Steps []Step
	// Problems keep the component from being applied. They are for its author.
	Problems []string
}

// An Object is one object to apply.
type Object struct {
	*unstructured.Unstructured

	// Component the object belongs to.
	Component string
	// Position of the object in its component's manifests.
	Position int
	// Treatment of the object.
	Treatment
}

// A Step of an upgrade procedure.
type Step struct {
	bundle.ProcedureStep

	// Objects that the step applies.
	Objects []Object
}

// Ref names the object on the cluster.
func (o Object) Ref() v1alpha1.ObjectReference {
	return v1alpha1.ObjectReference{
		APIVersion: o.GetAPIVersion(),
		Kind:       o.GetKind(),
		Namespace:  o.GetNamespace(),
		Name:       o.GetName(),
		Component:  o.Component,
		Keep:       o.Keep,
	}
}

// Options say whose objects they are and where they go.
type Options struct {
	// Release that owns the objects. Its namespace is the tenant.
	Release types.NamespacedName
	// Application the objects belong to.
	Application string
	// Namespace on the cluster for objects that name none.
	Namespace string
	// Allowed namespaces on the cluster.
	Allowed []string
}

// A Scope says whether a kind has namespaces on a cluster. Served is false where
// the cluster does not know the kind.
type Scope func(gvk schema.GroupVersionKind) (namespaced, served bool, err error)

// Build what is to be applied. It returns an error where the content as a whole
// makes no sense, or where a scope cannot be had. What is wrong with a component
// alone is noted there.
func Build(content bundle.Content, o Options, scope Scope) (Set, error) {
	ordered, err := inOrder(content.Components)
	if err != nil {
		return Set{}, err
	}
	s := Set{Components: make([]Component, 0, len(ordered))}
	owner := map[key]string{}
	b := &builder{options: o, scope: scope, policies: content.Policies}
	for i := range ordered {
		bc := &ordered[i]
		c := Component{Name: bc.Name, DependsOn: bc.DependsOn, Type: bc.Type, Version: bc.Version}
		c.Objects, err = b.objects(bc, bc.Objects, &c)
		if err != nil {
			return Set{}, err
		}
		for _, obj := range c.Objects {
			if other, ok := owner[keyOf(obj.Ref())]; ok {
				return Set{}, fmt.Errorf("components %q and %q both bring %s %q: remove it from one of them", other, bc.Name, obj.GetKind(), obj.GetName())
			}
			owner[keyOf(obj.Ref())] = bc.Name
		}
		for _, step := range bc.Procedure {
			objects, err := b.objects(bc, step.Apply, &c)
			if err != nil {
				return Set{}, err
			}
			c.Steps = append(c.Steps, Step{ProcedureStep: step, Objects: objects})
		}
		s.Components = append(s.Components, c)
	}
	return s, nil
}

// A builder prepares the objects of components.
type builder struct {
	options  Options
	scope    Scope
	policies *bundle.Policies
}

// objects of a component, in the order of their phases. What is wrong with them is noted
// there.
func (b *builder) objects(bc *bundle.Component, in []unstructured.Unstructured, c *Component) ([]Object, error) {
	out := make([]Object, 0, len(in))
	for i := range in {
		u, problem, err := prepare(&in[i], bc.Name, b.options, b.scope)
		if err != nil {
			return nil, err
		}
		if problem != "" {
			c.Problems = append(c.Problems, problem)
		}
		t, err := TreatmentOf(b.policies, bc.Name, bc.Type, u)
		if err != nil {
			return nil, err
		}
		out = append(out, Object{Unstructured: u, Component: bc.Name, Position: i, Treatment: t})
	}
	slices.SortStableFunc(out, func(a, b Object) int {
		return int(PhaseOf(a.GroupVersionKind().GroupKind())) - int(PhaseOf(b.GroupVersionKind().GroupKind()))
	})
	return out, nil
}

// Phases of a component's objects, in order: those of one can be applied together.
func (c Component) Phases() [][]Object {
	var out [][]Object
	for i, o := range c.Objects {
		p := PhaseOf(o.GroupVersionKind().GroupKind())
		if i == 0 || p != PhaseOf(c.Objects[i-1].GroupVersionKind().GroupKind()) {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], o)
	}
	return out
}

// Objects of all components, in the order of application.
func (s Set) Objects() []Object {
	out := make([]Object, 0, len(s.Components))
	for _, c := range s.Components {
		out = append(out, c.Objects...)
	}
	return out
}

// Open returns the components that may be applied because all that they depend on
// is done, and for each of the others what it waits for.
func (s Set) Open(done func(component string) bool) ([]Component, map[string][]string) {
	var open []Component
	waiting := map[string][]string{}
	for _, c := range s.Components {
		for _, d := range c.DependsOn {
			if !done(d) {
				waiting[c.Name] = append(waiting[c.Name], d)
			}
		}
		if len(waiting[c.Name]) == 0 {
			open = append(open, c)
		}
	}
	return open, waiting
}

// prepare an object: place it, mark it, and take off what only a server may set. It
// returns what is wrong with it, if anything is.
func prepare(in *unstructured.Unstructured, component string, o Options, scope Scope) (*unstructured.Unstructured, string, error) {
	u := in.DeepCopy()
	strip(u)
	if u.GetName() == "" || u.GetKind() == "" || u.GetAPIVersion() == "" {
		return u, fmt.Sprintf("object %s %q needs an apiVersion, a kind and a metadata.name", u.GetKind(), u.GetName()), nil
	}
	mark(u, component, o)

	namespaced, served, err := scope(u.GroupVersionKind())
	if err != nil {
		return u, "", fmt.Errorf("cannot find out whether %s has namespaces: %w", u.GetKind(), err)
	}
	switch {
	case !served:
		return u, fmt.Sprintf("%s %q: the cluster does not know kind %s of %s: install what brings it, or correct apiVersion", u.GetKind(), u.GetName(), u.GetKind(), u.GetAPIVersion()), nil
	case !namespaced:
		u.SetNamespace("")
		return u, "", nil
	case u.GetNamespace() == "":
		u.SetNamespace(o.Namespace)
	}
	if !slices.Contains(o.Allowed, u.GetNamespace()) {
		return u, fmt.Sprintf("%s %q: tenant %q may not deploy into namespace %q, only into %s", u.GetKind(), u.GetName(), o.Release.Namespace, u.GetNamespace(), strings.Join(o.Allowed, ", ")), nil
	}
	return u, "", nil
}

// strip what only a server may set. Manifests that were read from a cluster have it.
func strip(u *unstructured.Unstructured) {
	for _, f := range []string{"managedFields", "resourceVersion", "uid", "creationTimestamp", "deletionTimestamp", "generation", "selfLink", "generateName"} {
		unstructured.RemoveNestedField(u.Object, "metadata", f)
	}
	unstructured.RemoveNestedField(u.Object, "status")
}

// mark an object as the Release's.
func mark(u *unstructured.Unstructured, component string, o Options) {
	labels := u.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	labels[v1alpha1.LabelTenant] = o.Release.Namespace
	labels[v1alpha1.LabelApplication] = o.Application
	labels[v1alpha1.LabelComponent] = component
	u.SetLabels(labels)

	annotations := u.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[v1alpha1.AnnotationRelease] = Mark(o.Release)
	u.SetAnnotations(annotations)
}

// inOrder returns components so that each comes after those that it depends on, and
// otherwise as they came.
func inOrder(in []bundle.Component) ([]bundle.Component, error) {
	byName := map[string]bool{}
	for _, c := range in {
		if byName[c.Name] {
			return nil, fmt.Errorf("component %q is there twice", c.Name)
		}
		byName[c.Name] = true
	}
	for _, c := range in {
		for _, d := range c.DependsOn {
			if !byName[d] {
				return nil, fmt.Errorf("component %q depends on %q, which does not exist", c.Name, d)
			}
		}
	}
	out := make([]bundle.Component, 0, len(in))
	placed := map[string]bool{}
	for len(out) < len(in) {
		i := slices.IndexFunc(in, func(c bundle.Component) bool {
			return !placed[c.Name] && !slices.ContainsFunc(c.DependsOn, func(d string) bool { return !placed[d] })
		})
		if i < 0 {
			return nil, fmt.Errorf("components depend on each other in a circle: %s", strings.Join(unplaced(in, placed), ", "))
		}
		placed[in[i].Name] = true
		out = append(out, in[i])
	}
	return out, nil
}

func unplaced(in []bundle.Component, placed map[string]bool) []string {
	var out []string
	for _, c := range in {
		if !placed[c.Name] {
			out = append(out, c.Name)
		}
	}
	return out
}
