package oam

import (
	"slices"
	"strings"

	mv1alpha1 "github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

func isApply(s *step) bool { return s.kind == StepApplyComponent }

func isDeploy(s *step) bool { return s.out.Type == mv1alpha1.StepDeploy }

// applyComponents makes one deployment of all apply-component steps: what they say is
// the order of components, and that holds within each cluster.
func (a *Application) applyComponents(steps []*step, at path, ps *problems) []*step {
	if i := slices.IndexFunc(steps, isDeploy); i >= 0 {
		j := slices.IndexFunc(steps, isApply)
		ps.addf(steps[j].at.field("type"), "%s and %s cannot be mixed, because step %q deploys all components: give components dependsOn instead", StepApplyComponent, StepDeploy, steps[i].name)
		return steps
	}
	one := &step{kind: StepDeploy, written: steps[0].written, overrides: overrideNames(a.overrides)}
	one.out.Type = mv1alpha1.StepDeploy
	for _, t := range a.placement.Topologies {
		one.topologies = append(one.topologies, t.Name)
	}
	var out []*step
	applied := map[string]*step{}
	for _, s := range steps {
		if !isApply(s) {
			out = append(out, s)
			continue
		}
		a.applyComponent(s, applied, ps)
		applied[s.name] = s
		if one.name == "" {
			one.name, one.at = s.name, s.at
			out = append(out, one)
		}
		one.dependsOn = append(one.dependsOn, s.dependsOn...)
	}
	for _, s := range out {
		s.dependsOn = renamed(s.dependsOn, applied, one.name, s.name)
	}
	a.order(steps, applied, ps)
	for _, c := range a.components {
		if !slices.ContainsFunc(steps, func(s *step) bool { return s.component == c.name }) {
			ps.addf(c.at, "component %q is in no %s step, so it would not be deployed: add one, or use a %s step", c.name, StepApplyComponent, StepDeploy)
		}
	}
	graph := &problems{}
	if !acyclic(out, at, graph) {
		ps.addf(at.field("steps"), "another step stands between two %s steps: components are applied in order on each cluster, and nothing can stand in between; use %s steps for that", StepApplyComponent, StepDeploy)
	}
	return out
}

func (a *Application) applyComponent(s *step, applied map[string]*step, ps *problems) {
	for _, other := range applied {
		if other.component == s.component {
			ps.addf(s.at.field("properties", "component"), "component %q is applied by step %q already", s.component, other.name)
		}
	}
	if s.condition != "" {
		ps.addf(s.at.field("if"), "is not supported on an %s step", StepApplyComponent)
	}
	if s.written.Timeout != "" {
		ps.addf(s.at.field("timeout"), "is not supported on an %s step: a rollout policy has progressDeadline", StepApplyComponent)
	}
}

// renamed returns names with those of apply-component steps replaced by the one that
// took their place.
func renamed(names []string, applied map[string]*step, by, self string) []string {
	var out []string
	for _, n := range names {
		if applied[n] != nil {
			n = by
		}
		if n != self && !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

// order lets components depend on those that are applied before them.
func (a *Application) order(steps []*step, applied map[string]*step, ps *problems) {
	for _, s := range steps {
		i := slices.IndexFunc(a.components, func(c component) bool { return isApply(s) && c.name == s.component })
		if i < 0 {
			continue
		}
		c := &a.components[i]
		for _, d := range s.dependsOn {
			if before := applied[d]; before != nil && before.component != c.name && !slices.Contains(c.dependsOn, before.component) {
				c.dependsOn = append(slices.Clone(c.dependsOn), before.component)
			}
		}
	}
	for _, cycle := range cycles(a.components) {
		ps.addf(path{"spec", "workflow", "steps"}, "the order of the %s steps contradicts the components' dependsOn: %s", StepApplyComponent, strings.Join(append(cycle, cycle[0]), " → "))
	}
}

// deploy works out which topologies each step deploys, and which overrides apply there.
// Nothing that is written may be left out.
func (a *Application) deploy(steps []*step, at path, ps *problems) {
	var deploys []*step
	for _, s := range steps {
		if isDeploy(s) {
			deploys = append(deploys, s)
		}
	}
	if len(deploys) == 0 {
		ps.addf(at.field("steps"), "has no step of type %q, so nothing would be deployed: add one", StepDeploy)
		return
	}
	if len(a.placement.Topologies) == 0 && len(deploys) > 1 {
		ps.addf(deploys[1].at, "step %q deploys everywhere already, because there is no topology policy", deploys[0].name)
		return
	}
	a.orderTopologies(deploys, ps)
	a.scopeOverrides(deploys, ps)
	for _, s := range deploys {
		s.out.Topologies = s.topologies
		a.contexts = append(a.contexts, s.overrides)
		a.checkApprovals(s, ps)
	}
}

// maxApproval is how long the name of what is approved can be.
const maxApproval = 127

// checkApprovals checks that gates of the waves that a step goes through can be named.
func (a *Application) checkApprovals(s *step, ps *problems) {
	for _, w := range a.strategy.Waves {
		for _, g := range w.Gates {
			if name := s.name + "/" + w.Name + "/" + g.Name; g.Approval != nil && len(name) > maxApproval {
				ps.addf(s.at.field("name"), "an approval would be for %q, which has %d characters: at most %d are possible, so shorten the name of the step, the wave or the gate", name, len(name), maxApproval)
			}
		}
	}
}

// orderTopologies puts topologies into the order of the steps: a cluster that several
// select belongs to the first.
func (a *Application) orderTopologies(deploys []*step, ps *problems) {
	by := map[string]*step{}
	var ordered []mv1alpha1.Topology
	for _, s := range deploys {
		for _, t := range s.topologies {
			if other := by[t]; other != nil {
				ps.addf(s.at.field("properties", "policies"), "topology %q is deployed by step %q already: a cluster is deployed by one step", t, other.name)
				continue
			}
			by[t] = s
			i := slices.IndexFunc(a.placement.Topologies, func(o mv1alpha1.Topology) bool { return o.Name == t })
			ordered = append(ordered, a.placement.Topologies[i])
		}
	}
	for _, t := range a.placement.Topologies {
		if by[t.Name] == nil {
			ps.addf(a.policyAt[t.Name], "topology %q is in no %s step, so nothing would be deployed there: add it to one, or remove it", t.Name, StepDeploy)
		}
	}
	a.placement.Topologies = ordered
}

// scopeOverrides lets an override apply only to the topologies of the steps that list
// it.
func (a *Application) scopeOverrides(deploys []*step, ps *problems) {
	for i := range a.placement.Overrides {
		o := &a.placement.Overrides[i]
		listed := 0
		var topologies []string
		for _, s := range deploys {
			if slices.Contains(s.overrides, o.Name) {
				listed++
				topologies = append(topologies, s.topologies...)
			}
		}
		switch listed {
		case 0:
			ps.addf(a.policyAt[o.Name], "override %q is in no %s step, so it would apply nowhere: add it to one, or remove it", o.Name, StepDeploy)
		case len(deploys):
		default:
			o.Topologies = topologies
		}
	}
}

func overrideNames(overrides []override) []string {
	out := make([]string, 0, len(overrides))
	for _, o := range overrides {
		out = append(out, o.name)
	}
	return out
}
