package expr

import (
	"fmt"
	"strings"
)

// A Span is an expression in a text.
type Span struct {
	// At which byte its ${ stands.
	At int
	// Source is what stands between the braces.
	Source string
}

// Spans returns the expressions in a text, whether they are right or not. $${ begins
// none. Where a ${ has no end the error says so, and the spans are those before it.
func Spans(s string) ([]Span, error) {
	var out []Span
	for i := 0; i < len(s); {
		next := strings.IndexByte(s[i:], '$')
		if next < 0 {
			return out, nil
		}
		i += next
		switch {
		case strings.HasPrefix(s[i:], "$${"):
			i += 3
		case strings.HasPrefix(s[i:], "${"):
			n := end(s[i+2:])
			if n < 0 {
				return out, fmt.Errorf("${ at position %d has no }", i)
			}
			out = append(out, Span{At: i, Source: strings.TrimSpace(s[i+2 : i+2+n])})
			i += 2 + n + 1
		default:
			i++
		}
	}
	return out, nil
}
