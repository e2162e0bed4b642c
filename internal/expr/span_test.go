package expr

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSpans(t *testing.T) {
	cases := map[string]struct {
		reason string
		in     string
		want   []Span
		err    string
	}{
		"None":    {reason: "A text without any.", in: "a $b {c} $", want: nil},
		"Two":     {reason: "All are found, with where they stand.", in: "a${ b }-${c}", want: []Span{{1, "b"}, {8, "c"}}},
		"Escaped": {reason: "$${ begins none.", in: "$${a} ${b}", want: []Span{{6, "b"}}},
		"Braces":  {reason: "Braces and quotes of an expression are its own.", in: `${ {"}": 1} }x`, want: []Span{{0, `{"}": 1}`}}},
		"Open":    {reason: "What does not end is said.", in: "${a} ${b", want: []Span{{0, "a"}}, err: "${ at position 5 has no }"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := Spans(tc.in)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\nSpans(...): -want, +got:\n%s", tc.reason, diff)
			}
			msg := ""
			if err != nil {
				msg = err.Error()
			}
			if diff := cmp.Diff(tc.err, msg); diff != "" {
				t.Errorf("\n%s\nSpans(...): error: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
