package pipeline

import fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

// A Condition is a status condition as resources of all kinds have it.
type Condition struct {
	Type               string `json:"type"`
	Status             string `json:"status"`
	Reason             string `json:"reason"`
	Message            string `json:"message"`
	ObservedGeneration int64  `json:"observedGeneration"`
}

// A State is how a composed resource is doing, whatever its kind.
type State struct {
	// Exists is false where the resource has not been made yet.
	Exists bool
	// Conditions of the resource.
	Conditions []Condition
	// Generation of the resource: a condition that was observed for an earlier one
	// says nothing about what is wanted now.
	Generation int64
}

// StateOf returns the state of a composed resource by its name in the pipeline.
func StateOf(req *fnv1.RunFunctionRequest, name string) (State, error) {
	r, ok := req.GetObserved().GetResources()[name]
	if !ok {
		return State{}, nil
	}
	o := struct {
		Metadata struct {
			Generation int64 `json:"generation"`
		} `json:"metadata"`
		Status struct {
			Conditions []Condition `json:"conditions"`
		} `json:"status"`
	}{}
	if err := decode(r.GetResource(), &o); err != nil {
		return State{}, err
	}
	return State{Exists: true, Conditions: o.Status.Conditions, Generation: o.Metadata.Generation}, nil
}

// Condition returns the condition of a type, or an empty one.
func (s State) Condition(t string) Condition {
	for _, c := range s.Conditions {
		if c.Type == t {
			return c
		}
	}
	return Condition{}
}

// Ready returns true where the resource says it is ready, and says it about what is
// wanted now.
func (s State) Ready() bool {
	return s.Condition("Ready").Status == "True" && s.Current()
}

// Current returns false where the controller of the resource has not seen the latest
// specification yet. A condition that does not say what it observed is believed.
func (s State) Current() bool {
	for _, t := range []string{"Ready", "Synced"} {
		if g := s.Condition(t).ObservedGeneration; g != 0 && g < s.Generation {
			return false
		}
	}
	return true
}
