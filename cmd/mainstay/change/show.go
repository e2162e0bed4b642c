package change

import (
	"fmt"
	"strings"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/cmd/mainstay/screen"
	"github.com/mainstay-dev/mainstay/internal/control"
	"github.com/mainstay-dev/mainstay/internal/control/changes"
)

const (
	// narrow is the width below which there is no room for bars.
	narrow = 60
	// maxClaims, maxFindings and maxMoments are how much of each is spelled out.
	maxClaims   = 12
	maxFindings = 5
	maxMoments  = 6
)

// Lines that show a Change.
func Lines(v changes.View, s screen.Screen) []screen.Line {
	p := painter{view: v, screen: s}
	p.head()
	p.plan()
	p.claims()
	p.approvals()
	p.findings()
	p.course()
	p.next()
	return p.lines
}

// A painter writes a View down, part by part.
type painter struct {
	view   changes.View
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
	p.add(screen.Span{Text: v.Name, Style: screen.Strong}, screen.Span{Text: " in " + v.Namespace + "  "}, screen.Span{Text: string(v.Phase), Style: phaseStyle(v.Phase)},
		screen.Span{Text: "  for " + control.Ago(v.PhaseAge), Style: screen.Faint})
	if v.Request.Title != "" {
		p.add(screen.Span{Text: fmt.Sprintf("%s %s, by %s", v.Label(), v.Request.Title, v.Request.Author)})
	}
	if v.Request.URL != "" {
		p.add(screen.Span{Text: v.Request.URL, Style: screen.Faint})
	}
	if v.Message != "" {
		p.add(screen.Span{Text: v.Message})
	}
	if v.Unsynced != "" {
		p.add(screen.Span{Text: "It cannot be looked at: " + v.Unsynced, Style: screen.Bad})
	}
	if m := v.Merged; m != nil && m.Untrue != "" {
		p.add(screen.Span{Text: "The base branch is not true: " + m.Untrue, Style: screen.Bad})
	}
}

func (p *painter) plan() {
	a := p.view.Plan
	if a == nil {
		return
	}
	p.title("Plan " + control.Short(a.Digest) + " of head " + control.Short(a.HeadSHA))
	if a.Summary != "" {
		p.add(screen.Span{Text: "  " + a.Summary})
	}
	risk := screen.Span{Text: string(a.Risk), Style: riskStyle(a.Risk)}
	because := ""
	if len(a.Reasons) > 0 {
		because = ": " + strings.Join(a.Reasons, "; ")
	}
	p.add(screen.Span{Text: "  risk "}, risk, screen.Span{Text: because})
	if a.Irreversible != "" {
		p.add(screen.Span{Text: "  cannot be taken back: " + a.Irreversible, Style: screen.Bad})
	}
	if a.Token != "" {
		text, style := "  takes something away: somebody other than the author has to repeat the token "+a.Token, screen.Busy
		if d := p.view.Deletions; d != nil && d.Digest == a.Digest && d.HeadSHA == a.HeadSHA {
			text, style = "  takes something away, which "+d.By+" approved", screen.Faint
		}
		p.add(screen.Span{Text: text, Style: style})
	}
	if a.Blocked != "" {
		p.add(screen.Span{Text: "  cannot be executed: " + a.Blocked, Style: screen.Bad})
	}
}

// claims with how far each is. Before anything is written there is nothing to draw.
func (p *painter) claims() {
	v := p.view
	if len(v.Claims) == 0 {
		return
	}
	p.title(fmt.Sprintf("Claims: %d of %d as wanted, on %d of %s", v.Progress.ClaimsReached, v.Progress.Claims, v.Progress.Reached, control.Clusters(v.Progress.Clusters)))
	shown := v.Claims[:min(len(v.Claims), maxClaims)]
	name, count := 0, 0
	for i := range shown {
		name, count = max(name, len(shown[i].String())), max(count, len(counted(&shown[i])))
	}
	for i := range shown {
		c := &shown[i]
		l := []screen.Span{{Text: "  " + screen.Pad(c.String(), name) + "  "}}
		if width := p.barWidth(name + count); width > 0 && c.Clusters > 0 {
			l = append(l, screen.Bar(width, int(c.Clusters),
				screen.Part{Count: int(c.Reached), Mark: "█", Style: screen.Good},
				screen.Part{Count: int(c.Failed), Mark: "x", Style: screen.Bad},
				screen.Part{Count: int(c.Owed), Mark: "?", Style: screen.Faint})...)
			l = append(l, screen.Span{Text: "  "})
		}
		l = append(l, screen.Span{Text: screen.Pad(counted(c), count) + "  "}, screen.Span{Text: screen.Pad(string(c.Phase), 9), Style: claimStyle(c.Phase)})
		if s := said(c); s != "" {
			l = append(l, screen.Span{Text: "  " + s})
		}
		p.add(l...)
	}
	if n := len(v.Claims) - len(shown); n > 0 {
		p.add(screen.Span{Text: fmt.Sprintf("  and %d more", n), Style: screen.Faint})
	}
}

// barWidth that is left beside texts of a width.
func (p *painter) barWidth(texts int) int {
	if !p.screen.Terminal || p.screen.Width < narrow {
		return 0
	}
	return min(30, max(8, p.screen.Width-texts-40))
}

func counted(c *v1alpha1.ChangeClaim) string { return fmt.Sprintf("%d/%d", c.Reached, c.Clusters) }

// said of a claim, beside its numbers.
func said(c *v1alpha1.ChangeClaim) string {
	var parts []string
	if c.Failed > 0 {
		parts = append(parts, fmt.Sprintf("%d failed", c.Failed))
	}
	if c.Owed > 0 {
		parts = append(parts, fmt.Sprintf("%d owed", c.Owed))
	}
	if c.Message != "" {
		parts = append(parts, c.Message)
	}
	return strings.Join(parts, "; ")
}

func (p *painter) approvals() {
	v := p.view
	if len(v.Approvals) == 0 && v.Missing == "" && len(v.Emergency) == 0 {
		return
	}
	p.title("Approvals")
	for _, a := range v.Approvals {
		mark, style, text := "✓ ", screen.Good, a.By
		if !a.Counts {
			mark, style, text = "✗ ", screen.Busy, a.By+", which does not count: "+a.Message
		}
		p.add(screen.Span{Text: "  " + mark, Style: style}, screen.Span{Text: text})
	}
	for _, w := range v.Emergency {
		p.add(screen.Span{Text: "  ! ", Style: screen.Bad}, screen.Span{Text: w.By + " said that it is an emergency: " + w.Reason})
	}
	if v.Missing != "" && !v.Over() {
		p.add(screen.Span{Text: "  " + v.Missing, Style: screen.Busy})
	}
}

func (p *painter) findings() {
	if len(p.view.Findings) == 0 {
		return
	}
	p.title("Found before anything was written")
	for i, f := range p.view.Findings {
		if i == maxFindings {
			p.add(screen.Span{Text: fmt.Sprintf("  and %d more", len(p.view.Findings)-i), Style: screen.Faint})
			return
		}
		style := screen.Busy
		if f.Blocking {
			style = screen.Bad
		}
		text := f.Message
		if f.Clusters > 0 {
			text += " (on " + control.Clusters(f.Clusters) + ")"
		}
		p.add(screen.Span{Text: "  " + screen.Pad(f.Cause, 4), Style: style}, screen.Span{Text: text})
	}
}

// course that it took, what was refused, and what waits to be heard.
func (p *painter) course() {
	v := p.view
	if n := len(v.Timeline); n > 0 {
		p.title("Course")
		for i := max(0, n-maxMoments); i < n; i++ {
			p.add(screen.Span{Text: "  " + v.Timeline[i].At.UTC().Format("2006-01-02 15:04:05Z") + "  ", Style: screen.Faint}, screen.Span{Text: string(v.Timeline[i].Phase)})
		}
	}
	for _, n := range v.Notices {
		p.add(screen.Span{Text: "  " + n, Style: screen.Busy})
	}
	for _, u := range v.Unheard {
		p.add(screen.Span{Text: fmt.Sprintf("  %s of %s is going to be heard", u.Verb, u.By), Style: screen.Busy})
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

func phaseStyle(p v1alpha1.ChangePhase) screen.Style {
	switch p {
	case v1alpha1.ChangeCompleted:
		return screen.Good
	case v1alpha1.ChangeHalted, v1alpha1.ChangeRefused, v1alpha1.ChangeAbandoning, v1alpha1.ChangeAbandoned:
		return screen.Bad
	}
	return screen.Busy
}

func claimStyle(p v1alpha1.ChangeClaimPhase) screen.Style {
	switch p {
	case v1alpha1.ClaimReached, v1alpha1.ClaimIsBack:
		return screen.Good
	case v1alpha1.ClaimFailed:
		return screen.Bad
	case v1alpha1.ClaimWaiting, "":
		return screen.Faint
	}
	return screen.Busy
}

func riskStyle(r v1alpha1.RiskLevel) screen.Style {
	switch r {
	case v1alpha1.RiskLow:
		return screen.Good
	case v1alpha1.RiskMedium:
		return screen.Busy
	}
	return screen.Bad
}
