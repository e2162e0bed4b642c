package screen

import "strings"

// A Part of a bar.
type Part struct {
	// Count is how much of the whole it is.
	Count int
	// Mark is drawn for it.
	Mark string
	// Style it is drawn in.
	Style Style
}

// rest is drawn for what no part is.
const rest = "░"

// Bar of a width for the parts of a total. Every part that there is can be seen, and
// the bar is full only where nothing is missing.
func Bar(width, total int, parts ...Part) Line {
	sizes := make([]int, len(parts))
	counted, used := 0, 0
	for i, p := range parts {
		if p.Count <= 0 || total <= 0 {
			continue
		}
		counted += p.Count
		sizes[i] = max(1, p.Count*width/total)
		used += sizes[i]
	}
	// What was rounded goes to the biggest part, and comes from there.
	want := width
	if counted < total || total == 0 {
		want = min(used, width-1)
	}
	if i := biggest(sizes); i >= 0 {
		sizes[i] = max(1, sizes[i]+want-used)
	}
	var out Line
	drawn := 0
	for i, p := range parts {
		n := min(sizes[i], width-drawn)
		if n > 0 {
			out = append(out, Span{Text: strings.Repeat(p.Mark, n), Style: p.Style})
			drawn += n
		}
	}
	if drawn < width {
		out = append(out, Span{Text: strings.Repeat(rest, width-drawn), Style: Faint})
	}
	return out
}

func biggest(sizes []int) int {
	at := -1
	for i, n := range sizes {
		if n > 0 && (at < 0 || n > sizes[at]) {
			at = i
		}
	}
	return at
}
