// Package version says which version of Mainstay a binary is.
package version

// version is set when a release is linked.
var version = "v0.1.0"

// String returns the semantic version, such as v0.1.0.
func String() string { return version }
