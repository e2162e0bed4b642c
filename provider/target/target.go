// Package target is how controllers reach clusters once their kubeconfig is known:
// as their administrator, or as a tenant.
//
// A tenant is impersonated, so that the cluster's own authorizer decides what it may
// do. Kubeconfigs come from the Secret beside the Cluster and are trusted with nothing
// but an address and credentials: they cannot make the provider run a program or read
// a file. Clients are kept for as long as the kubeconfig they were made of is current,
// and there is a bound on how many are.
//
// Deliberately absent: informers. A fleet has too many clusters to watch everything on
// all of them, so every read goes to the cluster and nothing is remembered.
package target

import (
	"context"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// A Target is a cluster, reached under one identity.
type Target interface {
	// Client reads and writes objects, typed or unstructured. It caches nothing. Its
	// calls fail with an UnreachableError where the cluster does not answer.
	Client() client.Client
	// Mapper knows the kinds the cluster serves. It asks again for a kind that it
	// does not know, and may be behind on one that has gone.
	Mapper() meta.RESTMapper
}

// A Connector connects to clusters. It does not reach out to the cluster: that it is
// gone shows at the first call.
type Connector interface {
	// Admin returns the cluster, reached with administrator's rights. It returns a
	// NotReadyError where the cluster has no kubeconfig, and an InvalidKubeconfigError
	// where it has one that cannot be used.
	Admin(ctx context.Context, c *v1alpha1.Cluster) (Target, error)
	// Tenant returns the cluster, reached as the tenant that a namespace on the hub
	// is. Errors are those of Admin. It does not check that the cluster lists the
	// tenant: the cluster will refuse it.
	Tenant(ctx context.Context, c *v1alpha1.Cluster, namespace string) (Target, error)
}
