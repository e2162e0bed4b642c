package rollout

import (
	"fmt"
	"strings"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/cmd/mainstay/screen"
	"github.com/mainstay-dev/mainstay/internal/control"
)

const (
	// narrow is the width below which there is no room for bars.
	narrow = 60
	// maxFindings, maxProblems and maxClosed are how much of each is spelled out.
	maxFindings = 5
	maxProblems = 5
	maxImages   = 8
)

// Lines that show a Rollout.
func Lines(v control.View, s screen.Screen) []screen.Line {
	p := painter{view: v, screen: s}
	p.head()
	p.waves()
	p.steps()
	p.gates()
	p.preflight()
	p.images()
	p.problems()
	p.next()
	return p.lines
}

// A painter writes a View down, part by part.
type painter struct {
	view   control.View
	screen screen.Screen
	lines  []screen.Line
}

func (p *painter) add(l ...screen.Span) {
	for i := range l {
		l[i].Text = screen.Safe(l[i].Text)
	}
	p.lines = append(p.lines, l)
}

func (p *painter) title(t string) {
	p.add()
	p.add(screen.Span{Text: t, Style: screen.Strong})
}

func (p *painter) head() {
	v := p.view
	phase := string(v.Phase)
	if phase == "" {
		phase = "Unknown"
	}
	p.add(screen.Span{Text: v.Name, Style: screen.Strong}, screen.Span{Text: " in " + v.Namespace + "  "}, screen.Span{Text: phase, Style: phaseStyle(v.Phase)})
	if v.Message != "" {
		p.add(screen.Span{Text: v.Message})
	}
	if v.Behind {
		p.add(screen.Span{Text: "What follows is older than the specification: the provider has not looked at that yet.", Style: screen.Busy})
	}
	if v.Revision == "" {
		return
	}
	text := fmt.Sprintf("revision %s, epoch %d", control.Short(v.Revision), v.Epoch)
	if v.GoesBackTo != nil {
		text += fmt.Sprintf("; a rollback goes to %s, reached %s ago", control.Short(v.GoesBackTo.Digest), control.Ago(v.GoesBackTo.ReachedAgo))
	}
	p.add(screen.Span{Text: text, Style: screen.Faint})
}

func (p *painter) waves() {
	waves := p.view.Waves
	if len(waves) == 0 {
		if p.view.Clusters.Total == 0 {
			return
		}
		waves = []control.Wave{{Name: "clusters", Clusters: p.view.Clusters}}
	}
	p.title("Waves")
	name, count := 0, 0
	for _, w := range waves {
		name, count = max(name, len(w.Name)), max(count, len(counted(w.Clusters)))
	}
	for _, w := range waves {
		l := []screen.Span{{Text: "  " + screen.Pad(w.Name, name) + "  "}}
		if width := p.barWidth(name + count); width > 0 {
			l = append(l, bar(width, w.Clusters)...)
			l = append(l, screen.Span{Text: "  "})
		}
		l = append(l, screen.Span{Text: screen.Pad(counted(w.Clusters), count) + "  "})
		if w.Phase != "" {
			l = append(l, screen.Span{Text: screen.Pad(string(w.Phase), 8), Style: waveStyle(w.Phase)})
		}
		if said := said(w); said != "" {
			l = append(l, screen.Span{Text: "  " + said})
		}
		p.add(l...)
	}
}

// barWidth that is left beside texts of a width.
func (p *painter) barWidth(texts int) int {
	if !p.screen.Terminal || p.screen.Width < narrow {
		return 0
	}
	return min(30, max(8, p.screen.Width-texts-40))
}

func bar(width int, c v1alpha1.RolloutCount) screen.Line {
	failed, parked := int(c.Failed), int(c.Parked)
	ready := int(c.Ready)
	// States overlap; a bar's parts do not.
	busy := min(int(c.InMotion), max(0, int(c.Total)-ready-failed-parked))
	return screen.Bar(width, int(c.Total),
		screen.Part{Count: ready, Mark: "█", Style: screen.Good},
		screen.Part{Count: busy, Mark: "▒", Style: screen.Busy},
		screen.Part{Count: min(failed, int(c.Total)-ready), Mark: "x", Style: screen.Bad},
		screen.Part{Count: min(parked, max(0, int(c.Total)-ready-failed)), Mark: "?", Style: screen.Faint})
}

func counted(c v1alpha1.RolloutCount) string { return fmt.Sprintf("%d/%d", c.Ready, c.Total) }

// said of a wave, beside its numbers.
func said(w control.Wave) string {
	var parts []string
	c := w.Clusters
	for _, n := range []struct {
		count int32
		what  string
	}{{c.InMotion, "in motion"}, {c.Failed, "failed"}, {c.Parked, "cannot be reached"}} {
		if n.count > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n.count, n.what))
		}
	}
	if w.SoakLeft > 0 {
		parts = append(parts, "soaks for "+control.Ago(w.SoakLeft)+" more")
	}
	if w.Message != "" && w.SoakLeft == 0 {
		parts = append(parts, w.Message)
	}
	return strings.Join(parts, "; ")
}

func (p *painter) steps() {
	if len(p.view.Steps) == 0 {
		return
	}
	p.title("Steps")
	name := 0
	for _, s := range p.view.Steps {
		name = max(name, len(s.Name))
	}
	for _, s := range p.view.Steps {
		p.add(screen.Span{Text: "  " + screen.Pad(s.Name, name) + "  "}, screen.Span{Text: screen.Pad(string(s.Phase), 9), Style: stepStyle(s.Phase)}, screen.Span{Text: "  " + s.Message})
	}
}

func (p *painter) gates() {
	type closed struct{ name, text string }
	var all []closed
	width := 0
	for _, w := range p.view.Waves {
		for _, g := range w.Gates {
			if !g.Open {
				all = append(all, closed{w.Name + "/" + g.Name, "for " + control.Ago(g.ClosedFor) + "  " + g.Message})
				width = max(width, len(w.Name+"/"+g.Name))
			}
		}
	}
	if len(all) == 0 {
		return
	}
	p.title("Closed gates")
	for _, c := range all {
		p.add(screen.Span{Text: "  " + screen.Pad(c.name, width) + "  ", Style: screen.Busy}, screen.Span{Text: c.text})
	}
}

func (p *painter) preflight() {
	f := p.view.Preflight
	if f == nil || len(f.Findings) == 0 {
		return
	}
	p.title(fmt.Sprintf("Preflight: %s checked, %d would not start", control.Clusters(f.Checked), f.Blocking))
	for i, d := range f.Findings {
		if i == maxFindings {
			p.add(screen.Span{Text: fmt.Sprintf("  and %d more", len(f.Findings)-i), Style: screen.Faint})
			return
		}
		style := screen.Busy
		if d.Severity == v1alpha1.Blocking {
			style = screen.Bad
		}
		text := d.Message
		if d.Object != "" {
			text = d.Object + ": " + text
		}
		if d.Waived != "" {
			style, text = screen.Faint, text+" (waived: "+d.Waived+")"
		}
		p.add(screen.Span{Text: "  " + screen.Pad(d.Cause, 4), Style: style}, screen.Span{Text: text})
		p.add(screen.Span{Text: "      on " + Some(int(d.Clusters), d.Examples), Style: screen.Faint})
		if d.Fix != "" {
			p.add(screen.Span{Text: "      " + d.Fix})
		}
	}
}

func (p *painter) images() {
	all := p.view.Images
	if len(all) == 0 {
		return
	}
	written, width := 0, 0
	for i, im := range all {
		if im.Digest == "" {
			written++
		}
		if i < maxImages {
			width = max(width, len(im.Image))
		}
	}
	title := fmt.Sprintf("Images: %d pinned to digests", len(all)-written)
	if written > 0 {
		title += fmt.Sprintf(", %d left as written", written)
	}
	p.title(title)
	for i, im := range all {
		if i == maxImages {
			p.add(screen.Span{Text: fmt.Sprintf("  and %d more", len(all)-i), Style: screen.Faint})
			return
		}
		style := screen.Faint
		if im.Digest == "" {
			style = screen.Busy
		}
		p.add(screen.Span{Text: "  " + screen.Pad(im.Image, width) + "  "}, screen.Span{Text: control.ImageText(im), Style: style})
	}
}

// Some of the clusters by name.
func Some(count int, examples []string) string {
	names := strings.Join(examples, ", ")
	switch {
	case len(examples) == 0:
		return control.Clusters(int32(count)) //nolint:gosec // Clusters are few thousand at most.
	case count > len(examples):
		return fmt.Sprintf("%s and %d more", names, count-len(examples))
	}
	return names
}

func (p *painter) problems() {
	if len(p.view.Problems) == 0 {
		return
	}
	p.title("Problems")
	for i, c := range p.view.Problems {
		if i == maxProblems {
			p.add(screen.Span{Text: fmt.Sprintf("  and %d more", len(p.view.Problems)-i), Style: screen.Faint})
			return
		}
		p.add(screen.Span{Text: "  " + c.Cluster + "  ", Style: screen.Bad}, screen.Span{Text: c.Message})
	}
}

func (p *painter) next() {
	if len(p.view.Next) == 0 {
		return
	}
	p.title("What can be done")
	for _, n := range p.view.Next {
		p.add(screen.Span{Text: "  " + n})
	}
}

func phaseStyle(p v1alpha1.RolloutPhase) screen.Style {
	switch p {
	case v1alpha1.RolloutCompleted:
		return screen.Good
	case v1alpha1.RolloutHalted, v1alpha1.RolloutBlocked, v1alpha1.RolloutRollingBack, v1alpha1.RolloutRolledBack, v1alpha1.RolloutAborted:
		return screen.Bad
	case v1alpha1.RolloutPreflight, v1alpha1.RolloutProgressing, v1alpha1.RolloutWaiting, v1alpha1.RolloutPaused:
	}
	return screen.Busy
}

func waveStyle(p v1alpha1.WavePhase) screen.Style {
	switch p {
	case v1alpha1.WaveOver:
		return screen.Good
	case v1alpha1.WaveFailed:
		return screen.Bad
	case v1alpha1.WavePending:
		return screen.Faint
	case v1alpha1.WaveMoving, v1alpha1.WaveSoaking, v1alpha1.WaveGated:
	}
	return screen.Busy
}

func stepStyle(p v1alpha1.StepPhase) screen.Style {
	switch p {
	case v1alpha1.StepSucceeded:
		return screen.Good
	case v1alpha1.StepFailed:
		return screen.Bad
	case v1alpha1.StepPending, v1alpha1.StepSkipped:
		return screen.Faint
	case v1alpha1.StepRunning:
	}
	return screen.Busy
}

// ApprovalLines show what needs an approval.
func ApprovalLines(v control.View) []screen.Line {
	if len(v.Approvals) == 0 {
		return []screen.Line{screen.Text(screen.Plain, "Nothing of revision "+control.Short(v.Revision)+" waits for an approval.")}
	}
	p := painter{view: v}
	p.add(screen.Span{Text: fmt.Sprintf("%s in %s, revision %s", v.Name, v.Namespace, control.Short(v.Revision)), Style: screen.Strong})
	name := 0
	for _, a := range v.Approvals {
		name = max(name, len(a.Gate))
	}
	for _, a := range v.Approvals {
		text, style := "when its turn comes", screen.Faint
		if a.Asked {
			text, style = "waits now", screen.Busy
		}
		if a.Optional {
			text, style = "ends a wait sooner", screen.Faint
		}
		by := ""
		if len(a.By) > 0 {
			by = ": " + strings.Join(a.By, ", ")
		}
		p.add(screen.Span{Text: "  " + screen.Pad(a.Gate, name) + "  "}, screen.Span{Text: screen.Pad(text, 19), Style: style},
			screen.Span{Text: fmt.Sprintf("  approved by %d of %d%s", len(a.By), a.Needed, by)})
	}
	p.add()
	p.add(screen.Span{Text: control.Command(fmt.Sprintf("rollout approve %s %s", v.Name, v.Approvals[0].Gate), v.Namespace)})
	return p.lines
}
