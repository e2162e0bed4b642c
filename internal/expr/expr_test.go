package expr

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func env(t *testing.T) *Env {
	t.Helper()
	e, err := NewEnv(Variables{"cluster": Object, "n": Dynamic, "items": Objects})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

var vars = map[string]any{
	"cluster": map[string]any{"region": "cn-north", "labels": map[string]any{"tier": "gold"}},
	"n":       int64(3),
	"items":   []any{map[string]any{"ready": true}, map[string]any{"ready": false}},
}

func TestValue(t *testing.T) {
	cases := map[string]struct {
		reason string
		source string
		want   any
	}{
		"Field":    {"A field of a variable is read.", `cluster.region`, "cn-north"},
		"Integer":  {"Integers stay integers, as manifests need.", `n + 1`, int64(4)},
		"Count":    {"Lists are filtered.", `items.filter(i, i.ready).size()`, int64(1)},
		"List":     {"A list is a result.", `["a", cluster.region]`, []any{"a", "cn-north"}},
		"Object":   {"An object is a result.", `{"a": n}`, map[string]any{"a": int64(3)}},
		"Optional": {"What is not there has a default.", `cluster.?zone.orValue("none")`, "none"},
		"Nested":   {"An object within a variable comes out as it went in.", `cluster.labels`, map[string]any{"tier": "gold"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p, err := env(t).Compile(tc.source, Dynamic)
			if err != nil {
				t.Fatalf("%s: %v", tc.reason, err)
			}
			got, err := p.Value(vars)
			if err != nil {
				t.Fatalf("%s: %v", tc.reason, err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestCompileRefuses(t *testing.T) {
	cases := map[string]struct {
		reason, source, want string
		result               Type
	}{
		"Syntax":   {"What is no expression is refused.", `1 +`, "is not valid", Dynamic},
		"Variable": {"A variable that does not exist is named.", `clutser.region`, "clutser", Dynamic},
		"Type":     {"A result of the wrong type is found before it is run.", `"a"`, "must give bool", Bool},
		"Length":   {"Inputs are bounded.", strings.Repeat("1+", MaxLength) + "1", "at most 4096", Dynamic},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := env(t).Compile(tc.source, tc.result)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s: want an error with %q, got %v", tc.reason, tc.want, err)
			}
		})
	}
}

func TestCostIsBounded(t *testing.T) {
	p, err := env(t).Compile(`items.all(a, items.all(b, items.all(c, items.all(d, a.ready || b.ready || c.ready || !d.ready || true))))`, Bool)
	if err != nil {
		t.Fatal(err)
	}
	many := make([]any, 200)
	for i := range many {
		many[i] = map[string]any{"ready": false}
	}
	if _, err := p.True(map[string]any{"items": many, "cluster": map[string]any{}, "n": nil}); err == nil || !strings.Contains(err.Error(), "cost") {
		t.Errorf("An expression that explodes is stopped: want an error about cost, got %v", err)
	}
}

func TestTemplate(t *testing.T) {
	cases := map[string]struct {
		reason   string
		in, want any
	}{
		"Whole":    {"A text that is one expression takes the result's type.", map[string]any{"replicas": "${n}"}, map[string]any{"replicas": int64(3)}},
		"Within":   {"Within a text results are written out.", []any{"registry.${cluster.region}.example:${n}"}, []any{"registry.cn-north.example:3"}},
		"Escape":   {"$${ is a literal.", "a $${b}", "a ${b}"},
		"Braces":   {"Braces and quotes in an expression do not end it.", `${ {"}": n}["}"] }`, int64(3)},
		"Constant": {"What has no expression is left alone.", map[string]any{"a": "b", "c": []any{int64(1), true, nil}}, map[string]any{"a": "b", "c": []any{int64(1), true, nil}}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			tpl, err := env(t).CompileTemplate(tc.in)
			if err != nil {
				t.Fatalf("%s: %v", tc.reason, err)
			}
			got, err := tpl.Render(vars)
			if err != nil {
				t.Fatalf("%s: %v", tc.reason, err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestTemplateNamesTheField(t *testing.T) {
	_, err := env(t).CompileTemplate(map[string]any{"spec": map[string]any{"args": []any{"ok", "${nope}"}}})
	if err == nil || !strings.HasPrefix(err.Error(), "spec.args[1]: ") {
		t.Errorf("An error says where the expression stands: got %v", err)
	}
	tpl, err := env(t).CompileTemplate(map[string]any{"a": "x${cluster.nope}"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tpl.Render(vars); err == nil || !strings.HasPrefix(err.Error(), "a: ") {
		t.Errorf("An error says where the expression stands: got %v", err)
	}
}
