package expr

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A Template is a JSON value whose texts have expressions in them, as ${expression}. A
// text that is one expression and nothing else becomes the expression's result,
// whatever its type; within a longer text the result must be a text, a number or a
// boolean. $${ stands for a literal ${.
type Template struct {
	value any
	// programs of the texts that have expressions, by text.
	programs map[string][]part
}

// A part of a text: literal, or an expression.
type part struct {
	literal string
	program *Program
}

// CompileTemplate compiles a value whose texts have expressions. Keys of objects cannot have any.
func (e *Env) CompileTemplate(value any) (*Template, error) {
	t := &Template{value: value, programs: map[string][]part{}}
	if err := t.compile(e, value, ""); err != nil {
		return nil, err
	}
	return t, nil
}

// Constant is true where a template has no expression and no escape: what it gives
// is what it was made of.
func (t *Template) Constant() bool { return len(t.programs) == 0 }

func (t *Template) compile(e *Env, v any, at string) error {
	switch v := v.(type) {
	case string:
		if _, known := t.programs[v]; known || !strings.Contains(v, "${") {
			return nil
		}
		parts, err := e.parts(v)
		if err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
		t.programs[v] = parts
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			if err := t.compile(e, v[k], join(at, k)); err != nil {
				return err
			}
		}
	case []any:
		for i := range v {
			if err := t.compile(e, v[i], fmt.Sprintf("%s[%d]", at, i)); err != nil {
				return err
			}
		}
	}
	return nil
}

// parts of a text.
func (e *Env) parts(s string) ([]part, error) {
	var out []part
	literal := strings.Builder{}
	for i := 0; i < len(s); {
		switch {
		case strings.HasPrefix(s[i:], "$${"):
			literal.WriteString("${")
			i += 3
		case strings.HasPrefix(s[i:], "${"):
			n := end(s[i+2:])
			if n < 0 {
				return nil, fmt.Errorf("%q has ${ without }: write $${ for a literal ${", s)
			}
			p, err := e.Compile(strings.TrimSpace(s[i+2:i+2+n]), Dynamic)
			if err != nil {
				return nil, err
			}
			if literal.Len() > 0 {
				out = append(out, part{literal: literal.String()})
				literal.Reset()
			}
			out = append(out, part{program: p})
			i += 2 + n + 1
		default:
			literal.WriteByte(s[i])
			i++
		}
	}
	if literal.Len() > 0 {
		out = append(out, part{literal: literal.String()})
	}
	return out, nil
}

// end returns where the } is that ends an expression, or -1. Braces and quotes
// within the expression are its own.
func end(s string) int {
	depth, quote := 0, byte(0)
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case quote != 0 && c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '{':
			depth++
		case c == '}' && depth == 0:
			return i
		case c == '}':
			depth--
		}
	}
	return -1
}

// Render returns the value with all expressions replaced by their results.
func (t *Template) Render(vars map[string]any) (any, error) { return t.render(t.value, vars, "") }

func (t *Template) render(v any, vars map[string]any, at string) (any, error) {
	switch v := v.(type) {
	case string:
		out, err := t.text(v, vars)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", at, err)
		}
		return out, nil
	case map[string]any:
		out := make(map[string]any, len(v))
		for _, k := range slices.Sorted(maps.Keys(v)) {
			e, err := t.render(v[k], vars, join(at, k))
			if err != nil {
				return nil, err
			}
			out[k] = e
		}
		return out, nil
	case []any:
		out := make([]any, len(v))
		for i := range v {
			e, err := t.render(v[i], vars, fmt.Sprintf("%s[%d]", at, i))
			if err != nil {
				return nil, err
			}
			out[i] = e
		}
		return out, nil
	}
	return v, nil
}

func (t *Template) text(s string, vars map[string]any) (any, error) {
	parts, ok := t.programs[s]
	if !ok {
		return s, nil
	}
	if len(parts) == 1 && parts[0].program != nil {
		return parts[0].program.Value(vars)
	}
	out := strings.Builder{}
	for _, p := range parts {
		if p.program == nil {
			out.WriteString(p.literal)
			continue
		}
		v, err := p.program.Value(vars)
		if err != nil {
			return nil, err
		}
		switch v := v.(type) {
		case string:
			out.WriteString(v)
		case bool, int64, float64:
			fmt.Fprint(&out, v)
		default:
			return nil, fmt.Errorf("%q gives %T within a text: it must give a text, a number or a boolean", p.program.source, v)
		}
	}
	return out.String(), nil
}

func join(at, field string) string {
	if at == "" {
		return field
	}
	return at + "." + field
}
