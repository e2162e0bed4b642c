package definition

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/template/parse"

	helmchart "helm.sh/helm/v3/pkg/chart"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/utils/ptr"

	"github.com/mainstay-dev/mainstay/internal/oam"
)

// clocks are functions that give another result each time, but not so soon that
// rendering twice would show it.
var clocks = []string{"now", "ago"}

// counters are functions that make as much as they are told to.
var counters = []string{"until", "untilStep", "seq", "repeat"}

// mostCounted is what a parameter may be where a chart counts to one.
const mostCounted = 10_000

// checkTemplates finds in a chart's templates what cannot be allowed: a look at the
// clock, and templates that go on for ever.
func checkTemplates(c *helmchart.Chart, p *parameters, at string, ps *problems) {
	calls := map[string]string{}
	graph := map[string][]string{}
	counts := ""
	walkCharts(c, func(sub *helmchart.Chart) {
		if remoteReference(string(sub.Schema)) {
			ps.addf(at, "chart %q has a values.schema.json that refers to another document: put it all into one", sub.Name())
		}
		for _, t := range sub.Templates {
			trees := map[string]*parse.Tree{}
			tree := parse.New(t.Name)
			tree.Mode = parse.SkipFuncCheck
			if _, err := tree.Parse(string(t.Data), "", "", trees); err != nil {
				ps.addf(at, "%s cannot be parsed: %s", t.Name, firstLines(err))
				continue
			}
			for _, name := range slices.Sorted(maps.Keys(trees)) {
				if trees[name].Root == nil {
					continue
				}
				walk(trees[name].Root, func(n parse.Node) {
					switch n := n.(type) {
					case *parse.TemplateNode:
						graph[name] = append(graph[name], n.Name)
					case *parse.IdentifierNode:
						calls[n.Ident] = t.Name
						if slices.Contains(counters, n.Ident) && counts == "" {
							counts = fmt.Sprintf("%s calls %s", t.Name, n.Ident)
						}
					case *parse.RangeNode:
						if len(n.Pipe.Cmds) == 1 && len(n.Pipe.Cmds[0].Args) == 1 && n.Pipe.Cmds[0].Args[0].Type() == parse.NodeNumber {
							ps.addf(at, "%s ranges over a number: range over a list", t.Name)
						}
					}
				})
			}
		}
	})
	for _, f := range clocks {
		if file, used := calls[f]; used {
			ps.addf(at, "%s calls %s: each time it is rendered would be another revision; make it a parameter", file, f)
		}
	}
	if cycle := cycleIn(graph); cycle != "" {
		ps.addf(at, "template %q calls itself: it might never end", cycle)
	}
	if counts == "" {
		return
	}
	boundNumbers(p.props)
	schema, err := oam.NewSchema(p.props)
	if err != nil {
		ps.addf("spec.parameters", "%s, and whole numbers cannot be bounded: %v", counts, err)
		return
	}
	p.schema = schema
}

// remoteReference is true where a JSON schema names another document.
func remoteReference(schema string) bool {
	for _, after := range strings.Split(schema, `"$ref"`)[1:] {
		_, text, _ := strings.Cut(after, `"`)
		ref, _, _ := strings.Cut(text, `"`)
		if !strings.HasPrefix(ref, "#") {
			return true
		}
	}
	return false
}

// boundNumbers gives whole numbers without a maximum one: a chart that counts to a
// parameter would take all memory that there is.
func boundNumbers(s *apiextensionsv1.JSONSchemaProps) {
	if s.Type == "integer" && s.Maximum == nil {
		s.Maximum = ptr.To(float64(mostCounted))
	}
	for name, child := range s.Properties {
		boundNumbers(&child)
		s.Properties[name] = child
	}
	if s.Items != nil && s.Items.Schema != nil {
		boundNumbers(s.Items.Schema)
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil {
		boundNumbers(s.AdditionalProperties.Schema)
	}
}

func walkCharts(c *helmchart.Chart, visit func(*helmchart.Chart)) {
	visit(c)
	for _, d := range c.Dependencies() {
		walkCharts(d, visit)
	}
}

// walk visits the nodes of a template.
func walk(n parse.Node, visit func(parse.Node)) {
	visit(n)
	branch := func(b *parse.BranchNode) {
		walk(b.Pipe, visit)
		walk(b.List, visit)
		if b.ElseList != nil {
			walk(b.ElseList, visit)
		}
	}
	switch n := n.(type) {
	case *parse.ListNode:
		if n == nil {
			return
		}
		for _, c := range n.Nodes {
			walk(c, visit)
		}
	case *parse.ActionNode:
		walk(n.Pipe, visit)
	case *parse.IfNode:
		branch(&n.BranchNode)
	case *parse.RangeNode:
		branch(&n.BranchNode)
	case *parse.WithNode:
		branch(&n.BranchNode)
	case *parse.TemplateNode:
		if n.Pipe != nil {
			walk(n.Pipe, visit)
		}
	case *parse.PipeNode:
		for _, c := range n.Cmds {
			walk(c, visit)
		}
	case *parse.CommandNode:
		for _, a := range n.Args {
			walk(a, visit)
		}
	case *parse.ChainNode:
		walk(n.Node, visit)
	}
}

// cycleIn returns a template that calls itself, by whatever way, or nothing.
func cycleIn(graph map[string][]string) string {
	const entered, left = 1, 2
	state := map[string]int{}
	var visit func(string) bool
	visit = func(name string) bool {
		switch state[name] {
		case entered:
			return true
		case left:
			return false
		}
		state[name] = entered
		if slices.ContainsFunc(graph[name], visit) {
			return true
		}
		state[name] = left
		return false
	}
	for _, name := range slices.Sorted(maps.Keys(graph)) {
		if visit(name) {
			return name
		}
	}
	return ""
}
