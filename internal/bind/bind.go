// Package bind puts into manifests what is known only on the cluster that they go to:
// facts about the cluster, as ${cluster.<fact>}, and values that other components gave,
// as ${outputs.<name>}. It is the last thing that happens to a manifest before it is
// applied, and what takes the escape off $${.
//
// Binding is strict. What is not known is an error that names the object, the field and
// what there is to choose from, and then nothing is applied. An expression cannot decide
// which object it is in: names, kinds and namespaces are the same on all clusters, so
// that what belongs to a Release is known without binding. A content without expressions
// is passed on as it is, and costs nothing.
//
// Deliberately absent: where facts and outputs come from.
package bind

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mainstay-dev/mainstay/internal/bundle"
	"github.com/mainstay-dev/mainstay/internal/expr"
)

// Outputs are the values that components gave, by the name of the component and that of
// the output. A component that is not in it has not given any yet.
type Outputs map[string]map[string]any

// A Content whose expressions are compiled. It can be bound to any number of clusters.
type Content struct {
	source bundle.Content
	// compiled components that have expressions, by their position.
	compiled map[int]*component
}

// A component that has expressions.
type component struct {
	objects, applied, patches []*expr.Template
	// awaits names the components whose outputs must be known.
	awaits []string
}

// A Result is a content that is bound as far as that is possible.
type Result struct {
	// Content with its expressions replaced. Components that wait are as they were.
	Content bundle.Content
	// Waiting components, and the components that they wait for outputs of.
	Waiting map[string][]string
	// Digest of what was bound. Empty where nothing had to be.
	Digest string
}

// Compile a content. The error names the component, the object and the field.
func Compile(c bundle.Content) (*Content, error) {
	out := &Content{source: c, compiled: map[int]*component{}}
	for i := range c.Components {
		bc := &c.Components[i]
		cc, err := compile(bc)
		if err != nil {
			return nil, fmt.Errorf("component %q: %w", bc.Name, err)
		}
		if cc == nil {
			continue
		}
		if cc.usesOutputs(bc) {
			cc.awaits = producers(c, bc)
		}
		out.compiled[i] = cc
	}
	return out, nil
}

// Source is the content as it was.
func (c *Content) Source() bundle.Content { return c.source }

// Constant is true where there is nothing to bind.
func (c *Content) Constant() bool { return len(c.compiled) == 0 }

// Bind a content to a cluster. The result shares what has no expressions with the
// source, and must not be changed. The error names the component, the object, the
// field, and what there is.
func (c *Content) Bind(facts map[string]any, outputs Outputs) (Result, error) {
	if c.Constant() {
		return Result{Content: c.source}, nil
	}
	vars := map[string]any{VariableCluster: facts, VariableOutputs: outputs.flat()}
	r := Result{Content: c.source, Waiting: map[string][]string{}}
	r.Content.Components = slices.Clone(c.source.Components)
	hash := sha256.New()
	for _, i := range slices.Sorted(maps.Keys(c.compiled)) {
		bc, cc := &r.Content.Components[i], c.compiled[i]
		for _, p := range cc.awaits {
			if _, known := outputs[p]; !known {
				r.Waiting[bc.Name] = append(r.Waiting[bc.Name], p)
			}
		}
		if len(r.Waiting[bc.Name]) > 0 {
			continue
		}
		if err := cc.bind(bc, vars); err != nil {
			return Result{}, fmt.Errorf("component %q: %w; there are %s", bc.Name, err, strings.Join(known(vars), ", "))
		}
		if err := json.NewEncoder(hash).Encode(bc); err != nil {
			return Result{}, fmt.Errorf("component %q: cannot encode what was bound: %w", bc.Name, err)
		}
	}
	r.Digest = hex.EncodeToString(hash.Sum(nil))
	return r, nil
}

func compile(bc *bundle.Component) (*component, error) {
	c, constant := &component{}, true
	add := func(to *[]*expr.Template, what string, v map[string]any) error {
		t, err := template(v)
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		*to = append(*to, t)
		constant = constant && t == nil
		return nil
	}
	for i := range bc.Objects {
		if err := addObject(add, &c.objects, &bc.Objects[i]); err != nil {
			return nil, err
		}
	}
	for s := range bc.Procedure {
		step := &bc.Procedure[s]
		for i := range step.Apply {
			if err := addObject(add, &c.applied, &step.Apply[i]); err != nil {
				return nil, fmt.Errorf("step %q: %w", step.Name, err)
			}
		}
		for _, p := range step.Patches {
			if err := add(&c.patches, fmt.Sprintf("step %q: patch of %s %q", step.Name, p.Kind, p.Name), p.Patch); err != nil {
				return nil, err
			}
		}
	}
	if constant {
		return nil, nil //nolint:nilnil // There is nothing to compile.
	}
	return c, nil
}

func addObject(add func(*[]*expr.Template, string, map[string]any) error, to *[]*expr.Template, u *unstructured.Unstructured) error {
	for _, f := range [][]string{{"apiVersion"}, {"kind"}, {"metadata", "name"}, {"metadata", "namespace"}} {
		if s, _, _ := unstructured.NestedString(u.Object, f...); strings.Contains(s, "${") {
			return fmt.Errorf("%s %q: %s: cannot have an expression: an object is the same one on all clusters", u.GetKind(), u.GetName(), strings.Join(f, "."))
		}
	}
	return add(to, fmt.Sprintf("%s %q", u.GetKind(), u.GetName()), u.Object)
}

// template of a value. It is nil where there is nothing to bind.
func template(v map[string]any) (*expr.Template, error) {
	if !mentions(v, "${") {
		return nil, nil //nolint:nilnil // There is nothing to compile.
	}
	env, err := Env()
	if err != nil {
		return nil, err
	}
	plain, err := keys(v, "")
	if err != nil {
		return nil, err
	}
	return env.CompileTemplate(plain)
}

// keys returns a copy of a value with the escape taken off the keys of its objects,
// which cannot have expressions.
func keys(v any, at string) (any, error) {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for _, k := range slices.Sorted(maps.Keys(v)) {
			if strings.Contains(strings.ReplaceAll(k, "$${", ""), "${") {
				return nil, fmt.Errorf("%s: the key %q cannot have an expression: write $${ for a literal ${", strings.TrimPrefix(at, "."), k)
			}
			e, err := keys(v[k], at+"."+k)
			if err != nil {
				return nil, err
			}
			out[strings.ReplaceAll(k, "$${", "${")] = e
		}
		return out, nil
	case []any:
		out := make([]any, len(v))
		for i := range v {
			e, err := keys(v[i], fmt.Sprintf("%s[%d]", at, i))
			if err != nil {
				return nil, err
			}
			out[i] = e
		}
		return out, nil
	}
	return v, nil
}

func (c *component) bind(bc *bundle.Component, vars map[string]any) error {
	objects, err := bindObjects(bc.Objects, c.objects, vars)
	if err != nil {
		return err
	}
	bc.Objects = objects
	bc.Procedure = slices.Clone(bc.Procedure)
	applied, patches := c.applied, c.patches
	for s := range bc.Procedure {
		step := &bc.Procedure[s]
		n, m := len(step.Apply), len(step.Patches)
		if step.Apply, err = bindObjects(step.Apply, applied[:n], vars); err != nil {
			return fmt.Errorf("step %q: %w", step.Name, err)
		}
		step.Patches = slices.Clone(step.Patches)
		for i := range step.Patches {
			if step.Patches[i].Patch, err = render(step.Patches[i].Patch, patches[i], vars); err != nil {
				return fmt.Errorf("step %q: patch of %s %q: %w", step.Name, step.Patches[i].Kind, step.Patches[i].Name, err)
			}
		}
		applied, patches = applied[n:], patches[m:]
	}
	return nil
}

func bindObjects(in []unstructured.Unstructured, by []*expr.Template, vars map[string]any) ([]unstructured.Unstructured, error) {
	out := slices.Clone(in)
	for i := range in {
		v, err := render(in[i].Object, by[i], vars)
		if err != nil {
			return nil, fmt.Errorf("%s %q: %w", in[i].GetKind(), in[i].GetName(), err)
		}
		out[i].Object = v
	}
	return out, nil
}

func render(in map[string]any, by *expr.Template, vars map[string]any) (map[string]any, error) {
	if by == nil {
		return in, nil
	}
	v, err := by.Render(vars)
	if err != nil {
		return nil, err
	}
	m, _ := v.(map[string]any)
	return m, nil
}

// output is how an expression names the outputs of components.
var output = regexp.MustCompile(`\b` + VariableOutputs + `\b`)

// usesOutputs is true where a component may need what another gives. To be taken for
// one that does costs nothing but waiting for what it depends on anyway.
func (c *component) usesOutputs(bc *bundle.Component) bool {
	raw, err := json.Marshal(bc)
	return err != nil || output.Match(raw)
}

// producers are the components with outputs that a component depends on, in the end.
func producers(c bundle.Content, of *bundle.Component) []string {
	seen, next := map[string]bool{of.Name: true}, slices.Clone(of.DependsOn)
	var out []string
	for len(next) > 0 {
		name := next[0]
		next = next[1:]
		i := slices.IndexFunc(c.Components, func(o bundle.Component) bool { return o.Name == name })
		if seen[name] || i < 0 {
			continue
		}
		seen[name] = true
		if len(c.Components[i].Outputs) > 0 {
			out = append(out, name)
		}
		next = append(next, c.Components[i].DependsOn...)
	}
	slices.Sort(out)
	return out
}

func (o Outputs) flat() map[string]any {
	out := map[string]any{}
	for _, values := range o {
		maps.Copy(out, values)
	}
	return out
}

// known names all that an expression could have used.
func known(vars map[string]any) []string {
	var out []string
	for _, variable := range []string{VariableCluster, VariableOutputs} {
		m, _ := vars[variable].(map[string]any)
		for _, k := range slices.Sorted(maps.Keys(m)) {
			nested, ok := m[k].(map[string]any)
			if !ok {
				out = append(out, variable+"."+k)
				continue
			}
			for _, n := range slices.Sorted(maps.Keys(nested)) {
				out = append(out, fmt.Sprintf("%s.%s[%q]", variable, k, n))
			}
		}
	}
	if len(out) == 0 {
		return []string{"none"}
	}
	return out
}

// mentions is true where a text, or a key, has a part in it.
func mentions(v any, part string) bool {
	switch v := v.(type) {
	case string:
		return strings.Contains(v, part)
	case map[string]any:
		for k, e := range v {
			if strings.Contains(k, part) || mentions(e, part) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, func(e any) bool { return mentions(e, part) })
	}
	return false
}
