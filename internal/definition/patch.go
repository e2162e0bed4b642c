package definition

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/mainstay-dev/mainstay/internal/expr"
)

// A mergePatch is a JSON merge patch with expressions. A null that is written removes a
// field; an expression that gives null leaves it as it is.
type mergePatch struct{ template *expr.Template }

// removed stands for a null that is written, while expressions are run. No manifest has
// control characters.
const removed = "\x00removed"

func (s *scope) mergePatch(raw []byte, at string, ps *problems) *mergePatch {
	m := readObject(raw, at, ps)
	if m == nil {
		return nil
	}
	return &mergePatch{template: s.compile(swap(m, nil, removed), at, ps)}
}

func (p *mergePatch) render(vars map[string]any, at string) (map[string]any, error) {
	m, err := renderObject(p.template, vars, at)
	if err != nil {
		return nil, err
	}
	out, ok := swap(m, removed, nil).(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%s: must be an object", at)
	}
	return out, nil
}

// swap returns a copy of a value with one scalar in place of another.
func swap(v, from, to any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = swap(e, from, to)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = swap(v[i], from, to)
		}
		return out
	}
	if v == from {
		return to
	}
	return v
}

// merge returns an object with a merge patch applied. The object is left alone.
func merge(into, patch map[string]any) map[string]any {
	out := runtime.DeepCopyJSON(into)
	if out == nil {
		out = map[string]any{}
	}
	for k, v := range patch {
		below, isObject := v.(map[string]any)
		switch {
		case v == nil:
			delete(out, k)
		case isObject:
			old, _ := out[k].(map[string]any)
			out[k] = merge(old, below)
		default:
			out[k] = runtime.DeepCopyJSONValue(v)
		}
	}
	return out
}
