package definition

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/expr"
	"github.com/mainstay-dev/mainstay/internal/oam"
)

// namespace is what templates see as the namespace: a text that the Release binds, since
// only the placement knows it.
const namespace = "${cluster.namespace}"

// A scope compiles the expressions of one definition.
type scope struct {
	parameters *parameters
	variables  expr.Variables
	env        *expr.Env
}

// newScope returns what templates see: parameter, context, and more.
func newScope(p *parameters, more expr.Variables) (*scope, error) {
	s := &scope{parameters: p, variables: expr.Variables{
		parameterVariable: expr.Struct(parameterVariable),
		"context":         expr.Struct("context"),
	}}
	for name, t := range more {
		s.variables[name] = t
	}
	types := expr.Types{"context": {
		"name": expr.String, "appName": expr.String, "namespace": expr.String, "labels": expr.Map(expr.String),
	}}
	for name, fields := range p.types {
		types[name] = fields
	}
	var err error
	s.env, err = expr.NewTypedEnv(s.variables, types, p.sizes)
	return s, err
}

// variablesOf a component.
func variablesOf(in oam.Instance, properties map[string]any) map[string]any {
	labels := make(map[string]any, len(in.Labels))
	for k, v := range in.Labels {
		labels[k] = v
	}
	return map[string]any{
		parameterVariable: properties,
		"context":         map[string]any{"name": in.Component, "appName": in.Application, "namespace": namespace, "labels": labels},
	}
}

// compile a template. Its problems are at paths below at.
func (s *scope) compile(v any, at string, ps *problems) *expr.Template {
	t, err := s.env.CompileTemplate(v)
	if err != nil {
		path, message, found := strings.Cut(err.Error(), ": ")
		if !found || strings.Contains(path, " ") {
			path, message = "", err.Error()
		}
		ps.addf(below(at, path), "%s", strings.TrimPrefix(message, ": "))
		return nil
	}
	return t
}

// text compiles a template that gives a text.
func (s *scope) text(v, at string, ps *problems) *expr.Template {
	if v == "" {
		return nil
	}
	return s.compile(v, at, ps)
}

// program compiles a plain expression. It returns nil for none.
func (s *scope) program(source string, result expr.Type, at string, ps *problems) *expr.Program {
	if source == "" {
		return nil
	}
	p, err := s.env.Compile(source, result)
	if err != nil {
		ps.addf(at, "%v", err)
		return nil
	}
	return p
}

func below(at, path string) string {
	if path == "" || strings.HasPrefix(path, "[") {
		return at + path
	}
	return at + "." + path
}

// readObject reads JSON that must be an object.
func readObject(raw []byte, at string, ps *problems) map[string]any {
	var v any
	if err := utiljson.Unmarshal(raw, &v); err != nil {
		ps.addf(at, "cannot be read: %v", err)
		return nil
	}
	m, ok := v.(map[string]any)
	if !ok || len(m) == 0 {
		ps.addf(at, "must be an object that is not empty")
		return nil
	}
	return m
}

// An objectTemplate renders one object, or one for each entry of a list.
type objectTemplate struct {
	at            string
	when, forEach *expr.Program
	object        *expr.Template
}

func (s *scope) objects(in []v1alpha1.ObjectTemplate, at string, ps *problems) []objectTemplate {
	out := make([]objectTemplate, 0, len(in))
	for i := range in {
		at := fmt.Sprintf("%s[%d]", at, i)
		out = append(out, s.object(&in[i], at, ps))
	}
	return out
}

func (s *scope) object(in *v1alpha1.ObjectTemplate, at string, ps *problems) objectTemplate {
	t := objectTemplate{at: at}
	inner := s
	if t.forEach = s.program(in.ForEach, expr.Dynamic, at+".forEach", ps); t.forEach == nil && in.ForEach != "" {
		return t // What is within would be found wrong for want of item.
	}
	if t.forEach != nil {
		of, isList := expr.Element(t.forEach.Result())
		if !isList {
			ps.addf(at+".forEach", "%q gives %s: it must give a list", in.ForEach, t.forEach.Result())
			return t
		}
		more := expr.Variables{"item": of, "index": expr.Integer}
		for name, known := range s.variables {
			more[name] = known
		}
		var err error
		if inner, err = newScope(s.parameters, more); err != nil {
			ps.addf(at, "%v", err)
			return t
		}
	}
	t.when = inner.program(in.When, expr.Bool, at+".when", ps)
	m := readObject(in.Object.Raw, at+".object", ps)
	if m == nil {
		return t
	}
	for _, field := range []string{"apiVersion", "kind"} {
		if text, ok := m[field].(string); !ok || text == "" || strings.Contains(text, "${") {
			ps.addf(at+".object."+field, "must be a text without expressions")
		}
	}
	t.object = inner.compile(m, at+".object", ps)
	return t
}

// A budget bounds what is rendered.
type budget struct{ objects, bytes int }

func newBudget() *budget { return &budget{objects: MaxObjects, bytes: MaxRenderedBytes} }

func (b *budget) spend(o map[string]any) error {
	raw, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("cannot encode object: %w", err)
	}
	b.objects--
	b.bytes -= len(raw)
	switch {
	case b.objects < 0:
		return fmt.Errorf("renders more than %d objects", MaxObjects)
	case b.bytes < 0:
		return fmt.Errorf("renders more than %d bytes", MaxRenderedBytes)
	}
	return nil
}

// render appends the objects of a template.
func (t *objectTemplate) render(vars map[string]any, left *budget, out []unstructured.Unstructured) ([]unstructured.Unstructured, error) {
	items := []any{nil}
	if t.forEach != nil {
		v, err := t.forEach.Value(vars)
		if err != nil {
			return nil, fmt.Errorf("%s.forEach: %w", t.at, err)
		}
		l, ok := v.([]any)
		if !ok {
			return nil, fmt.Errorf("%s.forEach: %q gives %T: it must give a list", t.at, t.forEach.Source(), v)
		}
		items = l
	}
	for i, item := range items {
		inner := vars
		if t.forEach != nil {
			inner = with(vars, map[string]any{"item": item, "index": int64(i)})
		}
		o, err := t.one(inner)
		if err != nil {
			return nil, err
		}
		if o == nil {
			continue
		}
		if err := left.spend(o); err != nil {
			return nil, fmt.Errorf("%s: %w", t.at, err)
		}
		out = append(out, unstructured.Unstructured{Object: o})
	}
	return out, nil
}

// one object, or nil where it is not wanted.
func (t *objectTemplate) one(vars map[string]any) (map[string]any, error) {
	if t.when != nil {
		wanted, err := t.when.True(vars)
		if err != nil {
			return nil, fmt.Errorf("%s.when: %w", t.at, err)
		}
		if !wanted {
			return nil, nil //nolint:nilnil // That there is none is an answer.
		}
	}
	return renderObject(t.object, vars, t.at+".object")
}

// renderObject renders a template that gives an object.
func renderObject(t *expr.Template, vars map[string]any, at string) (map[string]any, error) {
	v, err := t.Render(vars)
	if err != nil {
		return nil, fmt.Errorf("%s.%w", at, err)
	}
	m, ok := withoutNulls(v).(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%s: must be an object", at)
	}
	return m, nil
}

// renderText renders a template that gives a text. Without one it gives the default.
func renderText(t *expr.Template, vars map[string]any, at, otherwise string) (string, error) {
	if t == nil {
		return otherwise, nil
	}
	v, err := t.Render(vars)
	if err != nil {
		return "", fmt.Errorf("%s%w", at, err)
	}
	s, ok := v.(string)
	if !ok {
		return "", fmt.Errorf("%s: gives %T: it must give a text", at, v)
	}
	return s, nil
}

// withoutNulls leaves out fields and entries that are null: an expression that gives
// nothing stands for nothing. Numbers become those that manifests have.
func withoutNulls(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			if e = withoutNulls(e); e != nil {
				out[k] = e
			}
		}
		return out
	case []any:
		out := make([]any, 0, len(v))
		for _, e := range v {
			if e = withoutNulls(e); e != nil {
				out = append(out, e)
			}
		}
		return out
	}
	return v
}

func with(vars, more map[string]any) map[string]any {
	out := make(map[string]any, len(vars)+len(more))
	for _, m := range []map[string]any{vars, more} {
		for k, v := range m {
			out[k] = v
		}
	}
	return out
}

// properties of an example.
func properties(raw *runtime.RawExtension) (map[string]any, error) {
	m := map[string]any{}
	if raw == nil || len(raw.Raw) == 0 {
		return m, nil
	}
	var v any
	if err := utiljson.Unmarshal(raw.Raw, &v); err != nil {
		return nil, err
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("must be an object")
	}
	return m, nil
}

// podKinds are the kinds that have pods, and where their template is.
var podKinds = map[string]string{
	"Deployment": "spec.template", "StatefulSet": "spec.template", "DaemonSet": "spec.template",
	"Job": "spec.template", "CronJob": "spec.jobTemplate.spec.template",
}

// firstWorkload is what has the pods where nobody says so, or nil.
func firstWorkload(objects []unstructured.Unstructured) *oam.Workload {
	i := slices.IndexFunc(objects, func(o unstructured.Unstructured) bool { return podKinds[o.GetKind()] != "" })
	if i < 0 {
		return nil
	}
	return &oam.Workload{Index: i, PodTemplate: strings.Split(podKinds[objects[i].GetKind()], ".")}
}
