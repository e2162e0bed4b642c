package pipeline

import (
	"fmt"

	"k8s.io/utils/ptr"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"
)

// A Lookup is what became of a required resource.
type Lookup int

// Lookups.
const (
	// Unresolved: Crossplane has not looked yet. It calls the function again at once.
	Unresolved Lookup = iota
	// Absent: there is no such resource.
	Absent
	// Found: the resource is loaded.
	Found
)

// A Selector names one resource. Namespace is empty for a cluster-scoped one.
type Selector struct {
	APIVersion, Kind, Namespace, Name string
}

// Require asks Crossplane for a resource that the function does not compose, under a
// key that is unique in the function, and loads it where it is there already.
// Crossplane watches it from then on, so the same things must be required in every
// response.
func Require(req *fnv1.RunFunctionRequest, rsp *fnv1.RunFunctionResponse, key string, s Selector, into any) (Lookup, error) {
	sel := &fnv1.ResourceSelector{
		ApiVersion: s.APIVersion,
		Kind:       s.Kind,
		Match:      &fnv1.ResourceSelector_MatchName{MatchName: s.Name},
	}
	if s.Namespace != "" {
		sel.Namespace = ptr.To(s.Namespace)
	}
	require(rsp, key, sel)

	found, ok := req.GetRequiredResources()[key]
	if !ok {
		return Unresolved, nil
	}
	if len(found.GetItems()) == 0 {
		return Absent, nil
	}
	item := found.GetItems()[0].GetResource()
	meta := item.GetFields()["metadata"].GetStructValue().GetFields()
	if !isKind(item, s.APIVersion, s.Kind) || meta["name"].GetStringValue() != s.Name {
		return Unresolved, nil // It answers an older question, from the last run.
	}
	if err := decode(item, into); err != nil {
		return Unresolved, fmt.Errorf("cannot load required resource %s %q: %w", s.Kind, s.Name, err)
	}
	return Found, nil
}

func require(rsp *fnv1.RunFunctionResponse, key string, sel *fnv1.ResourceSelector) {
	if rsp.GetRequirements() == nil {
		rsp.Requirements = &fnv1.Requirements{}
	}
	if rsp.GetRequirements().GetResources() == nil {
		rsp.Requirements.Resources = map[string]*fnv1.ResourceSelector{}
	}
	rsp.Requirements.Resources[key] = sel
}
