// Package apis holds what Mainstay adds to a hub: the definitions of its claims, and, in
// the packages below, the types.
package apis

import _ "embed" // The definitions are part of what reads claims.

// Definitions of the kinds of claims, as Crossplane takes them.
var (
	//go:embed clusterfleets/definition.yaml
	clusterFleet []byte
	//go:embed productapplications/definition.yaml
	productApplication []byte
)

// ClaimDefinitions are the CompositeResourceDefinitions of all kinds that people claim.
func ClaimDefinitions() [][]byte { return [][]byte{clusterFleet, productApplication} }
