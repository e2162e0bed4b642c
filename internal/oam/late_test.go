package oam

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstay-dev/mainstay/internal/bundle"
)

func TestLateProblems(t *testing.T) {
	const at = "spec.components[0].properties."
	const names = ": names, namespaces, labels and selectors must be the same everywhere"
	cases := map[string]struct {
		reason string
		spec   string
		want   []string
	}{
		"Shell": {
			reason: "What a shell would expand is refused where it stands, with how to write it.",
			spec:   one("worker", `{image: a, cmd: [sh, "-c", "echo ${HOME}"]}`),
			want:   []string{at + `cmd[2]: at position 5: expression "HOME" is not valid: 1:1: undeclared reference to 'HOME': variables are cluster and outputs; write $${ for a literal ${`},
		},
		"Unended": {
			reason: "So is what never ends.",
			spec:   one("worker", `{image: "a/${cluster.region"}`),
			want:   []string{at + `image: ${ at position 2 has no }: write $${ for a literal ${`},
		},
		"Label": {
			reason: "A label is what objects are found by.",
			spec:   one("worker", `{image: a, labels: {region: "${cluster.region}"}}`),
			want:   []string{at + `labels.region: must have at most 63 letters, digits, '-', '_' and '.', got string "${cluster.region}"`},
		},
		"Name": {
			reason: "So is a name.",
			spec:   one("k8s-objects", `{objects: [{apiVersion: v1, kind: ConfigMap, metadata: {name: "a-${cluster.name}"}}]}`),
			want:   []string{at + `objects[0].metadata.name: metadata.name of a ConfigMap has an expression, "a-${cluster.name}"` + names},
		},
		"Selector": {
			reason: "And a selector.",
			spec:   one("k8s-objects", `{objects: [{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {selector: {app: "${cluster.name}"}}}]}`),
			want:   []string{at + `objects[0].spec.selector.app: spec.selector.app of a Service has an expression, "${cluster.name}"` + names},
		},
		"Many": {
			reason: "To compile expressions takes time that others need too.",
			spec:   one("worker", `{image: a, args: ["`+strings.Repeat(`${cluster.name}`, maxExpressions+1)+`"]}`),
			want:   []string{at + `args[0]: has one expression too many: at most 500 are possible in one place`},
		},
		"Policy": {
			reason: "A policy is for whoever places the application, before a cluster is known.",
			spec: one("worker", `{image: a}`) + `
policies: [{name: p, type: topology, properties: {namespace: "${cluster.namespace}"}}]`,
			want: []string{
				`spec.policies[0].properties.namespace: has an expression, ${cluster.namespace}, at position 0: only properties of components and traits can have one; write $${ for a literal ${`,
				`spec.policies[0].properties.namespace: must be a DNS label, got string "${cluster.namespace}"`,
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, problemsOf(t, "app", spec(t, tc.spec))); diff != "" {
				t.Errorf("\n%s\nCompile(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestLate leaves expressions and escapes for whoever knows the cluster.
func TestLate(t *testing.T) {
	c := contentOf(t, one("worker", `{image: "${cluster.registry}/web:1", cmd: [echo, "$${HOME}", "${cluster.?zone.orValue('none')}"]}`)+`
policies: [{name: o, type: override, properties: {components: [{name: web, properties: {env: [{name: A, value: "${cluster.labels['tier']}"}]}}]}}]`)
	got := map[string]any{}
	eachText(c.Components[0].Objects[0].Object, nil, func(s string, at path) {
		if strings.Contains(s, "${") {
			got[at.String()] = s
		}
	})
	const container = "spec.template.spec.containers[0]."
	want := map[string]any{
		container + "image":        "${cluster.registry}/web:1",
		container + "command[1]":   "$${HOME}",
		container + "command[2]":   "${cluster.?zone.orValue('none')}",
		container + "env[0].value": "${cluster.labels['tier']}",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
}

// contentOf renders the variant without scoped overrides.
func contentOf(t *testing.T, text string) bundle.Content {
	t.Helper()
	a, err := Compile("app", spec(t, text))
	if err != nil {
		t.Fatalf("Compile(...): %v", err)
	}
	b, err := a.Bundle(a.Variants(nil)[0])
	if err != nil {
		t.Fatalf("Bundle(...): %v", err)
	}
	c, err := bundle.Open(b, nil)
	if err != nil {
		t.Fatalf("Open(...): %v", err)
	}
	return c
}
