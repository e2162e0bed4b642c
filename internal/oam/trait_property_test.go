package oam

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
)

// traitSamples returns the components of the samples that have traits.
func traitSamples(t *testing.T) []v1alpha1.Component {
	t.Helper()
	files, err := filepath.Glob("testdata/traits-*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var out []v1alpha1.Component
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		app := struct {
			Spec v1alpha1.ProductApplicationSpec `json:"spec"`
		}{}
		if err := yaml.Unmarshal(raw, &app); err != nil {
			t.Fatal(err)
		}
		out = append(out, app.Spec.Components...)
	}
	return out
}

// TestNoTraitPropertyIsIgnored changes and removes every property of every sample, one
// at a time. Something must become of that: other objects, or a refusal.
func TestNoTraitPropertyIsIgnored(t *testing.T) {
	for _, c := range traitSamples(t) {
		before := outcome(t, &v1alpha1.ProductApplicationSpec{Components: []v1alpha1.Component{c}})
		if before.bundle == "" {
			t.Fatalf("component %q is not valid: %s", c.Name, before.problem)
		}
		for i := range c.Traits {
			properties := decoded(t, c.Traits[i].Properties)
			for _, p := range leaves(properties, nil) {
				ignored := true
				for _, change := range []func(any) any{other, func(any) any { return nil }} {
					changed := v1alpha1.Component{Name: c.Name, Type: c.Type, Properties: c.Properties, Traits: slices.Clone(c.Traits)}
					changed.Traits[i].Properties = encoded(at(runtime.DeepCopyJSON(properties), p, change))
					after := outcome(t, &v1alpha1.ProductApplicationSpec{Components: []v1alpha1.Component{changed}})
					ignored = ignored && after == before
				}
				if ignored {
					t.Errorf("component %q, trait %q: %s makes no difference", c.Name, c.Traits[i].Type, p)
				}
			}
		}
	}
}

// TestEveryTraitPropertyHasASample is what makes the test above one of all properties.
func TestEveryTraitPropertyHasASample(t *testing.T) {
	used := map[string]bool{}
	for _, c := range traitSamples(t) {
		for _, trait := range c.Traits {
			for _, p := range leaves(decoded(t, trait.Properties), nil) {
				for n := range p {
					used[shown(trait.Type, p[:n+1])] = true
				}
			}
		}
	}
	schemas, err := traitTypeSchemas()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(schemas)) {
		for _, p := range properties(schemas[name].structural, nil) {
			if !used[shown(name, p)] && p[len(p)-1] != "nonResourceURLs" { // Which is always refused.
				t.Errorf("trait %q: no sample has %s", name, p)
			}
		}
	}
}

// shown returns what a sample with a property of a trait is a sample of. What is
// nested is told by its name, because schemas share it; and a list of several
// containers has what there is for one.
func shown(trait string, p path) string {
	keys := []string{strings.TrimSuffix(trait, "s")}
	for _, e := range p {
		if k, ok := e.(string); ok && (k != "containers" && k != "probes" || len(p) == 1) {
			keys = append(keys, k)
		}
	}
	if len(keys) > 2 {
		return keys[len(keys)-1]
	}
	return strings.Join(keys, ".")
}

func decoded(t *testing.T, raw *runtime.RawExtension) map[string]any {
	t.Helper()
	out := map[string]any{}
	if raw != nil {
		if err := yaml.Unmarshal(raw.Raw, &out); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// leaves returns the paths of all values that are no objects or lists, or empty ones.
func leaves(v any, at path) []path {
	var out []path
	switch v := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			out = append(out, leaves(v[k], at.field(k))...)
		}
	case []any:
		for i := range v {
			out = append(out, leaves(v[i], at.index(i))...)
		}
	default:
		return []path{at}
	}
	return out
}

// properties returns the paths of all properties of a schema.
func properties(s *structural.Structural, at path) []path {
	var out []path
	for _, k := range slices.Sorted(maps.Keys(s.Properties)) {
		p := s.Properties[k]
		out = append(out, at.field(k))
		out = append(out, properties(&p, at.field(k))...)
	}
	if s.Items != nil {
		out = append(out, properties(s.Items, at)...)
	}
	return out
}

// other returns another value of the same type.
func other(v any) any {
	switch v := v.(type) {
	case string:
		return v + "x"
	case bool:
		return !v
	case float64:
		return v + 1
	}
	return fmt.Sprint(v)
}

// at returns a value with what is at a path changed, or taken away where the change
// gives nil.
func at(v any, p path, change func(any) any) any {
	if len(p) == 0 {
		return change(v)
	}
	switch e := p[0].(type) {
	case string:
		m, _ := v.(map[string]any)
		if m[e] = at(m[e], p[1:], change); m[e] == nil {
			delete(m, e)
		}
		return m
	case int:
		l, _ := v.([]any)
		if l[e] = at(l[e], p[1:], change); l[e] == nil {
			return slices.Delete(l, e, e+1)
		}
		return l
	}
	return v
}
