package delivery

import (
	"fmt"
	"slices"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/claims"
	"github.com/mainstay-dev/mainstay/internal/tree"
)

// A Reader reads the claims of files.
type Reader func(tree.Files) (claims.Set, error)

// Try to deliver the claims of a plan step by step, onto a branch that says what the base does. An error says
// which step that does not work in, and what to do about it.
func Try(planned []v1alpha1.ChangeClaim, base, merged Side, read Reader) error {
	d := Delivery{Own: map[v1alpha1.ClaimReference]bool{}, Along: map[v1alpha1.ClaimReference]bool{}, Source: merged, Changed: tree.Changed(base.Files, merged.Files)}
	var steps []int32
	for _, c := range planned {
		d.Own[c.ClaimReference] = true
		steps = append(steps, c.Step)
	}
	for _, diff := range claims.Differences(base.Claims, merged.Claims) {
		d.Along[diff.Ref] = !d.Own[diff.Ref]
	}
	slices.Sort(steps)
	tip := base
	for _, step := range slices.Compact(steps) {
		d.Wanted = map[v1alpha1.ClaimReference]bool{}
		for _, c := range planned {
			if c.Step == step {
				d.Wanted[c.ClaimReference] = true
			}
		}
		next, err := d.onto(tip, read)
		if err != nil {
			return fmt.Errorf("step %d of the delivery: %w", step, err)
		}
		tip = next
	}
	return nil
}

// onto a branch: what it is then.
func (d *Delivery) onto(tip Side, read Reader) (Side, error) {
	next := Side{Files: d.After(tip, d.Choose(tip))}
	var err error
	if next.Claims, err = read(next.Files); err != nil {
		return Side{}, fmt.Errorf("the branch would not be readable: %w", err)
	}
	return next, d.Check(tip.Claims, next.Claims)
}
