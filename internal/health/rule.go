package health

import (
	"fmt"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/bundle"
	"github.com/mainstay-dev/mainstay/internal/expr"
)

// A Rule is a definition's own judgement of its component, in place of kstatus'.
type Rule struct{ healthy, degraded, message *expr.Program }

var ruleEnv = sync.OnceValues(func() (*expr.Env, error) { //nolint:gochecknoglobals // A constant that has to be made.
	return expr.NewEnv(expr.Variables{"object": expr.Object, "objects": expr.Objects})
})

// CompileRule compiles a rule.
func CompileRule(h bundle.Health) (*Rule, error) {
	env, err := ruleEnv()
	if err != nil {
		return nil, err
	}
	r := &Rule{}
	for _, p := range []struct {
		field, source string
		result        expr.Type
		to            **expr.Program
	}{
		{"healthy", h.Healthy, expr.Bool, &r.healthy},
		{"degraded", h.Degraded, expr.Bool, &r.degraded},
		{"message", h.Message, expr.String, &r.message},
	} {
		if p.source == "" && p.field != "healthy" {
			continue
		}
		if *p.to, err = env.Compile(p.source, p.result); err != nil {
			return nil, fmt.Errorf("health.%s: %w", p.field, err)
		}
	}
	return r, nil
}

// Of a component's objects, as they are on the cluster and in the component's order.
// None may be missing. What the rule cannot tell yet is on its way: a new object has no
// status. So is an object whose controller has not looked at its last change, whatever
// its status says.
func (r *Rule) Of(objects []*unstructured.Unstructured) Result {
	list := make([]any, 0, len(objects))
	for _, o := range objects {
		if o.GetDeletionTimestamp() != nil {
			return progressing(o, deletionText(o))
		}
		if seen := number(o, o.GetGeneration(), "status", "observedGeneration"); seen < o.GetGeneration() {
			return progressing(o, "has changed and is not looked at yet")
		}
		list = append(list, o.Object)
	}
	vars := map[string]any{"objects": list, "object": map[string]any{}}
	name := "component"
	if len(objects) > 0 {
		vars["object"], name = objects[0].Object, Name(objects[0])
	}
	if r.degraded != nil {
		if yes, err := r.degraded.True(vars); err == nil && yes {
			return Result{Health: v1alpha1.Degraded, Message: oneLine(name + ": " + r.text(vars, "its health rule says that it is degraded"))}
		}
	}
	yes, err := r.healthy.True(vars)
	switch {
	case err != nil:
		return Result{Health: v1alpha1.Progressing, Message: oneLine(name + ": its health rule cannot tell yet: " + err.Error())}
	case yes:
		return Result{Health: v1alpha1.Healthy}
	}
	return Result{Health: v1alpha1.Progressing, Message: oneLine(name + ": " + r.text(vars, "its health rule says that it is not healthy yet"))}
}

func (r *Rule) text(vars map[string]any, otherwise string) string {
	if r.message == nil {
		return otherwise
	}
	if s, err := r.message.Text(vars); err == nil && s != "" {
		return s
	}
	return otherwise
}
