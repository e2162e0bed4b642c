package oam

import (
	"regexp"

	"k8s.io/apimachinery/pkg/runtime"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/bundle"
)

// A component as it is written, or as overrides have made it.
type component struct {
	// name and kind, which is the component's type.
	name, kind string
	// at is where the component is written.
	at        path
	dependsOn []string
	// properties as merged.
	properties map[string]any
	// sources of the properties, in the order they were merged in. The first is
	// where the component is written.
	sources []source
	// inputs and outputs, by which components are connected on each cluster.
	inputs  []input
	outputs []bundle.Output
	// traits in the order they are applied in.
	traits []trait
}

// A source is properties as they were written in one place.
type source struct {
	at         path
	properties map[string]any
	// policy is the name of the override that the properties are in, or empty.
	policy string
	// input is true where it is one property, that an output is put into.
	input bool
}

// locate returns where the value at a path within the properties was written.
func (c *component) locate(p path) (path, source) { return locate(c.sources, p) }

func locate(sources []source, p path) (path, source) {
	best, depth := 0, -1
	for i, s := range sources {
		if _, d := lookup(s.properties, p); d > depth || (d == depth && d > 0) {
			best, depth = i, d
		}
	}
	if sources[best].input {
		return sources[best].at, sources[best]
	}
	return sources[best].at.join(p), sources[best]
}

// maxComponentName leaves room for what CronJobs and Services add to a name.
const maxComponentName = 52

var componentName = regexp.MustCompile(`^[a-z]([-a-z0-9]*[a-z0-9])?$`)

// readComponents reads components and checks what can be checked of each alone,
// except that its properties fit its type.
func (a *Application) readComponents(in []v1alpha1.Component, ps *problems) []component {
	out := make([]component, 0, len(in))
	first := map[string]int{}
	if len(in) == 0 {
		ps.addf(path{"spec", "components"}, "must not be empty")
	}
	for i := range in {
		at := path{"spec", "components", i}
		c := component{name: in[i].Name, kind: in[i].Type, at: at, dependsOn: in[i].DependsOn}
		if j, ok := first[c.name]; ok {
			ps.addf(at.field("name"), "component name %q is already taken by spec.components[%d]: names must be unique", c.name, j)
		} else {
			first[c.name] = i
		}
		checkComponentName(c.name, at.field("name"), ps)
		a.checkComponentType(c.kind, at.field("type"), ps)
		refuseUnsupported(&in[i], at, ps)
		c.properties = readProperties(in[i].Properties, at.field("properties"), ps)
		c.sources = []source{{at: at.field("properties"), properties: c.properties}}
		c.inputs = readInputs(in[i].Inputs, at.field("inputs"), ps)
		c.outputs = readOutputs(in[i].Outputs, at.field("outputs"), ps)
		c.traits = a.readTraits(in[i].Traits, c.name, at.field("traits"), ps)
		out = append(out, c)
	}
	checkFlow(out, ps)
	return out
}

func checkComponentName(name string, at path, ps *problems) {
	switch {
	case len(name) > maxComponentName:
		ps.addf(at, "component name %q has %d characters: at most %d are possible", name, len(name), maxComponentName)
	case !componentName.MatchString(name):
		ps.addf(at, "component name %q must be a DNS label that begins with a letter: lower-case letters, digits and '-'", name)
	}
}

// refuseUnsupported refuses by name what is not supported.
func refuseUnsupported(c *v1alpha1.Component, at path, ps *problems) {
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"scopes", isSet(c.Scopes)},
		{"externalRevision", c.ExternalRevision != ""},
		{"replicaKey", c.ReplicaKey != ""},
	} {
		if f.set {
			ps.addf(at.field(f.name), "is not supported yet: remove it from component %q", c.Name)
		}
	}
}

func isSet(r *runtime.RawExtension) bool {
	return r != nil && len(r.Raw) > 0 && string(r.Raw) != "null"
}

// readProperties reads properties of a component or a trait, and checks what holds for
// those of all types.
func readProperties(r *runtime.RawExtension, at path, ps *problems) map[string]any {
	return decodeProperties(r, at, checkText, ps)
}

// decodeProperties reads properties, and checks the texts in them.
func decodeProperties(r *runtime.RawExtension, at path, check func(v any, at path, fs *findings), ps *problems) map[string]any {
	if !isSet(r) {
		return map[string]any{}
	}
	var v any
	if err := utiljson.Unmarshal(r.Raw, &v); err != nil {
		ps.addf(at, "cannot be read: %v", err)
		return map[string]any{}
	}
	m, ok := v.(map[string]any)
	if !ok {
		ps.addf(at, "must be an object, got %s", describe(v))
		return map[string]any{}
	}
	fs := findings{}
	check(m, nil, &fs)
	for _, f := range fs {
		ps.addf(at.join(f.path), "%s", f.message)
	}
	return m
}
