package expr

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/checker"
	"github.com/google/cel-go/common/types"
)

// Limits of what expressions may cost by estimate, before they are run.
const (
	// MaxEstimate is the most that an expression over typed variables may cost. It is
	// above MaxCost, since an estimate takes everything to be as large as it may be.
	MaxEstimate = 10 * MaxCost
	// UnknownSize is how many entries a value is taken to have whose bound is not known.
	UnknownSize = 256
)

// Integer is the type of whole numbers.
var Integer = cel.IntType

// structPrefix keeps names of types from being variables' names.
const structPrefix = "@"

// Struct is the type of objects whose fields are known: those of the name.
func Struct(name string) Type { return cel.ObjectType(structPrefix + name) }

// List is the type of lists.
func List(of Type) Type { return cel.ListType(of) }

// Map is the type of objects whose keys can be any.
func Map(of Type) Type { return cel.MapType(cel.StringType, of) }

// Element returns what a list holds. It is false where the type is no list. A dynamic
// value may be one.
func Element(of Type) (Type, bool) {
	switch {
	case of.Kind() == types.DynKind:
		return Dynamic, true
	case of.Kind() == types.ListKind && len(of.Parameters()) == 1:
		return of.Parameters()[0], true
	}
	return nil, false
}

// Types are objects with known fields, by name. Values of them are JSON objects. A field
// that they do not have is found by Compile.
type Types map[string]map[string]Type

// Bounds returns how large the value at a path may be: characters, entries or keys. The
// path begins with the name of a variable; @items, @keys and @values stand for what
// is in it. It is false where that is not known.
type Bounds func(path []string) (most uint64, known bool)

// NewTypedEnv returns an environment whose variables have known fields and sizes. An
// expression that could cost more than MaxEstimate is refused by Compile.
func NewTypedEnv(vars Variables, known Types, bounds Bounds) (*Env, error) {
	e, err := NewEnv(vars, cel.CostEstimatorOptions(checker.OverloadCostEstimate("lists_range", estimateRange)), func(env *cel.Env) (*cel.Env, error) {
		return cel.CustomTypeProvider(&provider{Provider: env.CELTypeProvider(), known: known})(env)
	})
	if err != nil {
		return nil, err
	}
	e.estimator = &estimator{bounds: bounds}
	return e, nil
}

// provider of types: ours, and those that are built in.
type provider struct {
	types.Provider

	known Types
}

func (p *provider) fields(name string) (map[string]Type, bool) {
	ours, ok := strings.CutPrefix(name, structPrefix)
	if !ok {
		return nil, false
	}
	fields, known := p.known[ours]
	return fields, known
}

// FindStructType implements types.Provider.
func (p *provider) FindStructType(name string) (*types.Type, bool) {
	if _, ok := p.fields(name); ok {
		return types.NewTypeTypeWithParam(types.NewObjectType(name)), true
	}
	return p.Provider.FindStructType(name)
}

// FindStructFieldNames implements types.Provider.
func (p *provider) FindStructFieldNames(name string) ([]string, bool) {
	if fields, ok := p.fields(name); ok {
		return slices.Sorted(maps.Keys(fields)), true
	}
	return p.Provider.FindStructFieldNames(name)
}

// FindStructFieldType implements types.Provider.
func (p *provider) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	if fields, ok := p.fields(name); ok {
		t, has := fields[field]
		return &types.FieldType{Type: t}, has
	}
	return p.Provider.FindStructFieldType(name, field)
}

// estimator knows how large variables can be.
type estimator struct{ bounds Bounds }

// EstimateSize implements checker.CostEstimator.
func (e *estimator) EstimateSize(n checker.AstNode) *checker.SizeEstimate {
	if path := n.Path(); len(path) > 0 && e.bounds != nil {
		if most, known := e.bounds(path); known {
			return &checker.SizeEstimate{Max: most}
		}
	}
	return &checker.SizeEstimate{Max: UnknownSize}
}

// EstimateCallCost implements checker.CostEstimator.
func (e *estimator) EstimateCallCost(string, string, *checker.AstNode, []checker.AstNode) *checker.CallEstimate {
	return nil
}

// estimateRange is what a range of numbers may cost: it has a limit, wherever they come
// from.
func estimateRange(checker.CostEstimator, *checker.AstNode, []checker.AstNode) *checker.CallEstimate {
	return &checker.CallEstimate{CostEstimate: checker.CostEstimate{Min: 1, Max: maxRange}, ResultSize: &checker.SizeEstimate{Max: maxRange}}
}

// affordable refuses what could cost too much.
func (e *Env) affordable(source string, ast *cel.Ast) error {
	if e.estimator == nil {
		return nil
	}
	cost, err := e.env.EstimateCost(ast, e.estimator)
	if err != nil {
		return fmt.Errorf("cannot estimate what %q costs: %w", source, err)
	}
	if cost.Max > MaxEstimate {
		return fmt.Errorf("expression %q may cost up to %d and at most %d are allowed: give the lists that it goes through a smaller maxItems, or do without loops within loops",
			source, cost.Max, uint64(MaxEstimate))
	}
	return nil
}
