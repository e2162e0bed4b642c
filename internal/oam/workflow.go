package oam

import (
	"regexp"
	"slices"
	"strings"

	mv1alpha1 "github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
)

// Step types.
const (
	StepDeploy         = "deploy"
	StepSuspend        = "suspend"
	StepDependsOnApp   = "depends-on-app"
	StepNotification   = "notification"
	StepApplyComponent = "apply-component"
	StepGroup          = "step-group"
)

// maxSteps is how many steps a Rollout can have.
const maxSteps = 50

// A step is one that is no group. Steps of groups are steps like any other.
type step struct {
	at         path
	name, kind string
	written    *v1alpha1.WorkflowSubStep
	// condition under which it runs, as it is written here or on its group.
	condition string
	// dependsOn are the names of steps, those of groups resolved.
	dependsOn []string

	// overrides that a deploy step lists, and the topologies, in their order.
	overrides, topologies []string
	// component that an apply-component step is about.
	component string
	out       mv1alpha1.RolloutStep
}

// readWorkflow turns the workflow into steps of the Rollout. Policies and components
// are known.
func (a *Application) readWorkflow(w *v1alpha1.Workflow, ps *problems) {
	if w == nil {
		return
	}
	at := path{"spec", "workflow"}
	if w.Ref != "" {
		ps.addf(at.field("ref"), "is not supported: write the steps in the application")
		return
	}
	f := flattener{mode: modeOf(w, at, ps), ps: ps, members: map[string][]string{}, first: map[string]path{}}
	f.flatten(w.Steps, at.field("steps"))
	if len(f.steps) > maxSteps {
		ps.addf(at.field("steps"), "has %d steps, those in groups included: at most %d are possible", len(f.steps), maxSteps)
		return
	}
	f.resolve()
	before := len(ps.list)
	for _, s := range f.steps {
		a.readStep(s, ps)
	}
	if len(ps.list) > before || !acyclic(f.steps, at, ps) {
		return
	}
	steps := f.steps
	if slices.ContainsFunc(steps, isApply) {
		steps = a.applyComponents(steps, at, ps)
	}
	a.deploy(steps, at, ps)
	conditions(steps, f.steps, ps)
	for _, s := range steps {
		s.out.Name, s.out.DependsOn = s.name, s.dependsOn
		a.steps = append(a.steps, s.out)
	}
}

func modeOf(w *v1alpha1.Workflow, at path, ps *problems) v1alpha1.WorkflowMode {
	mode := v1alpha1.WorkflowMode{Steps: v1alpha1.ModeStepByStep, SubSteps: v1alpha1.ModeDAG}
	if w.Mode == nil {
		return mode
	}
	for _, m := range []struct {
		name    string
		written string
		into    *string
	}{{"steps", w.Mode.Steps, &mode.Steps}, {"subSteps", w.Mode.SubSteps, &mode.SubSteps}} {
		switch m.written {
		case "":
		case v1alpha1.ModeStepByStep, v1alpha1.ModeDAG:
			*m.into = m.written
		default:
			ps.addf(at.field("mode", m.name), "must be one of %q and %q, got %s", v1alpha1.ModeStepByStep, v1alpha1.ModeDAG, describe(m.written))
		}
	}
	return mode
}

// A flattener takes the groups out of a workflow: their steps depend on what the group
// depended on, and what depended on the group depends on all of them.
type flattener struct {
	mode  v1alpha1.WorkflowMode
	ps    *problems
	steps []*step
	// members of every name: the step itself, or the steps of the group.
	members map[string][]string
	// first is where a name is written first.
	first map[string]path
}

func (f *flattener) flatten(written []v1alpha1.WorkflowStep, at path) {
	var before []string // what the next step comes after, in a workflow that goes step by step
	if len(written) == 0 {
		f.ps.addf(at, "must not be empty")
	}
	for i := range written {
		w, at := &written[i], at.index(i)
		f.name(w.Name, at)
		var names []string
		if w.Type == StepGroup {
			names = f.group(w, at, before)
		} else {
			if len(w.SubSteps) > 0 {
				f.ps.addf(at.field("subSteps"), "only a step of type %q has sub-steps", StepGroup)
			}
			f.add(&w.WorkflowSubStep, at, before)
			names = []string{w.Name}
		}
		f.members[w.Name] = names
		if f.mode.Steps == v1alpha1.ModeStepByStep {
			before = names
		}
	}
}

func (f *flattener) group(w *v1alpha1.WorkflowStep, at path, before []string) []string {
	if isSet(w.Properties) && string(w.Properties.Raw) != "{}" {
		f.ps.addf(at.field("properties"), "a step group has none: remove them")
	}
	if w.Timeout != "" {
		f.ps.addf(at.field("timeout"), "is not supported on a step group: write it on the steps in it")
	}
	if len(w.SubSteps) == 0 {
		f.ps.addf(at.field("subSteps"), "must not be empty")
	}
	chained := f.mode.SubSteps == v1alpha1.ModeStepByStep
	if w.If != "" && chained && len(w.SubSteps) > 1 {
		f.ps.addf(at.field("if"), "is not supported on a group whose steps run one after another: write it on the steps in it")
	}
	refuseStepData(&w.WorkflowSubStep, at, f.ps)
	var names []string
	outer := slices.Concat(before, w.DependsOn)
	for i := range w.SubSteps {
		sub, at := &w.SubSteps[i], at.field("subSteps").index(i)
		f.name(sub.Name, at)
		if sub.Type == StepGroup {
			f.ps.addf(at.field("type"), "a step group cannot be in another")
			continue
		}
		s := f.add(sub, at, outer)
		s.condition = both(w.If, s.condition)
		f.members[sub.Name] = []string{sub.Name}
		names = append(names, sub.Name)
		if chained {
			outer = []string{sub.Name}
		}
	}
	return names
}

// both joins the conditions of a group and of a step in it.
func both(group, step string) string {
	switch {
	case group == "" || group == step:
		return step
	case step == "":
		return group
	case strings.TrimSpace(group) == always:
		return step
	case strings.TrimSpace(step) == always:
		return group
	}
	return "(" + group + ") && (" + step + ")"
}

func (f *flattener) add(w *v1alpha1.WorkflowSubStep, at path, after []string) *step {
	s := &step{at: at, name: w.Name, kind: w.Type, written: w, condition: w.If, dependsOn: slices.Concat(after, w.DependsOn)}
	f.steps = append(f.steps, s)
	return s
}

var stepName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)

func (f *flattener) name(name string, at path) {
	if !stepName.MatchString(name) || len(name) > 63 {
		f.ps.addf(at.field("name"), "step name %q must be a DNS label: lower-case letters, digits and '-', at most 63", name)
	}
	if other, taken := f.first[name]; taken {
		f.ps.addf(at.field("name"), "step name %q is already taken by %s: names must be unique, those in groups included", name, other)
		return
	}
	f.first[name] = at
}

// resolve replaces names of groups by those of the steps in them.
func (f *flattener) resolve() {
	known := make([]string, 0, len(f.members))
	for name := range f.members {
		known = append(known, name)
	}
	slices.Sort(known)
	for _, s := range f.steps {
		for i, d := range s.written.DependsOn {
			at := s.at.field("dependsOn").index(i)
			switch {
			case d == s.name:
				f.ps.addf(at, "step %q depends on itself", s.name)
			case !slices.Contains(known, d):
				f.ps.addf(at, "step %q depends on %q, which is no step of this workflow%s", s.name, d, didYouMean(d, known))
			}
		}
		var resolved []string
		for _, d := range s.dependsOn {
			for _, m := range f.members[d] {
				if m != s.name && !slices.Contains(resolved, m) {
					resolved = append(resolved, m)
				}
			}
		}
		s.dependsOn = resolved
	}
}

// acyclic finds steps that wait for each other.
func acyclic(steps []*step, at path, ps *problems) bool {
	graph := make([]component, 0, len(steps))
	for _, s := range steps {
		graph = append(graph, component{name: s.name, dependsOn: s.dependsOn})
	}
	found := cycles(graph)
	for _, cycle := range found {
		ps.addf(at.field("steps"), "steps wait for each other in a circle: %s", strings.Join(append(cycle, cycle[0]), " → "))
	}
	return len(found) == 0
}

// earlier returns all steps that are done when a step begins, by name.
func earlier(s *step, steps []*step) map[string]bool {
	out := map[string]bool{}
	var visit func(names []string)
	visit = func(names []string) {
		for _, n := range names {
			i := slices.IndexFunc(steps, func(o *step) bool { return o.name == n })
			if i >= 0 && !out[n] {
				out[n] = true
				visit(steps[i].dependsOn)
			}
		}
	}
	visit(s.dependsOn)
	return out
}
