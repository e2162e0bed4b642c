package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	extv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

const crd = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: KINDs.example.org}
spec:
  group: example.org
  scope: Namespaced
  names: {kind: KIND, listKind: KINDList, plural: KINDs, singular: KIND, shortNames: [k], categories: [ours]}
  versions:
    - name: v1
      served: true
      storage: true
      additionalPrinterColumns: [{name: A, type: string, jsonPath: .spec.a}]
      schema:
        openAPIV3Schema:
          type: object
          description: A thing.
          x-kubernetes-validations: [{rule: "true", message: m}]
          properties:
            apiVersion: {type: string}
            kind: {type: string}
            metadata: {type: object}
            spec: {type: object, properties: {a: {type: string}}SPEC}
            status: {type: object, properties: {b: {type: string}}}
`

func TestDefinition(t *testing.T) {
	schema := map[string]any{
		"type":                     "object",
		"description":              "A thing.",
		"required":                 []any{"spec"},
		"x-kubernetes-validations": []any{map[string]any{"rule": "true", "message": "m"}},
		"properties": map[string]any{
			"spec":   map[string]any{"type": "object", "properties": map[string]any{"a": map[string]any{"type": "string"}}},
			"status": map[string]any{"type": "object", "properties": map[string]any{"b": map[string]any{"type": "string"}}},
		},
	}
	versions := []any{map[string]any{
		"name": "v1", "served": true, "referenceable": true, "schema": map[string]any{"openAPIV3Schema": schema},
		"additionalPrinterColumns": []any{map[string]any{"name": "A", "type": "string", "jsonPath": ".spec.a"}},
	}}
	cases := map[string]struct {
		reason string
		kind   string
		spec   string
		want   map[string]any
		err    string
	}{
		"Claim": {
			reason: "What users write is a claim, with a composite behind it.",
			kind:   "ClusterFleet",
			want: map[string]any{
				"apiVersion": "apiextensions.crossplane.io/v1",
				"kind":       "CompositeResourceDefinition",
				"metadata":   map[string]any{"name": "xClusterFleets.example.org"},
				"spec": map[string]any{
					"group": "example.org", "scope": "LegacyCluster", "defaultCompositeDeletePolicy": "Foreground", "versions": versions,
					"names":      map[string]any{"kind": "XClusterFleet", "plural": "xClusterFleets", "singular": "xClusterFleet", "categories": []any{"crossplane"}},
					"claimNames": map[string]any{"kind": "ClusterFleet", "plural": "ClusterFleets", "singular": "ClusterFleet", "categories": []any{"ours"}, "shortNames": []any{"k"}},
				},
			},
		},
		"Internal": {
			reason: "What functions write is a namespaced composite.",
			kind:   "Cell",
			want: map[string]any{
				"apiVersion": "apiextensions.crossplane.io/v2",
				"kind":       "CompositeResourceDefinition",
				"metadata":   map[string]any{"name": "Cells.example.org"},
				"spec": map[string]any{
					"group": "example.org", "scope": "Namespaced", "versions": versions,
					"names": map[string]any{"kind": "Cell", "plural": "Cells", "singular": "Cell", "categories": []any{"ours"}, "shortNames": []any{"k"}},
				},
			},
		},
		"LostRule": {
			reason: "A rule that Crossplane would not copy is not written down.",
			kind:   "Cell",
			spec:   ", maxProperties: 3",
			err:    "Cells.example.org: spec has a rule that Crossplane does not copy: use a CEL rule instead",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			in, out := t.TempDir(), t.TempDir()
			text := strings.NewReplacer("KIND", tc.kind, "SPEC", tc.spec).Replace(crd)
			if err := os.WriteFile(filepath.Join(in, "crd.yaml"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			err := generate(in, out)
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Fatalf("%s\nwant error %q, got %v", tc.reason, tc.err, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(filepath.Join(out, tc.kind+"s", "definition.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(string(b), header) {
				t.Errorf("the file does not say that it is generated: %.80s", b)
			}
			got := map[string]any{}
			if err := yaml.Unmarshal(b, &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	if err := generate(t.TempDir(), t.TempDir()); err == nil || !strings.Contains(err.Error(), "run controller-gen first") {
		t.Errorf("an empty folder: got %v", err)
	}
	if _, err := definition(&extv1.CustomResourceDefinition{}); err == nil {
		t.Error("no version: want an error")
	}
	in := t.TempDir()
	if err := os.WriteFile(filepath.Join(in, "crd.yaml"), []byte("spec: {unknown: 1}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := generate(in, t.TempDir()); err == nil || !strings.Contains(err.Error(), "cannot convert") {
		t.Errorf("not a CRD: got %v", err)
	}
}
