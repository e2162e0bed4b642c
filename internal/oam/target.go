package oam

import (
	"fmt"
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation"
)

// A target is a rendered component that traits change, one after another. Its
// objects are edited as they will be written, and not as Go types: what a newer
// Kubernetes knows must get through.
type target struct {
	in instance
	// kind is the component's type.
	kind    string
	objects []unstructured.Unstructured
	// rest is what else the component was rendered to.
	rest Rendered
	// main is the index of the workload among the objects, or -1.
	main int
	// template is the path of the pods' template in the workload, or nil.
	template []string
	// checks that the trait which is being applied wants once all are.
	checks []func() findings
}

func newTarget(in instance, kind string, from Rendered) *target {
	t := &target{in: in, kind: kind}
	t.take(from)
	return t
}

// take objects, and find the workload: what the definition says it is, or the first
// object with a template of pods, or else the first object.
func (t *target) take(from Rendered) {
	t.objects, t.rest, t.main, t.template = from.Objects, from, -1, nil
	if w := from.Workload; w != nil && w.Index >= 0 && w.Index < len(t.objects) {
		t.main = w.Index
		if hasContainers(t.objects[w.Index].Object, w.PodTemplate...) {
			t.template = append([]string{}, w.PodTemplate...)
		}
		return
	}
	for i := range t.objects {
		if p, ok := templatePath(&t.objects[i]); ok {
			t.main, t.template = i, p
			return
		}
	}
	if len(t.objects) > 0 {
		t.main = 0
	}
}

// rendered returns what the component has become.
func (t *target) rendered() Rendered {
	out := t.rest
	out.Objects = t.objects
	if out.Workload == nil && len(t.template) > 0 {
		out.Workload = &Workload{Index: t.main, PodTemplate: t.template}
	}
	return out
}

// templatePath returns where an object has the template of its pods. It is found by
// its form, so that workloads that are not Kubernetes' own have one too.
func templatePath(o *unstructured.Unstructured) ([]string, bool) {
	for _, p := range [][]string{{"spec", "template"}, {"spec", "jobTemplate", "spec", "template"}} {
		if hasContainers(o.Object, p...) {
			return p, true
		}
	}
	if o.GetKind() == "Pod" && hasContainers(o.Object) {
		return []string{}, true
	}
	return nil, false
}

func hasContainers(o map[string]any, at ...string) bool {
	l, ok, _ := unstructured.NestedFieldNoCopy(o, append(slices.Clone(at), "spec", "containers")...)
	list, isList := l.([]any)
	if !ok || !isList || len(list) == 0 {
		return false
	}
	for _, c := range list {
		m, isMap := c.(map[string]any)
		if name, _ := m["name"].(string); !isMap || name == "" {
			return false
		}
	}
	return true
}

// workload returns the object that traits change, or nil.
func (t *target) workload() *unstructured.Unstructured {
	if t.main < 0 {
		return nil
	}
	return &t.objects[t.main]
}

// spec returns the workload's specification.
func (t *target) spec() map[string]any { return object(t.workload().Object, "spec") }

// pod returns the template of the workload's pods, or nil.
func (t *target) pod() map[string]any {
	if t.template == nil {
		return nil
	}
	return object(t.workload().Object, t.template...)
}

// podSpec returns the specification in the template. There is one: that is how the
// template was found.
func (t *target) podSpec() map[string]any { return object(t.pod(), "spec") }

// containers returns the containers of the pods. There is at least one.
func (t *target) containers() []map[string]any { return entries(t.podSpec(), "containers") }

// allContainers returns those that run first as well.
func (t *target) allContainers() []map[string]any {
	return append(entries(t.podSpec(), "initContainers"), t.containers()...)
}

// container returns a container by its name. Without a name it is the one that is
// named like the component, or else the first.
func (t *target) container(name string, at path, fs *findings) (map[string]any, bool) {
	all := t.containers()
	named := func(n string) int {
		return slices.IndexFunc(all, func(c map[string]any) bool { return c["name"] == n })
	}
	if name == "" {
		return all[max(named(t.in.component), 0)], true
	}
	if i := named(name); i >= 0 {
		return all[i], true
	}
	names := make([]string, 0, len(all))
	for _, c := range all {
		names = append(names, fmt.Sprint(c["name"]))
	}
	fs.addf(at, "there is no container %q: there are %s", name, enumerate(names))
	return nil, false
}

// selector returns the labels by which the workload's pods are found.
func (t *target) selector(at path, fs *findings) map[string]any {
	for _, from := range [][]string{{"spec", "selector", "matchLabels"}, append(slices.Clone(t.template), "metadata", "labels")} {
		if m, ok, _ := unstructured.NestedMap(t.workload().Object, from...); ok && len(m) > 0 {
			return t.own(m)
		}
	}
	fs.addf(at, "cannot be done: the pods of %s %q have no labels to find them by", t.workload().GetKind(), t.workload().GetName())
	return nil
}

// own narrows labels to those that tell a component's pods from others, where the
// component is one of ours.
func (t *target) own(labels map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range t.in.selector() {
		if labels[k] != v {
			return labels
		}
		out[k] = v
	}
	return out
}

// add adds an object to the component.
func (t *target) add(o runtime.Object, fs *findings) {
	u, err := toUnstructured(o)
	if err != nil {
		fs.addf(nil, "cannot be rendered: %v", err)
		return
	}
	t.objects = append(t.objects, u)
}

// find returns one of the component's objects, or nil.
func (t *target) find(kind, name string) *unstructured.Unstructured {
	for i := range t.objects {
		if t.objects[i].GetKind() == kind && t.objects[i].GetName() == name {
			return &t.objects[i]
		}
	}
	return nil
}

// addVolume adds a volume to the pods. One that is there already is the same.
func (t *target) addVolume(name string, source map[string]any, at path, fs *findings) {
	if len(validation.IsDNS1123Label(name)) > 0 {
		fs.addf(at, "must be a DNS label: lower-case letters, digits and '-', got %s", describe(name))
		return
	}
	v := map[string]any{"name": name}
	for k, s := range source {
		v[k] = s
	}
	for _, there := range entries(t.podSpec(), "volumes") {
		if there["name"] != name {
			continue
		}
		if !reflect.DeepEqual(there, v) {
			fs.addf(at, "%q already names another volume of the pods: choose another name", name)
		}
		return
	}
	appendTo(t.podSpec(), "volumes", v)
}

// addMount mounts something in a container.
func addMount(container, mount map[string]any, at path, fs *findings) {
	for _, there := range entries(container, "volumeMounts") {
		if there["mountPath"] == mount["mountPath"] {
			fs.addf(at, "%q already has a volume mounted in container %q", mount["mountPath"], container["name"])
			return
		}
	}
	appendTo(container, "volumeMounts", mount)
}

// object returns an object within another, and makes it where there is none.
func object(m map[string]any, at ...string) map[string]any {
	for _, k := range at {
		next, ok := m[k].(map[string]any)
		if !ok {
			next = map[string]any{}
			m[k] = next
		}
		m = next
	}
	return m
}

// entries returns the objects in a list.
func entries(m map[string]any, key string) []map[string]any {
	l, _ := m[key].([]any)
	out := make([]map[string]any, 0, len(l))
	for _, v := range l {
		if e, ok := v.(map[string]any); ok {
			out = append(out, e)
		}
	}
	return out
}

func appendTo(m map[string]any, key string, v ...any) {
	l, _ := m[key].([]any)
	m[key] = append(slices.Clone(l), v...)
}
