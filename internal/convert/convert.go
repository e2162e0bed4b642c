// Package convert turns an Application of core.oam.dev/v1beta1, as KubeVela has it, into
// a ProductApplication, and back. Field names are the same in both; what differs is a
// few names of types, the escape of ${, and the words for the phases of a step.
//
// Invariants: nothing that was written is dropped, so there and back again is what it
// was; everything that the other side would not take is named with its path; whatever
// it takes but means otherwise is noted. What a cluster wrote (status, uid and the
// like) is no part of an application.
//
// Deliberately absent: definitions. A type that is not built in is named, because
// somebody must publish it on the other side too.
package convert

import (
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/oam"
)

// What is converted.
const (
	OAMVersion = "core.oam.dev/v1beta1"
	OAMKind    = "Application"
	Kind       = "ProductApplication"
)

// A Result is what an object was converted to.
type Result struct {
	// Object that was made. What was converted is left alone.
	Object *unstructured.Unstructured
	// Problems say what the other side would not take. The object has it still.
	Problems []oam.Problem
	// Notes say what it takes and means otherwise.
	Notes []oam.Problem
}

func (r *Result) problemf(path, format string, args ...any) {
	r.Problems = append(r.Problems, oam.Problem{Path: path, Message: fmt.Sprintf(format, args...)})
}

func (r *Result) notef(path, format string, args ...any) {
	r.Notes = append(r.Notes, oam.Problem{Path: path, Message: fmt.Sprintf(format, args...)})
}

// Convert an object to what it is not: an Application to a ProductApplication, and the
// other way round. It returns an error for any other object.
func Convert(in *unstructured.Unstructured) (*Result, error) {
	switch in.GetAPIVersion() + " " + in.GetKind() {
	case OAMVersion + " " + OAMKind:
		return FromOAM(in), nil
	case v1alpha1.GroupVersion.String() + " " + Kind:
		return ToOAM(in), nil
	}
	return nil, fmt.Errorf("cannot convert a %s of %q: it must be an %s of %s or a %s of %s",
		in.GetKind(), in.GetAPIVersion(), OAMKind, OAMVersion, Kind, v1alpha1.GroupVersion)
}

// types that have another name on the other side, by their name in KubeVela.
var typeNames = map[string]string{"statefulset": oam.TypeStatefulService}

// renamed returns the name of a component type on the other side.
func renamed(name string, toOAM bool) string {
	for theirs, ours := range typeNames {
		switch {
		case toOAM && name == ours:
			return theirs
		case !toOAM && name == theirs:
			return ours
		}
	}
	return name
}

// observedMetadata is what a cluster writes.
var observedMetadata = []string{"creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"}

// begin returns the other object, with the specification still as it was.
func begin(in *unstructured.Unstructured, apiVersion, kind string) *Result {
	out := in.DeepCopy()
	out.SetAPIVersion(apiVersion)
	out.SetKind(kind)
	delete(out.Object, "status")
	if meta, ok := out.Object["metadata"].(map[string]any); ok {
		for _, k := range observedMetadata {
			delete(meta, k)
		}
	}
	return &Result{Object: out}
}

// each calls a function with every object of a list, and its path.
func each(of map[string]any, field, at string, fn func(m map[string]any, at string)) {
	list, _ := of[field].([]any)
	for i := range list {
		if m, ok := list[i].(map[string]any); ok {
			fn(m, fmt.Sprintf("%s.%s[%d]", at, field, i))
		}
	}
}

// change replaces a field, where there is one.
func change(m map[string]any, field string, fn func(v any) any) {
	if v, ok := m[field]; ok {
		m[field] = fn(v)
	}
}

// specOf returns the specification, or an empty one.
func specOf(o *unstructured.Unstructured) map[string]any {
	spec, _ := o.Object["spec"].(map[string]any)
	return spec
}

// components calls a function with everything that has the properties and traits of a
// component: components, and what overrides make of them.
func components(spec map[string]any, fn func(m map[string]any, at string)) {
	each(spec, "components", "spec", fn)
	each(spec, "policies", "spec", func(p map[string]any, at string) {
		if properties, ok := p["properties"].(map[string]any); ok && p["type"] == oam.PolicyOverride {
			each(properties, "components", at+".properties", fn)
		}
	})
}

// steps calls a function with every step of the workflow, those in groups included.
func steps(spec map[string]any, fn func(m map[string]any, at string)) {
	w, _ := spec["workflow"].(map[string]any)
	each(w, "steps", "spec.workflow", func(s map[string]any, at string) {
		fn(s, at)
		each(s, "subSteps", at, fn)
	})
}

// sorted keys of an object.
func sorted(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }
