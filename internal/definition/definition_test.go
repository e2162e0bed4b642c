package definition

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"

	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/oam"
)

var update = flag.Bool("update", false, "write the golden files anew")

func readComponent(t *testing.T, file string) *v1alpha1.ComponentDefinition {
	t.Helper()
	d := &v1alpha1.ComponentDefinition{}
	readFile(t, file, d)
	return d
}

func readFile(t *testing.T, file string, into any) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(b, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

var instance = oam.Instance{Application: "shop", Component: "jobs", Labels: map[string]string{"m.mainstay.dev/component": "jobs"}}

func render(t *testing.T, c *oam.ComponentType, properties string) (oam.Rendered, error) {
	t.Helper()
	m := map[string]any{}
	raw, err := yaml.YAMLToJSON([]byte(properties))
	if err == nil {
		err = utiljson.Unmarshal(raw, &m)
	}
	if err != nil {
		t.Fatal(err)
	}
	complete, found := c.Schema.Complete(m)
	if len(found) > 0 {
		return oam.Rendered{}, &oam.InvalidError{Problems: found}
	}
	return c.Render(instance, complete)
}

// golden compares what a component was rendered to with a file that people can read.
func golden(t *testing.T, file string, r oam.Rendered) {
	t.Helper()
	out := &bytes.Buffer{}
	for i := range r.Objects {
		b, err := yaml.Marshal(r.Objects[i].Object)
		if err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			out.WriteString("---\n")
		}
		if r.Workload != nil && r.Workload.Index == i {
			out.WriteString("# the workload\n")
		}
		out.Write(b)
	}
	for _, part := range []struct {
		what string
		v    any
	}{{"contract", r.Contract}, {"health", r.Health}, {"procedure", r.Procedure}} {
		if raw, err := json.Marshal(part.v); err == nil && string(raw) != "null" {
			b, err := yaml.JSONToYAML(raw)
			if err != nil {
				t.Fatal(err)
			}
			out.WriteString("---\n# " + part.what + "\n")
			out.Write(b)
		}
	}
	path := filepath.Join("testdata", file)
	if *update {
		if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), out.String()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func TestComponentGolden(t *testing.T) {
	cases := map[string]struct{ definition, properties string }{
		"flink-session": {"../../examples/definitions/flink-session.yaml", `{image: "registry.${cluster.region}.example/flink:1.20", taskManagers: 3, config: {b: "2", a: "1"}}`},
		"chart":         {"testdata/chart.yaml", `{image: "nginx:1.27", replicas: 2, greeting: "hello from ${cluster.name}"}`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			d := readComponent(t, tc.definition)
			c, err := CompileComponent(d.Name, &d.Spec)
			if err != nil {
				t.Fatal(err)
			}
			r, err := render(t, c.Type(), tc.properties)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name+".golden.yaml", r)
		})
	}
}

func TestTraitGolden(t *testing.T) {
	d := &v1alpha1.TraitDefinition{}
	readFile(t, "../../examples/definitions/log-shipper.yaml", d)
	trait, err := CompileTrait(d.Name, &d.Spec)
	if err != nil {
		t.Fatal(err)
	}
	chart := readComponent(t, "testdata/chart.yaml")
	c, err := CompileComponent(chart.Name, &chart.Spec)
	if err != nil {
		t.Fatal(err)
	}
	to, err := render(t, c.Type(), `{image: "nginx:1.27"}`)
	if err != nil {
		t.Fatal(err)
	}
	before, err := json.Marshal(to)
	if err != nil {
		t.Fatal(err)
	}
	properties, found := trait.Type().Schema.Complete(map[string]any{"endpoint": "https://logs.${cluster.region}.example"})
	if len(found) > 0 {
		t.Fatal(found)
	}
	r, err := trait.Apply(instance, to, properties)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "log-shipper.golden.yaml", r)
	if after, err := json.Marshal(to); err != nil || !bytes.Equal(before, after) {
		t.Errorf("a trait must leave alone what it is given, got %s (%v)", after, err)
	}
}

// problemsOf an error, one a line.
func problemsOf(t *testing.T, err error) string {
	t.Helper()
	var invalid *oam.InvalidError
	if !errors.As(err, &invalid) {
		t.Fatalf("want an InvalidError, got %v", err)
	}
	out := make([]string, 0, len(invalid.Problems))
	for _, p := range invalid.Problems {
		out = append(out, p.String())
	}
	return strings.Join(out, "\n")
}
