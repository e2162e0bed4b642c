package productapplication

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/structpb"
	"sigs.k8s.io/yaml"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/definition"
)

// answer runs the function and answers what it requires, as Crossplane does: what is not
// there is an empty answer.
func answer(t *testing.T, req *fnv1.RunFunctionRequest, there ...any) *fnv1.RunFunctionResponse {
	t.Helper()
	objects := make([]*structpb.Struct, 0, len(there))
	for _, o := range there {
		objects = append(objects, toStruct(t, o))
	}
	req.RequiredResources = map[string]*fnv1.Resources{}
	for range 5 {
		rsp, err := Run(req)
		if err != nil {
			t.Fatalf("Run(...): %v", err)
		}
		asked := rsp.GetRequirements().GetResources()
		if slices.Equal(slices.Sorted(maps.Keys(asked)), slices.Sorted(maps.Keys(req.GetRequiredResources()))) {
			return rsp
		}
		for key, sel := range asked {
			found := &fnv1.Resources{}
			for _, o := range objects {
				meta := o.GetFields()["metadata"].GetStructValue().GetFields()
				if o.GetFields()["kind"].GetStringValue() == sel.GetKind() && meta["name"].GetStringValue() == sel.GetMatchName() {
					found.Items = append(found.Items, &fnv1.Resource{Resource: o})
				}
			}
			req.RequiredResources[key] = found
		}
	}
	t.Fatal("requirements do not become stable: Crossplane gives up after five rounds")
	return nil
}

// publishedThing returns a definition with these versions, and their revisions.
func publishedThing(t *testing.T, versions ...string) []any {
	t.Helper()
	d := &v1alpha1.ComponentDefinition{}
	d.SetGroupVersionKind(v1alpha1.ComponentDefinitionGVK)
	d.SetName("thing")
	out := []any{d}
	for _, v := range versions {
		spec := &v1alpha1.ComponentDefinitionSpec{}
		if err := yaml.Unmarshal([]byte(`{parameters: {type: object, properties: {text: {type: string, default: a}}}, objects: [{object: {apiVersion: v1, kind: ConfigMap, metadata: {name: "${context.name}"}, data: {text: "${parameter.text}"}}}]}`), spec); err != nil {
			t.Fatal(err)
		}
		spec.Version = v
		r, err := definition.Seal("thing", spec)
		if err != nil {
			t.Fatal(err)
		}
		d.Status.Versions = append(d.Status.Versions, v1alpha1.PublishedVersion{Version: v, Revision: r.GetName()})
		out = append(out, r)
	}
	return out
}

// publishedExamples returns the definitions among the examples, published.
func publishedExamples(t *testing.T) []any {
	t.Helper()
	component, trait := &v1alpha1.ComponentDefinition{}, &v1alpha1.TraitDefinition{}
	for file, into := range map[string]any{"flink-session.yaml": component, "log-shipper.yaml": trait} {
		raw, err := os.ReadFile(filepath.Join(examples, "definitions", file))
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.UnmarshalStrict(raw, into); err != nil {
			t.Fatal(err)
		}
	}
	first, err := definition.Seal(component.GetName(), &component.Spec)
	if err != nil {
		t.Fatal(err)
	}
	second, err := definition.Seal(trait.GetName(), &trait.Spec)
	if err != nil {
		t.Fatal(err)
	}
	component.Status.Versions = []v1alpha1.PublishedVersion{{Version: first.Spec.Version, Revision: first.GetName()}}
	trait.Status.Versions = []v1alpha1.PublishedVersion{{Version: second.Spec.Version, Revision: second.GetName()}}
	return []any{component, trait, first, second}
}

func application(kind string) map[string]any {
	return map[string]any{
		"apiVersion": "mainstay.dev/v1alpha1", "kind": "ProductApplication",
		"metadata": map[string]any{"name": "shop", "namespace": "team"},
		"spec":     map[string]any{"components": []any{map[string]any{"name": "a", "type": kind}}},
	}
}

// appliedTo returns which definitions the response says the application got.
func appliedTo(t *testing.T, rsp *fnv1.RunFunctionResponse) []any {
	t.Helper()
	status, _ := rsp.GetDesired().GetComposite().GetResource().AsMap()["status"].(map[string]any)
	list, _ := status["definitions"].([]any)
	return list
}

func TestDefinitions(t *testing.T) {
	pinned := func(version string) []any {
		return []any{map[string]any{"component": "a", "type": "thing", "version": version}}
	}
	revisionsOnly := publishedThing(t, "1.0.0", "1.1.0")[1:]
	withdrawn := publishedThing(t, "1.0.0", "1.1.0")
	d, ok := withdrawn[0].(*v1alpha1.ComponentDefinition)
	if !ok {
		t.Fatal("no definition")
	}
	d.Status.Versions[1].Withdrawn = true
	cases := map[string]struct {
		reason string
		kind   string
		there  []any
		// has is what the application had before.
		has  []any
		want []any
		err  string
	}{
		"Newest":      {reason: "Without a version it is the newest.", kind: "thing", there: publishedThing(t, "1.0.0", "1.1.0"), want: pinned("1.1.0")},
		"Pinned":      {reason: "A version is that version.", kind: "thing@1.0.0", there: publishedThing(t, "1.0.0", "1.1.0"), want: pinned("1.0.0")},
		"Unknown":     {reason: "What nobody publishes is refused.", kind: "thing", err: `component type "thing" is not known`},
		"Version":     {reason: "So is a version that nobody published.", kind: "thing@3.0.0", there: publishedThing(t, "1.0.0"), err: "has no version 3.0.0"},
		"Unpublished": {reason: "A definition that is not published yet says so.", kind: "thing", there: publishedThing(t), err: "no published version"},
		"Withdrawn":   {reason: "What was withdrawn is not given out.", kind: "thing@^1", there: withdrawn, want: pinned("1.0.0")},
		"Keeps":       {reason: "Who has it keeps it.", kind: "thing@^1", there: withdrawn, has: pinned("1.1.0"), want: pinned("1.1.0")},
		"Gone":        {reason: "Even where the definition is gone, as long as the revision is there.", kind: "thing", there: revisionsOnly, has: pinned("1.1.0"), want: pinned("1.1.0")},
		"Missing":     {reason: "A revision that is not there is said to be.", kind: "thing", there: publishedThing(t, "1.0.0")[:1], err: "its revision \"component.thing-v1.0.0\" is not there"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			req := request(t, application(tc.kind))
			if tc.has != nil {
				list, err := structpb.NewValue(map[string]any{"definitions": tc.has})
				if err != nil {
					t.Fatal(err)
				}
				req.GetObserved().GetComposite().GetResource().Fields["status"] = list
			}
			rsp := answer(t, req, tc.there...)
			if tc.err != "" {
				if len(rsp.GetResults()) == 0 || rsp.GetResults()[0].GetSeverity() != fnv1.Severity_SEVERITY_FATAL || !strings.Contains(rsp.GetResults()[0].GetMessage(), tc.err) {
					t.Errorf("%s: want a refusal with %q, got %v", tc.reason, tc.err, rsp.GetResults())
				}
				return
			}
			if diff := cmp.Diff(tc.want, appliedTo(t, rsp)); diff != "" {
				t.Errorf("%s (-want +got):\n%s\n%v", tc.reason, diff, rsp.GetResults())
			}
			if len(rsp.GetDesired().GetResources()) != 2 {
				t.Errorf("%s: want a Bundle and a Rollout, got %d resources", tc.reason, len(rsp.GetDesired().GetResources()))
			}
		})
	}
}

// What is withdrawn in the middle of a rollout changes nothing: the Bundle is the same.
func TestWithdrawnMidRollout(t *testing.T) {
	before := answer(t, request(t, application("thing@^1")), publishedThing(t, "1.0.0", "1.1.0")...)
	req := request(t, application("thing@^1"))
	req.GetObserved().GetComposite().GetResource().Fields["status"] = before.GetDesired().GetComposite().GetResource().GetFields()["status"]
	after := answer(t, req, publishedThing(t, "1.0.0", "1.1.0")[1:]...)
	names := func(rsp *fnv1.RunFunctionResponse) []string {
		return slices.Sorted(maps.Keys(rsp.GetDesired().GetResources()))
	}
	if diff := cmp.Diff(names(before), names(after)); diff != "" {
		t.Errorf("-before +after:\n%s", diff)
	}
}
