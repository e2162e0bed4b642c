// Package definition turns what platform teams publish into the types that applications
// use. A definition is data: a schema of parameters, templates in CEL or a Helm chart,
// and what it says of health, needs and upgrades. Compile finds everything that is wrong
// with it when it is published; what is compiled renders components and traits.
//
// Templates see parameter (as its schema says) and context (name, appName, namespace and
// labels). What only a cluster can say is written $${cluster.…}: it comes out of
// rendering as ${cluster.…} and is bound by the Release. context.namespace is such a text.
//
// Invariants: the same definition and properties give the same objects, byte for byte, so
// what asks a clock or makes something up is refused; a field that the schema does not
// have, and a loop that could explode, are found before anything is published; what is
// rendered is bounded in number and size, whatever the properties; a revision is opened
// only where its content is what its digest says.
//
// Deliberately absent: registries and clients (a chart comes as bytes), Helm's hooks and
// its look at the cluster, and a way to change what was published.
package definition

import (
	"fmt"

	"github.com/mainstay-dev/mainstay/internal/oam"
)

// Limits of what a definition may render.
const (
	// MaxObjects is the most objects that a component may come to.
	MaxObjects = 200
	// MaxRenderedBytes is the most that they may come to as JSON.
	MaxRenderedBytes = 1 << 20
)

// problems collects what is wrong.
type problems []oam.Problem

func (ps *problems) addf(path, format string, args ...any) {
	*ps = append(*ps, oam.Problem{Path: path, Message: fmt.Sprintf(format, args...)})
}

// err returns what was collected as an oam.InvalidError, or nil.
func (ps problems) err() error {
	if len(ps) == 0 {
		return nil
	}
	return &oam.InvalidError{Problems: ps}
}
