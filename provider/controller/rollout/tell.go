package rollout

import (
	"github.com/crossplane/crossplane-runtime/v2/pkg/event"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// tell what happened to a Rollout, now that its status says so: as events, and in the
// metrics. It is told of statuses that did not change too, so that the metrics of
// what is settled are there when the provider starts.
func (r *Reconciler) tell(ro *v1alpha1.Rollout, before v1alpha1.RolloutObservation) {
	for _, e := range r.metrics.Saw(ro, before) {
		if e.Warning {
			r.events.Event(ro, event.Event{Type: event.TypeWarning, Reason: event.Reason(e.Reason), Message: e.Message})
			continue
		}
		r.events.Event(ro, event.Normal(event.Reason(e.Reason), e.Message))
	}
}
