package oam

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
)

// TestAnything compiles random applications. Whatever users write, there is either
// an application that renders or an InvalidError, and always the same.
func TestAnything(t *testing.T) {
	schemas, err := componentTypeSchemas()
	if err != nil {
		t.Fatal(err)
	}
	valid := 0
	for seed := range uint64(1500) {
		s := anything(rand.New(rand.NewPCG(seed, 1)), schemas)
		first, again := outcome(t, s), outcome(t, s)
		if first != again {
			t.Errorf("seed %d: compiled again it is different: %+v, then %+v", seed, first, again)
		}
		if first.bundle != "" {
			valid++
		}
	}
	if valid < 50 {
		t.Errorf("only %d of the random applications were valid: they prove little", valid)
	}
}

type result struct{ bundle, problem string }

func outcome(t *testing.T, s *v1alpha1.ProductApplicationSpec) result {
	t.Helper()
	a, err := Compile("app", s)
	var invalid *InvalidError
	if errors.As(err, &invalid) {
		return result{problem: fmt.Sprint(invalid.Problems)}
	}
	if err != nil {
		t.Fatalf("Compile(...): %v", err)
	}
	b, err := a.Bundle(a.Variants(nil)[0])
	if err != nil {
		t.Fatalf("Bundle(...): %v", err)
	}
	return result{bundle: b.GetName()}
}

func anything(r *rand.Rand, schemas map[string]*propertySchema) *v1alpha1.ProductApplicationSpec {
	// Some applications are quite right, others have something odd in them.
	odd := r.IntN(3) * r.IntN(4)
	s := &v1alpha1.ProductApplicationSpec{}
	types := ComponentTypes()
	for i := range 1 + r.IntN(2) {
		kind := types[r.IntN(len(types))]
		s.Components = append(s.Components, v1alpha1.Component{
			Name: fmt.Sprintf("c%d", i), Type: kind,
			Properties: encoded(valueOf(r, schemas[kind].structural, "", odd, 0)),
			Traits:     anyTraits(r, odd),
		})
	}
	if r.IntN(2) == 0 {
		s.Policies = append(s.Policies, v1alpha1.Policy{Name: "p", Type: "override", Properties: encoded(map[string]any{
			"components": []any{map[string]any{"name": "c0", "properties": valueOf(r, schemas[s.Components[0].Type].structural, "", odd, 0)}},
		})})
	}
	return s
}

func anyTraits(r *rand.Rand, odd int) []v1alpha1.Trait {
	var out []v1alpha1.Trait
	for range r.IntN(3) {
		kind := TraitTypes()[r.IntN(len(TraitTypes()))]
		schemas, err := traitTypeSchemas()
		if err != nil {
			return nil
		}
		properties := valueOf(r, schemas[kind].structural, "", odd, 0)
		if schemas[kind].structural.XPreserveUnknownFields {
			properties = map[string]any{word(r): oddValue(r, 20)}
		}
		out = append(out, v1alpha1.Trait{Type: kind, Properties: encoded(properties)})
	}
	return out
}

func encoded(v any) *runtime.RawExtension {
	b, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return &runtime.RawExtension{Raw: b}
}

// valueOf returns a value that fits a schema, except that a few in a hundred are odd.
func valueOf(r *rand.Rand, s *structural.Structural, name string, odd, depth int) any {
	if s == nil || r.IntN(100) < odd {
		return oddValue(r, depth)
	}
	if v := s.ValueValidation; v != nil && len(v.Enum) > 0 {
		return v.Enum[r.IntN(len(v.Enum))].Object
	}
	switch s.Type {
	case "integer":
		return 1 + r.IntN(80)
	case "boolean":
		return false
	case "array":
		if name == "objects" {
			return []any{map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": word(r)}, "data": oddValue(r, 25)}}
		}
		return []any{valueOf(r, s.Items, name, odd, depth+1)}
	case "object":
		return objectOf(r, s, odd, depth)
	}
	if s.XIntOrString || s.XPreserveUnknownFields {
		return 2
	}
	known := map[string]string{"cpu": "100m", "memory": "64Mi", "schedule": "@daily"}
	if v, ok := known[name]; ok {
		return v
	}
	return word(r)
}

func objectOf(r *rand.Rand, s *structural.Structural, odd, depth int) any {
	out := map[string]any{}
	required := map[string]bool{}
	if s.ValueValidation != nil {
		for _, k := range s.ValueValidation.Required {
			required[k] = true
		}
	}
	for _, k := range slices.Sorted(maps.Keys(s.Properties)) {
		if required[k] || r.IntN(6) == 0 {
			p := s.Properties[k]
			out[k] = valueOf(r, &p, k, odd, depth+1)
		}
	}
	if s.AdditionalProperties != nil {
		out[word(r)] = valueOf(r, s.AdditionalProperties.Structural, "", odd, depth+1)
	}
	return out
}

func word(r *rand.Rand) string {
	return []string{"a", "b-c", "data", "web", "x1"}[r.IntN(5)]
}

func oddValue(r *rand.Rand, depth int) any {
	odd := []any{
		nil, true, -1, 1e30, 0.1, "", "${x}", "$${x}", "a\u0000b", "ü", "A B", "\n", []any{}, map[string]any{}, []any{nil}, map[string]any{"": nil},
		map[string]any{"a.b[0]": 1, "metadata": "x"},
	}
	if depth < 30 && r.IntN(3) == 0 {
		return map[string]any{word(r): oddValue(r, depth+1)}
	}
	return odd[r.IntN(len(odd))]
}

// FuzzCompile looks for properties that crash the compiler.
func FuzzCompile(f *testing.F) {
	f.Add("webservice", `{"image":"a","ports":[{"port":80,"expose":true}]}`, `{"components":[{"name":"*","properties":{"image":null}}]}`)
	f.Add("k8s-objects", `{"objects":[{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}}]}`, `{"selector":["web"]}`)
	f.Fuzz(func(t *testing.T, kind, properties, override string) {
		s := &v1alpha1.ProductApplicationSpec{
			Components: []v1alpha1.Component{{Name: "web", Type: kind, Properties: &runtime.RawExtension{Raw: []byte(properties)}}},
			Policies:   []v1alpha1.Policy{{Name: "o", Type: "override", Properties: &runtime.RawExtension{Raw: []byte(override)}}},
		}
		outcome(t, s)
	})
}
