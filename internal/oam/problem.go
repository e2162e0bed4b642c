package oam

import (
	"fmt"
	"slices"
	"strings"
)

// A Problem is one thing that is wrong with an application.
type Problem struct {
	// Path of the field, as the user writes it.
	Path string
	// Message says what is wrong with it, and what is right.
	Message string
}

// String returns path and message.
func (p Problem) String() string { return p.Path + ": " + p.Message }

// An InvalidError says everything that is wrong with an application.
type InvalidError struct {
	// Problems in the order of the specification. There is at least one.
	Problems []Problem
}

// shownProblems is how many problems a message spells out.
const shownProblems = 5

// Error names the first few problems, and how many more there are.
func (e *InvalidError) Error() string {
	out := make([]string, 0, shownProblems)
	for _, p := range e.Problems[:min(shownProblems, len(e.Problems))] {
		out = append(out, p.String())
	}
	s := strings.Join(out, "; ")
	if more := len(e.Problems) - shownProblems; more > 0 {
		s += fmt.Sprintf("; and %d more", more)
	}
	return s
}

// maxProblems bounds what is collected: a hostile specification can have as many
// problems as it has bytes.
const maxProblems = 100

// problems collects what is wrong.
type problems struct {
	list []Problem
	seen map[Problem]bool
}

// addf adds a problem, unless it is known.
func (ps *problems) addf(p path, format string, args ...any) {
	ps.add(Problem{Path: p.String(), Message: fmt.Sprintf(format, args...)})
}

func (ps *problems) add(p Problem) {
	if ps.seen == nil {
		ps.seen = map[Problem]bool{}
	}
	if ps.seen[p] || len(ps.list) == maxProblems {
		return
	}
	ps.seen[p] = true
	ps.list = append(ps.list, p)
}

// addWithSuffix adds a problem with more to its message, unless it is known with
// whatever was said more about it before.
func (ps *problems) addWithSuffix(p Problem, suffix string) {
	if ps.seen[p] {
		return
	}
	n := len(ps.list)
	if ps.add(p); len(ps.list) > n {
		ps.list[n].Message += suffix
	}
}

// err returns what was collected as an error, or nil.
func (ps *problems) err() error {
	if len(ps.list) == 0 {
		return nil
	}
	return &InvalidError{Problems: slices.Clone(ps.list)}
}

// A finding is a problem inside the properties of a component or a policy.
type finding struct {
	path    path
	message string
}

// findings collects findings.
type findings []finding

func (fs *findings) addf(p path, format string, args ...any) {
	*fs = append(*fs, finding{path: p, message: fmt.Sprintf(format, args...)})
}
