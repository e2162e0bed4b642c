package oam

import (
	_ "embed" // For the schemas.
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"
)

//go:embed schema/shared.yaml
var sharedSchemas []byte

//go:embed schema/components.yaml
var componentSchemas []byte

//go:embed schema/traits.yaml
var traitSchemas []byte

//go:embed schema/policies.yaml
var policySchemas []byte

//go:embed schema/rollout.yaml
var rolloutSchema []byte

// A propertySchema says which properties there are, and completes and checks them.
type propertySchema struct {
	structural *structural.Structural
	validator  validation.SchemaValidator
}

// complete returns the properties with defaults filled in, and what is wrong with
// them. The properties themselves are left alone.
func (s *propertySchema) complete(properties map[string]any) (map[string]any, findings) {
	fs := findings{}
	out := runtime.DeepCopyJSON(properties)
	if !s.structural.XPreserveUnknownFields {
		withoutNulls(out, s.structural) // Elsewhere nulls may have a meaning.
	}
	for _, text := range pruning.PruneWithOptions(out, s.structural, false, structural.UnknownFieldPathOptions{
		TrackUnknownFieldPaths: true,
		// With a parent, fields named like those of object metadata are no exception.
		ParentPath: []string{"properties"},
	}) {
		p := parsePath(map[string]any{"properties": properties}, text)[1:]
		name, _ := p[len(p)-1].(string)
		fs.addf(p, "is not a known property%s", didYouMean(name, s.names(p[:len(p)-1])))
	}
	defaulting.Default(out, s.structural)
	errs := validation.ValidateCustomResource(nil, out, s.validator)
	for _, e := range errs {
		if e.Field == noField && len(errs) > 1 {
			continue // What the library says twice, the second time without a path.
		}
		p := parsePath(out, strings.TrimPrefix(e.Field, noField))
		fs.addf(p, "%s", explain(e, s.at(p), out, p))
	}
	slices.SortStableFunc(fs, func(a, b finding) int { return comparePaths(a.path, b.path) })
	return out, fs
}

// noField is how the library writes the empty path.
var noField = (*field.Path)(nil).String()

// names returns the properties that there are at a path.
func (s *propertySchema) names(p path) []string {
	n := s.at(p)
	if n == nil {
		return nil
	}
	return slices.Collect(maps.Keys(n.Properties))
}

// at returns the schema of the value at a path, or nil.
func (s *propertySchema) at(p path) *structural.Structural {
	n := s.structural
	for _, e := range p {
		if n == nil {
			return nil
		}
		if key, isKey := e.(string); isKey {
			n = valueSchema(n, key)
		} else {
			n = n.Items
		}
	}
	return n
}

// withoutNulls removes keys without a value: a null means that nothing was written,
// but for where the schema says that it has a meaning.
func withoutNulls(m map[string]any, s *structural.Structural) {
	for k, v := range m {
		of := valueSchema(s, k)
		switch v := v.(type) {
		case nil:
			if of == nil || !of.Nullable {
				delete(m, k)
			}
		case map[string]any:
			withoutNulls(v, of)
		case []any:
			for _, e := range v {
				if c, ok := e.(map[string]any); ok && of != nil {
					withoutNulls(c, of.Items)
				} else if ok {
					withoutNulls(c, nil)
				}
			}
		}
	}
}

// valueSchema returns the schema of a key's value, or nil.
func valueSchema(s *structural.Structural, key string) *structural.Structural {
	if s == nil {
		return nil
	}
	if p, ok := s.Properties[key]; ok {
		return &p
	}
	if s.XPreserveUnknownFields && s.Nullable {
		return s // Anything goes in there, nulls included.
	}
	if s.AdditionalProperties != nil {
		return s.AdditionalProperties.Structural
	}
	return nil
}

// schemas of component, trait and policy types, by name. They are compiled once: that they
// can be is tested, so an error cannot happen in a build that passed its tests.
var (
	componentTypeSchemas = sync.OnceValues(func() (map[string]*propertySchema, error) { return loadSchemas(withShared(componentSchemas)) })
	traitTypeSchemas     = sync.OnceValues(func() (map[string]*propertySchema, error) { return loadSchemas(withShared(traitSchemas)) })
	policyTypeSchemas    = sync.OnceValues(func() (map[string]*propertySchema, error) { return loadSchemas(policySchemas, rolloutSchema) })
)

// withShared puts what several types share in front of a file.
func withShared(file []byte) []byte { return slices.Concat(sharedSchemas, []byte("\n"), file) }

func loadSchemas(files ...[]byte) (map[string]*propertySchema, error) {
	out := map[string]*propertySchema{}
	for _, data := range files {
		file := struct {
			Shared any                                        `json:"shared"`
			Types  map[string]apiextensionsv1.JSONSchemaProps `json:"types"`
		}{}
		// Not strictly, because that forbids to write over what was merged in.
		if err := yaml.Unmarshal(data, &file, yaml.DisallowUnknownFields); err != nil {
			return nil, fmt.Errorf("cannot read schemas: %w", err)
		}
		for name, props := range file.Types {
			s, err := newSchema(&props)
			if err != nil {
				return nil, fmt.Errorf("cannot compile schema of %q: %w", name, err)
			}
			out[name] = s
		}
	}
	return out, nil
}

func newSchema(props *apiextensionsv1.JSONSchemaProps) (*propertySchema, error) {
	internal := &apiextensions.JSONSchemaProps{}
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(props, internal, nil); err != nil {
		return nil, err
	}
	s, err := structural.NewStructural(internal)
	if err != nil {
		return nil, err
	}
	if errs := structural.ValidateStructural(nil, s); len(errs) > 0 {
		return nil, errs.ToAggregate()
	}
	v, _, err := validation.NewSchemaValidator(internal)
	if err != nil {
		return nil, err
	}
	return &propertySchema{structural: s, validator: v}, nil
}

// comparePaths puts paths in the order of the text they lead through.
func comparePaths(a, b path) int {
	return slices.CompareFunc(a, b, func(x, y any) int {
		i, ok1 := x.(int)
		j, ok2 := y.(int)
		if ok1 && ok2 {
			return i - j
		}
		return strings.Compare(fmt.Sprint(x), fmt.Sprint(y))
	})
}
