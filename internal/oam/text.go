package oam

import (
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxDepth is how deeply properties may be nested.
const maxDepth = 32

// checkText finds strings, keys included, that have characters no manifest should
// have, or expressions, which are not supported yet, and properties that are nested
// too deeply.
func checkText(v any, at path, fs *findings) {
	if len(at) > maxDepth {
		fs.addf(at, "is nested too deeply: at most %d levels are possible", maxDepth)
		return
	}
	switch v := v.(type) {
	case string:
		checkString(v, at, "", "\n\t", fs)
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			checkString(k, at.field(k), "the key ", "", fs)
			checkText(v[k], at.field(k), fs)
		}
	case []any:
		for i := range v {
			checkText(v[i], at.index(i), fs)
		}
	}
}

func checkString(s string, at path, what, allowed string, fs *findings) {
	if !utf8.ValidString(s) {
		fs.addf(at, "%sis not valid UTF-8", what)
		return
	}
	if i := strings.IndexFunc(s, func(r rune) bool { return unicode.IsControl(r) && !strings.ContainsRune(allowed, r) }); i >= 0 {
		r, _ := utf8.DecodeRuneInString(s[i:])
		fs.addf(at, "%shas the control character %U at position %d: remove it", what, r, i)
	}
	if i := expression(s); i >= 0 {
		fs.addf(at, "%shas ${ at position %d: expressions are not supported yet; write $${ for a literal ${", what, i)
	}
}

// expression returns where the first expression of a string begins, or -1.
func expression(s string) int {
	for i := 0; i < len(s); i++ {
		switch {
		case strings.HasPrefix(s[i:], "$${"):
			i += 2
		case strings.HasPrefix(s[i:], "${"):
			return i
		}
	}
	return -1
}

// unescape returns a copy of a value where $${ has become ${.
func unescape(v any) any {
	switch v := v.(type) {
	case string:
		return strings.ReplaceAll(v, "$${", "${")
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[strings.ReplaceAll(k, "$${", "${")] = unescape(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = unescape(v[i])
		}
		return out
	}
	return v
}
