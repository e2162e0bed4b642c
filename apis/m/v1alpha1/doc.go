// Package v1alpha1 holds the managed resources of Mainstay: what composition
// functions compose and the provider makes real. All of them are namespaced and
// live beside the claim they stem from, so a tenant is a namespace all the way down.
//
// +kubebuilder:object:generate=true
// +groupName=m.mainstay.dev
// +versionName=v1alpha1
package v1alpha1
