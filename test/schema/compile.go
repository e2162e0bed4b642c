package schema

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel/model"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/environment"
)

// Compile all CEL rules of all kinds as the API server does when it is given the
// CRD. The error names every rule that does not compile. What rules may cost in all
// is not looked at: that is proven where the definitions are really installed.
func (s *Schemas) Compile() error {
	var errs []error
	for _, gvk := range s.Kinds() {
		errs = append(errs, compile(gvk.Kind, s.kinds[gvk].structural, true)...)
	}
	return errors.Join(errs...)
}

func compile(path string, s *structural.Structural, root bool) []error {
	var errs []error
	if len(s.XValidations) > 0 {
		env := environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion())
		results, err := cel.Compile(s, model.SchemaDeclType(s, root), celconfig.PerCallLimit, env, cel.NewExpressionsEnvLoader())
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", path, err))
		}
		for i, r := range results {
			if r.Error != nil {
				errs = append(errs, fmt.Errorf("%s: rule %q: %w", path, s.XValidations[i].Rule, r.Error))
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		p := s.Properties[name]
		errs = append(errs, compile(path+"."+name, &p, false)...)
	}
	if s.Items != nil {
		errs = append(errs, compile(path+"[]", s.Items, false)...)
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Structural != nil {
		errs = append(errs, compile(path+"{}", s.AdditionalProperties.Structural, false)...)
	}
	return errs
}
