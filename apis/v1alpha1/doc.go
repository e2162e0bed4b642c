// Package v1alpha1 is the Go view of what users write: the claims ClusterFleet
// and ProductApplication, and the internal composite FleetCell.
//
// These types are the single source of the schemas. `make generate` derives the
// definitions in apis/<kind>/definition.yaml from them, so a Go field, the XRD
// and `kubectl explain` cannot disagree. The machinery fields that Crossplane
// adds to a composite (claimRef, resourceRefs, …) are deliberately absent: no
// function decides by them, apart from the claim's name and namespace.
//
// +kubebuilder:object:generate=true
// +groupName=mainstay.dev
// +versionName=v1alpha1
package v1alpha1
