// Package screen shows text to a person: with colour and bars in a terminal, plain
// everywhere else. What is shown is the same; a log loses nothing but the looks.
//
// Texts may come from clusters that others control. Whatever could steer a terminal is
// taken out of them.
package screen

import (
	"os"
	"strings"
	"unicode"

	"golang.org/x/term"
)

// A Style is a meaning, and a colour where there is colour.
type Style string

// Styles.
const (
	Plain  Style = ""
	Strong Style = "1"
	Faint  Style = "2"
	Bad    Style = "31"
	Good   Style = "32"
	Busy   Style = "33"
)

// A Span is text of one style.
type Span struct {
	Text  string
	Style Style
}

// A Line is what stands on one line.
type Line []Span

// Text of one style, as a line.
func Text(style Style, text string) Line { return Line{{Text: Safe(text), Style: style}} }

// A Screen is where text goes.
type Screen struct {
	// Terminal is true where a person is likely to look on.
	Terminal bool
	// Color is true where colours are welcome.
	Color bool
	// Width in characters, or 0 where lines may have any.
	Width int
	// Height in lines, or 0 where it is not known.
	Height int
}

// Of a file. Colours are for terminals only, and not for those who set NO_COLOR.
func Of(f *os.File) Screen {
	fd := int(f.Fd())
	if !term.IsTerminal(fd) {
		return Screen{}
	}
	s := Screen{Terminal: true, Color: os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb", Width: 80}
	if w, h, err := term.GetSize(fd); err == nil && w > 0 {
		s.Width, s.Height = w, h
	}
	return s
}

// Render lines. Where clip is true they are cut to the width.
func (s Screen) Render(lines []Line, clip bool) string {
	b := &strings.Builder{}
	for _, l := range lines {
		if clip && s.Width > 0 {
			l = l.clip(s.Width)
		}
		for i, span := range l {
			text := span.Text
			if i == len(l)-1 {
				text = strings.TrimRight(text, " ")
			}
			if s.Color && span.Style != Plain && text != "" {
				text = "\x1b[" + string(span.Style) + "m" + text + "\x1b[0m"
			}
			b.WriteString(text)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// clip a line to so many characters.
func (l Line) clip(width int) Line {
	var out Line
	left := width
	for _, s := range l {
		r := []rune(s.Text)
		if len(r) > left {
			return append(out, Span{Text: string(r[:max(0, left-1)]) + "…", Style: s.Style})
		}
		left -= len(r)
		out = append(out, s)
	}
	return out
}

// Safe returns text in one line, without what steers a terminal.
func Safe(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
			return -1
		}
		return r
	}, s)
}

// Pad text with blanks to a width.
func Pad(s string, width int) string {
	if n := width - len([]rune(s)); n > 0 {
		return s + strings.Repeat(" ", n)
	}
	return s
}
