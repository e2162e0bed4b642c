package change

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

// CommentMark is the mark of the comment that tells how far a change is. There is one on each
// merge request, and it is edited in place.
const CommentMark = "change"

// MaxComment is how many bytes the comment has at most, without its mark: forges take 64 KiB.
const MaxComment = 63 << 10

// CommentText for a merge request: how far the change is, as Markdown says it, and the page of its
// plan. What it shows stands at its beginning, unseen. Where it would be too long the end of the page
// is left out.
func CommentText(s Shown, progress, page string) string {
	head := fmt.Sprintf("<!-- head:%s digest:%s progress:%s -->\n", s.Head, s.Digest, s.Progress)
	out := head + upTo(progress, MaxComment-len(head))
	if page == "" {
		return out
	}
	rule := "\n---\n\n"
	if room := MaxComment - len(out) - len(rule); room > 1<<10 {
		out += rule + upTo(page, room)
	}
	return out
}

var shown = regexp.MustCompile(`<!-- head:([0-9a-f]{0,64}) digest:([0-9a-f]{0,64}) progress:([0-9a-f]{0,64}) -->`)

// ReadShown is what a comment shows that was edited at a time, by the forge's clock. A comment that
// does not say shows nothing.
func ReadShown(body string, at time.Time) Shown {
	m := shown.FindStringSubmatch(body)
	if m == nil {
		return Shown{}
	}
	return Shown{Head: m[1], Digest: m[2], Progress: m[3], At: at}
}

// upTo so many bytes of Markdown, in whole lines. What was open is closed.
func upTo(s string, limit int) string {
	const left = "\n\nThe rest is left out here: `mainstay change plan` shows all of it.\n"
	if len(s) <= limit {
		return s
	}
	// A block of code, and details within details, are closed in so many bytes.
	at := max(limit-len(left)-64, 0)
	for at > 0 && !utf8.RuneStart(s[at]) {
		at--
	}
	if nl := strings.LastIndexByte(s[:at], '\n'); nl > 0 {
		at = nl
	}
	s = s[:at]
	if strings.Count(s, "\n```")%2 == 1 {
		s += "\n```"
	}
	if open := strings.Count(s, "<details>") - strings.Count(s, "</details>"); open > 0 {
		s += "\n" + strings.Repeat("</details>", min(open, 4))
	}
	return s + left
}
