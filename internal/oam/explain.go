package oam

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"
)

// explain says in our words what the Kubernetes libraries found wrong with a value.
func explain(e *field.Error, s *structural.Structural, root any, at path) string {
	v, _ := lookup(root, at)
	limits := &structural.ValueValidation{}
	if s != nil && s.ValueValidation != nil {
		limits = s.ValueValidation
	}
	switch e.Type {
	case field.ErrorTypeRequired:
		return "is required"
	case field.ErrorTypeTypeInvalid:
		return explainType(s, v)
	case field.ErrorTypeNotSupported:
		names := make([]string, 0, len(limits.Enum))
		for _, x := range limits.Enum {
			names = append(names, fmt.Sprintf("%q", fmt.Sprint(x.Object)))
		}
		return fmt.Sprintf("must be one of %s, got %s", enumerate(names), describe(v))
	case field.ErrorTypeTooLong:
		return fmt.Sprintf("must have at most %d characters", ptr.Deref(limits.MaxLength, 0))
	case field.ErrorTypeTooMany:
		most := ptr.Deref(limits.MaxItems, ptr.Deref(limits.MaxProperties, 0))
		return fmt.Sprintf("must have at most %d entries", most)
	default:
		return explainLimit(e.Detail, limits, v)
	}
}

func explainType(s *structural.Structural, v any) string {
	want := map[string]string{
		"integer": "an integer", "number": "a number", "string": "a string",
		"boolean": "true or false", "object": "an object", "array": "a list",
	}
	t := ""
	if s != nil {
		t = s.Type
		if text, ok := v.(string); ok && s.ValueValidation != nil && s.ValueValidation.Format == "date-time" {
			return "must be a time such as 2026-12-31T18:00:00Z, got " + describe(text)
		}
	}
	msg := fmt.Sprintf("must be %s, got %s", want[t], describe(v))
	if isSecret(s) {
		msg = fmt.Sprintf("must be %s", want[t])
	}
	switch v.(type) {
	case int64, float64, bool:
		if t == "string" {
			msg += ": put it in quotes"
		}
	}
	return msg
}

// isSecret returns true where a value must not be shown.
func isSecret(s *structural.Structural) bool {
	if s == nil {
		return false
	}
	if s.AdditionalProperties != nil && isSecret(s.AdditionalProperties.Structural) {
		return true
	}
	return s.ValueValidation != nil && s.ValueValidation.Format == "password"
}

func explainLimit(detail string, limits *structural.ValueValidation, v any) string {
	switch {
	case ptr.Deref(limits.MinLength, 0) > 0 && v == "":
		return "must not be empty"
	case ptr.Deref(limits.MinItems, 0) > 0 && slices.Equal(toList(v), []any{}) && v != nil:
		if _, ok := v.([]any); ok {
			return "must not be empty: leave it out if there is nothing to list"
		}
	}
	if _, after, found := strings.Cut(detail, " should "); found {
		return fmt.Sprintf("must %s, got %s", after, describe(v))
	}
	return detail
}

func toList(v any) []any {
	l, _ := v.([]any)
	return l
}

// describe a value by its type and, where it is short, by itself.
func describe(v any) string {
	const most = 40
	switch v := v.(type) {
	case nil:
		return "nothing"
	case string:
		if len(v) > most {
			v = strings.ToValidUTF8(v[:most], "") + "…"
		}
		return fmt.Sprintf("string %q", v)
	case bool:
		return fmt.Sprint(v)
	case map[string]any:
		return "an object"
	case []any:
		return "a list"
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("%T", v)
	}
	return "number " + string(b)
}
