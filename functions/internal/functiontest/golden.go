// Package functiontest compares whole responses of functions with golden files, and
// plays Crossplane's part around a function. `go test -update` writes the golden files
// anew: read the difference before it is committed.
package functiontest

import (
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/structpb"
	"sigs.k8s.io/yaml"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"
)

var update = flag.Bool("update", false, "Write golden files anew.")

// Request reads a request from a YAML file.
func Request(t testing.TB, file string) *fnv1.RunFunctionRequest {
	t.Helper()
	req := &fnv1.RunFunctionRequest{}
	read(t, file, req)
	return req
}

// Golden compares a response with a golden file.
func Golden(t testing.TB, file string, rsp *fnv1.RunFunctionResponse) {
	t.Helper()
	if *update {
		write(t, file, rsp)
	}
	want := &fnv1.RunFunctionResponse{}
	read(t, file, want)
	if diff := cmp.Diff(want, rsp, protocmp.Transform()); diff != "" {
		t.Errorf("%s: -want, +got:\n%s\nIf this is right: go test -update", file, diff)
	}
}

// Struct returns a resource that is written as YAML.
func Struct(t testing.TB, resource string) *structpb.Struct {
	t.Helper()
	s := &structpb.Struct{}
	unmarshal(t, "resource", []byte(resource), s)
	return s
}

func read(t testing.TB, file string, into proto.Message) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	unmarshal(t, file, b, into)
}

func unmarshal(t testing.TB, what string, b []byte, into proto.Message) {
	t.Helper()
	j, err := yaml.YAMLToJSONStrict(b)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if err := protojson.Unmarshal(j, into); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func write(t testing.TB, file string, m proto.Message) {
	t.Helper()
	j, err := protojson.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	b, err := yaml.JSONToYAML(j)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
