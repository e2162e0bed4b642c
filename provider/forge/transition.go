package forge

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Differs says whether a status says something else than those that are there: only
// then it is worth being posted.
func Differs(have []Status, want Status) bool {
	want = want.Normal()
	i := slices.IndexFunc(have, func(s Status) bool { return s.Context == want.Context })
	return i < 0 || have[i].Normal() != want
}

// Normal is the status as all forges keep it: description on one line and cut.
func (s Status) Normal() Status {
	s.Description = strings.Join(strings.Fields(s.Description), " ")
	if utf8.RuneCountInString(s.Description) > MaxDescription {
		s.Description = string([]rune(s.Description)[:MaxDescription-1]) + "…"
	}
	return s
}

var markPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]{0,99}$`)

// Validate says what is wrong with a comment before anybody is asked.
func (c MarkedComment) Validate() error {
	if !markPattern.MatchString(c.Mark) || strings.Contains(c.Mark, "--") {
		return Refusef(Invalid, "cannot mark a comment with %q: use letters, digits, dots, slashes and single dashes", c.Mark)
	}
	if len(c.Text()) > MaxText {
		return Refusef(Invalid, "cannot post a comment of %d bytes: forges take %d, fold it", len(c.Text()), MaxText)
	}
	return nil
}

// Text is the body with its mark, as it is posted.
func (c MarkedComment) Text() string {
	return "<!-- mainstay:" + c.Mark + " -->\n" + strings.TrimSpace(normalLines(c.Body)) + "\n"
}

// In says whether a text is a comment with this mark.
func (c MarkedComment) In(text string) bool {
	return strings.HasPrefix(strings.TrimSpace(text), "<!-- mainstay:"+c.Mark+" -->")
}

// Differs says whether the comment that is there says something else. Forges trim
// space and change ends of lines; that is no difference.
func (c MarkedComment) Differs(text string) bool {
	return strings.TrimSpace(normalLines(text)) != strings.TrimSpace(c.Text())
}

func normalLines(s string) string { return strings.ReplaceAll(s, "\r\n", "\n") }
