package expr

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func typed(t *testing.T) *Env {
	t.Helper()
	e, err := NewTypedEnv(
		Variables{"parameter": Struct("parameter"), "other": Dynamic},
		Types{
			"parameter": {"replicas": Integer, "labels": Map(String), "tasks": List(Struct("parameter.tasks")), "many": List(String)},
			// As a schema names what is in a list.
			"parameter.tasks": {"name": String, "cpu": Number},
		},
		func(path []string) (uint64, bool) {
			if len(path) == 2 && path[1] == "many" {
				return 1 << 20, true
			}
			return 0, false
		})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

var parameters = map[string]any{"parameter": map[string]any{
	"replicas": int64(2),
	"labels":   map[string]any{"c": "3", "a": "1", "b": "2", "d": "4", "e": "5"},
	"tasks":    []any{map[string]any{"name": "x", "cpu": 0.5}},
}}

func TestTypedValue(t *testing.T) {
	cases := map[string]struct {
		reason, source string
		want           any
	}{
		"Field":   {"A known field is read.", `parameter.replicas * 2`, int64(4)},
		"Absent":  {"A field that a value lacks is asked for.", `has(parameter.many) ? 1 : 2`, int64(2)},
		"Default": {"A field that a value lacks has a default.", `parameter.?many.orValue(["none"])`, []any{"none"}},
		"None":    {"No value is null, which leaves a field out.", `parameter.?many`, nil},
		"Items":   {"What is in a list has fields too.", `parameter.tasks.map(t, t.name)`, []any{"x"}},
		"Whole":   {"An object comes out as it went in, whole numbers included.", `{"p": parameter.replicas, "t": parameter.tasks}`, map[string]any{"p": int64(2), "t": []any{map[string]any{"name": "x", "cpu": 0.5}}}},
		"Numbers": {"One can count to a field.", `lists.range(parameter.replicas)`, []any{int64(0), int64(1)}},
		"Order":   {"Maps are gone through in the order of their keys.", `parameter.labels.map(k, k + "=" + parameter.labels[k]).join(",")`, "a=1,b=2,c=3,d=4,e=5"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p, err := typed(t).Compile(tc.source, Dynamic)
			if err != nil {
				t.Fatalf("%s: %v", tc.reason, err)
			}
			for range 20 {
				got, err := p.Value(parameters)
				if err != nil {
					t.Fatalf("%s: %v", tc.reason, err)
				}
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Fatalf("%s (-want +got):\n%s", tc.reason, diff)
				}
			}
		})
	}
}

func TestTypedRefuses(t *testing.T) {
	cases := map[string]struct{ reason, source, want string }{
		"Typo":   {"A field that there is not is found.", `parameter.replcias`, "replcias"},
		"Nested": {"In what a list holds as well.", `parameter.tasks.map(t, t.nam)`, "nam"},
		"Type":   {"Types do not mix.", `parameter.replicas + "x"`, "no matching overload"},
		"Order":  {"A loop over what has no order would give another result each time.", `{"z": 1, "y": 2}.map(k, k)`, "no order"},
		"Cost":   {"What could explode is found before it is run.", `parameter.many.all(a, parameter.many.all(b, a != b))`, "maxItems"},
		"Ranges": {"Numbers out of nothing count too.", `lists.range(parameter.replicas).all(a, lists.range(a).all(b, a != b))`, "loops within loops"},
		"Range":  {"So is a loop over a loop over a loop.", `other.all(a, other.all(b, other.all(c, a == b && b == c)))`, "loops within loops"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := typed(t).Compile(tc.source, Dynamic)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s: want an error with %q, got %v", tc.reason, tc.want, err)
			}
		})
	}
}

func TestRangeIsBounded(t *testing.T) {
	p, err := env(t).Compile(`lists.range(n).size()`, Integer)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Value(map[string]any{"n": int64(100_000_000)}); err == nil || !strings.Contains(err.Error(), "exceeds maximum") {
		t.Errorf("A list out of nothing has a limit: got %v", err)
	}
}
