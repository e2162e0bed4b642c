package convert

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/mainstay-dev/mainstay/internal/expr"
)

// escaped returns a value in which ${ means nothing, keys included.
func escaped(v any) any { return texts(v, escape) }

// unescaped is the reverse.
func unescaped(v any) any { return texts(v, unescape) }

func escape(s string) string { return strings.ReplaceAll(s, "${", "$${") }

func unescape(s string) string { return strings.ReplaceAll(s, "$${", "${") }

// texts returns a value with every text in it changed, keys included.
func texts(v any, fn func(string) string) any {
	switch v := v.(type) {
	case string:
		return fn(v)
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[fn(k)] = texts(e, fn)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = texts(v[i], fn)
		}
		return out
	}
	return v
}

// expressions calls a function with every text that has an expression.
func expressions(v any, at string, fn func(at string, first expr.Span)) {
	switch v := v.(type) {
	case string:
		if spans, _ := expr.Spans(v); len(spans) > 0 {
			fn(at, spans[0])
		}
	case map[string]any:
		for _, k := range sorted(v) {
			expressions(v[k], at+"."+k, fn)
		}
	case []any:
		for i := range v {
			expressions(v[i], fmt.Sprintf("%s[%d]", at, i), fn)
		}
	}
}

// phaseWords are the phases of a step, in KubeVela's words and in ours.
var phaseWords = map[string]string{"pending": "Pending", "running": "Running", "succeeded": "Succeeded", "failed": "Failed", "skipped": "Skipped"}

var phaseCompare = regexp.MustCompile(`(\bphase\s*[=!]=\s*")([A-Za-z]+)(")`)

// phases writes the phases that a condition compares in the words of the other side.
func phases(condition string, toOAM bool) string {
	return phaseCompare.ReplaceAllStringFunc(condition, func(text string) string {
		m := phaseCompare.FindStringSubmatch(text)
		for theirs, ours := range phaseWords {
			switch {
			case toOAM && m[2] == ours:
				return m[1] + theirs + m[3]
			case !toOAM && m[2] == theirs:
				return m[1] + ours + m[3]
			}
		}
		return text
	})
}
