package change

import (
	"slices"
	"strings"
)

// maxAccepted is how much that it halted for may be accepted at once: each claim may be edited.
const maxAccepted = MaxClaims

// accepted is true where somebody accepted what a change halted for. Several things may be, one a line: of
// two claims that were edited the second is told once the first is accepted.
func accepted(all, why string) bool { return slices.Contains(strings.Split(all, "\n"), inLine(why)) }

// acceptIt with all that was accepted before.
func (n *run) acceptIt(why string) {
	if !accepted(n.is.Accepted, why) {
		lines := append(nonEmpty(strings.Split(n.is.Accepted, "\n")...), inLine(why))
		n.is.Accepted = strings.Join(latest(lines, maxAccepted), "\n")
	}
}

// forget that something was accepted.
func (n *run) forget(why string) {
	if accepted(n.is.Accepted, why) {
		lines := slices.DeleteFunc(strings.Split(n.is.Accepted, "\n"), func(l string) bool { return l == inLine(why) })
		n.is.Accepted = strings.Join(lines, "\n")
	}
}

// inLine as a line has it.
func inLine(s string) string { return cut(strings.ReplaceAll(s, "\n", " "), 512) }
