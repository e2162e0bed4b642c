package fleet

import (
	"fmt"
	"strings"
)

// maxProblems is how many problems an error lists: the message is for one line.
const maxProblems = 4

// An InvalidError says that a fleet cannot be had as it is written.
type InvalidError struct {
	// Problems each begin with the path of a field.
	Problems []string
}

// Error lists the first problems.
func (e *InvalidError) Error() string {
	if n := len(e.Problems) - maxProblems; n > 0 {
		return fmt.Sprintf("%s; and %d more problems", strings.Join(e.Problems[:maxProblems], "; "), n)
	}
	return strings.Join(e.Problems, "; ")
}

// problems are collected in the order of the fields.
type problems []string

func (ps *problems) addf(field, format string, args ...any) {
	*ps = append(*ps, field+": "+fmt.Sprintf(format, args...))
}

// err returns nil where there are no problems.
func (ps problems) err() error {
	if len(ps) == 0 {
		return nil
	}
	return &InvalidError{Problems: ps}
}
