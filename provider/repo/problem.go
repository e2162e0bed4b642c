package repo

import (
	"errors"
	"fmt"
)

// A Reason is why a Repository cannot be opened.
type Reason string

// Reasons why a Repository cannot be opened. Each needs somebody to do something.
const (
	// NoSecret: a Secret is not there, or has not the key, or the key is empty.
	NoSecret Reason = "NoSecret"
	// Invalid: what the Secret or the Repository says cannot be used.
	Invalid Reason = "Invalid"
	// NoMirror: there is no place for the mirror.
	NoMirror Reason = "NoMirror"
)

// An OpenError is why a Repository cannot be opened. It holds no secret.
type OpenError struct {
	Reason Reason
	// Message names the field, and says what to do.
	Message string
	// Cause, where it is known.
	Cause error
}

// Error says what is wrong and what to do.
func (e *OpenError) Error() string { return e.Message }

// Unwrap returns the cause.
func (e *OpenError) Unwrap() error { return e.Cause }

// ReasonOf an error, or "" where it is none of this package's. Such an error may pass.
func ReasonOf(err error) Reason {
	if p, ok := errors.AsType[*OpenError](err); ok {
		return p.Reason
	}
	return ""
}

func problemf(r Reason, format string, args ...any) *OpenError {
	return &OpenError{Reason: r, Message: fmt.Sprintf(format, args...)}
}
