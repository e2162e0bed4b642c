package rollout

import (
	"fmt"
	"slices"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/freeze"
)

// checkStatic returns what is wrong with steps, gates and freezes, whatever clusters
// there are. Once the revision is under way it is not asked for any more: gates that
// cannot be asked are closed, and freezes that cannot be read are in force.
func (n *plan) checkStatic() []string {
	if n.underway() {
		return nil
	}
	return Check(n.spec.Strategy, n.spec.Steps)
}

// Check returns what is wrong with a strategy and the steps of a workflow, whatever
// clusters there are. Each is a sentence for the author.
func Check(strategy v1alpha1.RolloutStrategy, steps []v1alpha1.RolloutStep) []string {
	flaws := freeze.Check(strategy.Freezes)
	for _, w := range strategy.Waves {
		for _, g := range w.Gates {
			if err := CheckGate(g); err != nil {
				flaws = append(flaws, fmt.Sprintf("gate %q of wave %q: %v", g.Name, w.Name, err))
			}
		}
	}
	flaws = append(flaws, checkSteps(steps)...)
	return append(flaws, cycles(steps)...)
}

func checkSteps(steps []v1alpha1.RolloutStep) []string {
	var flaws []string
	refuse := func(s v1alpha1.RolloutStep, format string, args ...any) {
		flaws = append(flaws, fmt.Sprintf("step %q: %s", s.Name, fmt.Sprintf(format, args...)))
	}
	for _, s := range steps {
		for _, d := range s.DependsOn {
			if !slices.ContainsFunc(steps, func(o v1alpha1.RolloutStep) bool { return o.Name == d }) {
				refuse(s, "dependsOn names %q, which is no step", d)
			}
		}
		if s.If != "" {
			if _, err := CompileIf(s.If); err != nil {
				refuse(s, "if: %v", err)
			}
		}
		if s.Type == v1alpha1.StepDependsOnApp && s.Application == nil {
			refuse(s, "application is missing")
		}
		if s.Type == v1alpha1.StepNotify && s.Webhook == nil {
			refuse(s, "webhook is missing")
		}
	}
	return flaws
}

// cycles returns the steps that wait for themselves, if any do.
func cycles(steps []v1alpha1.RolloutStep) []string {
	done := map[string]bool{}
	for range steps {
		for _, s := range steps {
			if !slices.ContainsFunc(s.DependsOn, func(d string) bool { return !done[d] }) {
				done[s.Name] = true
			}
		}
	}
	var stuck []string
	for _, s := range steps {
		known := !slices.ContainsFunc(s.DependsOn, func(d string) bool {
			return !slices.ContainsFunc(steps, func(o v1alpha1.RolloutStep) bool { return o.Name == d })
		})
		if !done[s.Name] && known {
			stuck = append(stuck, s.Name)
		}
	}
	if len(stuck) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("steps %s wait for each other, or for one that does: correct dependsOn", quoted(stuck))}
}
