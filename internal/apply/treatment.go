package apply

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/bundle"
)

// A Treatment is how an object is treated once it is on the cluster.
type Treatment struct {
	// ReadOnly objects are looked at and never written.
	ReadOnly bool
	// TakeOver makes an object the Release's that is there already and nobody's.
	TakeOver bool
	// Keep says when the object stays although it is not wanted any more.
	Keep v1alpha1.Keep
	// Once is true of an object that is left alone as a whole once it was applied.
	Once bool
	// Left are the fields that are left alone once the object was applied.
	Left []Path
}

// A Path of a field. Its steps are names of fields (string) and positions (int).
type Path []any

// TreatmentOf an object of a component. The error names the path that makes no sense.
func TreatmentOf(p *bundle.Policies, component, componentType string, u *unstructured.Unstructured) (Treatment, error) {
	t := Treatment{}
	if p == nil {
		return t, nil
	}
	selects := func(s bundle.ObjectSelector) bool {
		return selected(s, component, componentType, u.GetKind(), u.GetName())
	}
	t.ReadOnly = slices.ContainsFunc(p.ReadOnly, selects)
	t.TakeOver = slices.ContainsFunc(p.TakeOver, selects)
	for _, o := range p.ApplyOnce {
		if !selects(o.Selector) {
			continue
		}
		t.Once = t.Once || len(o.Paths) == 0 || slices.Contains(o.Paths, "*")
		for _, s := range o.Paths {
			path, err := ParsePath(s)
			if err != nil {
				return t, fmt.Errorf("apply-once: %w", err)
			}
			t.Left = append(t.Left, path)
		}
	}
	if p.GarbageCollect == nil {
		return t, nil
	}
	for _, r := range p.GarbageCollect.Rules {
		if selects(r.Selector) {
			t.Keep = keeps[r.Strategy]
			break
		}
	}
	return t, nil
}

// keeps by the strategies of garbage collection. Without one an object goes with the
// revision that drops it.
var keeps = map[string]v1alpha1.Keep{ //nolint:gochecknoglobals // A table.
	"onAppDelete": v1alpha1.KeepUntilDeleted,
	"never":       v1alpha1.KeepAlways,
}

func selected(s bundle.ObjectSelector, component, componentType, kind, name string) bool {
	among := func(list []string, v string) bool { return len(list) == 0 || slices.Contains(list, v) }
	return among(s.Components, component) && among(s.ComponentTypes, componentType) && among(s.Kinds, kind) && among(s.Names, name)
}

// ParsePath reads a path such as spec.template.spec.containers[0].image or
// metadata.annotations["example.org/owner"].
func ParsePath(s string) (Path, error) {
	bad := func() (Path, error) {
		return nil, fmt.Errorf(`path %q makes no sense: write one such as spec.replicas, spec.containers[0].image or metadata.labels["a.b/c"]`, s)
	}
	var out Path
	for rest := s; rest != ""; {
		if !strings.HasPrefix(rest, "[") {
			n := strings.IndexAny(rest, ".[")
			if n < 0 {
				n = len(rest)
			}
			if n == 0 {
				return bad()
			}
			out, rest = append(out, rest[:n]), rest[n:]
		} else {
			inner, after, ok := bracket(rest)
			if !ok {
				return bad()
			}
			out, rest = append(out, inner), after
		}
		if strings.HasPrefix(rest, ".") {
			if rest = rest[1:]; rest == "" {
				return bad()
			}
		} else if rest != "" && !strings.HasPrefix(rest, "[") {
			return bad()
		}
	}
	if len(out) == 0 {
		return bad()
	}
	return out, nil
}

// bracket reads [n] or ["name"] from the beginning of a text.
func bracket(s string) (any, string, bool) {
	if strings.HasPrefix(s, `["`) {
		name, after, ok := strings.Cut(s[2:], `"]`)
		return name, after, ok && name != ""
	}
	inner, after, ok := strings.Cut(s[1:], "]")
	if n, err := strconv.Atoi(inner); ok && err == nil && n >= 0 {
		return n, after, true
	}
	return strings.Trim(inner, "'"), after, ok && len(inner) > 2 && strings.HasPrefix(inner, "'") && strings.HasSuffix(inner, "'")
}

// Onto returns the object as it is to be applied onto what is there: fields that are to
// be left alone have the value that they have there. Live is nil where nothing is.
func (o Object) Onto(live *unstructured.Unstructured) *unstructured.Unstructured {
	u := o.DeepCopy()
	if live == nil {
		return u
	}
	for _, p := range o.Left {
		v, there := lookup(live.Object, p)
		if !there {
			remove(u.Object, p)
			continue
		}
		set(u.Object, p, runtime.DeepCopyJSONValue(v))
	}
	return u
}

// Without returns an object without the fields that are to be left alone, for
// comparisons. It is the same object where there are none.
func (o Object) Without(u *unstructured.Unstructured) *unstructured.Unstructured {
	if len(o.Left) == 0 {
		return u
	}
	out := u.DeepCopy()
	for _, p := range o.Left {
		remove(out.Object, p)
	}
	return out
}

// lookup the value at a path.
func lookup(v any, p Path) (any, bool) {
	for _, step := range p {
		var ok bool
		if v, ok = stepInto(v, step); !ok {
			return nil, false
		}
	}
	return v, true
}

func stepInto(v, step any) (any, bool) {
	switch step := step.(type) {
	case string:
		m, _ := v.(map[string]any)
		e, ok := m[step]
		return e, ok
	case int:
		l, _ := v.([]any)
		if step < len(l) {
			return l[step], true
		}
	}
	return nil, false
}

// set the value at a path, as far as there is a way to it. Objects on the way are made,
// lists are not.
func set(v any, p Path, to any) {
	for i, step := range p {
		last := i == len(p)-1
		switch c := v.(type) {
		case map[string]any:
			name, ok := step.(string)
			if !ok {
				return
			}
			if last {
				c[name] = to
				return
			}
			if _, there := c[name]; !there {
				if _, ok := p[i+1].(string); !ok {
					return
				}
				c[name] = map[string]any{}
			}
			v = c[name]
		case []any:
			n, ok := step.(int)
			if !ok || n >= len(c) {
				return
			}
			if last {
				c[n] = to
				return
			}
			v = c[n]
		default:
			return
		}
	}
}

// remove the field at a path. An element of a list is emptied, so that the others stay
// where they are.
func remove(v any, p Path) {
	parent, there := lookup(v, p[:len(p)-1])
	if !there {
		return
	}
	switch c := parent.(type) {
	case map[string]any:
		if name, ok := p[len(p)-1].(string); ok {
			delete(c, name)
		}
	case []any:
		if n, ok := p[len(p)-1].(int); ok && n < len(c) {
			c[n] = nil
		}
	}
}
