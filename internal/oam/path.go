package oam

import (
	"fmt"
	"regexp"
	"strings"
)

// A path leads to a field from the root of what the user wrote. Its elements are
// keys (string) and indices (int).
type path []any

// Field returns the path extended by keys.
func (p path) field(keys ...string) path {
	out := append(path{}, p...)
	for _, k := range keys {
		out = append(out, k)
	}
	return out
}

// index returns the path extended by an index.
func (p path) index(i int) path { return append(append(path{}, p...), i) }

// last returns the last key, or nothing where the path ends otherwise.
func (p path) last() string {
	if len(p) == 0 {
		return ""
	}
	k, _ := p[len(p)-1].(string)
	return k
}

// join returns the path extended by another.
func (p path) join(other path) path { return append(append(path{}, p...), other...) }

var plainKey = regexp.MustCompile(`^[A-Za-z_][-A-Za-z0-9_]*$`)

// String returns the path as users read it, such as
// spec.components[1].properties.labels["example.org/team"].
func (p path) String() string {
	b := &strings.Builder{}
	for _, e := range p {
		switch e := e.(type) {
		case int:
			fmt.Fprintf(b, "[%d]", e)
		case string:
			switch {
			case !plainKey.MatchString(e):
				fmt.Fprintf(b, "[%q]", e)
			case b.Len() == 0:
				b.WriteString(e)
			default:
				b.WriteString("." + e)
			}
		}
	}
	return b.String()
}

// lookup returns the value at a path, and how many elements of the path exist.
func lookup(v any, p path) (any, int) {
	for i, e := range p {
		next, ok := child(v, e)
		if !ok {
			return v, i
		}
		v = next
	}
	return v, len(p)
}

func child(v, element any) (any, bool) {
	switch e := element.(type) {
	case string:
		m, ok := v.(map[string]any)
		if !ok {
			return nil, false
		}
		c, ok := m[e]
		return c, ok
	case int:
		l, ok := v.([]any)
		if !ok || e >= len(l) {
			return nil, false
		}
		return l[e], true
	}
	return nil, false
}

// parse reads a path that the Kubernetes libraries wrote as text. That text is
// ambiguous where keys contain dots; the value it leads through decides.
func parsePath(root any, text string) path {
	p := path{}
	v := root
	for text != "" {
		text = strings.TrimPrefix(text, ".")
		e, rest := nextElement(v, text)
		p = append(p, e)
		v, _ = child(v, e)
		text = rest
	}
	return p
}

func nextElement(v any, text string) (element any, rest string) {
	i := 0
	if n, err := fmt.Sscanf(text, "[%d]", &i); err == nil && n == 1 {
		return i, text[strings.Index(text, "]")+1:]
	}
	best, found := "", false
	if m, ok := v.(map[string]any); ok {
		for k := range m {
			ends := len(text) == len(k) || (len(text) > len(k) && (text[len(k)] == '.' || text[len(k)] == '['))
			if strings.HasPrefix(text, k) && ends && (!found || len(k) > len(best)) {
				best, found = k, true
			}
		}
	}
	if found {
		return best, text[len(best):]
	}
	if end := strings.IndexAny(text, ".["); end > 0 {
		return text[:end], text[end:]
	}
	return text, ""
}
