package claims

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A Problem is something in a repository that its author has to mend.
type Problem struct {
	// File it is in. Empty where it is in none.
	File string
	// Document of the file, and its line, from 1. 0 where that is not known.
	Document, Line int
	// Message says what is wrong and what to do.
	Message string
}

// String says where and what.
func (p Problem) String() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File)
		if p.Document > 0 {
			fmt.Fprintf(&b, ", document %d", p.Document)
		}
		if p.Line > 0 {
			fmt.Fprintf(&b, ", line %d", p.Line)
		}
		b.WriteString(": ")
	}
	return b.String() + p.Message
}

// Problems are all that is wrong, by file.
type Problems []Problem //nolint:errname // They are for authors to read, and an error only because something returns them.

// Error says the first of them, one a line.
func (ps Problems) Error() string {
	lines := make([]string, 0, MaxProblems+1)
	for i, p := range ps {
		if i == MaxProblems {
			lines = append(lines, fmt.Sprintf("and %d more", len(ps)-i))
			break
		}
		lines = append(lines, p.String())
	}
	return strings.Join(lines, "\n")
}

func (ps Problems) sorted() Problems {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Document, b.Document), cmp.Compare(a.Line, b.Line))
	})
	return ps
}

// problemsOf an error that is one, or that is several.
func problemsOf(file string, err error) Problems {
	if ps, ok := errors.AsType[Problems](err); ok {
		return ps
	}
	return Problems{{File: file, Message: err.Error()}}
}

// isProblem is true where an author can mend an error: it is not one of reading the mirror.
func isProblem(err error) bool {
	_, ok := errors.AsType[*unreadable](err)
	return !ok
}

// unreadable wraps an error of the blobs: it says nothing of the file.
type unreadable struct{ err error }

func (u *unreadable) Error() string { return u.err.Error() }
func (u *unreadable) Unwrap() error { return u.err }
