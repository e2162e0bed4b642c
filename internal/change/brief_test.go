package change

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestBrief(t *testing.T) {
	names := strings.Repeat("analytics.edge-eu-central-1, ", 20)
	cases := map[string]struct {
		reason, text, want string
		limit              int
	}{
		"Short":    {reason: "What fits is said.", text: "halted: bob said so", limit: 140, want: "halted: bob said so"},
		"Exactly":  {reason: "To the last letter.", text: strings.Repeat("x", 140), limit: 140, want: strings.Repeat("x", 140)},
		"Sentence": {reason: "A part that can stand alone does.", text: "halted: ProductApplication shop/cart: 2 clusters failed, and the failure budget is 0: " + names, limit: 140, want: "halted: ProductApplication shop/cart: 2 clusters failed, and the failure budget is 0 …"},
		"Longest":  {reason: "As much as fits.", text: "one thing went wrong; another thing went wrong; a third thing did not fit", limit: 60, want: "one thing went wrong; another thing went wrong …"},
		"Words":    {reason: "Else it ends with a word.", text: "halted: " + names, limit: 40, want: "halted: analytics.edge-eu-central-1 …"},
		"OneWord":  {reason: "What has no words is cut.", text: strings.Repeat("ü", 100), limit: 41, want: strings.Repeat("ü", 18) + " …"},
		"Names":    {reason: "A dot within a name ends nothing.", text: "cluster analytics.edge-eu-central-1.example.org/with/a/path is gone", limit: 50, want: "cluster analytics.edge-eu-central-1.example.or …"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := brief(tc.text, tc.limit)
			if got != tc.want {
				t.Errorf("%s\nwant %q, got %q", tc.reason, tc.want, got)
			}
			if len(got) > tc.limit || !utf8.ValidString(got) {
				t.Errorf("%s\n%d bytes: %q", tc.reason, len(got), got)
			}
		})
	}
}
