package fleetcell

import (
	"path/filepath"
	"strings"
	"testing"

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
