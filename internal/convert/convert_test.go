package convert

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/oam"
)

var update = flag.Bool("update", false, "write what is converted to the golden files")

func load(t *testing.T, pattern string) map[string]*unstructured.Unstructured {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("cannot find %s: %v", pattern, err)
	}
	out := map[string]*unstructured.Unstructured{}
	for _, f := range files {
		if strings.HasSuffix(f, ".golden.yaml") {
			continue
		}
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		out[strings.TrimSuffix(f, ".yaml")] = read(t, string(raw))
	}
	return out
}

func read(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	raw, err := yaml.YAMLToJSON([]byte(text))
	if err == nil {
		err = u.UnmarshalJSON(raw)
	}
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func convert(t *testing.T, in *unstructured.Unstructured) *Result {
	t.Helper()
	before := in.DeepCopy()
	r, err := Convert(in)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before.Object, in.Object); diff != "" {
		t.Errorf("What is converted must be left alone: -before, +after:\n%s", diff)
	}
	return r
}

// TestWhole converts applications that can be, there and back. Nothing is lost.
func TestWhole(t *testing.T) {
	corpus := load(t, "testdata/whole/*.yaml")
	if len(corpus) < 15 {
		t.Errorf("a corpus of %d applications proves little", len(corpus))
	}
	for name, app := range corpus {
		t.Run(filepath.Base(name), func(t *testing.T) {
			there := convert(t, app)
			if diff := cmp.Diff([]oam.Problem(nil), there.Problems); diff != "" {
				t.Errorf("to a ProductApplication: problems: -want, +got:\n%s", diff)
			}
			back := convert(t, there.Object)
			if diff := cmp.Diff([]oam.Problem(nil), back.Problems); diff != "" {
				t.Errorf("and back: problems: -want, +got:\n%s", diff)
			}
			if diff := cmp.Diff(app.Object, back.Object.Object); diff != "" {
				t.Errorf("There and back again it is what it was: -want, +got:\n%s", diff)
			}
			again := convert(t, back.Object)
			if diff := cmp.Diff(there.Object.Object, again.Object.Object); diff != "" {
				t.Errorf("And so is the other way round: -want, +got:\n%s", diff)
			}
		})
	}
}

// TestGolden shows what applications are converted to, and what is said about them.
func TestGolden(t *testing.T) {
	apps := load(t, "testdata/partly/*.yaml")
	for name, app := range load(t, "testdata/whole/*.yaml") {
		switch filepath.Base(name) {
		case "conditions", "statefulset", "worker", "k8s-objects":
			apps[name] = app
		}
	}
	for name, app := range apps {
		t.Run(filepath.Base(name), func(t *testing.T) {
			r := convert(t, app)
			out, err := yaml.Marshal(r.Object.Object)
			if err != nil {
				t.Fatal(err)
			}
			got := said(r) + string(out)
			if *update {
				if err := os.WriteFile(name+".golden.yaml", []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(name + ".golden.yaml")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("-want, +got:\n%s", diff)
			}
		})
	}
}

func said(r *Result) string {
	b := &strings.Builder{}
	for _, p := range r.Problems {
		fmt.Fprintf(b, "# problem: %s\n", p)
	}
	for _, n := range r.Notes {
		fmt.Fprintf(b, "# note: %s\n", n)
	}
	return b.String()
}

func TestToOAMProblems(t *testing.T) {
	r := convert(t, read(t, `
apiVersion: mainstay.dev/v1alpha1
kind: ProductApplication
metadata: {name: ours, namespace: shop}
spec:
  components:
  - {name: flink, type: flink@1.x, properties: {image: "${cluster.registry}/flink:1"}, outputs: [{name: n, valueFrom: "objects[1].metadata.name"}]}
  - {name: web, type: worker, properties: {image: "a:1", cmd: ["$${HOME}"]}, traits: [{type: scaler, properties: {min: 1, max: 2}}, {type: pdb, properties: {}}]}
  policies:
  - {name: slow, type: rollout, properties: {maxConcurrent: 1}}
  - {name: eu, type: override, properties: {clusterLabelSelector: {region: eu}, components: [{name: web, properties: {image: "${cluster.registry}/a"}}]}}
  workflow:
    steps:
    - {name: other, type: depends-on-app, properties: {name: x}}
    - {name: go, type: deploy}
    - {name: tell, type: notification, if: 'status.exists(s, status[s].failed) || status["go"].phase == "Failed"', properties: {webhook: {url: {value: "https://a.example"}}}}
`))
	want := `# problem: spec.components[0].type: KubeVela has no component type "flink@1.x" built in: a ComponentDefinition of that name must be there
# problem: spec.components[0].properties.image: has an expression, ${cluster.registry}: KubeVela binds none
# problem: spec.components[1].traits[0].properties.max: is no property of KubeVela's trait "scaler"
# problem: spec.components[1].traits[0].properties.min: is no property of KubeVela's trait "scaler"
# problem: spec.components[1].traits[1].type: KubeVela has no trait type "pdb" built in: a TraitDefinition of that name must be there
# problem: spec.policies[1].properties.components[0].properties.image: has an expression, ${cluster.registry}: KubeVela binds none
# problem: spec.components[0].outputs[0].valueFrom: is CEL over object or objects: KubeVela's is CUE over output
# problem: spec.policies[0].type: KubeVela has no policy of type "rollout"
# problem: spec.policies[1].properties.clusterLabelSelector: KubeVela's overrides are for all clusters: list the override in a deploy step with the topology that it is for
# problem: spec.workflow.steps[2].if: is CEL: KubeVela's conditions are CUE
# problem: spec.workflow.steps[2].properties.webhook: is no property of KubeVela's notification: use a step of type "webhook" there
`
	if diff := cmp.Diff(want, said(r)); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
	cmd, _, _ := unstructured.NestedSlice(specOf(r.Object)["components"].([]any)[1].(map[string]any), "properties", "cmd")
	if diff := cmp.Diff([]any{"${HOME}"}, cmd); diff != "" {
		t.Errorf("Escapes are ours: -want, +got:\n%s", diff)
	}
	step, _ := specOf(r.Object)["workflow"].(map[string]any)["steps"].([]any)[0].(map[string]any)
	if diff := cmp.Diff(map[string]any{"name": "x", "namespace": "shop"}, step["properties"]); diff != "" {
		t.Errorf("KubeVela wants a namespace: -want, +got:\n%s", diff)
	}
}

func TestConvertRefuses(t *testing.T) {
	_, err := Convert(read(t, `{apiVersion: v1, kind: ConfigMap}`))
	want := `cannot convert a ConfigMap of "v1": it must be an Application of core.oam.dev/v1beta1 or a ProductApplication of ` + v1alpha1.GroupVersion.String()
	if err == nil || err.Error() != want {
		t.Errorf("Convert(...): want %q, got %v", want, err)
	}
}

// FuzzConvert converts anything that says it is an application. There is always an
// answer.
func FuzzConvert(f *testing.F) {
	f.Add(`{"spec":{"components":[{"name":"a","type":"worker","properties":{"image":"${a}"}}],"policies":[{"type":"topology","properties":1}]}}`)
	f.Add(`{"spec":{"workflow":{"steps":[{"if":1,"subSteps":[{"if":"status.a.phase == \"failed\""}]}]}}}`)
	f.Fuzz(func(t *testing.T, text string) {
		u := map[string]any{}
		if yaml.Unmarshal([]byte(text), &u) != nil || u == nil {
			return
		}
		for _, kind := range [][2]string{{OAMVersion, OAMKind}, {v1alpha1.GroupVersion.String(), Kind}} {
			u["apiVersion"], u["kind"] = kind[0], kind[1]
			if _, err := Convert(&unstructured.Unstructured{Object: u}); err != nil {
				t.Errorf("Convert(...): %v", err)
			}
		}
	})
}
