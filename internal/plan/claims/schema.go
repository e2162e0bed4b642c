package claims

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	extv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/json"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	xpv1 "github.com/crossplane/crossplane/apis/v2/apiextensions/v1"

	"github.com/crossplane/crossplane-runtime/v2/pkg/xcrd"

	"github.com/mainstay-dev/mainstay/apis"
)

// schemas of the kinds that people claim.
type schemas struct {
	kinds map[schema.GroupVersionKind]kind
}

type kind struct {
	structural *structural.Structural
	openAPI    validation.SchemaValidator
}

// load the schemas once: they are part of the program.
var load = sync.OnceValues(func() (*schemas, error) {
	s := &schemas{kinds: map[schema.GroupVersionKind]kind{}}
	for _, raw := range apis.ClaimDefinitions() {
		xrd := &xpv1.CompositeResourceDefinition{}
		if err := yaml.Unmarshal(raw, xrd); err != nil {
			return nil, fmt.Errorf("cannot read definition of a claim: %w", err)
		}
		crd, err := xcrd.ForCompositeResourceClaim(xrd)
		if err != nil {
			return nil, fmt.Errorf("cannot derive claim of %q: %w", xrd.GetName(), err)
		}
		for _, v := range crd.Spec.Versions {
			k, err := kindOf(v.Schema)
			if err != nil {
				return nil, fmt.Errorf("cannot use schema of %q: %w", crd.Name, err)
			}
			s.kinds[schema.GroupVersionKind{Group: crd.Spec.Group, Version: v.Name, Kind: crd.Spec.Names.Kind}] = k
		}
	}
	return s, nil
})

func kindOf(v *extv1.CustomResourceValidation) (kind, error) {
	internal := &apiextensions.CustomResourceValidation{}
	if err := extv1.Convert_v1_CustomResourceValidation_To_apiextensions_CustomResourceValidation(v, internal, nil); err != nil {
		return kind{}, err
	}
	st, err := structural.NewStructural(internal.OpenAPIV3Schema)
	if err != nil {
		return kind{}, err
	}
	openAPI, _, err := validation.NewSchemaValidator(internal.OpenAPIV3Schema)
	return kind{structural: st, openAPI: openAPI}, err
}

func (s *schemas) knows(gvk schema.GroupVersionKind) bool {
	_, ok := s.kinds[gvk]
	return ok
}

// names of the kinds.
func (s *schemas) names() []string {
	out := make([]string, 0, len(s.kinds))
	for gvk := range maps.Keys(s.kinds) {
		out = append(out, gvk.Kind)
	}
	slices.Sort(out)
	return out
}

// complete a claim with its defaults. It returns what the API server would refuse of it,
// or would drop.
func (s *schemas) complete(u *unstructured.Unstructured) []string {
	k := s.kinds[u.GroupVersionKind()]
	var out []string
	for _, p := range pruning.PruneWithOptions(u.DeepCopy().Object, k.structural, true, structural.UnknownFieldPathOptions{TrackUnknownFieldPaths: true}) {
		out = append(out, p+": there is no such field")
	}
	defaulting.Default(u.Object, k.structural)
	for _, e := range validation.ValidateCustomResource(nil, u.Object, k.openAPI) {
		out = append(out, e.Error())
	}
	slices.Sort(out)
	return out
}

// documents of a YAML stream. Those without anything in them are left out.
func documents(data []byte) ([]*unstructured.Unstructured, error) {
	var out []*unstructured.Unstructured
	r := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(data)))
	for n := 1; ; n++ {
		doc, err := r.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read document %d: %w", n, err)
		}
		raw, err := yaml.YAMLToJSONStrict(doc)
		if err != nil {
			return nil, fmt.Errorf("cannot read document %d: %w", n, err)
		}
		if bytes.Equal(bytes.TrimSpace(raw), []byte("null")) {
			continue
		}
		u := &unstructured.Unstructured{}
		// This decoder tells integers from other numbers.
		if err := json.Unmarshal(raw, &u.Object); err != nil {
			return nil, fmt.Errorf("cannot read document %d: it is not an object", n)
		}
		if len(u.Object) > 0 {
			out = append(out, u)
		}
	}
}
