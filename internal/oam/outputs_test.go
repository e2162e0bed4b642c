package oam

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstay-dev/mainstay/internal/bind"
	"github.com/mainstay-dev/mainstay/internal/bundle"
)

func TestOutputProblems(t *testing.T) {
	const first, second = "spec.components[0].", "spec.components[1]."
	// two returns an application whose first component has outputs, and whose second
	// uses them.
	two := func(outputs, component string) string {
		return "components:\n- {name: db, type: worker, properties: {image: a}, outputs: " + outputs + "}\n- {name: web, type: worker, " + component + "}\n"
	}
	const host = `[{name: host, valueFrom: output.metadata.name}]`
	cases := map[string]struct {
		reason string
		spec   string
		want   []string
	}{
		"Expressions": {
			reason: "An output is CEL over what is on the cluster.",
			spec:   two(`[{name: a b, valueFrom: outputs.service.spec.clusterIP}, {name: c, valueFrom: "objects[1].spec +"}]`, `properties: {image: a}`),
			want: []string{
				first + `outputs[0].name: output name "a b" must be letters, digits, '_' and '-', and not begin with a digit or '-'`,
				first + `outputs[0].valueFrom: output "a b": expression "outputs.service.spec.clusterIP" is not valid: 1:1: undeclared reference to 'outputs': write CEL over output, the component's first object, and objects`,
				first + `outputs[1].valueFrom: output "c": expression "objects[1].spec +" is not valid: 1:18: Syntax error: mismatched input '<EOF>' expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}: write CEL over output, the component's first object, and objects`,
			},
		},
		"Names": {
			reason: "An input is from an output that there is, once, of another component.",
			spec:   two(host, `properties: {image: a}, inputs: [{from: hots, parameterKey: image}, {from: mine, parameterKey: image}], outputs: [{name: host, valueFrom: output}, {name: mine, valueFrom: output}]`),
			want: []string{
				second + `outputs[0].name: output name "host" is already taken by component "db": names must be unique`,
				second + `inputs[0].from: "hots" is no output of a component of this application: did you mean "host"?`,
				second + `inputs[1].from: output "mine" is this component's own`,
			},
		},
		"Keys": {
			reason: "A key leads somewhere.",
			spec:   two(host, `properties: {image: a, cmd: [b]}, inputs: [{from: host, parameterKey: ".a"}, {from: host, parameterKey: "cmd[2]"}, {from: host, parameterKey: image.tag}, {from: host, parameterKey: "cmd[x]"}]`),
			want: []string{
				second + `inputs[0].parameterKey: must be the path of a property, such as image, env[0].value or labels["example.org/address"], got string ".a"`,
				second + `inputs[3].parameterKey: must be the path of a property, such as image, env[0].value or labels["example.org/address"], got string "cmd[x]"`,
				second + `inputs[1].parameterKey: cannot put output "host" there: the list has 1 entries, so the next is [1]`,
				second + `inputs[2].parameterKey: cannot put output "host" there: before "tag" stands string "a" and no object`,
			},
		},
		"NotAText": {
			reason: "An output is put into a property as a text, so it must be one that takes a text.",
			spec:   two(host, `properties: {image: a, env: [{name: A}]}, inputs: [{from: host, parameterKey: livenessProbe.periodSeconds}, {from: host, parameterKey: imag}, {from: host, parameterKey: cpu}]`),
			want: []string{
				second + `inputs[1].parameterKey: property imag is not a known property: did you mean "image"?: an output is put there as a text`,
				second + `inputs[0].parameterKey: property livenessProbe.periodSeconds must be an integer, got string "${outputs.host}": an output is put there as a text`,
			},
		},
		"Labels": {
			reason: "What objects are found by cannot come from another component.",
			spec:   two(host, `properties: {image: a}, inputs: [{from: host, parameterKey: 'labels["a.b/c"]'}]`),
			want:   []string{second + `inputs[0].parameterKey: property labels["a.b/c"] must have at most 63 letters, digits, '-', '_' and '.', got string "${outputs.host}": an output is put there as a text`},
		},
		"Written": {
			reason: "Outputs that are written in properties are checked too.",
			spec:   two(host, `properties: {image: "${outputs.hots}", cmd: ["${outputs.size()}", "${outputs[cluster.name]}"]}`),
			want: []string{
				second + `properties.cmd[0]: "size" is no output of a component of this application`,
				second + `properties.cmd[1]: has an expression that uses outputs without naming one: write outputs.<name> or outputs["<name>"]`,
				second + `properties.image: "hots" is no output of a component of this application: did you mean "host"?`,
			},
		},
		"LeftOut": {
			reason: "An override that leaves out a component leaves out its outputs.",
			spec: two(host, `properties: {image: "${outputs.host}"}`) + `
policies: [{name: o, type: override, properties: {clusters: [a], selector: [web]}}]`,
			want: []string{second + `properties.image: output "host" is of component "db", which is left out here (with override "o")`},
		},
		"Circle": {
			reason: "Components cannot wait for each other's outputs.",
			spec: `components:
- {name: a, type: worker, properties: {image: "${outputs.b}"}, outputs: [{name: a, valueFrom: output.metadata.name}]}
- {name: b, type: worker, properties: {image: "${outputs.a}"}, outputs: [{name: b, valueFrom: output.metadata.name}]}`,
			want: []string{`spec.components[0]: components need each other's outputs in a circle: a → b → a`},
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

// TestOutputs connects components: inputs stand in the manifests, and a component
// depends on those whose outputs it uses.
func TestOutputs(t *testing.T) {
	c := contentOf(t, `
components:
- {name: db, type: worker, properties: {image: a}, outputs: [{name: host, valueFrom: output.metadata.name}, {name: the-port, valueFrom: "objects[0].spec.replicas"}]}
- name: web
  type: worker
  dependsOn: [cache]
  properties: {image: a, cmd: [run], env: [{name: A, value: a}]}
  inputs: [{from: host, parameterKey: "env[0].value"}, {from: the-port, parameterKey: "cmd[1]"}, {from: host, parameterKey: 'annotations["example.org/host"]'}]
- {name: cache, type: worker, properties: {image: a, cmd: ["${outputs.host + ':' + string(outputs['the-port'])}"]}}`)
	want := []bundle.Output{{Name: "host", ValueFrom: "output.metadata.name"}, {Name: "the-port", ValueFrom: "objects[0].spec.replicas"}}
	if diff := cmp.Diff(want, c.Components[0].Outputs); diff != "" {
		t.Errorf("outputs: -want, +got:\n%s", diff)
	}
	after := map[string][]string{}
	for _, part := range c.Components {
		after[part.Name] = part.DependsOn
	}
	if diff := cmp.Diff(map[string][]string{"db": nil, "web": {"cache", "db"}, "cache": {"db"}}, after); diff != "" {
		t.Errorf("dependsOn: -want, +got:\n%s", diff)
	}
	got := map[string]string{}
	eachText(c.Components[1].Objects[0].Object, nil, func(s string, at path) {
		if text, _, found := firstExpression(s, at); found {
			got[at.String()] = text
		}
	})
	const template = "spec.template."
	wantText := map[string]string{
		template + "spec.containers[0].command[1]":            `${outputs["the-port"]}`,
		template + "spec.containers[0].env[0].value":          "${outputs.host}",
		template + `metadata.annotations["example.org/host"]`: "${outputs.host}",
	}
	if diff := cmp.Diff(wantText, got); diff != "" {
		t.Errorf("texts: -want, +got:\n%s", diff)
	}
}

// TestBound takes what is rendered all the way to what a cluster gets.
func TestBound(t *testing.T) {
	c, err := bind.Compile(contentOf(t, `
components:
- {name: db, type: worker, properties: {image: a}, outputs: [{name: db-host, valueFrom: output.metadata.name}]}
- name: web
  type: worker
  properties: {image: "${cluster.registry}/web:1", cmd: [echo, "$${HOME}"], env: [{name: A}]}
  inputs: [{from: db-host, parameterKey: "env[0].value"}]`))
	if err != nil {
		t.Fatal(err)
	}
	facts := map[string]any{"registry": "eu.example"}
	r, err := c.Bind(facts, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string][]string{"web": {"db"}}, r.Waiting); diff != "" {
		t.Errorf("A component waits for the outputs that it uses: -want, +got:\n%s", diff)
	}
	if r, err = c.Bind(facts, bind.Outputs{"db": {"db-host": "db.shop"}}); err != nil {
		t.Fatal(err)
	}
	containers, _ := lookup(r.Content.Components[1].Objects[0].Object, path{"spec", "template", "spec", "containers", 0})
	got, _ := containers.(map[string]any)
	want := map[string]any{
		"name": "web", "image": "eu.example/web:1", "command": []any{"echo", "${HOME}"},
		"env": []any{map[string]any{"name": "A", "value": "db.shop"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("container: -want, +got:\n%s", diff)
	}
}
