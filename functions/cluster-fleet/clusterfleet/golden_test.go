package clusterfleet

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/structpb"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/mainstay-dev/mainstay/functions/internal/functiontest"
	"github.com/mainstay-dev/mainstay/test/schema"
)

const repository = "../../.."

// Whole requests, and the whole responses to them.
func TestRun(t *testing.T) {
	s, err := schema.Load(repository)
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("testdata/*.request.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("cannot find requests: %v", err)
	}
	for _, f := range files {
		name := strings.TrimSuffix(f, ".request.yaml")
		t.Run(filepath.Base(name), func(t *testing.T) {
			rsp, err := Run(functiontest.Request(t, f))
			if err != nil {
				t.Fatal(err)
			}
			functiontest.Golden(t, name+".golden.yaml", rsp)
			valid(t, s, rsp)
		})
	}
}

// What the function makes of every fleet in the examples.
func TestExamples(t *testing.T) {
	s, err := schema.Load(repository)
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(repository, "examples", "*", "fleet.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("cannot find examples: %v", err)
	}
	for _, f := range files {
		example := filepath.Base(filepath.Dir(f))
		t.Run(example, func(t *testing.T) {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			objects, err := schema.Objects(b)
			if err != nil {
				t.Fatal(err)
			}
			for _, claim := range objects {
				if claim.GetKind() != "ClusterFleet" {
					continue
				}
				rsp, err := Run(&fnv1.RunFunctionRequest{Observed: &fnv1.State{Composite: &fnv1.Resource{Resource: composite(t, s, claim)}}})
				if err != nil {
					t.Fatal(err)
				}
				functiontest.Golden(t, filepath.Join("testdata", "example-"+example+".golden.yaml"), rsp)
				valid(t, s, rsp)
			}
		})
	}
}

// composite returns the composite that Crossplane makes of a claim.
func composite(t *testing.T, s *schema.Schemas, claim *unstructured.Unstructured) *structpb.Struct {
	t.Helper()
	s.Default(claim)
	ref := map[string]any{"apiVersion": claim.GetAPIVersion(), "kind": claim.GetKind(), "namespace": claim.GetNamespace(), "name": claim.GetName()}
	if err := unstructured.SetNestedMap(claim.Object, ref, "spec", "claimRef"); err != nil {
		t.Fatal(err)
	}
	claim.SetKind("X" + claim.GetKind())
	claim.SetName(claim.GetName() + "-x7x7x")
	claim.SetNamespace("")
	out, err := structpb.NewStruct(claim.Object)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// valid says whether the API server would take what is composed.
func valid(t *testing.T, s *schema.Schemas, rsp *fnv1.RunFunctionResponse) {
	t.Helper()
	for name, r := range rsp.GetDesired().GetResources() {
		b, err := r.GetResource().MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		objects, err := schema.Objects(b)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range objects {
			if err := s.Validate(o); s.Knows(o) && err != nil {
				t.Errorf("%s would be refused: %v", name, err)
			}
		}
	}
}
