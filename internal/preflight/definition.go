package preflight

import (
	"context"
	"fmt"
	"math"
	"slices"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
)

// A Definition is a kind of custom resources, ready to judge them as the API server
// does: by schema, by defaults, and by rules in CEL.
type Definition struct {
	// Namespaced is true for a kind with namespaces.
	Namespaced bool

	versions map[string]*definedVersion
}

type definedVersion struct {
	served     bool
	structural *structuralschema.Structural
	schema     validation.SchemaValidator
	rules      *cel.Validator
}

// Define a kind by its CustomResourceDefinition. It returns an error for a schema that
// an API server would not have accepted.
func Define(crd *apiextensionsv1.CustomResourceDefinition) (*Definition, error) {
	d := &Definition{Namespaced: crd.Spec.Scope == apiextensionsv1.NamespaceScoped, versions: map[string]*definedVersion{}}
	for i := range crd.Spec.Versions {
		v := &crd.Spec.Versions[i]
		dv := &definedVersion{served: v.Served}
		d.versions[v.Name] = dv
		if v.Schema == nil || v.Schema.OpenAPIV3Schema == nil || !v.Served {
			continue
		}
		props := &apiextensions.JSONSchemaProps{}
		if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(v.Schema.OpenAPIV3Schema, props, nil); err != nil {
			return nil, fmt.Errorf("cannot read schema of %s: %w", crd.GetName(), err)
		}
		var err error
		if dv.structural, err = structuralschema.NewStructural(props); err != nil {
			return nil, fmt.Errorf("cannot use schema of %s: %w", crd.GetName(), err)
		}
		if dv.schema, _, err = validation.NewSchemaValidator(props); err != nil {
			return nil, fmt.Errorf("cannot use schema of %s: %w", crd.GetName(), err)
		}
		dv.rules = cel.NewValidator(dv.structural, true, celconfig.PerCallLimit)
	}
	return d, nil
}

// Serves is true for a version that is served.
func (d *Definition) Serves(version string) bool {
	v := d.versions[version]
	return v != nil && v.served
}

// A violation of a schema.
type violation struct{ field, message string }

// maxViolations of one object that are told.
const maxViolations = 10

// validate an object against the schema of its version. Rules about changes are left
// to the server: there is no former object here.
func (d *Definition) validate(o *object) []violation {
	v := d.versions[o.gvk.Version]
	if v == nil || v.structural == nil {
		return nil
	}
	var out []violation
	whole := normal(o.Object).(map[string]any) //nolint:forcetypeassert // It is one.
	unknown := pruning.PruneWithOptions(whole, v.structural, true, structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
	slices.Sort(unknown)
	for _, p := range unknown {
		out = append(out, violation{field: p, message: "is not a field of " + o.gvk.Kind})
	}
	defaulting.PruneNonNullableNullsWithoutDefaults(whole, v.structural)
	defaulting.Default(whole, v.structural)
	errs := validation.ValidateCustomResource(nil, whole, v.schema)
	// The server stops there too: a rule may not make sense of what has a wrong type.
	if len(errs) == 0 && v.rules != nil {
		errs, _ = v.rules.Validate(context.Background(), nil, v.structural, whole, nil, celconfig.RuntimeCELCostBudget)
	}
	for _, e := range errs {
		out = append(out, violation{field: fieldOf(e), message: e.ErrorBody()})
	}
	if len(out) > maxViolations {
		out = out[:maxViolations]
	}
	return out
}

// normal is a copy of a value with numbers as a server has them once it has read them.
func normal(v any) any {
	switch t := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(t))
		for k, e := range t {
			out[k] = normal(e)
		}
		return out
	case []any:
		out := make([]any, len(t))
		for i, e := range t {
			out[i] = normal(e)
		}
		return out
	case int:
		return int64(t)
	case int32:
		return int64(t)
	case float64:
		if t == math.Trunc(t) && math.Abs(t) < 1<<53 {
			return int64(t)
		}
	}
	return v
}

func fieldOf(e *field.Error) string {
	if e.Field == "<nil>" {
		return ""
	}
	return e.Field
}
