package execute

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	kerrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// ErrFenced is in the error of an Action whose change lost its locks, or has them in another
// epoch. Nothing was written.
var ErrFenced = errors.New("its locks are not those that this was decided under, and nothing was written")

// An EditedError says that somebody else wrote a claim. Nothing was written.
type EditedError struct {
	// Claim that was edited.
	Claim v1alpha1.ClaimReference
	// By is the change that wrote it last. Empty where none did.
	By string
}

// Error says what to do.
func (e *EditedError) Error() string {
	by := "was edited by hand"
	if e.By != "" {
		by = "was written by change " + e.By
	}
	return fmt.Sprintf("%s %s: it says neither what was planned nor what the base branch says: set it back to what the base branch says, or bring the edit there first", e.Claim, by)
}

// An AdmittedError says that the API server makes something else of a claim than was planned.
// Nothing was written.
type AdmittedError struct {
	// Claim that is meant.
	Claim v1alpha1.ClaimReference
	// Fields that differ, at most five. Never what they say.
	Fields []string
}

// Error says what to do.
func (e *AdmittedError) Error() string {
	fields := "in what is defaulted"
	if len(e.Fields) > 0 {
		fields = "in " + strings.Join(e.Fields, ", ")
	}
	return fmt.Sprintf("the API server makes something else of %s than was planned, %s: a webhook, a policy or a newer definition changes it: push again to have it planned anew, or write what is made of it", e.Claim, fields)
}

// A RefusedError says that the forge refuses.
type RefusedError struct {
	// Reason as the forge says it.
	Reason string
	// Cause is the forge's error.
	Cause error
}

// Error says why.
func (e *RefusedError) Error() string { return e.Reason }

// Unwrap returns the cause.
func (e *RefusedError) Unwrap() error { return e.Cause }

// How often something is tried that others write at the same time, and how long is waited
// in between, at first.
const (
	tries    = 6
	patience = 25 * time.Millisecond
)

// again and again, as long as somebody else wrote first.
func again(ctx context.Context, times int, do func() error) error {
	wait := patience
	for i := 1; ; i++ {
		err := do()
		if i == times || !kerrors.IsConflict(err) && !kerrors.IsAlreadyExists(err) {
			return err
		}
		t := time.NewTimer(wait/2 + rand.N(wait)) //nolint:gosec // Who waits how long is no secret.
		select {
		case <-ctx.Done():
			t.Stop()
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		case <-t.C:
		}
		wait = min(2*wait, time.Second)
	}
}
