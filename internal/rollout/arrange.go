package rollout

import (
	"time"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/placement"
)

// An Arranged wave is which clusters are moved together, before any of them has been.
type Arranged struct {
	// Name of the wave: <step>/<wave>, or just <wave> without steps. Empty where there
	// is one wave that nobody asked for.
	Name string
	// Wave as the strategy has it.
	Wave v1alpha1.Wave
	// Targets of the wave.
	Targets []placement.Target
}

// Arrange says which waves a revision is going to have, in order, if it begins with what
// is observed. The text says what is wrong with the strategy, where something is.
func Arrange(spec Spec, o Observed) ([]Arranged, string) {
	// A status without a revision: nothing has begun.
	o.Status = v1alpha1.RolloutObservation{Began: 1}
	n := newPlan(spec, o, time.Time{})
	n.place()
	var out []Arranged
	for _, w := range n.waves {
		a := Arranged{Name: w.name, Wave: w.spec}
		for _, m := range w.members {
			a.Targets = append(a.Targets, m.Target)
		}
		out = append(out, a)
	}
	return out, n.flaw
}
