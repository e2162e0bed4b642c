package oam

import (
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation"

	mv1alpha1 "github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/bundle"
)

// An Application is one that was found to be right.
type Application struct {
	name       string
	components []component
	overrides  []override
	placement  mv1alpha1.Placement
	strategy   mv1alpha1.RolloutStrategy
	strategyAt path
	policies   objectPolicies
	steps      []mv1alpha1.RolloutStep
	// namespace the application is in, where it was said.
	namespace string
	// policyAt is where policies are written, by name.
	policyAt map[string]path
	// contexts are the overrides that can apply together: those of each deploy step,
	// or, without a workflow, all.
	contexts [][]string

	// catalogue of published types, or nil, and what was taken from it.
	catalogue Catalogue
	pinned    []Pinned

	// bundles that are rendered already, with their parts, by their overrides.
	bundles map[string][]*mv1alpha1.Bundle
}

// Compile checks an application. Where something is wrong with it, the error is an
// InvalidError with all that is.
func Compile(name string, spec *v1alpha1.ProductApplicationSpec, options ...Option) (*Application, error) {
	ps := &problems{}
	a := &Application{name: name, bundles: map[string][]*mv1alpha1.Bundle{}, policyAt: map[string]path{}}
	for _, o := range options {
		o(a)
	}
	checkApplicationName(name, ps)
	a.components = a.readComponents(spec.Components, ps)
	checkGraph(a.components, ps)
	before := len(ps.list)
	a.readPolicies(spec.Policies, ps)
	a.checkSelectors(ps)
	if len(ps.list) == before { // A policy that is wrong would be missing in the workflow.
		a.readWorkflow(spec.Workflow, ps)
	}
	if len(a.contexts) == 0 {
		a.contexts = [][]string{overrideNames(a.overrides)}
	}
	for _, overrides := range a.samples() {
		a.render(overrides, ps)
	}
	if err := ps.err(); err != nil {
		return nil, err
	}
	return a, nil
}

func checkApplicationName(name string, ps *problems) {
	at := path{"metadata", "name"}
	switch {
	case len(name) > v1alpha1.MaxApplicationNameLength:
		ps.addf(at, "%q has %d characters: an application name has at most %d", name, len(name), v1alpha1.MaxApplicationNameLength)
	case len(validation.IsDNS1123Label(name)) > 0:
		ps.addf(at, "%q must be a DNS label: lower-case letters, digits and '-', without dots", name)
	}
}

// Placement says where the application runs, and where which overrides apply.
func (a *Application) Placement() mv1alpha1.Placement { return *a.placement.DeepCopy() }

// Strategy says how clusters are moved, as the rollout policy has it.
func (a *Application) Strategy() mv1alpha1.RolloutStrategy { return *a.strategy.DeepCopy() }

// Steps of the workflow, as a Rollout has them.
func (a *Application) Steps() []mv1alpha1.RolloutStep {
	out := make([]mv1alpha1.RolloutStep, 0, len(a.steps))
	for i := range a.steps {
		out = append(out, *a.steps[i].DeepCopy())
	}
	return out
}

// Bundle returns the bundle for a combination of overrides. Where they do not fit
// together the error is an InvalidError.
func (a *Application) Bundle(overrides []string) (*mv1alpha1.Bundle, error) {
	all, err := a.sealed(overrides)
	if err != nil {
		return nil, err
	}
	return all[0].DeepCopy(), nil
}

// BundleParts returns the parts of the bundle for a combination of overrides. There
// are none where the bundle fits into one object.
func (a *Application) BundleParts(overrides []string) ([]*mv1alpha1.Bundle, error) {
	all, err := a.sealed(overrides)
	if err != nil {
		return nil, err
	}
	out := make([]*mv1alpha1.Bundle, 0, len(all)-1)
	for _, b := range all[1:] {
		out = append(out, b.DeepCopy())
	}
	return out, nil
}

func (a *Application) sealed(overrides []string) ([]*mv1alpha1.Bundle, error) {
	if b, ok := a.bundles[key(overrides)]; ok {
		return b, nil
	}
	ps := &problems{}
	b := a.render(overrides, ps)
	return b, ps.err()
}

// render renders a bundle and remembers it. Where there are problems it returns
// nothing.
func (a *Application) render(overrides []string, ps *problems) []*mv1alpha1.Bundle {
	components := a.components
	for i := range a.overrides {
		if slices.Contains(overrides, a.overrides[i].name) {
			components = a.overrides[i].apply(components, ps)
		}
	}
	content := a.content(withInputs(components, ps), overrides, ps)
	if len(ps.list) > 0 {
		return nil
	}
	b, err := bundle.New(a.name, content)
	if err != nil {
		at := path{"spec", "components"}
		var large *bundle.TooLargeError
		if errors.As(err, &large) {
			i := slices.IndexFunc(components, func(c component) bool { return c.name == large.Component })
			at = components[max(i, 0)].at
		}
		ps.addf(at, "%v", err)
		return nil
	}
	a.bundles[key(overrides)] = b
	return b
}

// suffix says which overrides a problem shows up with, where it does so only with
// overrides.
func suffix(c *component, s source, overrides []string) string {
	switch {
	case s.policy != "":
		return fmt.Sprintf(" (override %q, component %q)", s.policy, c.name)
	case len(overrides) > 0:
		return fmt.Sprintf(" (with override %q)", enumerate(overrides))
	}
	return ""
}
