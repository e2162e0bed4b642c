package apply

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/bundle"
	"github.com/mainstay-dev/mainstay/internal/expr"
)

// stepTimeout is how long a step may take that says nothing of it.
const stepTimeout = 10 * time.Minute

// A Procedure is a component's upgrade procedure, its expressions compiled. It moves
// the component from what is on the cluster to where its new objects can be applied, in
// steps that can each be taken any number of times: what is patched is merged, and what
// is applied is applied by the server. So it is enough to know which step was being taken.
type Procedure struct {
	names       []string
	when, until []*expr.Program
	timeouts    []time.Duration
}

var procedureEnv = sync.OnceValues(func() (*expr.Env, error) { //nolint:gochecknoglobals // A constant that has to be made.
	return expr.NewEnv(expr.Variables{"objects": expr.Objects, "applied": expr.Objects, "from": expr.String, "to": expr.String})
})

// CompileProcedure compiles an upgrade procedure. The error names the step.
func CompileProcedure(steps []bundle.ProcedureStep) (*Procedure, error) {
	env, err := procedureEnv()
	if err != nil {
		return nil, err
	}
	p := &Procedure{}
	compile := func(step, field, source string, to *[]*expr.Program) error {
		if source == "" {
			*to = append(*to, nil)
			return nil
		}
		c, err := env.Compile(source, expr.Bool)
		if err != nil {
			return fmt.Errorf("step %q: %s: %w", step, field, err)
		}
		*to = append(*to, c)
		return nil
	}
	for _, s := range steps {
		if s.Name == "" || slices.Contains(p.names, s.Name) {
			return nil, fmt.Errorf("step %q: a step needs a name that no other step has", s.Name)
		}
		if err := compile(s.Name, "when", s.When, &p.when); err != nil {
			return nil, err
		}
		if err := compile(s.Name, "until", s.Until, &p.until); err != nil {
			return nil, err
		}
		p.names = append(p.names, s.Name)
		timeout := stepTimeout
		if s.Timeout != nil {
			timeout = s.Timeout.Duration
		}
		p.timeouts = append(p.timeouts, timeout)
	}
	return p, nil
}

// A View is what a procedure sees of a component on its cluster.
type View struct {
	// Objects of the component, and those that the step applied.
	Objects, Applied []*unstructured.Unstructured
	// From and To are the versions of the component's definition.
	From, To string
}

func (v View) vars() map[string]any {
	list := func(in []*unstructured.Unstructured) []any {
		out := make([]any, 0, len(in))
		for _, u := range in {
			out = append(out, u.Object)
		}
		return out
	}
	return map[string]any{"objects": list(v.Objects), "applied": list(v.Applied), "from": v.From, "to": v.To}
}

// First returns the step that a procedure begins with. Empty means that it has none.
func (p *Procedure) First() string { return p.after(-1) }

// Index of a step. It is -1 where there is none of the name.
func (p *Procedure) Index(step string) int { return slices.Index(p.names, step) }

// Next returns the step after another. Empty means that there is none.
func (p *Procedure) Next(step string) string { return p.after(p.Index(step)) }

func (p *Procedure) after(i int) string {
	if i+1 >= len(p.names) {
		return ""
	}
	return p.names[i+1]
}

// Skips is true where a step does not have to be taken.
func (p *Procedure) Skips(step string, v View) (bool, error) {
	w := p.when[p.Index(step)]
	if w == nil {
		return false, nil
	}
	yes, err := w.True(v.vars())
	if err != nil {
		return false, fmt.Errorf("step %q of its upgrade procedure: when: %w", step, err)
	}
	return !yes, nil
}

// A Verdict is how far a step is.
type Verdict struct {
	// Done is true where it has been taken. Failed is true where it took too long.
	Done, Failed bool
	// Message says what is waited for, or what failed.
	Message string
}

// Judge a step that has been acted on. A condition that cannot be told is not met yet.
func (p *Procedure) Judge(step string, started, now time.Time, v View) Verdict {
	i := p.Index(step)
	until := p.until[i]
	if until == nil {
		return Verdict{Done: true}
	}
	yes, err := until.True(v.vars())
	if err == nil && yes {
		return Verdict{Done: true}
	}
	out := Verdict{Message: fmt.Sprintf("step %q of its upgrade procedure waits until %s", step, until.Source())}
	if err != nil {
		out.Message = fmt.Sprintf("step %q of its upgrade procedure cannot tell yet: %v", step, err)
	}
	if now.Sub(started) > p.timeouts[i] {
		return Verdict{Failed: true, Message: fmt.Sprintf("step %q of its upgrade procedure has failed: it took more than %s; %s", step, p.timeouts[i], out.Message)}
	}
	return out
}

// Target identifies what a component is upgraded to.
func Target(c Component) (string, error) {
	h := sha256.New()
	for _, o := range c.Objects {
		if err := json.NewEncoder(h).Encode(o.Object); err != nil {
			return "", fmt.Errorf("cannot encode %s %q: %w", o.GetKind(), o.GetName(), err)
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:16] + c.Version, nil
}

// Merge a JSON merge patch into an object. It returns the patch as it is to be sent, or
// nothing where it would change nothing.
func Merge(live *unstructured.Unstructured, patch map[string]any) ([]byte, error) {
	p, err := json.Marshal(patch)
	if err != nil {
		return nil, fmt.Errorf("cannot encode patch of %s %q: %w", live.GetKind(), live.GetName(), err)
	}
	is, err := json.Marshal(live.Object)
	if err != nil {
		return nil, fmt.Errorf("cannot encode %s %q: %w", live.GetKind(), live.GetName(), err)
	}
	// Both are decoded again, so that numbers are told apart by value and not by type.
	var target, change map[string]any
	if err := errors.Join(json.Unmarshal(is, &target), json.Unmarshal(p, &change)); err != nil {
		return nil, fmt.Errorf("cannot decode %s %q: %w", live.GetKind(), live.GetName(), err)
	}
	if !merges(target, change) {
		return nil, nil
	}
	return p, nil
}

// merges is true where a patch changes a target.
func merges(target, patch map[string]any) bool {
	for k, v := range patch {
		is, there := target[k]
		nested, isObject := v.(map[string]any)
		switch {
		case v == nil:
			if there {
				return true
			}
		case isObject:
			m, ok := is.(map[string]any)
			if !ok || merges(m, nested) {
				return true
			}
		case !there || !reflect.DeepEqual(is, v):
			return true
		}
	}
	return false
}

// StepOf a component by name.
func (c Component) StepOf(name string) (Step, bool) {
	i := slices.IndexFunc(c.Steps, func(s Step) bool { return s.Name == name })
	if i < 0 {
		return Step{}, false
	}
	return c.Steps[i], true
}

// ProgressOf a component's upgrade. It is nil where none is under way.
func ProgressOf(all []v1alpha1.ProcedureStatus, component string) *v1alpha1.ProcedureStatus {
	for i := range all {
		if all[i].Component == component {
			return &all[i]
		}
	}
	return nil
}
