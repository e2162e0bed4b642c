package git

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
)

// A Reason is what kind of failure an Error is.
type Reason string

// Reasons of failures.
const (
	// NotFound: the repository, the branch or the commit is not there, or is hidden from the token.
	NotFound Reason = "NotFound"
	// Unauthorized: the token is wrong, expired, or not good for this.
	Unauthorized Reason = "Unauthorized"
	// Unavailable: the forge is down or does not answer as Git does. It may pass.
	Unavailable Reason = "Unavailable"
	// TooLarge: more than is taken in.
	TooLarge Reason = "TooLarge"
	// Conflict: the branch is not where it was expected.
	Conflict Reason = "Conflict"
	// Refused: the repository will never do this, or must not.
	Refused Reason = "Refused"
	// Damaged: the mirror on disk cannot be read. The next fetch clones it anew.
	Damaged Reason = "Damaged"
)

// An Error of a repository or its mirror. It holds no secret.
type Error struct {
	Reason Reason
	// Message says what is wrong and what to do.
	Message string
	// Cause, where it is known.
	Cause error
}

// Error says what is wrong and what to do.
func (e *Error) Error() string { return e.Message }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// ReasonOf an error, or "" where it is none of this package's.
func ReasonOf(err error) Reason {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason
	}
	return ""
}

// Passes says whether trying again may help without anybody doing something.
func Passes(err error) bool {
	r := ReasonOf(err)
	return r == Unavailable || r == Damaged
}

// remote is an error of talking to the forge. What the forge wrote in its answer is left out.
func remote(err error) error {
	if u, ok := errors.AsType[*plumbing.UnexpectedError](err); ok && u.Err != nil {
		err = u.Err
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if e, ok := errors.AsType[*githttp.Err](err); ok {
		return status(e.StatusCode(), err)
	}
	switch {
	case errors.Is(err, transport.ErrAuthenticationRequired):
		return &Error{Reason: Unauthorized, Message: "forge does not take the token: put a valid one into the Secret of credentialsSecretRef", Cause: err}
	case errors.Is(err, transport.ErrAuthorizationFailed):
		return &Error{Reason: Unauthorized, Message: "token has no right to this in the repository", Cause: err}
	case errors.Is(err, transport.ErrRepositoryNotFound):
		return &Error{Reason: NotFound, Message: "repository is not there, or is hidden from the token: check url and token", Cause: err}
	case errors.Is(err, context.DeadlineExceeded):
		return &Error{Reason: Unavailable, Message: "forge did not answer in time", Cause: err}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return &Error{Reason: Unavailable, Message: "forge broke off its answer", Cause: err}
	}
	text := strings.Join(strings.Fields(err.Error()), " ")
	if len(text) > 200 {
		text = strings.ToValidUTF8(text[:200], "") + "…"
	}
	return &Error{Reason: Unavailable, Message: "forge does not answer as Git does: " + text, Cause: err}
}

// status of an answer that is none of Git's.
func status(code int, cause error) error {
	switch code {
	case http.StatusUnauthorized, http.StatusForbidden:
		return &Error{Reason: Unauthorized, Message: fmt.Sprintf("forge does not take the token for this (HTTP %d): check its rights", code), Cause: cause}
	case http.StatusNotFound, http.StatusGone:
		return &Error{Reason: NotFound, Message: "repository is not there, or is hidden from the token: check url and token", Cause: cause}
	}
	return &Error{Reason: Unavailable, Message: fmt.Sprintf("forge answers with HTTP %d", code), Cause: cause}
}

// Bounds of answers.
const (
	// maxAdvertised bytes of the list of branches.
	maxAdvertised = 64 << 20
	// maxRefusal bytes of an answer that is an error.
	maxRefusal = 64 << 10
)

// bounded ends an answer that is too long to be the list of branches. Packs have a bound of their own.
type bounded struct{ http.RoundTripper }

func (b *bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := b.RoundTripper.RoundTrip(req)
	switch {
	case err != nil:
	case res.StatusCode >= http.StatusMultipleChoices:
		res.Body = &refusal{Reader: io.LimitReader(res.Body, maxRefusal), Closer: res.Body}
	case req.Method == http.MethodGet:
		res.Body = &boundedBody{ReadCloser: res.Body, left: maxAdvertised}
	}
	return res, err
}

// A refusal is the body of an error.
type refusal struct {
	io.Reader
	io.Closer
}

type boundedBody struct {
	io.ReadCloser
	left int64
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, &Error{Reason: TooLarge, Message: fmt.Sprintf("list of branches has more than %d MiB", maxAdvertised>>20)}
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}
