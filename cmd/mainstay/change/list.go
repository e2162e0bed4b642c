package change

import (
	"fmt"
	"strings"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/cmd/mainstay/screen"
	"github.com/mainstay-dev/mainstay/internal/control"
	"github.com/mainstay-dev/mainstay/internal/control/changes"
)

// ListLines show many Changes, one a line.
func ListLines(all []changes.View, everywhere bool) []screen.Line {
	if len(all) == 0 {
		return []screen.Line{screen.Text(screen.Plain, "There are no changes. --all shows those that are over, and -A those of all namespaces.")}
	}
	t := table{{cell("NAME"), cell("PHASE"), cell("RISK"), cell("CLUSTERS"), cell("AUTHOR"), cell("AGE"), cell("MESSAGE")}}
	if everywhere {
		t[0] = append([]screen.Span{cell("NAMESPACE")}, t[0]...)
	}
	for _, v := range all {
		risk, clusters := cell(""), ""
		if v.Plan != nil {
			risk, clusters = screen.Span{Text: string(v.Plan.Risk), Style: riskStyle(v.Plan.Risk)}, fmt.Sprintf("%d/%d", v.Progress.Reached, v.Progress.Clusters)
		}
		row := []screen.Span{cell(v.Name), {Text: string(v.Phase), Style: phaseStyle(v.Phase)}, risk, cell(clusters), cell(v.Request.Author), cell(control.Ago(v.Age)), cell(v.Message)}
		if everywhere {
			row = append([]screen.Span{cell(v.Namespace)}, row...)
		}
		t = append(t, row)
	}
	return t.lines()
}

// QueueLines show who has which locks, and who waits for whom.
func QueueLines(all []changes.Place) []screen.Line {
	if len(all) == 0 {
		return []screen.Line{screen.Text(screen.Plain, "Nobody has locks, and nobody waits for any.")}
	}
	t := table{{cell("TICKET"), cell("CHANGE"), cell(""), cell("STATE"), cell("LOCKS")}}
	for _, p := range all {
		state, locks := screen.Span{Text: "has its locks", Style: screen.Good}, p.Has
		switch {
		case p.Position > 0:
			state.Style, locks = screen.Busy, p.Wants
			state.Text = fmt.Sprintf("waits, number %d", p.Position)
			if len(p.Behind) > 0 {
				state.Text += ", behind " + some(p.Behind, 3)
			}
			if p.Wait > 0 {
				state.Text += ", for about " + control.Ago(p.Wait)
			}
			if p.Epoch > 0 {
				state.Text += "; has some already"
			}
		case p.Left > 0:
			state.Text += ", for about " + control.Ago(p.Left) + " more"
		}
		if p.Idle {
			state.Text += ", idle"
		}
		if p.Urgent {
			state.Text += ", urgent"
		}
		t = append(t, []screen.Span{cell(fmt.Sprint(p.Ticket)), cell(p.Change), cell(p.Label), state, {Text: keys(locks), Style: screen.Faint}})
	}
	return t.lines()
}

// keys in words, some of them.
func keys(all []v1alpha1.LockKey) string {
	out := make([]string, 0, len(all))
	for _, k := range all {
		claim := k.Claim
		if claim == "" {
			claim = "all claims"
		}
		on := "all clusters"
		if n := len(k.Clusters); n > 0 {
			on = control.Clusters(int32(n)) //nolint:gosec // At most 200.
		}
		out = append(out, fmt.Sprintf("%s in %s on %s", claim, k.Namespace, on))
	}
	return some(out, 2)
}

func some(all []string, n int) string {
	if len(all) > n {
		return fmt.Sprintf("%s and %d more", strings.Join(all[:n], ", "), len(all)-n)
	}
	return strings.Join(all, ", ")
}

// A table has its columns aligned, and no blanks after the last.
type table [][]screen.Span

func cell(text string) screen.Span { return screen.Span{Text: text} }

func (t table) lines() []screen.Line {
	widths := make([]int, len(t[0]))
	for _, row := range t {
		for i := range row {
			row[i].Text = screen.Safe(row[i].Text)
			widths[i] = max(widths[i], len([]rune(row[i].Text)))
		}
	}
	out := make([]screen.Line, 0, len(t))
	for n, row := range t {
		var l screen.Line
		for i, c := range row {
			if n == 0 {
				c.Style = screen.Faint
			}
			if i < len(row)-1 {
				c.Text = screen.Pad(c.Text, widths[i]) + "  "
			}
			l = append(l, c)
		}
		out = append(out, l)
	}
	return out
}
