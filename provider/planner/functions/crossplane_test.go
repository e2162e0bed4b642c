package functions_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

// crossplane renders composites with the very code that composes them, by its command "internal render". Its
// messages are written by hand: Crossplane's own Go code of them may not be linked with that of
// the functions.
type crossplane struct {
	program string
	// functions by name, and where each serves without TLS.
	functions map[string]string
}

// Fields of the messages RenderRequest, CompositeInput, FunctionInput, RenderResponse and CompositeOutput.
const (
	requestComposite = 2

	inputComposite   = 1
	inputComposition = 2
	inputFunctions   = 3
	inputObserved    = 4
	inputRequired    = 5
	inputDefinition  = 8

	functionName    = 1
	functionAddress = 2

	responseComposite = 2
	outputComposed    = 2
)

// render a composite. It returns what is composed, by the names in the pipeline.
func (c crossplane) render(t *testing.T, composite, composition, definition map[string]any, observed, required []map[string]any) (map[string]map[string]any, error) {
	t.Helper()
	in := field(nil, inputComposite, message(t, composite))
	in = field(in, inputComposition, message(t, composition))
	in = field(in, inputDefinition, message(t, definition))
	for name, address := range c.functions {
		in = field(in, inputFunctions, field(field(nil, functionName, []byte(name)), functionAddress, []byte(address)))
	}
	for _, o := range observed {
		in = field(in, inputObserved, message(t, o))
	}
	for _, r := range required {
		in = field(in, inputRequired, message(t, r))
	}
	stderr := &bytes.Buffer{}
	cmd := exec.CommandContext(t.Context(), c.program, "internal", "render")
	cmd.Stdin, cmd.Stderr = bytes.NewReader(field(nil, requestComposite, in)), stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, stderr)
	}
	composed := map[string]map[string]any{}
	for _, output := range fields(t, out, responseComposite) {
		for _, raw := range fields(t, output, outputComposed) {
			s := &structpb.Struct{}
			if err := proto.Unmarshal(raw, s); err != nil {
				t.Fatal(err)
			}
			o := s.AsMap()
			name, _ := metadata(o, "annotations")["crossplane.io/composition-resource-name"].(string)
			composed[name] = o
		}
	}
	return composed, nil
}

func metadata(o map[string]any, field string) map[string]any {
	m, _ := o["metadata"].(map[string]any)
	f, _ := m[field].(map[string]any)
	return f
}

func message(t *testing.T, v map[string]any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	s := &structpb.Struct{}
	if err := s.UnmarshalJSON(raw); err != nil {
		t.Fatal(err)
	}
	out, err := proto.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func field(to []byte, number protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(to, number, protowire.BytesType), value)
}

// fields of a message that have a number.
func fields(t *testing.T, raw []byte, number protowire.Number) [][]byte {
	t.Helper()
	var out [][]byte
	for len(raw) > 0 {
		n, kind, used := protowire.ConsumeTag(raw)
		if used < 0 {
			t.Fatal("crossplane answers with something that is no message")
		}
		raw = raw[used:]
		size := protowire.ConsumeFieldValue(n, kind, raw)
		if size < 0 {
			t.Fatal("crossplane answers with something that is no message")
		}
		if n == number {
			v, _ := protowire.ConsumeBytes(raw)
			out = append(out, v)
		}
		raw = raw[size:]
	}
	return out
}

// program of a function, as it is installed on hubs.
func program(dir, function string) string {
	return filepath.Join(dir, "function-"+strings.TrimPrefix(function, "mainstay-function-"))
}
