package oam

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPath(t *testing.T) {
	root := map[string]any{
		"ports":  []any{map[string]any{"port": int64(80)}},
		"labels": map[string]any{"a.b/c": "x", "a": map[string]any{"b/c": "y"}, "x[0]": "z"},
	}
	cases := map[string]struct {
		reason string
		text   string
		want   path
		show   string
	}{
		"Root":    {reason: "The empty text is the root.", text: "", want: path{}, show: ""},
		"Index":   {reason: "Indices are in brackets.", text: "ports[0].port", want: path{"ports", 0, "port"}, show: "ports[0].port"},
		"Missing": {reason: "What is missing is split at dots.", text: ".ports[0].a.b[2]", want: path{"ports", 0, "a", "b", 2}, show: "ports[0].a.b[2]"},
		"Longest": {reason: "The longest key that fits is meant.", text: "labels.a.b/c", want: path{"labels", "a.b/c"}, show: `labels["a.b/c"]`},
		"Bracket": {reason: "A key can look like an index.", text: "labels.x[0]", want: path{"labels", "x[0]"}, show: `labels["x[0]"]`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := parsePath(root, tc.text)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\nparsePath(...): -want, +got:\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(tc.show, got.String()); diff != "" {
				t.Errorf("\n%s\nString(): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestLookup(t *testing.T) {
	root := map[string]any{"a": []any{"x"}}
	cases := map[string]struct {
		reason string
		path   path
		want   any
		depth  int
	}{
		"Found":      {reason: "The value is found.", path: path{"a", 0}, want: "x", depth: 2},
		"NoKey":      {reason: "The last value on the way is returned.", path: path{"b", 0}, want: root, depth: 0},
		"TooFar":     {reason: "An index can be too large.", path: path{"a", 1}, want: []any{"x"}, depth: 1},
		"NotAList":   {reason: "A string has no entries.", path: path{"a", 0, 0}, want: "x", depth: 2},
		"NotAMap":    {reason: "A list has no keys.", path: path{"a", "b"}, want: []any{"x"}, depth: 1},
		"NotAPlace":  {reason: "A path consists of keys and indices.", path: path{1.5}, want: root, depth: 0},
		"NowhereYet": {reason: "The empty path is the value itself.", path: nil, want: root, depth: 0},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, depth := lookup(root, tc.path)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\nlookup(...): -want, +got:\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(tc.depth, depth); diff != "" {
				t.Errorf("\n%s\nlookup(...): -want depth, +got depth:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestDidYouMean(t *testing.T) {
	candidates := []string{"webservice", "worker", "task", "cron-task"}
	cases := map[string]struct {
		written, want string
	}{
		"Near":     {"webservce", `: did you mean "webservice"?`},
		"Case":     {"Worker", `: did you mean "worker"?`},
		"Swapped":  {"tsak", `: did you mean "task"?`},
		"Missing":  {"crontask", `: did you mean "cron-task"?`},
		"Far":      {"deployment", ""},
		"Short":    {"x", ""},
		"VeryLong": {string(make([]byte, 200)), ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, didYouMean(tc.written, candidates)); diff != "" {
				t.Errorf("didYouMean(%q): -want, +got:\n%s", tc.written, diff)
			}
		})
	}
}

func TestUnescapeKeys(t *testing.T) {
	in := map[string]any{"$${a}": []any{"$${b}", map[string]any{"c": "$${d}"}}}
	want := map[string]any{"${a}": []any{"$${b}", map[string]any{"c": "$${d}"}}}
	if diff := cmp.Diff(want, unescapeKeys(in)); diff != "" {
		t.Errorf("Keys are unescaped, texts are for whoever binds them: -want, +got:\n%s", diff)
	}
}
