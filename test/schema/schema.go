// Package schema checks manifests the way the API server would: against the CRDs
// that Crossplane derives from our definitions, and against the provider's. Types,
// bounds, CEL rules and unknown fields are all looked at, and defaults are applied
// first. It needs no control plane, so every example and every manifest in the docs
// can be checked in every run.
package schema

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	extv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation/field"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"

	xpv1 "github.com/crossplane/crossplane/apis/v2/apiextensions/v1"

	"github.com/crossplane/crossplane-runtime/v2/pkg/xcrd"
)

// Schemas are the schemas of all kinds that Mainstay defines.
type Schemas struct {
	kinds map[schema.GroupVersionKind]*kind
	crds  []*extv1.CustomResourceDefinition
}

type kind struct {
	scope      extv1.ResourceScope
	structural *structural.Structural
	openAPI    validation.SchemaValidator
	cel        *cel.Validator
}

// Load the definitions and CRDs of a checkout of this repository.
func Load(root string) (*Schemas, error) {
	crds, err := CRDs(root)
	if err != nil {
		return nil, err
	}
	s := &Schemas{kinds: map[schema.GroupVersionKind]*kind{}, crds: crds}
	for _, crd := range crds {
		if err := s.add(crd); err != nil {
			return nil, fmt.Errorf("cannot use CRD %q: %w", crd.Name, err)
		}
	}
	return s, nil
}

// CRDs returns all CRDs that exist where Mainstay is installed: the provider's own,
// and those that Crossplane derives from our definitions.
func CRDs(root string) ([]*extv1.CustomResourceDefinition, error) {
	var out []*extv1.CustomResourceDefinition
	files, err := filepath.Glob(filepath.Join(root, "package", "provider", "crds", "*.yaml"))
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		crd := &extv1.CustomResourceDefinition{}
		if err := read(f, crd); err != nil {
			return nil, err
		}
		out = append(out, crd)
	}

	files, err = filepath.Glob(filepath.Join(root, "apis", "*", "definition.yaml"))
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		xrd := &xpv1.CompositeResourceDefinition{}
		if err := read(f, xrd); err != nil {
			return nil, err
		}
		derived, err := derive(xrd)
		if err != nil {
			return nil, fmt.Errorf("cannot derive CRDs from %q: %w", f, err)
		}
		out = append(out, derived...)
	}
	return out, nil
}

func derive(xrd *xpv1.CompositeResourceDefinition) ([]*extv1.CustomResourceDefinition, error) {
	crd, err := xcrd.ForCompositeResource(xrd)
	if err != nil {
		return nil, err
	}
	out := []*extv1.CustomResourceDefinition{crd}
	if xrd.Spec.ClaimNames == nil {
		return out, nil
	}
	crd, err = xcrd.ForCompositeResourceClaim(xrd)
	if err != nil {
		return nil, err
	}
	return append(out, crd), nil
}

func (s *Schemas) add(crd *extv1.CustomResourceDefinition) error {
	for _, v := range crd.Spec.Versions {
		internal := &apiextensions.CustomResourceValidation{}
		if err := extv1.Convert_v1_CustomResourceValidation_To_apiextensions_CustomResourceValidation(v.Schema, internal, nil); err != nil {
			return err
		}
		st, err := structural.NewStructural(internal.OpenAPIV3Schema)
		if err != nil {
			return err
		}
		openAPI, _, err := validation.NewSchemaValidator(internal.OpenAPIV3Schema)
		if err != nil {
			return err
		}
		gvk := schema.GroupVersionKind{Group: crd.Spec.Group, Version: v.Name, Kind: crd.Spec.Names.Kind}
		s.kinds[gvk] = &kind{
			scope:      crd.Spec.Scope,
			structural: st,
			openAPI:    openAPI,
			cel:        cel.NewValidator(st, true, celconfig.PerCallLimit),
		}
	}
	return nil
}

// Kinds that are known, sorted.
func (s *Schemas) Kinds() []schema.GroupVersionKind {
	return slices.SortedFunc(maps.Keys(s.kinds), func(a, b schema.GroupVersionKind) int {
		return strings.Compare(a.String(), b.String())
	})
}

// Unknown returns the fields of an object that its schema does not have.
func (s *Schemas) Unknown(u *unstructured.Unstructured) []string {
	k, ok := s.kinds[u.GroupVersionKind()]
	if !ok {
		return []string{"kind"}
	}
	return pruning.PruneWithOptions(u.DeepCopy().Object, k.structural, true, structural.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
}

// Knows returns true where the kind of an object is one of ours.
func (s *Schemas) Knows(u *unstructured.Unstructured) bool {
	_, ok := s.kinds[u.GroupVersionKind()]
	return ok
}

// Default applies the defaults of the schema to an object.
func (s *Schemas) Default(u *unstructured.Unstructured) {
	if k, ok := s.kinds[u.GroupVersionKind()]; ok {
		defaulting.Default(u.Object, k.structural)
	}
}

// Validate an object as it would be on creation. The error names every field that
// the API server would refuse, or that it would drop.
func (s *Schemas) Validate(u *unstructured.Unstructured) error {
	return s.validate(u, nil)
}

// ValidateUpdate validates an object as it would be when it replaces another one.
func (s *Schemas) ValidateUpdate(u, old *unstructured.Unstructured) error {
	return s.validate(u, old)
}

func (s *Schemas) validate(u, old *unstructured.Unstructured) error {
	k, ok := s.kinds[u.GroupVersionKind()]
	if !ok {
		return fmt.Errorf("%s is not a kind of Mainstay", u.GroupVersionKind())
	}
	if k.scope == extv1.ClusterScoped && u.GetNamespace() != "" {
		return fmt.Errorf("metadata.namespace: a %s is cluster-scoped", u.GetKind())
	}
	obj := u.DeepCopy().Object
	defaulting.Default(obj, k.structural)
	var oldObj map[string]any
	if old != nil {
		oldObj = old.DeepCopy().Object
		defaulting.Default(oldObj, k.structural)
	}

	var errs []error
	for _, p := range s.Unknown(u) {
		errs = append(errs, fmt.Errorf("%s: unknown field", p))
	}
	list := validation.ValidateCustomResource(nil, obj, k.openAPI)
	list = append(list, listtype.ValidateListSetsAndMaps(nil, k.structural, obj)...)
	if len(list) == 0 {
		// As in the API server, CEL only judges what has the right types.
		list, _ = k.cel.Validate(context.Background(), field.NewPath(""), k.structural, obj, any(oldObj), celconfig.RuntimeCELCostBudget)
	}
	for _, e := range list {
		errs = append(errs, e)
	}
	return errors.Join(errs...)
}

// Objects returns the objects of a YAML stream. Empty documents are left out.
func Objects(b []byte) ([]*unstructured.Unstructured, error) {
	var out []*unstructured.Unstructured
	r := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(b)))
	for {
		doc, err := r.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		u := &unstructured.Unstructured{}
		j, err := yaml.YAMLToJSONStrict(doc)
		if err != nil {
			return nil, fmt.Errorf("cannot read document %d: %w", len(out)+1, err)
		}
		// This decoder tells integers from other numbers, as CEL rules do.
		if err := json.Unmarshal(j, &u.Object); err != nil {
			return nil, fmt.Errorf("cannot read document %d: %w", len(out)+1, err)
		}
		if len(u.Object) > 0 {
			out = append(out, u)
		}
	}
}

func read(file string, into any) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := yaml.UnmarshalStrict(bytes.TrimSpace(b), into); err != nil {
		return fmt.Errorf("cannot read %q: %w", file, err)
	}
	return nil
}
