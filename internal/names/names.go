// Package names says what every resource is called. All names are deterministic,
// so that a crash between deciding and writing never makes a second one. Parts are
// DNS labels and are joined by dots, which no part contains: two different things
// can therefore not end up with one name.
package names

import (
	"fmt"
	"strings"
)

// FleetCell returns the name of a cell of a fleet, by its number.
func FleetCell(fleet string, cell int) string { return join(fleet, fmt.Sprintf("cell-%02d", cell)) }

// DeletionGuard returns the name of the Usage that refuses the deletion of a fleet.
func DeletionGuard(fleet string) string { return join(fleet, "deletion-guard") }

// FleetRollout returns the name of the Rollout that takes a fleet's clusters to their
// shape. No application has a dot in its name, so it cannot be an application's.
func FleetRollout(fleet string) string { return join(fleet, "upgrade") }

// ClaimRollout returns the name of the Rollout of a claim, which is in the claim's namespace.
// Empty where claims of that kind have none.
func ClaimRollout(kind, claim string) string {
	switch kind {
	case "ProductApplication":
		return claim
	case "ClusterFleet":
		return FleetRollout(claim)
	}
	return ""
}

// Cluster returns the name of the Cluster resource for a cluster of a fleet.
func Cluster(fleet, cluster string) string { return join(fleet, cluster) }

// NodePool returns the name of the NodePool resource for a pool of a cluster.
func NodePool(fleet, cluster, pool string) string { return join(fleet, cluster, pool) }

// Kubeconfig returns the name of the Secret that a Cluster's kubeconfig is
// written to. It takes the name of the Cluster resource.
func Kubeconfig(clusterResource string) string { return join(clusterResource, "kubeconfig") }

// Bundle returns the name of a Bundle of an application, by its content's digest.
func Bundle(application, digest string) string {
	if len(digest) > 12 {
		digest = digest[:12]
	}
	return join(application, digest)
}

// Release returns the name of the Release of an application on a Cluster
// resource, which may live in another namespace than the application.
func Release(application, clusterNamespace, clusterResource string) string {
	return join(application, clusterNamespace, clusterResource)
}

func join(parts ...string) string { return strings.Join(parts, ".") }
