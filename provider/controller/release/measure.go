package release

import (
	"strings"
	"time"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/apply"
	"github.com/mainstay-dev/mainstay/provider/metrics"
)

// measure how it ended to apply a Release.
func (a *applier) measure(began time.Time, err error) {
	outcome := metrics.ApplyDone
	switch {
	case len(a.held) > 0, a.problem != nil:
		outcome = metrics.ApplyHeld
	case err != nil:
		outcome = metrics.ApplyFailed
	}
	metrics.Default.Releases.Applied(a.clock.Since(began), outcome)
}

// count an object that was written. Where nothing else is wanted of it than before, it
// was somebody else who had changed it.
func (a *applier) count(mg *v1alpha1.Release, o apply.Object, trace string) {
	key := a.key(o.Ref())
	before, _, known := strings.Cut(a.memory.trace(mg.GetUID(), key, a.traces[key]), ".")
	if wanted, _, _ := strings.Cut(trace, "."); known && before == wanted {
		counted(metrics.ObjectRepaired, 1)
		return
	}
	counted(metrics.ObjectApplied, 1)
}

func counted(action string, objects int) { metrics.Default.Releases.Objects(action, objects) }
