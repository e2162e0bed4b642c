package definition

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	"github.com/mainstay-dev/mainstay/internal/expr"
	"github.com/mainstay-dev/mainstay/internal/oam"
)

// Bounds that a schema gets where it has none. They are enforced like any other, so
// that what a template costs can be known.
const (
	defaultMaxItems  = expr.UnknownSize
	defaultMaxLength = 4096
)

// Parameters are what a template is given, as their schema says.
type parameters struct {
	schema *oam.Schema
	props  *apiextensionsv1.JSONSchemaProps
	types  expr.Types
}

// parameterVariable is how templates call the parameters.
const parameterVariable = "parameter"

// readParameters reads a schema. Without one, there are no parameters.
func readParameters(raw *runtime.RawExtension, at string, ps *problems) *parameters {
	props := &apiextensionsv1.JSONSchemaProps{Type: "object"}
	if raw != nil && len(raw.Raw) > 0 {
		if err := yaml.UnmarshalStrict(raw.Raw, props); err != nil {
			ps.addf(at, "is no JSON schema: %s", strings.TrimPrefix(err.Error(), "error unmarshaling JSON: while decoding JSON: "))
			return nil
		}
		if props.Type == "" && len(props.Properties) > 0 {
			props.Type = "object"
		}
	}
	before := len(*ps)
	checkSchema(props, at, ps)
	if len(*ps) > before {
		return nil
	}
	bound(props)
	schema, err := oam.NewSchema(props)
	if err != nil {
		ps.addf(at, "cannot be used: %v", err)
		return nil
	}
	p := &parameters{schema: schema, props: props, types: expr.Types{}}
	p.typeOf(props, parameterVariable)
	if _, known := p.types[parameterVariable]; !known {
		p.types[parameterVariable] = map[string]expr.Type{}
	}
	return p
}

// An identifier can be written after a dot. CEL keeps a few for itself.
var (
	identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	keywords   = []string{"true", "false", "null", "in"}
)

var jsonTypes = []string{"array", "boolean", "integer", "number", "object", "string"}

// checkSchema finds what would be ignored, and names that no expression could name.
func checkSchema(s *apiextensionsv1.JSONSchemaProps, at string, ps *problems) {
	if len(s.XValidations) > 0 {
		ps.addf(at, "x-kubernetes-validations are not supported: check in a template, with when")
	}
	if s.XEmbeddedResource {
		ps.addf(at, "x-kubernetes-embedded-resource is not supported: use x-kubernetes-preserve-unknown-fields")
	}
	if !slices.Contains(jsonTypes, s.Type) && !s.XIntOrString && !ptr.Deref(s.XPreserveUnknownFields, false) {
		ps.addf(at+".type", "%q is no type: use one of %s", s.Type, strings.Join(jsonTypes, ", "))
	}
	if _, err := regexp.Compile(s.Pattern); err != nil {
		ps.addf(at+".pattern", "%q is no regular expression", s.Pattern)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		child, path := s.Properties[name], at+".properties."+name
		if !identifier.MatchString(name) || slices.Contains(keywords, name) {
			ps.addf(path, "%q cannot be named in an expression: use letters, digits and '_'", name)
		}
		checkSchema(&child, path, ps)
	}
	if s.Items != nil && s.Items.Schema != nil {
		checkSchema(s.Items.Schema, at+".items", ps)
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil {
		checkSchema(s.AdditionalProperties.Schema, at+".additionalProperties", ps)
	}
}

// bound gives a schema the bounds that it lacks.
func bound(s *apiextensionsv1.JSONSchemaProps) {
	switch s.Type {
	case "array":
		if s.MaxItems == nil {
			s.MaxItems = ptr.To(int64(defaultMaxItems))
		}
	case "string":
		if s.MaxLength == nil {
			s.MaxLength = ptr.To(int64(defaultMaxLength))
		}
	case "object":
		if s.AdditionalProperties != nil && s.MaxProperties == nil {
			s.MaxProperties = ptr.To(int64(defaultMaxItems))
		}
	}
	for name, child := range s.Properties {
		bound(&child)
		s.Properties[name] = child
	}
	if s.Items != nil && s.Items.Schema != nil {
		bound(s.Items.Schema)
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil {
		bound(s.AdditionalProperties.Schema)
	}
}

// typeOf returns the type that a value has in expressions. Objects with known fields are
// types of their own, which are named by where they are.
func (p *parameters) typeOf(s *apiextensionsv1.JSONSchemaProps, name string) expr.Type {
	switch {
	case s.XIntOrString || (s.Type == "object" && ptr.Deref(s.XPreserveUnknownFields, false)):
		return expr.Dynamic
	case s.Type == "string":
		return expr.String
	case s.Type == "integer":
		return expr.Integer
	case s.Type == "number":
		return expr.Number
	case s.Type == "boolean":
		return expr.Bool
	case s.Type == "array" && s.Items != nil && s.Items.Schema != nil:
		return expr.List(p.typeOf(s.Items.Schema, name+"[]"))
	case s.Type == "object" && len(s.Properties) > 0:
		fields := make(map[string]expr.Type, len(s.Properties))
		for f, child := range s.Properties {
			fields[f] = p.typeOf(&child, name+"."+f)
		}
		p.types[name] = fields
		return expr.Struct(name)
	case s.Type == "object" && s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil:
		return expr.Map(p.typeOf(s.AdditionalProperties.Schema, name+"{}"))
	}
	return expr.Dynamic
}

// sizes says how large the parameter at a path may be.
func (p *parameters) sizes(path []string) (uint64, bool) {
	if path[0] != parameterVariable {
		return 0, false
	}
	s := p.props
	for _, e := range path[1:] {
		switch {
		case e == "@items" && s.Items != nil:
			s = s.Items.Schema
		case e == "@keys":
			return defaultMaxLength, true
		case e == "@values" && s.AdditionalProperties != nil:
			s = s.AdditionalProperties.Schema
		default:
			child, known := s.Properties[e]
			if !known && s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil {
				child, known = *s.AdditionalProperties.Schema, true
			}
			if !known {
				return 0, false
			}
			s = &child
		}
		if s == nil {
			return 0, false
		}
	}
	for _, most := range []*int64{s.MaxItems, s.MaxLength, s.MaxProperties} {
		if most != nil {
			return uint64(max(*most, 0)), true //nolint:gosec // It is not negative.
		}
	}
	return 0, false
}

// complete properties with their defaults. What is wrong with them is an
// oam.InvalidError.
func (p *parameters) complete(properties map[string]any) (map[string]any, error) {
	out, found := p.schema.Complete(properties)
	return out, problems(found).err()
}

// sample returns properties that fit the schema and have nothing but what is required.
// It is false where none can be thought of, as with a pattern.
func (p *parameters) sample() (map[string]any, bool) {
	m, ok := sampleOf(p.props, 0).(map[string]any)
	if !ok {
		return nil, false
	}
	_, err := p.complete(m)
	return m, err == nil
}

func sampleOf(s *apiextensionsv1.JSONSchemaProps, depth int) any {
	const deepest = 32
	switch {
	case depth > deepest:
		return nil
	case s.Default != nil:
		return value(s.Default.Raw)
	case len(s.Enum) > 0:
		return value(s.Enum[0].Raw)
	case s.Type == "object":
		m := map[string]any{}
		for _, name := range s.Required {
			if child, ok := s.Properties[name]; ok {
				m[name] = sampleOf(&child, depth+1)
			}
		}
		return m
	case s.Type == "array":
		l := []any{}
		for range ptr.Deref(s.MinItems, 0) {
			l = append(l, sampleOf(s.Items.Schema, depth+1))
		}
		return l
	case s.Type == "integer" || s.XIntOrString:
		return int64(ptr.Deref(s.Minimum, 1))
	case s.Type == "number":
		return ptr.Deref(s.Minimum, 1)
	case s.Type == "boolean":
		return false
	}
	text := "sample"
	for int64(len(text)) < ptr.Deref(s.MinLength, 0) {
		text += "-sample"
	}
	return text[:min(int64(len(text)), max(ptr.Deref(s.MaxLength, defaultMaxLength), 0))]
}

func value(raw []byte) any {
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return nil
	}
	return v
}
