package explain

import (
	"fmt"
	"strings"

	"github.com/mainstay-dev/mainstay/cmd/mainstay/screen"
	"github.com/mainstay-dev/mainstay/internal/explain"
)

// maxMessage is how much of a message the tree shows. Causes have all of it.
const maxMessage = 100

// Lines that show an explanation: the tree, the causes, what to do.
func Lines(e explain.Explanation) []screen.Line {
	var out []screen.Line
	tree(&out, e.Tree, "", "", "")
	out = append(out, causes(e)...)
	if len(e.Then) > 0 {
		out = append(out, nil, screen.Text(screen.Strong, "Once that is mended"))
		for _, t := range e.Then {
			out = append(out, screen.Text(screen.Plain, "  "+t))
		}
	}
	if len(e.Notes) > 0 {
		out = append(out, nil)
		for _, n := range e.Notes {
			out = append(out, screen.Text(screen.Faint, n))
		}
	}
	return out
}

// tree of a node, each line with what stands before it. A message that only repeats
// the one above is left out.
func tree(out *[]screen.Line, n explain.Node, first, rest, above string) {
	l := screen.Line{{Text: first, Style: screen.Faint}, {Text: mark(n.State) + " ", Style: style(n.State)}, {Text: screen.Safe(n.What)}}
	if n.Message != "" && !strings.HasSuffix(above, n.Message) {
		l = append(l, screen.Span{Text: ": " + short(n.Message), Style: messageStyle(n.State)})
	}
	*out = append(*out, l)
	for i, c := range n.Children {
		if i == len(n.Children)-1 {
			tree(out, c, rest+"└─ ", rest+"   ", n.Message)
			continue
		}
		tree(out, c, rest+"├─ ", rest+"│  ", n.Message)
	}
}

func causes(e explain.Explanation) []screen.Line {
	if len(e.Causes) == 0 {
		if e.State == explain.Healthy {
			return []screen.Line{nil, screen.Text(screen.Good, "All is as wanted.")}
		}
		return []screen.Line{nil, screen.Text(screen.Busy, "It is on its way. Nothing says that it is held up.")}
	}
	out := []screen.Line{nil, screen.Text(screen.Strong, "Why")}
	for _, c := range e.Causes {
		where := ""
		if c.Clusters > 0 {
			where = fmt.Sprintf(" [%s: %s]", counted(c.Clusters), some(c))
		}
		out = append(out, screen.Line{{Text: "  " + mark(c.State) + " ", Style: style(c.State)}, {Text: screen.Safe(c.Message)}, {Text: screen.Safe(where), Style: screen.Faint}})
		for _, n := range c.Next {
			out = append(out, screen.Text(screen.Plain, "      "+n))
		}
	}
	return out
}

func counted(clusters int) string {
	if clusters == 1 {
		return "1 cluster"
	}
	return fmt.Sprintf("%d clusters", clusters)
}

func some(c explain.Cause) string {
	names := strings.Join(c.Examples, ", ")
	if more := c.Clusters - len(c.Examples); more > 0 && names != "" {
		names += fmt.Sprintf(" and %d more", more)
	}
	return names
}

func short(s string) string {
	s = screen.Safe(s)
	if r := []rune(s); len(r) > maxMessage {
		return string(r[:maxMessage-1]) + "…"
	}
	return s
}

func mark(s explain.State) string {
	switch s {
	case explain.Healthy:
		return "✓"
	case explain.Failed:
		return "✗"
	case explain.Waiting:
		return "…"
	case explain.Progressing:
		return "▸"
	case explain.Unknown:
	}
	return "?"
}

func style(s explain.State) screen.Style {
	switch s {
	case explain.Healthy:
		return screen.Good
	case explain.Failed:
		return screen.Bad
	case explain.Waiting, explain.Progressing, explain.Unknown:
	}
	return screen.Busy
}

func messageStyle(s explain.State) screen.Style {
	if s == explain.Healthy {
		return screen.Faint
	}
	return screen.Plain
}
