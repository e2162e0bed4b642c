package productapplication

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/test/schema"
)

var update = flag.Bool("update", false, "write the responses to the golden files")

const examples = "../../../examples"

// TestExamples runs every application among the examples until it is reached, and
// compares the first and the last response, whole, with what a reviewer found right.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(examples, "*", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	schemas, err := schema.Load("../../..")
	if err != nil {
		t.Fatal(err)
	}
	found, there := 0, publishedExamples(t)
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, claim := range claims(t, raw) {
			found++
			meta, _ := claim["metadata"].(map[string]any)
			name, _ := meta["name"].(string)
			if base := strings.TrimSuffix(filepath.Base(f), ".yaml"); !strings.HasPrefix(base, "application") {
				name += "." + base // One of several states of an application.
			}
			t.Run(name, func(t *testing.T) {
				req := request(t, claim)
				rsp := answer(t, req, there...)
				golden(t, name+".first.yaml", readable(t, rsp))

				// The Rollout finds out what clusters need, then makes it so.
				needs := []any{}
				for _, o := range overridesOf(claim) {
					needs = append(needs, map[string]any{"overrides": []any{o}, "clusters": 1})
				}
				req = advance(t, req, rsp, map[string]any{"atProvider": map[string]any{"variants": needs}})
				rsp = answer(t, req, there...)
				req = advance(t, req, rsp, map[string]any{
					"conditions": conditionsOf("True", "True", ""),
					"atProvider": map[string]any{"variants": needs, "clusters": map[string]any{"total": 3, "updated": 3, "ready": 3}},
				})
				rsp = answer(t, req, there...)
				golden(t, name+".reached.yaml", readable(t, rsp))
				valid(t, schemas, rsp)
				if diff := cmp.Diff(v1alpha1.ReasonReached, rsp.GetConditions()[0].GetReason()); diff != "" {
					t.Errorf("reason of Reached: -want, +got:\n%s", diff)
				}
				if diff := cmp.Diff(rsp, answer(t, req, there...), protocmp.Transform()); diff != "" {
					t.Errorf("run again it is different: -first, +again:\n%s", diff)
				}
			})
		}
	}
	if found < 4 {
		t.Errorf("found only %d applications among the examples", found)
	}
}

func overridesOf(claim map[string]any) []any {
	out := []any{}
	spec, _ := claim["spec"].(map[string]any)
	policies, _ := spec["policies"].([]any)
	for _, p := range policies {
		if m, _ := p.(map[string]any); m["type"] == "override" {
			out = append(out, m["name"])
		}
	}
	return out
}

// valid checks that the API server would take what is composed.
func valid(t *testing.T, schemas *schema.Schemas, rsp *fnv1.RunFunctionResponse) {
	t.Helper()
	for name, r := range rsp.GetDesired().GetResources() {
		if err := schemas.Validate(&unstructured.Unstructured{Object: r.GetResource().AsMap()}); err != nil {
			t.Errorf("%s is not valid: %v", name, err)
		}
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s: -want, +got:\n%s", name, diff)
	}
}
