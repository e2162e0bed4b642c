package expr

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
)

// An ordered adapter gives maps an order: a loop over one gives the same result each
// time. Without it the manifests of one revision would differ from run to run.
type ordered struct{ types.Adapter }

// NativeToValue implements types.Adapter.
func (o ordered) NativeToValue(v any) ref.Val {
	switch m := v.(type) {
	case map[string]any:
		return orderedMap{types.NewStringInterfaceMap(o, m)}
	case map[ref.Val]ref.Val:
		return orderedMap{types.NewRefValMap(o, m)}
	case []any:
		return types.NewDynamicList(o, m)
	case []ref.Val:
		return types.NewRefValList(o, m)
	}
	return o.Adapter.NativeToValue(v)
}

// An orderedMap is gone through in the order of its keys.
type orderedMap struct{ traits.Mapper }

// Iterator implements traits.Iterable.
func (m orderedMap) Iterator() traits.Iterator {
	var keys []ref.Val
	for it := m.Mapper.Iterator(); it.HasNext() == types.True; {
		keys = append(keys, it.Next())
	}
	slices.SortFunc(keys, func(a, b ref.Val) int {
		return strings.Compare(fmt.Sprint(a.Value()), fmt.Sprint(b.Value()))
	})
	return types.NewRefValList(types.DefaultTypeAdapter, keys).Iterator()
}

// checkOrder refuses loops over an object that the expression itself writes: that has
// no order.
func checkOrder(source string, a *cel.Ast) error {
	loops := ast.MatchDescendants(ast.NavigateAST(a.NativeRep()), ast.KindMatcher(ast.ComprehensionKind))
	for _, l := range loops {
		if l.AsComprehension().IterRange().Kind() == ast.MapKind {
			return fmt.Errorf("expression %q goes through an object that it writes itself, whose keys have no order: go through a list", source)
		}
	}
	return nil
}
