package oam

import (
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mainstay-dev/mainstay/internal/bind"
	"github.com/mainstay-dev/mainstay/internal/expr"
)

const (
	// maxDepth is how deeply properties may be nested.
	maxDepth = 32
	// maxExpressions is how many expressions properties may have. To compile them
	// takes time, and what compiles them serves others too.
	maxExpressions = 500
)

// checkText finds strings, keys included, that have characters no manifest should
// have, expressions that are not right, and properties that are nested too deeply.
func checkText(v any, at path, fs *findings) {
	c := textCheck{fs: fs, expressions: func(path) bool { return true }}
	c.check(v, at)
}

// checkPolicyText is checkText for the properties of a policy. There expressions are
// possible only in what an override gives to components.
func checkPolicyText(v any, at path, fs *findings) {
	c := textCheck{fs: fs, expressions: func(p path) bool {
		return len(p) > 2 && p[0] == "components" && (p[2] == "properties" || p[2] == "traits")
	}}
	c.check(v, at)
}

// checkLiterals is checkText where there can be no expression at all.
func checkLiterals(v any, at path, fs *findings) {
	c := textCheck{fs: fs, expressions: func(path) bool { return false }}
	c.check(v, at)
}

// A textCheck goes through properties.
type textCheck struct {
	fs *findings
	// expressions says where there may be any, and found how many there were.
	expressions func(at path) bool
	found       int
}

func (c *textCheck) check(v any, at path) {
	if len(at) > maxDepth {
		c.fs.addf(at, "is nested too deeply: at most %d levels are possible", maxDepth)
		return
	}
	switch v := v.(type) {
	case string:
		if c.characters(v, at, "", "\n\t") {
			c.late(v, at)
		}
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			if c.characters(k, at.field(k), "the key ", "") {
				c.literal(k, at.field(k), "the key ", "a key cannot have one")
			}
			c.check(v[k], at.field(k))
		}
	case []any:
		for i := range v {
			c.check(v[i], at.index(i))
		}
	}
}

// characters returns whether a text has only such as a manifest should have.
func (c *textCheck) characters(s string, at path, what, allowed string) bool {
	if !utf8.ValidString(s) {
		c.fs.addf(at, "%sis not valid UTF-8", what)
		return false
	}
	if i := strings.IndexFunc(s, func(r rune) bool { return unicode.IsControl(r) && !strings.ContainsRune(allowed, r) }); i >= 0 {
		r, _ := utf8.DecodeRuneInString(s[i:])
		c.fs.addf(at, "%shas the control character %U at position %d: remove it", what, r, i)
		return false
	}
	return true
}

// literal finds an expression where there may be none.
func (c *textCheck) literal(s string, at path, what, why string) {
	spans, err := expr.Spans(s)
	switch {
	case len(spans) > 0:
		c.fs.addf(at, "%shas an expression, ${%s}, at position %d: %s; write $${ for a literal ${", what, spans[0].Source, spans[0].At, why)
	case err != nil:
		c.fs.addf(at, "%shas %v: write $${ for a literal ${", what, err)
	}
}

// late checks the expressions that a Release will bind.
func (c *textCheck) late(s string, at path) {
	if !strings.Contains(s, "${") {
		return
	}
	if !c.expressions(at) {
		c.literal(s, at, "", "only properties of components and traits can have one")
		return
	}
	env, err := bind.Env()
	if err != nil {
		c.fs.addf(at, "%v", err)
		return
	}
	spans, unended := expr.Spans(s)
	for _, e := range spans {
		c.found++
		if c.found == maxExpressions+1 {
			c.fs.addf(at, "has one expression too many: at most %d are possible in one place", maxExpressions)
		}
		if c.found > maxExpressions {
			return
		}
		if _, err := env.Compile(e.Source, expr.Dynamic); err != nil {
			c.fs.addf(at, "at position %d: %v: variables are %s and %s; write $${ for a literal ${", e.At, err, bind.VariableCluster, bind.VariableOutputs)
		}
	}
	if unended != nil {
		c.fs.addf(at, "%v: write $${ for a literal ${", unended)
	}
}

// literal returns properties as templates want them.
func literal(properties map[string]any) map[string]any {
	m, _ := unescapeKeys(properties).(map[string]any)
	return m
}

// unescapeKeys returns a copy of a value where $${ in keys has become ${. Texts stay
// as they are: whoever binds expressions unescapes them, and leaves keys alone.
func unescapeKeys(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[strings.ReplaceAll(k, "$${", "${")] = unescapeKeys(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = unescapeKeys(v[i])
		}
		return out
	}
	return v
}
