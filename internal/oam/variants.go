package oam

import (
	"slices"
	"strings"

	mv1alpha1 "github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// Variants returns the combinations of overrides that bundles are wanted for: those for
// clusters that no scoped override applies to, which come first, one for each deploy
// step; and those that clusters were found to need. What was found for an earlier
// specification counts as far as it still makes sense.
func (a *Application) Variants(needs []mv1alpha1.VariantNeed) [][]string {
	var out [][]string
	for _, context := range a.contexts {
		out = including(out, a.combination(context, nil))
	}
	first := len(out)
	for _, n := range needs {
		for _, context := range a.contexts {
			if a.fits(n.Overrides, context) {
				out = including(out, a.combination(context, n.Overrides))
			}
		}
	}
	slices.SortFunc(out[first:], slices.Compare)
	return out
}

// samples returns the combinations of overrides that are tried before it is known
// which of them clusters need: for each deploy step none that is scoped, each alone,
// and all together.
func (a *Application) samples() [][]string {
	var out [][]string
	for _, context := range a.contexts {
		out = including(out, a.combination(context, nil))
		for _, name := range context {
			out = including(out, a.combination(context, []string{name}))
		}
		out = including(out, a.combination(context, context))
	}
	return out
}

// combination returns, in the order of the policies, the overrides of a context that
// are named and those that are not scoped.
func (a *Application) combination(context, names []string) []string {
	out := []string{}
	for _, o := range a.overrides {
		if slices.Contains(context, o.name) && (!o.scoped || slices.Contains(names, o.name)) {
			out = append(out, o.name)
		}
	}
	return out
}

// fits is true where all overrides that are named, and that there are, can apply in a
// context.
func (a *Application) fits(names, context []string) bool {
	for _, o := range a.overrides {
		if slices.Contains(names, o.name) && !slices.Contains(context, o.name) {
			return false
		}
	}
	return true
}

// including returns combinations with one more, unless it is among them.
func including(combinations [][]string, one []string) [][]string {
	if slices.ContainsFunc(combinations, func(c []string) bool { return key(c) == key(one) }) {
		return combinations
	}
	return append(combinations, one)
}

func key(overrides []string) string { return strings.Join(overrides, " ") }
