package forge

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A Reason is what kind of failure an Error is.
type Reason string

// Reasons of failures.
const (
	// NotFound: the repository or the thing in it is not there, or is hidden from
	// the token.
	NotFound Reason = "NotFound"
	// Unauthorized: the token is wrong, revoked or expired.
	Unauthorized Reason = "Unauthorized"
	// Forbidden: the token is good, but not for this.
	Forbidden Reason = "Forbidden"
	// RateLimited: asked too often. RetryAfter says how long to wait.
	RateLimited Reason = "RateLimited"
	// Conflict: what was expected is so no longer, such as a head that moved, or the
	// forge refuses to merge. Read again, and decide anew.
	Conflict Reason = "Conflict"
	// Invalid: the forge will never take this request.
	Invalid Reason = "Invalid"
	// Unavailable: the forge is down, unreachable, or does not answer as a forge
	// does. It may pass.
	Unavailable Reason = "Unavailable"
)

// An Error of a forge. It holds no secret: neither a token, nor a query, nor a
// request's body.
type Error struct {
	Reason Reason
	// Status is the HTTP status, or zero where there was no answer.
	Status int
	// Message says what the forge said and what to do.
	Message string
	// RetryAfter is how long the forge wants not to be asked. Zero: it did not say.
	RetryAfter time.Duration
	// Cause in the network, where it is known.
	Cause error
}

// Error says what went wrong and what to do.
func (e *Error) Error() string {
	if e.RetryAfter > 0 {
		return fmt.Sprintf("%s (again in %s)", e.Message, e.RetryAfter.Round(time.Second))
	}
	return e.Message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// ReasonOf an error, or "" where it is not of a forge.
func ReasonOf(err error) Reason {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason
	}
	return ""
}

// Is says whether an error is of a forge, for a reason.
func Is(err error, r Reason) bool { return err != nil && ReasonOf(err) == r }

// Passes says whether trying again later may help without anybody doing something.
func Passes(err error) bool {
	r := ReasonOf(err)
	return r == RateLimited || r == Unavailable
}

// RetryAfter is how long a forge wants not to be asked, or zero where it did not say.
func RetryAfter(err error) time.Duration {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.RetryAfter
	}
	return 0
}

// Wrap says which call failed, and leaves of an error what is worth telling: what SDKs
// put around it names them and their addresses, not what to do.
func Wrap(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	var cause error
	switch e, ok := errors.AsType[*Error](err); {
	case ok:
		cause = e
	case errors.Is(err, context.Canceled):
		cause = context.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		cause = context.DeadlineExceeded
	default:
		cause = &Error{Reason: Unavailable, Message: "forge does not answer as a forge does: check the url", Cause: err}
	}
	return fmt.Errorf("cannot %s: %w", fmt.Sprintf(format, args...), cause)
}

// Refusef returns an Error that no forge has said: one of our own checks.
func Refusef(r Reason, format string, args ...any) *Error {
	return &Error{Reason: r, Message: fmt.Sprintf(format, args...)}
}
