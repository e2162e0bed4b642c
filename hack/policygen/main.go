// Command policygen derives the schema of the rollout policy from that of a Rollout's
// strategy, so that the policy has the strategy's fields and no others.
//
// It leaves out descriptions, which nobody reads there, and validation rules in CEL,
// which only an API server runs: internal/oam checks what they say.
package main

import (
	"flag"
	"fmt"
	"os"

	extv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

const header = "# Generated from apis/m/v1alpha1 by make generate. Do not edit.\n"

func main() {
	crd := flag.String("crd", "package/provider/crds/m.mainstay.dev_rollouts.yaml", "CRD of the Rollout.")
	out := flag.String("out", "internal/oam/schema/rollout.yaml", "File to write.")
	flag.Parse()
	if err := generate(*crd, *out); err != nil {
		fmt.Fprintln(os.Stderr, "policygen:", err)
		os.Exit(1)
	}
}

func generate(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	crd := &extv1.CustomResourceDefinition{}
	if err := yaml.UnmarshalStrict(b, crd); err != nil {
		return fmt.Errorf("cannot read %q: %w", from, err)
	}
	s := crd.Spec.Versions[0].Schema.OpenAPIV3Schema
	for _, name := range []string{"spec", "forProvider", "strategy"} {
		next, ok := s.Properties[name]
		if !ok {
			return fmt.Errorf("cannot find %s in the schema of %q", name, from)
		}
		s = &next
	}
	b, err = yaml.Marshal(map[string]any{"types": map[string]any{"rollout": bare(*s)}})
	if err != nil {
		return err
	}
	return os.WriteFile(to, append([]byte(header), b...), 0o644) //nolint:gosec // The file is source code.
}

// bare returns a schema without descriptions and rules, all the way down.
func bare(s extv1.JSONSchemaProps) extv1.JSONSchemaProps {
	s.Description, s.XValidations = "", nil
	for name, p := range s.Properties {
		s.Properties[name] = bare(p)
	}
	if s.Items != nil && s.Items.Schema != nil {
		items := bare(*s.Items.Schema)
		s.Items.Schema = &items
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil {
		more := bare(*s.AdditionalProperties.Schema)
		s.AdditionalProperties.Schema = &more
	}
	return s
}
