package health

import (
	"slices"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// rank orders healths from best to worst, as far as a whole is concerned. That one
// part is known to be broken counts for more than that another is not known.
var rank = []v1alpha1.Health{v1alpha1.Healthy, v1alpha1.Progressing, v1alpha1.Unknown, v1alpha1.Degraded}

// Component is the health of a component, of its objects'. A component without
// objects is healthy. The message is that of the first object that is worst.
func Component(name string, objects []Result) v1alpha1.ComponentHealth {
	out := v1alpha1.ComponentHealth{Name: name, Health: v1alpha1.Healthy}
	for _, o := range objects {
		if worse(o.Health, out.Health) {
			out.Health, out.Message = o.Health, o.Message
		}
	}
	return out
}

// RollUp the health of components into that of the whole.
func RollUp(components []v1alpha1.ComponentHealth) Result {
	out := Result{Health: v1alpha1.Healthy}
	for _, c := range components {
		if worse(c.Health, out.Health) {
			out.Health, out.Message = c.Health, c.Message
		}
	}
	return out
}

func worse(a, b v1alpha1.Health) bool {
	return slices.Index(rank, a) > slices.Index(rank, b)
}
