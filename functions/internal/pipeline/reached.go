package pipeline

import (
	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
)

// WasReached returns true where the composite, as it is specified now, has been
// reached before: what is not so any more is then degraded and not on the way.
func WasReached(req *fnv1.RunFunctionRequest) (bool, error) {
	xr := struct {
		Metadata struct {
			Generation int64 `json:"generation"`
		} `json:"metadata"`
		Status struct {
			Conditions []Condition `json:"conditions"`
		} `json:"status"`
	}{}
	if err := Composite(req, &xr); err != nil {
		return false, err
	}
	c := State{Conditions: xr.Status.Conditions}.Condition(v1alpha1.ConditionReached)
	if c.ObservedGeneration != 0 && c.ObservedGeneration < xr.Metadata.Generation {
		return false, nil
	}
	return c.Status == "True" || c.Reason == v1alpha1.ReasonDegraded, nil
}
