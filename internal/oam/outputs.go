package oam

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/bind"
	"github.com/mainstay-dev/mainstay/internal/bundle"
	"github.com/mainstay-dev/mainstay/internal/expr"
)

// An input is a property that another component's output is put into.
type input struct {
	at  path
	key path
	// from is the name of the output.
	from string
	// wrong is true where that was found to be no output it can have.
	wrong bool
}

// text is what stands in the property until the output is known.
func (in input) text() string {
	if identifier.MatchString(in.from) {
		return "${outputs." + in.from + "}"
	}
	return `${outputs["` + in.from + `"]}`
}

var (
	outputName = regexp.MustCompile(`^[A-Za-z_][-A-Za-z0-9_]*$`)
	identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

func readOutputs(in []v1alpha1.Output, at path, ps *problems) []bundle.Output {
	out := make([]bundle.Output, 0, len(in))
	for i, o := range in {
		at := at.index(i)
		if !outputName.MatchString(o.Name) {
			ps.addf(at.field("name"), "output name %q must be letters, digits, '_' and '-', and not begin with a digit or '-'", o.Name)
		}
		read := bundle.Output{Name: o.Name, ValueFrom: o.ValueFrom}
		if _, err := bind.CompileOutputs([]bundle.Output{read}); err != nil {
			ps.addf(at.field("valueFrom"), "%v: write CEL over output, the component's first object, and objects", err)
		}
		out = append(out, read)
	}
	return out
}

func readInputs(in []v1alpha1.Input, at path, ps *problems) []input {
	out := make([]input, 0, len(in))
	for i, w := range in {
		key, err := parseKey(w.ParameterKey)
		if err != nil {
			ps.addf(at.index(i).field("parameterKey"), "%v", err)
			continue
		}
		out = append(out, input{at: at.index(i), key: key, from: w.From})
	}
	return out
}

var keyElement = regexp.MustCompile(`^(?:\.?([^.\[\]"]+)|\[([0-9]{1,3})\]|\["([^"]+)"\])`)

// parseKey reads the path of a property, such as env[0].value or labels["a.b/c"].
func parseKey(text string) (path, error) {
	p := path{}
	if text == "" {
		return nil, errors.New("must not be empty")
	}
	for rest := text; rest != ""; {
		m := keyElement.FindStringSubmatch(rest)
		if m == nil || len(p) == 0 && rest[0] == '.' || len(p) == maxDepth {
			return nil, fmt.Errorf("must be the path of a property, such as image, env[0].value or labels[\"example.org/address\"], got %s", describe(text))
		}
		switch {
		case m[1] != "":
			p = append(p, m[1])
		case m[3] != "":
			p = append(p, m[3])
		default:
			i := 0
			if _, err := fmt.Sscanf(m[2], "%d", &i); err != nil {
				return nil, fmt.Errorf("cannot read %s: %w", describe(text), err)
			}
			p = append(p, i)
		}
		rest = rest[len(m[0]):]
	}
	return p, nil
}

// checkFlow checks that names of outputs are unique, and that inputs come from other
// components.
func checkFlow(components []component, ps *problems) {
	by := map[string]string{}
	var names []string
	for i := range components {
		c := &components[i]
		for j, o := range c.outputs {
			if other, taken := by[o.Name]; taken {
				ps.addf(c.at.field("outputs").index(j).field("name"), "output name %q is already taken by component %q: names must be unique", o.Name, other)
				continue
			}
			by[o.Name] = c.name
			names = append(names, o.Name)
		}
	}
	for i := range components {
		c := &components[i]
		for j := range c.inputs {
			in := &c.inputs[j]
			in.wrong = true
			switch producer, known := by[in.from]; {
			case !known:
				ps.addf(in.at.field("from"), "%q is no output of a component of this application%s", in.from, didYouMean(in.from, names))
			case producer == c.name:
				ps.addf(in.at.field("from"), "output %q is this component's own", in.from)
			default:
				in.wrong = false
			}
		}
	}
}

// withInputs returns components whose inputs stand in their properties. Those it is
// given are left alone.
func withInputs(components []component, ps *problems) []component {
	out := slices.Clone(components)
	for i := range out {
		c := &out[i]
		for _, in := range c.inputs {
			if in.wrong {
				continue
			}
			properties, err := put(runtime.DeepCopyJSON(c.properties), in.key, in.text())
			m, ok := properties.(map[string]any)
			if err != nil || !ok {
				ps.addf(in.at.field("parameterKey"), "cannot put output %q there: %v", in.from, err)
				continue
			}
			c.properties = m
			c.sources = append(slices.Clone(c.sources), source{at: in.at.field("parameterKey"), properties: sparse(in.key, in.text()), input: true})
		}
	}
	return out
}

// put a value where a path leads to, making what is missing on the way.
func put(into any, p path, v any) (any, error) {
	if len(p) == 0 {
		return v, nil
	}
	switch e := p[0].(type) {
	case string:
		if into == nil {
			into = map[string]any{}
		}
		m, ok := into.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("before %q stands %s and no object", e, describe(into))
		}
		inner, err := put(m[e], p[1:], v)
		m[e] = inner
		return m, err
	case int:
		if into == nil {
			into = []any{}
		}
		l, ok := into.([]any)
		switch {
		case !ok:
			return nil, fmt.Errorf("before [%d] stands %s and no list", e, describe(into))
		case e > len(l):
			return nil, fmt.Errorf("the list has %d entries, so the next is [%d]", len(l), len(l))
		case e == len(l):
			l = append(l, nil)
		}
		inner, err := put(l[e], p[1:], v)
		l[e] = inner
		return l, err
	}
	return nil, fmt.Errorf("cannot follow %v", p[0])
}

// sparse returns properties with nothing but one value in them.
func sparse(p path, v any) map[string]any {
	for i := len(p) - 1; i >= 0; i-- {
		switch e := p[i].(type) {
		case string:
			v = map[string]any{e: v}
		case int:
			l := make([]any, e+1)
			l[e] = v
			v = l
		}
	}
	m, _ := v.(map[string]any)
	return m
}

// usedOutputs are the outputs that an expression names.
var usedOutputs = regexp.MustCompile(`\boutputs\s*(?:\.\??\s*([A-Za-z_][A-Za-z0-9_]*)|\[\??\s*["']([^"']+)["']\s*\])`)

var outputsVariable = regexp.MustCompile(`\boutputs\b`)

// connect lets rendered components depend on those whose outputs they use, wherever in
// their objects they do.
func (a *Application) connect(content *bundle.Content, components []component, overrides []string, ps *problems) {
	by, names := map[string]string{}, []string{}
	for _, c := range a.components {
		for _, o := range c.outputs {
			by[o.Name] = c.name
			names = append(names, o.Name)
		}
	}
	slices.Sort(names)
	there := componentNames(components)
	for i := range content.Components {
		c, part := &components[i], &content.Components[i]
		refuse := func(text, format string, args ...any) {
			ps.addWithSuffix(Problem{Path: c.whereWritten(text).String(), Message: fmt.Sprintf(format, args...)}, suffix(c, source{}, overrides))
		}
		for _, u := range usesOf(part) {
			producer := by[u.output]
			switch {
			case u.output == "":
				refuse(u.text, "has an expression that uses outputs without naming one: write outputs.<name> or outputs[\"<name>\"]")
			case producer == "":
				refuse(u.text, "%q is no output of a component of this application%s", u.output, didYouMean(u.output, names))
			case producer == part.Name:
				refuse(u.text, "output %q is this component's own", u.output)
			case !slices.Contains(there, producer):
				refuse(u.text, "output %q is of component %q, which is left out here", u.output, producer)
			case !slices.Contains(part.DependsOn, producer):
				part.DependsOn = append(slices.Clone(part.DependsOn), producer)
			}
		}
	}
	if len(ps.list) > 0 {
		return
	}
	graph := make([]component, 0, len(content.Components))
	for _, part := range content.Components {
		graph = append(graph, component{name: part.Name, dependsOn: part.DependsOn})
	}
	for _, cycle := range cycles(graph) {
		i := slices.Index(there, cycle[0])
		ps.addf(components[i].at, "components need each other's outputs in a circle: %s", strings.Join(append(cycle, cycle[0]), " → "))
	}
}

// A use is an output that a text in a component's objects names.
type use struct{ text, output string }

func usesOf(part *bundle.Component) []use {
	var out []use
	for i := range part.Objects {
		eachText(part.Objects[i].Object, nil, func(text string, _ path) {
			if !strings.Contains(text, "${") || !strings.Contains(text, "outputs") {
				return
			}
			spans, _ := expr.Spans(text)
			for _, s := range spans {
				found := usedOutputs.FindAllStringSubmatch(s.Source, -1)
				if len(found) == 0 && outputsVariable.MatchString(s.Source) {
					out = append(out, use{text: text})
				}
				for _, m := range found {
					out = append(out, use{text: text, output: m[1] + m[2]})
				}
			}
		})
	}
	return out
}
