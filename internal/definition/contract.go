package definition

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/Masterminds/semver/v3"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/bundle"
	"github.com/mainstay-dev/mainstay/internal/expr"
)

// A contract is what a component needs, as a template.
type contract struct {
	version *expr.Template
	needs   *expr.Template
}

func (s *scope) contract(in *v1alpha1.DefinitionContract, at string, ps *problems) *contract {
	if in == nil {
		return nil
	}
	for i, n := range in.Env {
		checkRange(n.Versions, fmt.Sprintf("%s.env[%d].versions", at, i), ps)
	}
	for i, n := range in.Config {
		checkRange(n.Versions, fmt.Sprintf("%s.config[%d].versions", at, i), ps)
	}
	c := &contract{version: s.text(in.Version, at+".version", ps)}
	raw, err := json.Marshal(in)
	if err != nil {
		ps.addf(at, "cannot be read: %v", err)
		return nil
	}
	var m map[string]any
	if err := utiljson.Unmarshal(raw, &m); err != nil {
		ps.addf(at, "cannot be read: %v", err)
		return nil
	}
	delete(m, "version")
	c.needs = s.compile(m, at, ps)
	return c
}

// render what a component needs. The kinds are needed in any case.
func (c *contract) render(vars map[string]any, definitionVersion string, kinds []string) (*bundle.Contract, error) {
	if c == nil {
		if len(kinds) == 0 {
			return nil, nil //nolint:nilnil // It needs nothing.
		}
		return &bundle.Contract{Kinds: kinds}, nil
	}
	text, err := renderText(c.version, vars, "spec.contract.version", definitionVersion)
	if err != nil {
		return nil, err
	}
	version, err := semver.NewVersion(text)
	if err != nil {
		return nil, fmt.Errorf("spec.contract.version: %q is no version", text)
	}
	m, err := renderObject(c.needs, vars, "spec.contract")
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("spec.contract: %w", err)
	}
	needs := v1alpha1.DefinitionContract{}
	if err := json.Unmarshal(raw, &needs); err != nil {
		return nil, fmt.Errorf("spec.contract: %w", err)
	}
	return contractOf(&needs, version, kinds), nil
}

// contractOf returns the needs that hold for a version of the product.
func contractOf(in *v1alpha1.DefinitionContract, version *semver.Version, kinds []string) *bundle.Contract {
	out := &bundle.Contract{
		Ports: in.Ports, Kinds: append(slices.Clone(in.Kinds), kinds...),
		NodeLabels: in.NodeLabels, NodeResources: in.NodeResources,
	}
	slices.Sort(out.Kinds)
	out.Kinds = slices.Compact(out.Kinds)
	for _, n := range in.Env {
		if holds(n.Versions, version) {
			out.Env = append(out.Env, bundle.EnvNeed{Name: n.Name, Container: n.Container, Forbidden: n.Forbidden})
		}
	}
	for _, n := range in.Config {
		if holds(n.Versions, version) {
			out.Config = append(out.Config, bundle.ConfigNeed{Kind: n.Kind, Name: n.Name, Required: n.Required, Forbidden: n.Forbidden})
		}
	}
	for _, n := range in.Access {
		out.Access = append(out.Access, bundle.AccessNeed{Group: n.Group, Resource: n.Resource, Verbs: n.Verbs})
	}
	return out
}

// holds is true where a version is in a range. No range holds for all.
func holds(versions string, v *semver.Version) bool {
	if versions == "" {
		return true
	}
	c, err := semver.NewConstraint(versions)
	return err == nil && c.Check(v)
}

func checkRange(versions, at string, ps *problems) {
	if versions == "" {
		return
	}
	if _, err := semver.NewConstraint(versions); err != nil {
		ps.addf(at, `%q is no range of versions: write one such as ">=1.19 <2"`, versions)
	}
}

// checkHealth compiles a health rule as the Release will.
func checkHealth(h *v1alpha1.DefinitionHealth, at string, ps *problems) {
	if h == nil {
		return
	}
	checkLate(expr.Variables{"object": expr.Object, "objects": expr.Objects}, at, ps, []late{
		{"healthy", h.Healthy, expr.Bool}, {"degraded", h.Degraded, expr.Bool}, {"message", h.Message, expr.String},
	})
}

func healthOf(h *v1alpha1.DefinitionHealth) *bundle.Health {
	if h == nil {
		return nil
	}
	return &bundle.Health{Healthy: h.Healthy, Degraded: h.Degraded, Message: h.Message}
}

// A late expression is one that the Release runs.
type late struct {
	field, source string
	result        expr.Type
}

func checkLate(vars expr.Variables, at string, ps *problems, all []late) {
	env, err := expr.NewEnv(vars)
	if err != nil {
		ps.addf(at, "%v", err)
		return
	}
	for _, l := range all {
		if l.source == "" {
			continue
		}
		if _, err := env.Compile(l.source, l.result); err != nil {
			ps.addf(at+"."+l.field, "%v", err)
		}
	}
}

// A step of an upgrade, as a template.
type step struct {
	at      string
	written v1alpha1.DefinitionStep
	patches []stepPatch
	apply   []*expr.Template
}

type stepPatch struct {
	kind  string
	name  *expr.Template
	patch *mergePatch
}

func (s *scope) procedure(in []v1alpha1.DefinitionStep, at string, ps *problems) []step {
	out := make([]step, 0, len(in))
	known := map[string]bool{}
	for i := range in {
		st := step{at: fmt.Sprintf("%s[%d]", at, i), written: in[i]}
		if known[in[i].Name] {
			ps.addf(st.at+".name", "step %q is there twice", in[i].Name)
		}
		known[in[i].Name] = true
		checkLate(expr.Variables{"from": expr.String, "to": expr.String, "objects": expr.Objects}, st.at, ps, []late{{"when", in[i].When, expr.Bool}})
		checkLate(expr.Variables{"objects": expr.Objects, "applied": expr.Objects}, st.at, ps, []late{{"until", in[i].Until, expr.Bool}})
		for j, p := range in[i].Patches {
			at := fmt.Sprintf("%s.patches[%d]", st.at, j)
			st.patches = append(st.patches, stepPatch{kind: p.Kind, name: s.text(p.Name, at+".name", ps), patch: s.mergePatch(p.Patch.Raw, at+".patch", ps)})
		}
		for j, o := range in[i].Apply {
			at := fmt.Sprintf("%s.apply[%d]", st.at, j)
			if m := readObject(o.Raw, at, ps); m != nil {
				st.apply = append(st.apply, s.compile(m, at, ps))
			}
		}
		if len(in[i].Patches) == 0 && len(in[i].Apply) == 0 && in[i].Until == "" {
			ps.addf(st.at, "step %q does nothing: give it patches, apply or until", in[i].Name)
		}
		out = append(out, st)
	}
	return out
}

func renderProcedure(steps []step, vars map[string]any) ([]bundle.ProcedureStep, error) {
	var out []bundle.ProcedureStep
	for i := range steps {
		s := &steps[i]
		b := bundle.ProcedureStep{Name: s.written.Name, When: s.written.When, Until: s.written.Until, Timeout: s.written.Timeout}
		for j, p := range s.patches {
			at := fmt.Sprintf("%s.patches[%d]", s.at, j)
			name, err := renderText(p.name, vars, at+".name", "")
			if err != nil {
				return nil, err
			}
			patch, err := p.patch.render(vars, at+".patch")
			if err != nil {
				return nil, err
			}
			b.Patches = append(b.Patches, bundle.ObjectPatch{Kind: p.kind, Name: name, Patch: patch})
		}
		for j, t := range s.apply {
			o, err := renderObject(t, vars, fmt.Sprintf("%s.apply[%d]", s.at, j))
			if err != nil {
				return nil, err
			}
			b.Apply = append(b.Apply, unstructured.Unstructured{Object: o})
		}
		out = append(out, b)
	}
	return out, nil
}
