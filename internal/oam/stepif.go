package oam

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/mainstay-dev/mainstay/internal/rollout"
)

// always is KubeVela's condition for a step that runs whatever happened before.
const always = "always"

var (
	statusField  = regexp.MustCompile(`\bstatus\.([A-Za-z0-9_][-A-Za-z0-9_]*)(\(?)`)
	statusKey    = regexp.MustCompile(`\bstatus\s*\[\s*["']([^"']*)["']\s*\]`)
	stepProperty = regexp.MustCompile(`\bstatus\["([^"]*)"\]\s*\.\s*([A-Za-z_][A-Za-z0-9_]*)`)
	phaseCompare = regexp.MustCompile(`\bphase\s*[=!]=\s*["']([^"']*)["']`)
)

// stepProperties are what a condition can see of a step, and phases what its phase can be.
var (
	stepProperties = []string{"phase", "message", "succeeded", "failed", "skipped"}
	phases         = []string{"Pending", "Running", "Succeeded", "Failed", "Skipped"}
)

// conditions turns what steps say of when they run into CEL. KubeVela's conditions are
// CUE, and what people write of it is nearly the same.
func conditions(steps, written []*step, ps *problems) {
	names := make([]string, 0, len(written))
	for _, s := range written {
		names = append(names, s.name)
	}
	for _, s := range steps {
		if s.condition == "" {
			continue
		}
		out, err := condition(s, steps, names)
		if err != nil {
			ps.addf(s.at.field("if"), "%v", err)
			continue
		}
		s.out.If = out
	}
}

func condition(s *step, steps []*step, names []string) (string, error) {
	if strings.TrimSpace(s.condition) == always {
		return "true", nil
	}
	var err error
	source := quoted(strings.TrimSpace(s.condition), names)
	for _, m := range stepProperty.FindAllStringSubmatch(source, -1) {
		if !slices.Contains(stepProperties, m[2]) {
			err = fmt.Errorf("step %q has no %q: there are %s%s", m[1], m[2], enumerate(stepProperties), didYouMean(m[2], stepProperties))
		}
	}
	done := earlier(s, steps)
	for _, m := range statusKey.FindAllStringSubmatch(source, -1) {
		isStep := slices.ContainsFunc(steps, func(o *step) bool { return o.name == m[1] && !isApply(o) })
		switch {
		case !slices.Contains(names, m[1]):
			err = fmt.Errorf("%q is no step of this workflow, or a group%s", m[1], didYouMean(m[1], names))
		case !isStep:
			err = fmt.Errorf("%q is an %s step, which has no status of its own", m[1], StepApplyComponent)
		case !done[m[1]]:
			err = fmt.Errorf("step %q need not be done when %q begins: add it to dependsOn", m[1], s.name)
		}
	}
	for _, m := range phaseCompare.FindAllStringSubmatch(source, -1) {
		if !slices.Contains(phases, m[1]) {
			err = fmt.Errorf("a step is never %q: phases are %s", m[1], enumerate(phases))
		}
	}
	if err != nil {
		return "", err
	}
	if _, err := rollout.CompileIf(source); err != nil {
		return "", fmt.Errorf("%w: write always, or CEL over status, such as status[\"%s\"].failed", err, example(s, steps))
	}
	return source, nil
}

// quoted writes status.a-step as status["a-step"], as CEL has it.
func quoted(source string, names []string) string {
	source = statusKey.ReplaceAllString(source, `status["$1"]`)
	return statusField.ReplaceAllStringFunc(source, func(text string) string {
		m := statusField.FindStringSubmatch(text)
		if m[2] != "" && !slices.Contains(names, m[1]) {
			return text // A function of the map, such as status.exists(…).
		}
		return fmt.Sprintf("status[%q]%s", m[1], m[2])
	})
}

// example returns the name of a step that a condition could be about.
func example(s *step, steps []*step) string {
	done := earlier(s, steps)
	for _, o := range steps {
		if done[o.name] {
			return o.name
		}
	}
	return s.name
}
