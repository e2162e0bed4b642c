package plan

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/plan/claims"
)

// Narrow two sides to what has to be rendered for their plan. Applications that say the same
// on both sides are left out where fleets and definitions do so as well: nothing else
// is made of them. It fails where too many claims say something else.
func Narrow(before, after claims.Set, carry []v1alpha1.ClaimReference) (claims.Set, claims.Set, error) {
	was, is := digests(before), digests(after)
	differ, fleets := 0, false
	for ref := range keys(was, is) {
		if was[ref] != is[ref] {
			differ++
			fleets = fleets || ref.Kind == fleetKind
		}
	}
	if differ > MaxClaims {
		return before, after, tooMany(differ)
	}
	if fleets || !equality.Semantic.DeepEqual(before.Definitions, after.Definitions) {
		return before, after, nil
	}
	narrow := func(s claims.Set) claims.Set {
		s.Claims = slices.DeleteFunc(slices.Clone(s.Claims), func(c claims.Claim) bool {
			return c.Kind != fleetKind && was[c.ClaimReference] == is[c.ClaimReference] && !slices.Contains(carry, c.ClaimReference)
		})
		return s
	}
	return narrow(before), narrow(after), nil
}

func digests(s claims.Set) map[v1alpha1.ClaimReference]string {
	out := make(map[v1alpha1.ClaimReference]string, len(s.Claims))
	for _, c := range s.Claims {
		out[c.ClaimReference] = c.Digest
	}
	return out
}

func tooMany(n int) error {
	return fmt.Errorf("this touches %d claims, and %d are the most of one change: split it", n, MaxClaims)
}
