package oam

import (
	"maps"
	"slices"
	"testing"

	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"

	"github.com/google/go-cmp/cmp"
)

// TestTraitTypes checks that every trait type has a schema, and the other way round,
// and that all of it is explained.
func TestTraitTypes(t *testing.T) {
	schemas, err := traitTypeSchemas()
	if err != nil {
		t.Fatal(err)
	}
	types, err := builtInTraits()
	if err != nil {
		t.Fatal(err)
	}
	names := slices.Sorted(maps.Keys(types))
	if diff := cmp.Diff(slices.Sorted(maps.Keys(schemas)), names); diff != "" {
		t.Errorf("-with a schema, +with a function:\n%s", diff)
	}
	for name, kind := range types {
		for _, other := range kind.conflictsWith {
			if !slices.Contains(names, other) {
				t.Errorf("trait type %q conflicts with %q, which there is not", name, other)
			}
		}
		explained(t, name, kind.schema.structural)
	}
}

func explained(t *testing.T, at string, s *structural.Structural) {
	t.Helper()
	if s.Description == "" {
		t.Errorf("%s: has no description", at)
	}
	for k, p := range s.Properties {
		explained(t, at+"."+k, &p)
	}
	if s.Items != nil && s.Items.Type == "object" {
		for k, p := range s.Items.Properties {
			explained(t, at+"[]."+k, &p)
		}
	}
}
