package productapplication

import (
	"bytes"
	"encoding/json"
	"testing"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"
	"sigs.k8s.io/yaml"

	mv1alpha1 "github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/bundle"
)

// toStruct returns a value as Crossplane sends it.
func toStruct(t *testing.T, v any) *structpb.Struct {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	s := &structpb.Struct{}
	if err := s.UnmarshalJSON(raw); err != nil {
		t.Fatal(err)
	}
	return s
}

// request returns the first request for a claim: the composite is as Crossplane
// makes it of the claim, and nothing is composed yet.
func request(t *testing.T, claim map[string]any) *fnv1.RunFunctionRequest {
	t.Helper()
	meta, _ := claim["metadata"].(map[string]any)
	name, _ := meta["name"].(string)
	spec := map[string]any{"claimRef": map[string]any{
		"apiVersion": claim["apiVersion"], "kind": claim["kind"], "name": meta["name"], "namespace": meta["namespace"],
	}}
	if s, ok := claim["spec"].(map[string]any); ok {
		for k, v := range s {
			spec[k] = v
		}
	}
	return &fnv1.RunFunctionRequest{
		Meta: &fnv1.RequestMeta{Tag: "test"},
		Observed: &fnv1.State{
			Composite: &fnv1.Resource{Resource: toStruct(t, map[string]any{
				"apiVersion": "mainstay.dev/v1alpha1",
				"kind":       "XProductApplication",
				"metadata":   map[string]any{"name": name + "-x7k2p", "generation": 1},
				"spec":       spec,
			})},
			Resources: map[string]*fnv1.Resource{},
		},
	}
}

// claims returns the applications in a YAML file.
func claims(t *testing.T, file []byte) []map[string]any {
	t.Helper()
	out := []map[string]any{}
	for _, doc := range bytes.Split(file, []byte("\n---\n")) {
		c := map[string]any{}
		if err := yaml.Unmarshal(doc, &c); err != nil {
			t.Fatal(err)
		}
		if c["kind"] == "ProductApplication" {
			out = append(out, c)
		}
	}
	return out
}

// run the function and expect an answer. Nobody has published a definition.
func run(t *testing.T, req *fnv1.RunFunctionRequest) *fnv1.RunFunctionResponse {
	t.Helper()
	return answer(t, req)
}

// advance returns the next request: what was desired has been made, and the Rollout
// says what it says.
func advance(t *testing.T, req *fnv1.RunFunctionRequest, rsp *fnv1.RunFunctionResponse, says map[string]any) *fnv1.RunFunctionRequest {
	t.Helper()
	next := &fnv1.RunFunctionRequest{Meta: req.GetMeta(), Observed: &fnv1.State{
		Composite: req.GetObserved().GetComposite(),
		Resources: map[string]*fnv1.Resource{},
	}}
	for name, r := range rsp.GetDesired().GetResources() {
		m := r.GetResource().AsMap()
		meta, _ := m["metadata"].(map[string]any)
		meta["uid"], meta["resourceVersion"], meta["generation"] = "u-"+name, "1", 1
		if name == rolloutResource && says != nil {
			m["status"] = says
		}
		next.Observed.Resources[name] = &fnv1.Resource{Resource: toStruct(t, m)}
	}
	conditions := []any{}
	for _, c := range rsp.GetConditions() {
		status := map[fnv1.Status]string{fnv1.Status_STATUS_CONDITION_TRUE: "True", fnv1.Status_STATUS_CONDITION_FALSE: "False"}[c.GetStatus()]
		conditions = append(conditions, map[string]any{"type": c.GetType(), "status": status, "reason": c.GetReason(), "message": c.GetMessage()})
	}
	xr := req.GetObserved().GetComposite().GetResource().AsMap()
	xr["status"] = map[string]any{"conditions": conditions}
	next.Observed.Composite = &fnv1.Resource{Resource: toStruct(t, xr)}
	return next
}

// conditionsOf returns conditions as a Rollout has them.
func conditionsOf(synced, ready, message string) []any {
	return []any{
		map[string]any{"type": "Synced", "status": synced, "reason": "r", "message": message, "observedGeneration": 1},
		map[string]any{"type": "Ready", "status": ready, "reason": "r", "observedGeneration": 1},
	}
}

// readable returns a response as YAML. The content of Bundles is shown decoded in
// place of their data, which depends on the compressor.
func readable(t *testing.T, rsp *fnv1.RunFunctionResponse) []byte {
	t.Helper()
	raw, err := protojson.Marshal(rsp)
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]any{}
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	desired, _ := m["desired"].(map[string]any)
	resources, _ := desired["resources"].(map[string]any)
	for name, r := range resources {
		b := bundleOf(t, rsp, name)
		if b == nil {
			continue
		}
		c, err := bundle.Open(b, nil)
		if err != nil {
			t.Fatalf("Open(%s): %v", name, err)
		}
		resource, _ := r.(map[string]any)
		object, _ := resource["resource"].(map[string]any)
		spec, _ := object["spec"].(map[string]any)
		delete(spec, "data")
		resource["content of spec.data"] = c
	}
	y, err := yaml.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return y
}

// bundleOf returns a desired Bundle, or nil where the resource is none.
func bundleOf(t *testing.T, rsp *fnv1.RunFunctionResponse, name string) *mv1alpha1.Bundle {
	t.Helper()
	s := rsp.GetDesired().GetResources()[name].GetResource()
	if s.GetFields()["kind"].GetStringValue() != "Bundle" {
		return nil
	}
	raw, err := s.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	b := &mv1alpha1.Bundle{}
	if err := json.Unmarshal(raw, b); err != nil {
		t.Fatal(err)
	}
	return b
}
