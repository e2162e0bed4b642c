package definition

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/bundle"
	"github.com/mainstay-dev/mainstay/internal/oam"
)

// catalogue with these versions of a definition "thing", whose parameter is text.
func catalogue(t *testing.T, versions ...string) *Catalogue {
	t.Helper()
	c := NewCatalogue()
	var published []v1alpha1.PublishedVersion
	for _, v := range versions {
		spec := componentSpec(t, configMap(`{type: object, properties: {text: {type: string, maxLength: 10, default: "none"}, size: {type: integer, default: 1, maximum: 5}}}`, `"${parameter.text}"`))
		spec.Version = v
		spec.Objects[0].Object = runtime.RawExtension{Raw: []byte(strings.Replace(string(spec.Objects[0].Object.Raw), `"text":"`, `"version":"`+v+`","text":"`, 1))}
		r, err := Seal("thing", spec)
		if err != nil {
			t.Fatal(err)
		}
		c.AddRevision(r)
		published = append(published, v1alpha1.PublishedVersion{Version: v, Revision: r.GetName()})
	}
	c.Publish(v1alpha1.ComponentDefinitionKind, "thing", published)
	return c
}

func application(t *testing.T, text string) *v1alpha1.ProductApplicationSpec {
	t.Helper()
	s := &v1alpha1.ProductApplicationSpec{}
	if err := yaml.UnmarshalStrict([]byte(text), s); err != nil {
		t.Fatal(err)
	}
	return s
}

func content(t *testing.T, a *oam.Application, overrides ...string) bundle.Content {
	t.Helper()
	b, err := a.Bundle(overrides)
	if err != nil {
		t.Fatal(err)
	}
	c, err := bundle.Open(b, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestApplicationOfPublishedTypes(t *testing.T) {
	a, err := oam.Compile("shop", application(t, `
components:
  - {name: a, type: thing@1.2.x, properties: {text: "in ${cluster.region}"}}
  - {name: b, type: thing}
  - {name: c, type: worker, properties: {image: x}}
policies:
  - name: canary
    type: override
    properties:
      clusters: [one]
      components: [{name: a, type: thing@1.3.0}]
`), oam.WithCatalogue(catalogue(t, "1.2.0", "1.2.1", "1.3.0")))
	if err == nil || !strings.Contains(err.Error(), "spec.components[0].properties.text: must have at most 10 characters") {
		t.Fatalf("properties must fit the schema that was published: got %v, %v", a, err)
	}
	a, err = oam.Compile("shop", application(t, `
components:
  - {name: a, type: thing@1.2.x, properties: {text: "here"}}
  - {name: b, type: thing}
  - {name: c, type: worker, properties: {image: x}}
policies:
  - name: canary
    type: override
    properties:
      clusters: [one]
      components: [{name: a, type: thing@1.3.0}]
`), oam.WithCatalogue(catalogue(t, "1.2.0", "1.2.1", "1.3.0")))
	if err != nil {
		t.Fatal(err)
	}
	got := content(t, a)
	want := []string{"a thing 1.2.1", "b thing 1.3.0", "c worker "}
	var versions []string
	for _, c := range got.Components {
		versions = append(versions, c.Name+" "+c.Type+" "+c.Version)
	}
	if diff := cmp.Diff(want, versions); diff != "" {
		t.Errorf("each gets the newest that fits (-want +got):\n%s", diff)
	}
	data, _ := got.Components[0].Objects[0].Object["data"].(map[string]any)
	if diff := cmp.Diff(map[string]any{"text": "here", "version": "1.2.1"}, data); diff != "" {
		t.Errorf("it is rendered from that version (-want +got):\n%s", diff)
	}
	if got := content(t, a, "canary").Components[0]; got.Version != "1.3.0" || got.Objects[0].Object["data"].(map[string]any)["text"] != "here" {
		t.Errorf("an override gives a component another version and keeps its properties: got %s", got.Version)
	}
	pinned := []oam.Pinned{{Component: "a", Type: "thing", Version: "1.2.1"}, {Component: "b", Type: "thing", Version: "1.3.0"}, {Component: "a", Type: "thing", Version: "1.3.0"}}
	if diff := cmp.Diff(pinned, a.Pinned()); diff != "" {
		t.Errorf("an application says which versions it got (-want +got):\n%s", diff)
	}
}

func TestApplicationRefuses(t *testing.T) {
	cases := map[string]struct{ reason, spec, want string }{
		"Version": {
			"A version that there is not is refused where it is written.",
			`components: [{name: a, type: thing@2.0.0}]`,
			`spec.components[0].type: definition "thing" has no version 2.0.0: there are 1.3.0, 1.2.0`,
		},
		"Type": {
			"A type that there is not has a near one.",
			`components: [{name: a, type: thingy}]`,
			`did you mean "thing"?`,
		},
		"BuiltIn": {
			"Built-in types have no versions.",
			`components: [{name: a, type: worker@1.0.0, properties: {image: x}}]`,
			`is built in and has no versions`,
		},
		"Override": {
			"A property may violate its schema in one override only.",
			`{components: [{name: a, type: thing}], policies: [{name: big, type: override, properties: {clusters: [one], components: [{name: a, properties: {size: 9}}]}}]}`,
			`spec.policies[0].properties.components[0].properties.size: must be less than or equal to 5`,
		},
		"OverrideVersion": {
			"An override may ask for a version that there is not.",
			`{components: [{name: a, type: thing}], policies: [{name: big, type: override, properties: {clusters: [one], components: [{name: a, type: thing@7}]}}]}`,
			`spec.policies[0].properties.components[0].type: definition "thing" has no version 7`,
		},
		"Property": {
			"A property that there is not has a near one.",
			`components: [{name: a, type: thing, properties: {txt: a}}]`,
			`did you mean "text"?`,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := oam.Compile("shop", application(t, tc.spec), oam.WithCatalogue(catalogue(t, "1.2.0", "1.3.0")))
			if err == nil || !strings.Contains(problemsOf(t, err), tc.want) {
				t.Errorf("%s\nwant %q, got %v", tc.reason, tc.want, err)
			}
		})
	}
}

// What is withdrawn in the middle of a rollout breaks nothing: the application keeps
// what it has, and its Bundles are the same.
func TestWithdrawn(t *testing.T) {
	spec := application(t, `components: [{name: a, type: thing@^1}]`)
	before, err := oam.Compile("shop", spec, oam.WithCatalogue(catalogue(t, "1.2.0", "1.3.0")))
	if err != nil {
		t.Fatal(err)
	}
	c := catalogue(t, "1.2.0", "1.3.0")
	c.published[key{v1alpha1.ComponentDefinitionKind, "thing"}][1].Withdrawn = true
	c.Pin(v1alpha1.ComponentDefinitionKind, "thing", "1.3.0")
	after, err := oam.Compile("shop", spec, oam.WithCatalogue(c))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(content(t, before), content(t, after)); diff != "" {
		t.Errorf("-before +after:\n%s", diff)
	}
}

func TestRevisions(t *testing.T) {
	seal := func() *v1alpha1.DefinitionRevision {
		r, err := Seal("thing", componentSpec(t, configMap(`{type: object}`, "a")))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if diff := cmp.Diff(seal(), seal()); diff != "" {
		t.Errorf("the same definition gives the same revision:\n%s", diff)
	}
	cases := map[string]struct {
		reason string
		spoil  func(*v1alpha1.DefinitionRevision)
		want   string
	}{
		"Good":    {"What is as it was published is used.", func(*v1alpha1.DefinitionRevision) {}, ""},
		"Digest":  {"A content that does not match its digest is refused.", func(r *v1alpha1.DefinitionRevision) { r.Spec.Digest = strings.Repeat("0", 64) }, "tampered with"},
		"Name":    {"So is one of another name.", func(r *v1alpha1.DefinitionRevision) { r.SetName("component.other-v1.0.0") }, "not named by its content"},
		"Content": {"And one that cannot be read.", func(r *v1alpha1.DefinitionRevision) { r.Spec.Content = []byte("x") }, "cannot read revision"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r := seal()
			tc.spoil(r)
			_, err := compileRevision(r)
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("%s: want %q, got %v", tc.reason, tc.want, err)
			}
		})
	}
	large := componentSpec(t, configMap(`{type: object}`, "a"))
	large.Description = strings.Repeat("x", MaxContentBytes)
	if _, err := Seal("thing", large); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("a revision has a size: %v", err)
	}
	if _, err := Seal("thing", 1); err == nil {
		t.Error("only definitions are sealed")
	}
}

func TestReferences(t *testing.T) {
	spec := application(t, `
components:
  - {name: a, type: flink@^1, traits: [{type: scaler}, {type: log-shipper}]}
  - {name: b, type: flink@^1}
  - {name: c, type: worker}
policies:
  - {name: p, type: override, properties: {components: [{name: a, type: flink@2.0.0, traits: [{type: log-shipper@1}]}]}}
  - {name: q, type: topology, properties: {components: 3}}
  - {name: r, type: topology}
`)
	want := []Reference{
		{v1alpha1.ComponentDefinitionKind, "flink@2.0.0"}, {v1alpha1.ComponentDefinitionKind, "flink@^1"},
		{v1alpha1.TraitDefinitionKind, "log-shipper"}, {v1alpha1.TraitDefinitionKind, "log-shipper@1"},
	}
	if diff := cmp.Diff(want, References(spec)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	c := catalogue(t, "1.0.0", "1.1.0")
	if diff := cmp.Diff([]string{"component.thing-v1.1.0"}, c.Needs([]Reference{{v1alpha1.ComponentDefinitionKind, "thing"}, {v1alpha1.ComponentDefinitionKind, "nothing"}})); diff != "" {
		t.Errorf("needs -want +got:\n%s", diff)
	}
}

func TestCatalogueSaysWhatIsMissing(t *testing.T) {
	c := catalogue(t, "1.0.0")
	clear(c.revisions)
	if _, err := c.ComponentType("thing"); err == nil || !strings.Contains(err.Error(), "is not there") {
		t.Errorf("got %v", err)
	}
	if _, err := c.TraitType("thing"); err == nil || !strings.Contains(err.Error(), "no TraitDefinition") {
		t.Errorf("got %v", err)
	}
}

// A published trait changes a component of whatever type, and the Bundle says that it
// was there.
func TestApplicationOfPublishedTraits(t *testing.T) {
	c := NewCatalogue()
	r, err := Seal("pause", traitSpec(t, `{version: 1.1.0, appliesTo: [worker], parameters: {type: object, properties: {by: {type: string, default: me}}}, patches: [{patch: {metadata: {annotations: {paused-by: "${parameter.by}"}}}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	c.AddRevision(r)
	c.Publish(v1alpha1.TraitDefinitionKind, "pause", []v1alpha1.PublishedVersion{{Version: "1.1.0", Revision: r.GetName()}})
	a, err := oam.Compile("shop", application(t, `components: [{name: a, type: worker, properties: {image: x}, traits: [{type: pause@1.x, properties: {by: you}}]}]`), oam.WithCatalogue(c))
	if err != nil {
		t.Fatal(err)
	}
	got := content(t, a).Components[0]
	if diff := cmp.Diff([]string{"pause@1.1.0"}, got.Traits); diff != "" {
		t.Errorf("traits (-want +got):\n%s", diff)
	}
	if by := got.Objects[0].GetAnnotations()["paused-by"]; by != "you" {
		t.Errorf("the trait was not applied: %q", by)
	}
	if diff := cmp.Diff([]oam.Pinned{{Component: "a", Type: "pause", Version: "1.1.0", Trait: true}}, a.Pinned()); diff != "" {
		t.Errorf("pinned (-want +got):\n%s", diff)
	}
	cases := map[string]struct{ reason, spec, want string }{
		"Version":  {"A version that there is not is refused.", `components: [{name: a, type: worker, properties: {image: x}, traits: [{type: pause@2}]}]`, "spec.components[0].traits[0].type: "},
		"Misfit":   {"A trait is for certain components.", `components: [{name: a, type: webservice, properties: {image: x}, traits: [{type: pause}]}]`, "does not fit"},
		"Property": {"Its properties fit its schema.", `components: [{name: a, type: worker, properties: {image: x}, traits: [{type: pause, properties: {who: x}}]}]`, "spec.components[0].traits[0].properties.who: "},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := oam.Compile("shop", application(t, tc.spec), oam.WithCatalogue(c))
			if err == nil || !strings.Contains(problemsOf(t, err), tc.want) {
				t.Errorf("%s\nwant %q, got %v", tc.reason, tc.want, err)
			}
		})
	}
}
