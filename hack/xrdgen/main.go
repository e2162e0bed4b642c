// Command xrdgen turns the CRDs that controller-gen derives from apis/v1alpha1 into
// Crossplane's definitions, apis/<plural>/definition.yaml.
//
// It keeps what Crossplane copies from a definition into the CRDs it makes (spec,
// status, validation rules and columns) and leaves the rest out, so that nobody
// believes in a rule that would never be enforced.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	extv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

const header = "# Generated from apis/v1alpha1 by make generate. Do not edit.\n"

func main() {
	crds := flag.String("crds", "_output/crds", "Folder with the CRDs that controller-gen made.")
	out := flag.String("out", "apis", "Folder to write <plural>/definition.yaml to.")
	flag.Parse()
	if err := generate(*crds, *out); err != nil {
		fmt.Fprintln(os.Stderr, "xrdgen:", err)
		os.Exit(1)
	}
}

func generate(crds, out string) error {
	files, err := filepath.Glob(filepath.Join(crds, "*.yaml"))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("cannot find a CRD in %q: run controller-gen first, as make generate does", crds)
	}
	for _, f := range files {
		if err := convert(f, out); err != nil {
			return fmt.Errorf("cannot convert %q: %w", f, err)
		}
	}
	return nil
}

func convert(file, out string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	crd := &extv1.CustomResourceDefinition{}
	if err := yaml.UnmarshalStrict(b, crd); err != nil {
		return err
	}
	xrd, err := definition(crd)
	if err != nil {
		return err
	}
	b, err = yaml.Marshal(xrd)
	if err != nil {
		return err
	}
	dir := filepath.Join(out, crd.Spec.Names.Plural)
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // The folder is source code.
		return err
	}
	return os.WriteFile(filepath.Join(dir, "definition.yaml"), append([]byte(header), b...), 0o644) //nolint:gosec // The file is source code.
}

// definition returns the XRD for a CRD. A kind that users write becomes a claim,
// with a composite X<kind> behind it; any other is a namespaced composite that only
// functions write.
func definition(crd *extv1.CustomResourceDefinition) (*xrd, error) {
	if len(crd.Spec.Versions) != 1 {
		return nil, fmt.Errorf("%s has %d versions, want 1", crd.Name, len(crd.Spec.Versions))
	}
	v := crd.Spec.Versions[0]
	schema, err := narrow(v.Schema.OpenAPIV3Schema)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", crd.Name, err)
	}
	x := &xrd{
		APIVersion: "apiextensions.crossplane.io/v2",
		Kind:       "CompositeResourceDefinition",
		Metadata:   metadata{Name: crd.Name},
		Spec: spec{
			Group: crd.Spec.Group,
			Scope: "Namespaced",
			Names: names{
				Kind:       crd.Spec.Names.Kind,
				Plural:     crd.Spec.Names.Plural,
				Singular:   crd.Spec.Names.Singular,
				ShortNames: crd.Spec.Names.ShortNames,
				Categories: crd.Spec.Names.Categories,
			},
			Versions: []version{{
				Name:                     v.Name,
				Served:                   true,
				Referenceable:            true,
				AdditionalPrinterColumns: v.AdditionalPrinterColumns,
				Schema:                   validation{OpenAPIV3Schema: schema},
			}},
		},
	}
	if !isClaim[crd.Spec.Names.Kind] {
		return x, nil
	}

	x.APIVersion = "apiextensions.crossplane.io/v1"
	x.Metadata.Name = "x" + crd.Name
	x.Spec.Scope = "LegacyCluster"
	claim := x.Spec.Names
	x.Spec.ClaimNames = &claim
	x.Spec.Names = names{
		Kind:       "X" + crd.Spec.Names.Kind,
		Plural:     "x" + crd.Spec.Names.Plural,
		Singular:   "x" + crd.Spec.Names.Singular,
		Categories: []string{"crossplane"},
	}
	// The claim stays until everything it stands for is gone.
	x.Spec.DefaultCompositeDeletePolicy = "Foreground"
	return x, nil
}

// isClaim lists the kinds that users write.
var isClaim = map[string]bool{"ClusterFleet": true, "ProductApplication": true}

// narrow a schema to what Crossplane copies into the CRDs it makes. A rule that
// would get lost on the way is an error.
func narrow(s *extv1.JSONSchemaProps) (*extv1.JSONSchemaProps, error) {
	for _, field := range []string{"spec", "status"} {
		p := s.Properties[field]
		if p.AnyOf != nil || p.AllOf != nil || p.Not != nil || p.MinProperties != nil || p.MaxProperties != nil {
			return nil, fmt.Errorf("%s has a rule that Crossplane does not copy: use a CEL rule instead", field)
		}
	}
	return &extv1.JSONSchemaProps{
		Type:         "object",
		Description:  strings.TrimSpace(s.Description),
		XValidations: s.XValidations,
		Required:     []string{"spec"},
		Properties: map[string]extv1.JSONSchemaProps{
			"spec":   s.Properties["spec"],
			"status": s.Properties["status"],
		},
	}, nil
}
