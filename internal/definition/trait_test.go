package definition

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/oam"
)

func traitSpec(t *testing.T, text string) *v1alpha1.TraitDefinitionSpec {
	t.Helper()
	s := &v1alpha1.TraitDefinitionSpec{}
	if err := yaml.UnmarshalStrict([]byte(text), s); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestCompileTraitRefuses(t *testing.T) {
	cases := map[string]struct{ reason, spec, want string }{
		"Nothing":   {"A trait does something.", "version: 1.0.0", "neither patches nor objects"},
		"Typo":      {"A parameter that there is not is found.", `{version: 1.0.0, patches: [{patch: {a: "${parameter.b}"}}]}`, "spec.patches[0].patch.a: "},
		"When":      {"A condition is true or false.", `{version: 1.0.0, patches: [{when: object.kind + "x", patch: {a: b}}]}`, "must give bool"},
		"Target":    {"A target selects something.", `{version: 1.0.0, patches: [{target: {optional: true}, patch: {a: b}}]}`, "selects nothing"},
		"Empty":     {"A patch changes something.", `{version: 1.0.0, patches: [{patch: {}}]}`, "must be an object that is not empty"},
		"Object":    {"Objects that it adds do not see what it patches.", `{version: 1.0.0, objects: [{object: {apiVersion: v1, kind: ConfigMap, metadata: {name: "${object.metadata.name}"}}}]}`, "undeclared reference to 'object'"},
		"Version":   {"Its version is semantic.", `{version: "1", patches: [{patch: {a: b}}]}`, "spec.version"},
		"Parameter": {"Its schema must be one.", `{version: 1.0.0, parameters: {type: x}, patches: [{patch: {a: b}}]}`, "spec.parameters"},
		"Example":   {"Its examples must render.", `{version: 1.0.0, objects: [{object: {apiVersion: v1, kind: Namespace, metadata: {name: a}}}], examples: [{name: a}]}`, "belongs to the whole cluster"},
	}
	if _, err := CompileTrait("scaler", traitSpec(t, `{version: 1.0.0, patches: [{patch: {a: b}}]}`)); err == nil || !strings.Contains(err.Error(), "built-in trait type") {
		t.Errorf("a built-in type stays what it is: %v", err)
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := CompileTrait("thing", traitSpec(t, tc.spec))
			if err == nil {
				t.Fatalf("%s: it was published", tc.reason)
			}
			if got := problemsOf(t, err); !strings.Contains(got, tc.want) {
				t.Errorf("%s\nwant %q in:\n%s", tc.reason, tc.want, got)
			}
		})
	}
}

func TestApply(t *testing.T) {
	object := func(kind, name string, spec map[string]any) unstructured.Unstructured {
		return unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": kind, "metadata": map[string]any{"name": name}, "spec": spec}}
	}
	cases := map[string]struct {
		reason, spec string
		want         map[string]any
		err          string
	}{
		"Workload": {
			reason: "Without a target it is the workload.",
			spec:   `{version: 1.0.0, patches: [{patch: {spec: {replicas: "${object.spec.replicas + 1}"}}}]}`,
			want:   map[string]any{"replicas": int64(3), "paused": true},
		},
		"Remove": {
			reason: "A null that is written removes; an expression that gives none leaves alone.",
			spec:   `{version: 1.0.0, parameters: {type: object, properties: {count: {type: integer}}}, patches: [{patch: {spec: {paused: null, replicas: "${parameter.?count}"}}}]}`,
			want:   map[string]any{"replicas": int64(2)},
		},
		"When": {
			reason: "Where it is not true nothing is done.",
			spec:   `{version: 1.0.0, patches: [{when: object.spec.replicas > 2, patch: {spec: {replicas: 0}}}]}`,
			want:   map[string]any{"replicas": int64(2), "paused": true},
		},
		"Optional": {
			reason: "What may be missing may be.",
			spec:   `{version: 1.0.0, patches: [{target: {kind: Ingress, optional: true}, patch: {spec: {a: b}}}]}`,
			want:   map[string]any{"replicas": int64(2), "paused": true},
		},
		"Named": {
			reason: "A target may be named.",
			spec:   `{version: 1.0.0, patches: [{target: {name: "${context.name}"}, patch: {spec: {replicas: 5}}}]}`,
			want:   map[string]any{"replicas": int64(5), "paused": true},
		},
		"Absent": {
			reason: "What must be there must be.",
			spec:   `{version: 1.0.0, patches: [{target: {kind: Ingress}, patch: {spec: {a: b}}}]}`,
			err:    `no object of kind "Ingress"`,
		},
		"Identity": {
			reason: "An object stays what it is.",
			spec:   `{version: 1.0.0, patches: [{patch: {metadata: {name: other}}}]}`,
			err:    "must not change apiVersion, kind, name or namespace",
		},
		"Fails": {
			reason: "What fails says where.",
			spec:   `{version: 1.0.0, patches: [{patch: {spec: {replicas: "${object.spec.none}"}}}]}`,
			err:    "spec.patches[0].patch.spec.replicas: ",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			trait, err := CompileTrait("thing", traitSpec(t, tc.spec))
			if err != nil {
				t.Fatal(err)
			}
			to := oam.Rendered{Objects: []unstructured.Unstructured{
				object("Service", "other", nil),
				object("Deployment", "jobs", map[string]any{"replicas": int64(2), "paused": true}),
			}}
			got, err := trait.Apply(instance, to, map[string]any{})
			if (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
				t.Fatalf("%s: want error %q, got %v", tc.reason, tc.err, err)
			}
			if err != nil {
				return
			}
			if diff := cmp.Diff(tc.want, got.Objects[1].Object["spec"]); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
	trait, err := CompileTrait("thing", traitSpec(t, `{version: 1.0.0, patches: [{patch: {a: b}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := trait.Apply(instance, oam.Rendered{Objects: []unstructured.Unstructured{object("Service", "a", nil)}}, nil); err == nil || !strings.Contains(err.Error(), "no workload") {
		t.Errorf("what has no workload cannot be patched: %v", err)
	}
}
