package oam

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mainstay-dev/mainstay/internal/expr"
)

// fixedFields are those by which objects are found and belong to each other. They
// must be known before a cluster is.
var fixedFields = []path{
	{"apiVersion"},
	{"kind"},
	{"metadata", "name"},
	{"metadata", "namespace"},
	{"metadata", "labels"},
	{"spec", "selector"},
	{"spec", "template", "metadata", "labels"},
	{"spec", "jobTemplate", "spec", "template", "metadata", "labels"},
}

// checkFixed finds expressions in fields of a component's object that must be known.
func checkFixed(c *component, o *unstructured.Unstructured, ps *problems) {
	for _, field := range fixedFields {
		v, depth := lookup(o.Object, field)
		if depth < len(field) {
			continue
		}
		text, at, found := firstExpression(v, field)
		if !found {
			continue
		}
		ps.addf(c.whereWritten(text), "%s of a %s has an expression, %q: names, namespaces, labels and selectors must be the same everywhere", at, o.GetKind(), text)
	}
}

// whereWritten returns where a text stands in the properties of the component or of
// one of its traits, or where the component is written.
func (c *component) whereWritten(text string) path {
	if at, ok := findText(c.properties, c.sources, text); ok {
		return at
	}
	for i := range c.traits {
		if at, ok := findText(c.traits[i].properties, c.traits[i].sources, text); ok {
			return at
		}
	}
	return c.at
}

func findText(properties map[string]any, sources []source, text string) (path, bool) {
	var found path
	eachText(properties, nil, func(s string, at path) {
		if s == text && found == nil {
			found = at
		}
	})
	if found == nil {
		return nil, false
	}
	at, _ := locate(sources, found)
	return at, true
}

// firstExpression returns the first text that has an expression, and where it is.
func firstExpression(v any, at path) (text string, where path, found bool) {
	eachText(v, at, func(s string, p path) {
		if found || !strings.Contains(s, "${") {
			return
		}
		if spans, _ := expr.Spans(s); len(spans) > 0 {
			text, where, found = s, p, true
		}
	})
	return text, where, found
}

// eachText calls a function with every text of a value, keys not included, in order.
func eachText(v any, at path, fn func(s string, at path)) {
	switch v := v.(type) {
	case string:
		fn(v, at)
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			eachText(v[k], at.field(k), fn)
		}
	case []any:
		for i := range v {
			eachText(v[i], at.index(i), fn)
		}
	}
}
