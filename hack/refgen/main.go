// Command refgen turns CRDs into the API reference: one page a kind, one row a
// field, in the schema's own words.
package main

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	extv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

func main() {
	out := flag.String("out", "docs/reference", "Folder to write pages to.")
	flag.Parse()
	if err := generate(*out, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "refgen:", err)
		os.Exit(1)
	}
}

func generate(out string, folders []string) error {
	if err := os.MkdirAll(out, 0o755); err != nil { //nolint:gosec // The folder is source code.
		return err
	}
	index := &strings.Builder{}
	index.WriteString("# API reference\n\nGenerated from the Go types by `make generate`.\n\n| kind | group | |\n|---|---|---|\n")
	for _, folder := range folders {
		files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
		if err != nil {
			return err
		}
		for _, f := range files {
			crd := &extv1.CustomResourceDefinition{}
			b, err := os.ReadFile(f)
			if err != nil {
				return err
			}
			if err := yaml.UnmarshalStrict(b, crd); err != nil {
				return fmt.Errorf("cannot read %q: %w", f, err)
			}
			file := strings.ToLower(crd.Spec.Names.Kind) + ".md"
			if err := os.WriteFile(filepath.Join(out, file), []byte(page(crd)), 0o644); err != nil { //nolint:gosec // The file is source code.
				return err
			}
			about, _, _ := strings.Cut(oneLine(crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Description), ". ")
			fmt.Fprintf(index, "| [%s](%s) | %s | %s |\n", crd.Spec.Names.Kind, file, crd.Spec.Group, strings.TrimSuffix(about, ".")+".")
		}
	}
	return os.WriteFile(filepath.Join(out, "README.md"), []byte(index.String()), 0o644) //nolint:gosec // The file is source code.
}

// page of a kind: what it is, its rules, and a table of fields for spec and status.
func page(crd *extv1.CustomResourceDefinition) string {
	v := crd.Spec.Versions[0]
	root := v.Schema.OpenAPIV3Schema
	p := &strings.Builder{}
	fmt.Fprintf(p, "# %s\n\n`%s/%s`, %s. Generated from the Go types by `make generate`.\n\n%s\n",
		crd.Spec.Names.Kind, crd.Spec.Group, v.Name, strings.ToLower(string(crd.Spec.Scope)), strings.TrimSpace(root.Description))
	rules(p, root)
	for _, part := range slices.Sorted(maps.Keys(root.Properties)) {
		s := root.Properties[part]
		if part == "apiVersion" || part == "kind" || part == "metadata" {
			continue
		}
		fmt.Fprintf(p, "\n## %s\n\n| field | type | default | |\n|---|---|---|---|\n", part)
		rows(p, part, &s)
	}
	return p.String()
}

func rules(p *strings.Builder, root *extv1.JSONSchemaProps) {
	if len(root.XValidations) == 0 {
		return
	}
	p.WriteString("\nRules:\n\n")
	for _, r := range root.XValidations {
		p.WriteString("- " + r.Message + "\n")
	}
}

// rows writes a row for each field below a schema, depth first in order of name.
func rows(p *strings.Builder, path string, s *extv1.JSONSchemaProps) {
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		f := s.Properties[name]
		at := path + "." + name
		def := ""
		if f.Default != nil {
			def = "`" + string(f.Default.Raw) + "`"
		}
		about := oneLine(f.Description)
		if slices.Contains(s.Required, name) {
			about = "**Required.** " + about
		}
		for _, r := range f.XValidations {
			about += " Rule: " + r.Message + "."
		}
		fmt.Fprintf(p, "| `%s` | %s | %s | %s |\n", at, typeOf(&f), def, strings.ReplaceAll(about, "|", "\\|"))
		switch {
		case f.Items != nil && f.Items.Schema != nil:
			rows(p, at+"[]", f.Items.Schema)
		case f.AdditionalProperties != nil && f.AdditionalProperties.Schema != nil:
			rows(p, at+".*", f.AdditionalProperties.Schema)
		default:
			rows(p, at, &f)
		}
	}
}

func typeOf(s *extv1.JSONSchemaProps) string {
	t := s.Type
	switch {
	case s.XIntOrString:
		t = "integer or string"
	case s.Items != nil && s.Items.Schema != nil:
		t = "list of " + typeOf(s.Items.Schema)
	case s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil:
		t = "map of " + typeOf(s.AdditionalProperties.Schema)
	case t == "":
		t = "any"
	}
	if len(s.Enum) > 0 {
		values := []string{}
		for _, e := range s.Enum {
			values = append(values, "`"+strings.Trim(string(e.Raw), `"`)+"`")
		}
		t = strings.Join(values, ", ")
	}
	return t
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
