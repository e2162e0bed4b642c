package oam

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mainstay-dev/mainstay/internal/bundle"
)

// A shelf is a catalogue with one trait type, in one version.
type shelf struct{ Catalogue }

func (shelf) ComponentTypes() []string { return nil }
func (shelf) TraitTypes() []string     { return []string{"backup"} }

func (shelf) TraitType(reference string) (*TraitType, error) {
	if reference != "backup" && reference != "backup@1.x" {
		return nil, errors.New("there is no version of backup that fits " + reference + ": there is 1.2.0")
	}
	schema, err := NewSchema(&apiextensionsv1.JSONSchemaProps{
		Type: "object", Required: []string{"schedule"},
		Properties: map[string]apiextensionsv1.JSONSchemaProps{"schedule": {Type: "string"}, "kind": {Type: "string", Default: &apiextensionsv1.JSON{Raw: []byte(`"ConfigMap"`)}}},
	})
	return &TraitType{
		Name: "backup", Version: "1.2.0", Schema: schema,
		AppliesTo: []string{"statefulservice", "worker"}, ConflictsWith: []string{"storage"}, Apply: applyBackup,
	}, err
}

// applyBackup adds an object, and fails where the schedule is never.
func applyBackup(in Instance, to Rendered, properties map[string]any) (Rendered, error) {
	if properties["schedule"] == "never" {
		return Rendered{}, errors.New("never is no schedule")
	}
	to.Objects = append(slices.Clone(to.Objects), unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": properties["kind"], "metadata": map[string]any{"name": in.Component + "-backup"},
	}})
	return to, nil
}

func TestPublishedTraits(t *testing.T) {
	const at = "spec.components[0].traits[0]"
	cases := map[string]struct {
		reason string
		spec   string
		want   []string
		// objects of the component, where nothing is wrong, and the version it got.
		objects []string
		pinned  []Pinned
	}{
		"Applied": {
			reason:  "A published trait is applied in its turn, like any other.",
			spec:    traited("worker", `{image: a}`, `{type: backup@1.x, properties: {schedule: daily}}, {type: scaler}`),
			objects: []string{"Deployment/web", "ConfigMap/web-backup"},
			pinned:  []Pinned{{Component: "web", Type: "backup", Version: "1.2.0", Trait: true}},
		},
		"Version": {
			reason: "A version that there is not is refused.",
			spec:   traited("worker", `{image: a}`, `{type: backup@2.x, properties: {schedule: daily}}`),
			want:   []string{at + `.type: there is no version of backup that fits backup@2.x: there is 1.2.0`},
		},
		"Properties": {
			reason: "Its schema holds.",
			spec:   traited("worker", `{image: a}`, `{type: backup, properties: {scedule: daily}}`),
			want: []string{
				at + `.properties.scedule: is not a known property: did you mean "schedule"?`,
				at + `.properties.schedule: is required`,
			},
		},
		"Misfit": {
			reason: "It is for the component types it names.",
			spec:   traited("webservice", `{image: a}`, `{type: backup, properties: {schedule: daily}}`),
			want:   []string{at + `.type: trait "backup" does not fit component "web", which has a Deployment: it is for statefulservice or worker`},
		},
		"Conflict": {
			reason: "It does not go together with what it names.",
			spec:   traited("worker", `{image: a}`, `{type: storage}, {type: backup, properties: {schedule: daily}}`),
			want:   []string{`spec.components[0].traits[1].type: trait "backup" does not go together with trait "storage" of component "web": keep one`},
		},
		"Twice": {
			reason: "Two versions are one type.",
			spec:   traited("worker", `{image: a}`, `{type: backup, properties: {schedule: daily}}, {type: backup@1.x}`),
			want:   []string{`spec.components[0].traits[1].type: component "web" has the trait "backup" already, at ` + at + `: it can have one of a type`},
		},
		"Fails": {
			reason: "Where it cannot be applied it says so.",
			spec:   traited("worker", `{image: a}`, `{type: backup, properties: {schedule: never}}`),
			want:   []string{at + `.properties: backup 1.2.0 cannot be applied: never is no schedule`},
		},
		"Forbidden": {
			reason: "It cannot make what a tenant may not.",
			spec:   traited("worker", `{image: a}`, `{type: backup, properties: {schedule: daily, kind: Namespace}}`),
			want:   []string{at + `.properties: backup 1.2.0 renders what cannot be applied: objects[1].kind a Namespace belongs to the whole cluster and a tenant may not make one: ask the owner of the fleet`},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			a, err := Compile("app", spec(t, tc.spec), WithCatalogue(shelf{}))
			var got []string
			var invalid *InvalidError
			if errors.As(err, &invalid) {
				for _, p := range invalid.Problems {
					got = append(got, p.String())
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Fatalf("\n%s\nCompile(...): -want, +got:\n%s", tc.reason, diff)
			}
			if err != nil {
				return
			}
			if diff := cmp.Diff(tc.pinned, a.Pinned()); diff != "" {
				t.Errorf("\n%s\nPinned(): -want, +got:\n%s", tc.reason, diff)
			}
			b, err := a.Bundle(nil)
			if err != nil {
				t.Fatal(err)
			}
			content, err := bundle.Open(b, nil)
			if err != nil {
				t.Fatal(err)
			}
			var objects []string
			for _, o := range content.Components[0].Objects {
				objects = append(objects, o.GetKind()+"/"+o.GetName())
			}
			if diff := cmp.Diff(tc.objects, objects); diff != "" {
				t.Errorf("\n%s\nobjects: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
