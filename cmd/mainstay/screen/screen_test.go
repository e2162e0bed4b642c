package screen

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRender(t *testing.T) {
	lines := []Line{{{Text: "shop ", Style: Strong}, {Text: "Halted", Style: Bad}}, {{Text: "one two three  "}}}
	cases := map[string]struct {
		reason string
		screen Screen
		clip   bool
		want   string
	}{
		"Plain": {
			reason: "A log gets text, without blanks at the ends of lines.",
			want:   "shop Halted\none two three\n",
		},
		"Color": {
			reason: "A terminal gets colours.",
			screen: Screen{Terminal: true, Color: true, Width: 80},
			want:   "\x1b[1mshop \x1b[0m\x1b[31mHalted\x1b[0m\none two three\n",
		},
		"Clipped": {
			reason: "What is drawn over again must not wrap.",
			screen: Screen{Terminal: true, Width: 8},
			clip:   true,
			want:   "shop Ha…\none two…\n",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, tc.screen.Render(lines, tc.clip)); diff != "" {
				t.Errorf("\n%s\nRender(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestSafe(t *testing.T) {
	if diff := cmp.Diff("no [2Jescape here, nor title", Safe("no \x1b[2Jescape\nhere, nor\u202e\u0007 title\u009b")); diff != "" {
		t.Errorf("What a cluster says does not steer a terminal.\nSafe(...): -want, +got:\n%s", diff)
	}
}

func TestBar(t *testing.T) {
	cases := map[string]struct {
		reason      string
		total       int
		ready, busy int
		failed      int
		want        string
	}{
		"Empty":  {reason: "Nothing has happened.", total: 4, want: "░░░░░░░░░░"},
		"None":   {reason: "There is nothing that could.", want: "░░░░░░░░░░"},
		"Half":   {reason: "Half of it has.", total: 4, ready: 2, want: "█████░░░░░"},
		"Full":   {reason: "All of it has.", total: 3, ready: 3, want: "██████████"},
		"One":    {reason: "One of a thousand that failed can be seen.", total: 1000, ready: 999, failed: 1, want: "█████████x"},
		"Almost": {reason: "What is not full does not look full.", total: 1000, ready: 999, want: "█████████░"},
		"All":    {reason: "Each state has its mark.", total: 10, ready: 4, busy: 2, failed: 1, want: "████▒▒x░░░"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := plain(Bar(10, tc.total, Part{Count: tc.ready, Mark: "█"}, Part{Count: tc.busy, Mark: "▒"}, Part{Count: tc.failed, Mark: "x"}))
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\nBar(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestBarProperties(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		width, total := 5+r.IntN(40), r.IntN(2000)
		left := total
		take := func() int { n := r.IntN(left + 1); left -= n; return n }
		a, b, c := take(), take(), take()
		got := plain(Bar(width, total, Part{Count: a, Mark: "a"}, Part{Count: b, Mark: "b"}, Part{Count: c, Mark: "c"}))
		if n := len([]rune(got)); n != width {
			t.Fatalf("Bar(%d, %d, %d, %d, %d): has width %d: %s", width, total, a, b, c, n, got)
		}
		for mark, count := range map[string]int{"a": a, "b": b, "c": c} {
			if (count > 0) != strings.Contains(got, mark) {
				t.Fatalf("Bar(%d, %d, %d, %d, %d): what there is can be seen: %s", width, total, a, b, c, got)
			}
		}
		if full := !strings.Contains(got, rest); full != (total > 0 && left == 0) {
			t.Fatalf("Bar(%d, %d, %d, %d, %d): full only where nothing is missing: %s", width, total, a, b, c, got)
		}
	}
}

func plain(l Line) string {
	b := strings.Builder{}
	for _, s := range l {
		b.WriteString(s.Text)
	}
	return b.String()
}
