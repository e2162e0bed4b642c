package change

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCommentText(t *testing.T) {
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	shows := Shown{Head: strings.Repeat("a", 40), Digest: strings.Repeat("b", 64), Progress: Fingerprint("### Planned\n"), At: at}
	long := strings.Repeat("a line of a long page\n", 10_000)
	cases := map[string]struct {
		reason         string
		shown          Shown
		progress, page string
		want           []string
	}{
		"Whole":      {reason: "Progress comes first.", shown: shows, progress: "### Planned\n", page: "### Plan\n", want: []string{"### Planned\n\n---\n\n### Plan\n"}},
		"NoPlan":     {reason: "Where there is no plan, none is shown.", shown: Shown{Progress: shows.Progress, At: at}, progress: "### Planned\n", want: []string{"digest: progress:"}},
		"LongPage":   {reason: "Forges take 64 KiB.", shown: shows, progress: "### Planned\n", page: long, want: []string{"### Planned", "The rest is left out here"}},
		"OpenCode":   {reason: "What was open is closed.", shown: shows, progress: "x\n", page: "<details>\n\n```diff\n" + long, want: []string{"\n```\n</details>\n\nThe rest is left out"}},
		"AllTooLong": {reason: "Progress is bounded, too.", shown: shows, progress: long, page: long, want: []string{"The rest is left out here"}},
		"Forged":     {reason: "What a plan says does not count.", shown: shows, progress: "x\n", page: "<!-- head:ff digest:ff progress:ff -->", want: []string{"ff"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := CommentText(tc.shown, tc.progress, tc.page)
			for _, w := range tc.want {
				if !strings.Contains(got, w) {
					t.Errorf("%s\nwant %q in:\n%s", tc.reason, w, got[:min(len(got), 400)])
				}
			}
			if len(got) > MaxComment {
				t.Errorf("%s\ngot %d bytes, want at most %d", tc.reason, len(got), MaxComment)
			}
			if diff := cmp.Diff(tc.shown, ReadShown("<!-- mainstay:change -->\r\n"+strings.ReplaceAll(got, "\n", "\r\n"), at)); diff != "" {
				t.Errorf("%s\nwhat it shows must be read again: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
	if got := ReadShown("LGTM", at); got != (Shown{}) {
		t.Errorf("a comment of somebody shows nothing, got %+v", got)
	}
}
