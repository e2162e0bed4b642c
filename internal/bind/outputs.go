package bind

import (
	"fmt"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mainstay-dev/mainstay/internal/bundle"
	"github.com/mainstay-dev/mainstay/internal/expr"
)

// A Reader reads a component's outputs from its objects.
type Reader struct {
	names    []string
	programs []*expr.Program
}

var outputsEnv = sync.OnceValues(func() (*expr.Env, error) { //nolint:gochecknoglobals // A constant that has to be made.
	return expr.NewEnv(expr.Variables{"object": expr.Object, "output": expr.Object, "objects": expr.Objects})
})

// CompileOutputs of a component. The error names the output.
func CompileOutputs(outputs []bundle.Output) (*Reader, error) {
	env, err := outputsEnv()
	if err != nil {
		return nil, err
	}
	r := &Reader{}
	for _, o := range outputs {
		p, err := env.Compile(o.ValueFrom, expr.Dynamic)
		if err != nil {
			return nil, fmt.Errorf("output %q: %w", o.Name, err)
		}
		r.names, r.programs = append(r.names, o.Name), append(r.programs, p)
	}
	return r, nil
}

// Read the outputs from objects as they are on the cluster, in the component's order.
// It returns an error where one of them cannot be had yet, or is nothing that fits
// into a text.
func (r *Reader) Read(objects []*unstructured.Unstructured) (map[string]any, error) {
	list := make([]any, 0, len(objects))
	for _, o := range objects {
		list = append(list, o.Object)
	}
	vars := map[string]any{"objects": list, "object": map[string]any{}, "output": map[string]any{}}
	if len(objects) > 0 {
		vars["object"], vars["output"] = objects[0].Object, objects[0].Object
	}
	out := make(map[string]any, len(r.names))
	for i, name := range r.names {
		v, err := r.programs[i].Value(vars)
		if err != nil {
			return nil, fmt.Errorf("output %q: %w", name, err)
		}
		switch v.(type) {
		case string, bool, int64, float64:
			out[name] = v
		default:
			return nil, fmt.Errorf("output %q: %q gives an object or a list: an output is a text, a number or a boolean", name, r.programs[i].Source())
		}
	}
	return out, nil
}
