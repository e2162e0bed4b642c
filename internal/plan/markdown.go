package plan

import (
	"fmt"
	"html"
	"strings"
	"unicode/utf8"

	"github.com/mainstay-dev/mainstay/internal/change"
)

// MaxMarkdownBytes is the most that the Markdown of a plan has: forges take 64 KiB for a
// comment, and the progress of the change stands in the same one.
const MaxMarkdownBytes = 60 << 10

// Markdown of a plan that stands alone. Whatever authors wrote is shown as text: it is no markup,
// mentions nobody and links nowhere.
func (p Plan) Markdown() string { return p.markdown(p.next(), "mainstay plan -o json") }

// Page of a plan within the comment on a merge request, in Markdown. What is next depends on how far the change
// is by then, and what was found on what clusters are like by then, so that stands above it and not here.
func (p Plan) Page() string {
	p.Findings = nil
	return p.markdown("", "mainstay change plan -o json")
}

// markdown of a plan, with what is next and the command that has all of it.
func (p Plan) markdown(next, whole string) string {
	head, tail := &strings.Builder{}, &strings.Builder{}
	p.heading(head)
	p.ending(tail)
	tail.WriteString(next)
	fmt.Fprintf(tail, "\nDigest `%s`\n", p.Digest)
	parts := []string{}
	for i := range p.Claims {
		parts = append(parts, p.section(i))
	}
	// Details of the last claims go first, because the order of claims is that of their steps.
	room := MaxMarkdownBytes - head.Len() - tail.Len() - 256
	for i, part := range parts {
		if room -= len(part); room < 0 {
			fmt.Fprintf(head, "\nDetails of %s are left out here: `%s` has them.\n", count(len(parts)-i, "claim"), whole)
			break
		}
		head.WriteString(part)
	}
	head.WriteString(tail.String())
	return bounded(head.String())
}

func (p Plan) heading(b *strings.Builder) {
	fmt.Fprintf(b, "### Plan `%s`\n\n**%s** · risk **%s**\n", short(p.Digest), safe(p.Summary), strings.ToLower(string(p.Risk.Level)))
	if !p.Source.Observed && len(p.Claims) > 0 {
		b.WriteString("\nClusters were not looked at: they are taken to have what the base says.\n")
	}
	if p.Source.Rendered != "" {
		fmt.Fprintf(b, "\nIt was %s.\n", safe(p.Source.Rendered))
	}
	if p.Blocked != "" {
		fmt.Fprintf(b, "\n**It must not be executed**: %s\n", safe(p.Blocked))
	}
	if len(p.Claims) == 0 {
		return
	}
	b.WriteString("\n| step | claim | | clusters |\n|---|---|---|---|\n")
	for i := range p.Claims {
		if i == 40 {
			fmt.Fprintf(b, "| | and %d more | | |\n", len(p.Claims)-i)
			break
		}
		c := &p.Claims[i]
		what := string(c.Verb)
		if c.Verb == Noop {
			what = "moved along"
		}
		if c.From != "" {
			what += " (from namespace " + c.From + ")"
		}
		clusters := fmt.Sprint(c.Clusters)
		if c.Unknown {
			clusters = "not known"
		}
		fmt.Fprintf(b, "| %d | %s | %s | %s |\n", c.Step, safe(c.String()), safe(what), clusters)
	}
}

// section of a claim, folded.
func (p Plan) section(i int) string {
	c := &p.Claims[i]
	b := &strings.Builder{}
	fmt.Fprintf(b, "\n<details><summary>%s %s%s</summary>\n\n", signs[c.Verb], markup(c.String()), markup(on(p, c.Set, c.Clusters)))
	for n, w := range c.Waves {
		fmt.Fprintf(b, "%d. wave %s\n", n+1, safe(waveText(w)))
	}
	if c.Problem != "" {
		fmt.Fprintf(b, "\n%s\n", safe(c.Problem))
	}
	b.WriteString("\n```diff\n")
	shown, more := 0, 0
	for j := range p.Actions {
		a := &p.Actions[j]
		if a.Claim != i {
			continue
		}
		if shown++; shown > 60 {
			more++
			continue
		}
		lines := &strings.Builder{}
		actionText(lines, p, a)
		// Diffs are coloured by what a line begins with.
		sign := map[Verb]string{Create: "+ ", Delete: "- ", Replace: "! ", Noop: "# "}[a.Verb]
		if sign == "" {
			sign = "! "
		}
		for n, l := range strings.Split(strings.TrimRight(lines.String(), "\n"), "\n") {
			if n > 0 {
				sign = "  "
			} else {
				l = strings.TrimSpace(l)
				_, l, _ = strings.Cut(l, " ")
			}
			b.WriteString(sign + fenced(l) + "\n")
		}
	}
	if more > 0 {
		fmt.Fprintf(b, "# and %s more\n", count(more, "action"))
	}
	b.WriteString("```\n</details>\n")
	return b.String()
}

// ending says why.
func (p Plan) ending(b *strings.Builder) {
	body := &strings.Builder{}
	if len(p.Claims) > 0 || len(p.Findings) > 0 {
		q := p
		for i := range q.Risk.Factors {
			q.Risk.Factors[i].Message = clean(q.Risk.Factors[i].Message)
		}
		sections(body, q, "\n**%s**\n\n", "- %s\n")
	}
	for _, l := range strings.Split(body.String(), "\n") {
		switch {
		case strings.HasPrefix(l, "- "):
			l = "- " + safe(l[2:])
		case !strings.HasPrefix(l, "**"):
			l = safe(l)
		}
		b.WriteString(l + "\n")
	}
}

// next is what to do with a plan that nothing was done with yet.
func (p Plan) next() string {
	b := &strings.Builder{}
	b.WriteString("**What next**\n\n")
	switch {
	case len(p.Claims) == 0 && p.Blocked == "":
		b.WriteString("- There is nothing to do: it can be merged as it is.\n")
	case p.Blocked != "":
		b.WriteString("- Mend what is found, and push again.\n")
	default:
		b.WriteString("- Approve the merge request. The approval is for this plan; another one has to be approved again.\n")
	}
	if p.Risk.TwoPersons {
		b.WriteString("- Two people have to approve: it cannot be taken back.\n")
	}
	if p.TokenNeeded() && p.Blocked == "" {
		fmt.Fprintf(b, "- Things are taken away. Somebody other than the author says `/approve-deletions %s`.\n", change.Token(p.Digest))
	}
	return b.String()
}

// safe text within Markdown.
func safe(s string) string {
	return strings.NewReplacer("\n", " ", "\r", " ", "|", "\\|", "@", "@\u200b", "<", "&lt;", ">", "&gt;", "[", "\\[", "]", "\\]", "`", "'", "*", "\\*", "_", "\\_", "#", "\\#", "!", "\\!").Replace(s)
}

// markup of a text, where Markdown is not read.
func markup(s string) string {
	return strings.ReplaceAll(html.EscapeString(strings.ReplaceAll(s, "\n", " ")), "@", "@\u200b")
}

// fenced text within a block of code, which nothing in it may end.
func fenced(s string) string {
	s = strings.NewReplacer("```", "'''", "@", "@\u200b", "\n", " ", "\r", " ").Replace(s)
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '\ufffd'
		}
		return r
	}, s)
}

// bounded text. What is too long ends within the bound, at a line.
func bounded(s string) string {
	if len(s) <= MaxMarkdownBytes {
		return s
	}
	at := MaxMarkdownBytes - 64
	for at > 0 && !utf8.RuneStart(s[at]) {
		at--
	}
	if nl := strings.LastIndexByte(s[:at], '\n'); nl > 0 {
		at = nl
	}
	return s[:at] + "\n\nThe rest is left out here.\n"
}
