// Package expr compiles and runs the one expression language there is: CEL. Gates,
// definitions, health rules, upgrade procedures and late binding all come here.
//
// Expressions have no side effects, see only the variables they are given, and are
// bounded: in length, in the cost that is estimated where it can be, and in the cost
// that running them may have. What does not type-check is found by Compile.
//
// Deliberately absent: custom functions, clocks and anything else that could make the
// same expression mean two things.
package expr

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	"github.com/google/cel-go/ext"
	"google.golang.org/protobuf/types/known/structpb"
)

// Limits of an expression.
const (
	// MaxLength is the most bytes that an expression may have.
	MaxLength = 4096
	// MaxCost is the most that running an expression may cost, in CEL's own units. It
	// is that of the API server's validation rules.
	MaxCost = 1_000_000
)

// A Type that a variable or a result has.
type Type = *cel.Type

// Types of variables and results. Dynamic is anything that JSON can say.
var (
	Dynamic = cel.DynType
	Bool    = cel.BoolType
	String  = cel.StringType
	Number  = cel.DoubleType
	Object  = cel.MapType(cel.StringType, cel.DynType)
	Objects = cel.ListType(cel.MapType(cel.StringType, cel.DynType))
)

// Variables are what an expression can see, by name.
type Variables map[string]Type

// A Program is an expression that was found to be right.
type Program struct {
	source string
	result Type
	run    cel.Program
}

// maxRange is the most numbers that lists.range may make, whatever it costs.
const maxRange = 10_000

// An Env compiles expressions over the same variables.
type Env struct {
	env *cel.Env
	// estimator of costs, where the variables' sizes are known.
	estimator *estimator
}

// NewEnv returns an environment. Names of variables are CEL identifiers.
func NewEnv(vars Variables, more ...cel.EnvOption) (*Env, error) {
	opts := []cel.EnvOption{
		cel.EagerlyValidateDeclarations(true),
		cel.CrossTypeNumericComparisons(true),
		cel.OptionalTypes(),
		ext.Strings(ext.StringsVersion(2)),
		ext.Lists(ext.ListsVersion(3), ext.ListsMaxRangeSize(maxRange)),
		ext.Math(),
		ext.Sets(),
		cel.CustomTypeAdapter(ordered{types.DefaultTypeAdapter}),
	}
	for name, t := range vars {
		opts = append(opts, cel.Variable(name, t))
	}
	env, err := cel.NewEnv(append(opts, more...)...)
	if err != nil {
		return nil, fmt.Errorf("cannot set up expressions: %w", err)
	}
	return &Env{env: env}, nil
}

// Compile an expression whose result has a type. Dynamic accepts any.
func (e *Env) Compile(source string, result Type) (*Program, error) {
	if len(source) > MaxLength {
		return nil, fmt.Errorf("expression has %d bytes: at most %d are possible", len(source), MaxLength)
	}
	ast, issues := e.env.Compile(source)
	if issues != nil && issues.Err() != nil {
		return nil, fmt.Errorf("expression %q is not valid: %s", source, oneLine(issues.Err()))
	}
	if got := ast.OutputType(); result != cel.DynType && got != cel.DynType && !result.IsAssignableType(got) {
		return nil, fmt.Errorf("expression %q gives %s: it must give %s", source, got, result)
	}
	if err := checkOrder(source, ast); err != nil {
		return nil, err
	}
	if err := e.affordable(source, ast); err != nil {
		return nil, err
	}
	run, err := e.env.Program(ast, cel.CostLimit(MaxCost), cel.EvalOptions(cel.OptOptimize), cel.InterruptCheckFrequency(100))
	if err != nil {
		return nil, fmt.Errorf("expression %q is not valid: %w", source, err)
	}
	return &Program{source: source, result: ast.OutputType(), run: run}, nil
}

// Source returns the expression as it was written.
func (p *Program) Source() string { return p.source }

// Result returns the type that the expression gives.
func (p *Program) Result() Type { return p.result }

// Value runs the expression and returns its result as JSON has it: nil, bool, int64,
// float64, string, []any or map[string]any.
func (p *Program) Value(vars map[string]any) (any, error) {
	out, _, err := p.run.Eval(vars)
	if err != nil {
		return nil, fmt.Errorf("cannot evaluate %q: %w", p.source, err)
	}
	v, err := native(out)
	if err != nil {
		return nil, fmt.Errorf("cannot use the result of %q: %w", p.source, err)
	}
	return v, nil
}

// True runs the expression and returns whether it is true. A result that is no
// boolean is an error.
func (p *Program) True(vars map[string]any) (bool, error) {
	v, err := p.Value(vars)
	if err != nil {
		return false, err
	}
	b, ok := v.(bool)
	if !ok {
		return false, fmt.Errorf("%q gives %T: it must give true or false", p.source, v)
	}
	return b, nil
}

// Text runs the expression and returns its result as a text.
func (p *Program) Text(vars map[string]any) (string, error) {
	v, err := p.Value(vars)
	if err != nil {
		return "", err
	}
	s, ok := v.(string)
	if !ok {
		return "", fmt.Errorf("%q gives %T: it must give a text", p.source, v)
	}
	return s, nil
}

// native returns a value as JSON has it. Integers stay integers.
func native(v ref.Val) (any, error) {
	switch v := v.(type) {
	case types.Null:
		return nil, nil
	case types.Bool:
		return bool(v), nil
	case types.Int:
		return int64(v), nil
	case types.Uint:
		return int64(v), nil //nolint:gosec // Nothing that manifests hold is larger.
	case types.Double:
		return float64(v), nil
	case types.String:
		return string(v), nil
	case *types.Optional:
		if !v.HasValue() {
			return nil, nil
		}
		return native(v.GetValue())
	}
	switch v := v.(type) {
	case traits.Mapper:
		return object(v)
	case traits.Lister:
		return list(v)
	}
	converted, err := v.ConvertToNative(reflect.TypeFor[*structpb.Value]())
	if err != nil {
		return nil, errors.New("it is nothing that JSON can say")
	}
	pb, ok := converted.(*structpb.Value)
	if !ok {
		return nil, errors.New("it is nothing that JSON can say")
	}
	return pb.AsInterface(), nil
}

func list(in traits.Lister) (any, error) {
	out := []any{}
	for it := in.Iterator(); it.HasNext() == types.True; {
		v, err := native(it.Next())
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

func object(in traits.Mapper) (any, error) {
	out := map[string]any{}
	for it := in.Iterator(); it.HasNext() == types.True; {
		k := it.Next()
		name, ok := k.(types.String)
		if !ok {
			return nil, errors.New("keys of an object must be texts")
		}
		v, err := native(in.Get(k))
		if err != nil {
			return nil, err
		}
		out[string(name)] = v
	}
	return out, nil
}

// oneLine returns the first finding of CEL's compiler, without the picture of the
// source that it draws.
func oneLine(err error) string {
	s, _, _ := strings.Cut(err.Error(), "\n")
	s = strings.TrimPrefix(s, "ERROR: <input>:")
	return strings.TrimSuffix(s, " (in container '')")
}
