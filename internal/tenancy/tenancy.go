// Package tenancy says who may do what on a cluster. A tenant is a namespace on the
// hub. It acts on a cluster under a user name of its own that holds rights in its
// target namespaces only, so the cluster's own authorizer is the last judge. The
// namespace a resource lives in decides whose it is; no field can claim otherwise.
package tenancy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

const (
	// UserPrefix starts the user name of every tenant on clusters.
	UserPrefix = "mainstay:tenant:"
	// Group is the group that every tenant belongs to on clusters.
	Group = "mainstay:tenants"
)

// User returns the user name that a tenant acts under on clusters.
func User(namespace string) string { return UserPrefix + namespace }

// Check whether a tenant, by its namespace on the hub, may use the target
// namespace of a cluster. The returned error is for the tenant to read and names
// no other tenant.
func Check(c *v1alpha1.Cluster, namespace, target string) error {
	i := slices.IndexFunc(c.Spec.ForProvider.Tenants, func(t v1alpha1.Tenant) bool { return t.Namespace == namespace })
	if i < 0 {
		return fmt.Errorf("namespace %q is not a tenant of cluster %q: ask the owner of fleet %q in namespace %q to add it to spec.tenants",
			namespace, c.Spec.ForProvider.Name, c.Spec.ForProvider.Fleet, c.GetNamespace())
	}
	t := c.Spec.ForProvider.Tenants[i]
	if !slices.Contains(t.Namespaces(), target) {
		return fmt.Errorf("tenant %q may not deploy into namespace %q of cluster %q, only into %s: ask the owner of fleet %q in namespace %q to add it to spec.tenants[].targetNamespaces",
			namespace, target, c.Spec.ForProvider.Name, strings.Join(t.Namespaces(), ", "), c.Spec.ForProvider.Fleet, c.GetNamespace())
	}
	return nil
}
