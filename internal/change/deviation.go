package change

import (
	"fmt"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// Deviates says how what happens to a claim differs from what its plan has. Empty where
// it does not. Clusters that joined since are not strangers: they get what all have.
func Deviates(c v1alpha1.ChangeClaim, o Claim) string {
	if !o.TakenIn {
		return ""
	}
	switch {
	case o.Other != "":
		return fmt.Sprintf("%s: what is rolled out is not what was planned: %s", c.ClaimReference, o.Other)
	case len(o.Strangers) > 0:
		return fmt.Sprintf("%s: %s is moved, and is not in the plan", c.ClaimReference, listed(o.Strangers, 5))
	case o.Removes > c.Removes:
		return fmt.Sprintf("%s: it is taken away from %d clusters, and the plan has %d", c.ClaimReference, o.Removes, c.Removes)
	}
	return ""
}
