package plan

import (
	"fmt"
	"slices"
	"strings"
)

const (
	// maxShownFields of an action, and maxShownNames of a set, in prose.
	maxShownFields = 12
	maxShownNames  = 5
	// maxTextActions is how many actions are shown in a terminal.
	maxTextActions = 200
)

// signs of verbs, as they are known from elsewhere.
var signs = map[Verb]string{Create: "+", Update: "~", Replace: "±", Delete: "-", Restart: "↻", Scale: "↕", Noop: "="}

// Text of a plan, for a terminal.
func (p Plan) Text() string {
	b := &strings.Builder{}
	fmt.Fprintf(b, "Plan %s  risk %s\n%s\n", short(p.Digest), strings.ToLower(string(p.Risk.Level)), p.Summary)
	if !p.Source.Observed && len(p.Claims) > 0 {
		b.WriteString("clusters were not looked at: they are taken to have what the base says\n")
	}
	if p.Source.Rendered != "" {
		fmt.Fprintf(b, "it was %s\n", p.Source.Rendered)
	}
	if p.Blocked != "" {
		fmt.Fprintf(b, "\nMust not be executed: %s\n", p.Blocked)
	}
	if len(p.Claims) == 0 {
		return b.String()
	}
	shown := 0
	for i := range p.Claims {
		c := &p.Claims[i]
		where := on(p, c.Set, c.Clusters)
		if c.Unknown {
			where = " on clusters that are not known: plan with their fleets, or with a hub"
		}
		fmt.Fprintf(b, "\n%s %s  step %d%s\n", signs[c.Verb], c.ClaimReference, c.Step, where)
		for _, w := range c.Waves {
			fmt.Fprintf(b, "    wave %s\n", waveText(w))
		}
		if c.Problem != "" {
			fmt.Fprintf(b, "    %s\n", c.Problem)
		}
		for j := range p.Actions {
			if a := &p.Actions[j]; a.Claim == i {
				if shown++; shown <= maxTextActions {
					actionText(b, p, a)
				}
			}
		}
	}
	if shown > maxTextActions {
		fmt.Fprintf(b, "\nand %s more: -o json has all\n", count(shown-maxTextActions, "action"))
	}
	sections(b, p, "\n%s\n", "  %s\n")
	return b.String()
}

func actionText(b *strings.Builder, p Plan, a *Action) {
	fmt.Fprintf(b, "  %s %s %s%s\n", signs[a.Verb], a.Verb, objectText(a), on(p, a.Set, a.Clusters))
	if a.Reason != "" {
		fmt.Fprintf(b, "      %s\n", a.Reason)
	}
	for i, f := range a.Fields {
		if i == maxShownFields {
			break
		}
		fmt.Fprintf(b, "      %s\n", fieldText(f))
	}
	if more := max(0, len(a.Fields)-maxShownFields) + a.Left; more > 0 {
		fmt.Fprintf(b, "      and %s more\n", count(more, "field"))
	}
}

func objectText(a *Action) string {
	name := a.Object.Kind
	if a.Object.Name != "" {
		name += " "
		if a.Object.Namespace != "" {
			name += a.Object.Namespace + "/"
		}
		name += a.Object.Name
	}
	return name
}

func fieldText(f Field) string {
	var out string
	switch {
	case f.Secret:
		out = f.Path + ": changed, not shown"
	case f.Before == nil:
		out = f.Path + ": set to " + quote(f.After)
	case f.After == nil:
		out = f.Path + ": no more, was " + quote(f.Before)
	default:
		out = f.Path + ": " + quote(f.Before) + " becomes " + quote(f.After)
	}
	if f.Replaces {
		out += " (cannot be changed in place)"
	}
	return out
}

// quote a value where its ends could not be seen.
func quote(s *string) string {
	if s == nil {
		return ""
	}
	if *s == "" || strings.ContainsAny(*s, " \n\t\"") || strings.ContainsFunc(*s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fmt.Sprintf("%q", *s)
	}
	return *s
}

func waveText(w Wave) string {
	out := w.Name + ": " + count(w.Clusters, "cluster")
	if w.Concurrent != "" {
		out += ", " + w.Concurrent + " at once"
	}
	if w.Soak != "" {
		out += ", healthy for " + w.Soak
	}
	if len(w.Gates) > 0 {
		out += ", gates " + strings.Join(w.Gates, ", ")
	}
	return out
}

// on which clusters, in words.
func on(p Plan, set []int, n int) string {
	if n == 0 {
		return ""
	}
	var names []string
	for _, g := range set {
		if g >= 0 && g < len(p.Groups) {
			names = append(names, p.Groups[g].Clusters...)
		}
	}
	slices.Sort(names)
	out := " on " + count(n, "cluster")
	if len(names) > maxShownNames {
		return out + ": " + strings.Join(names[:maxShownNames], ", ") + ", …"
	}
	return out + ": " + strings.Join(names, ", ")
}

// sections below the actions: the same in a terminal and in Markdown.
func sections(b *strings.Builder, p Plan, title, item string) {
	list := func(name string, items []string) {
		if len(items) == 0 {
			return
		}
		fmt.Fprintf(b, title, name)
		for _, i := range items {
			fmt.Fprintf(b, item, i)
		}
	}
	var risks, guards, found []string
	for _, f := range p.Risk.Factors {
		risks = append(risks, strings.ToLower(string(f.Level))+": "+f.Message)
	}
	for _, g := range p.Guards {
		word := "passed"
		if !g.Passed {
			word = "not passed"
		}
		guards = append(guards, word+": "+g.Message)
	}
	for _, f := range p.Findings {
		word := "warning"
		if f.Blocking {
			word = "must be mended"
		}
		where := ""
		if f.Claim != "" {
			where = ", " + f.Claim
		}
		found = append(found, word+" "+f.Cause+where+": "+clean(f.Message))
	}
	list("Found before anything is written", found)
	list("Risk", risks)
	list("Guards", guards)
	list("Besides", p.besides())
	list("Back", []string{p.back()})
}

// besides what is written, this happens.
func (p Plan) besides() []string {
	var out []string
	for _, e := range []struct {
		n          int
		what, does string
	}{
		{p.Effects.Restarts, "pod", "to restart"}, {p.Effects.Starts, "pod", "more"}, {p.Effects.Stops, "pod", "less"},
		{p.Effects.Moves, "node", "whose pods move"}, {p.Effects.Data, "object", "with data to be taken away"},
		{p.Effects.Unknown, "workload", "whose number of pods is not known"},
	} {
		if e.n > 0 {
			out = append(out, count(e.n, e.what)+" "+e.does)
		}
	}
	return out
}

// back says how the plan is taken back.
func (p Plan) back() string {
	why := ""
	if p.Reverse.Why != "" {
		why = ": " + p.Reverse.Why
	}
	switch p.Reverse.Class {
	case Manual:
		return "it goes back with somebody's help" + why
	case ForwardOnly:
		return "a part of it stays when it goes back" + why
	case Irreversible:
		return "it cannot be taken back, and two people have to agree" + why
	case Auto:
	}
	return "it goes back by itself, the last step first"
}

func short(digest string) string { return digest[:min(12, len(digest))] }
