package rollout

import (
	"sync"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/expr"
)

// Environments of the three kinds of expressions that a Rollout has.
var (
	gateEnv = sync.OnceValues(func() (*expr.Env, error) {
		return expr.NewEnv(expr.Variables{"wave": expr.Object, "rollout": expr.Object})
	})
	stepEnv   = sync.OnceValues(func() (*expr.Env, error) { return expr.NewEnv(expr.Variables{"status": expr.Object}) })
	metricEnv = sync.OnceValues(func() (*expr.Env, error) {
		return expr.NewEnv(expr.Variables{"value": expr.Dynamic, "values": expr.Dynamic})
	})
)

// CompileGate compiles the expression of a CEL gate, over wave and rollout.
func CompileGate(source string) (*expr.Program, error) { return compile(gateEnv, source) }

// CompileIf compiles the condition of a step, over status.
func CompileIf(source string) (*expr.Program, error) { return compile(stepEnv, source) }

// CompileMetric compiles the condition of a Prometheus gate, over value, which is null
// where there is more than one series, and values.
func CompileMetric(source string) (*expr.Program, error) { return compile(metricEnv, source) }

func compile(env func() (*expr.Env, error), source string) (*expr.Program, error) {
	e, err := env()
	if err != nil {
		return nil, err
	}
	return e.Compile(source, expr.Bool)
}

// CheckGate returns what is wrong with a gate, if anything is.
func CheckGate(g v1alpha1.Gate) error {
	var err error
	switch {
	case g.CEL != nil:
		_, err = CompileGate(g.CEL.Expression)
	case g.Prometheus != nil:
		_, err = CompileMetric(g.Prometheus.Condition)
	}
	return err
}
