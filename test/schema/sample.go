package schema

import (
	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Sample returns an object with every field of the schema of a kind, each once. Its
// values have the right types and no other merit.
func (s *Schemas) Sample(gvk schema.GroupVersionKind) *unstructured.Unstructured {
	k, ok := s.kinds[gvk]
	if !ok {
		return nil
	}
	u := &unstructured.Unstructured{}
	u.Object, _ = sample(k.structural).(map[string]any)
	u.Object["metadata"] = map[string]any{}
	u.SetGroupVersionKind(gvk)
	u.SetName("sample")
	return u
}

func sample(s *structural.Structural) any {
	switch {
	case s.XIntOrString:
		return int64(1)
	case s.XPreserveUnknownFields && len(s.Properties) == 0:
		return map[string]any{}
	case s.Type == "object":
		out := map[string]any{}
		for name := range s.Properties {
			p := s.Properties[name]
			out[name] = sample(&p)
		}
		if s.AdditionalProperties != nil && s.AdditionalProperties.Structural != nil {
			out["key"] = sample(s.AdditionalProperties.Structural)
		}
		return out
	case s.Type == "array":
		return []any{sample(s.Items)}
	case s.Type == "integer":
		return int64(1)
	case s.Type == "number":
		return 1.5
	case s.Type == "boolean":
		return true
	}
	return text(s)
}

// anyText is the text of fields of any text. It is a duration, too: those are known to
// a schema as strings.
const anyText = "1s"

func text(s *structural.Structural) string {
	if s.ValueValidation == nil {
		return anyText
	}
	if len(s.ValueValidation.Enum) > 0 {
		if v, ok := s.ValueValidation.Enum[0].Object.(string); ok {
			return v
		}
	}
	switch s.ValueValidation.Format {
	case "date-time":
		return "2026-01-02T03:04:05Z"
	case "byte":
		return "AA=="
	}
	return anyText
}
