package release

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	"github.com/crossplane/crossplane-runtime/v2/pkg/reconciler/managed"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/tenancy"
	"github.com/mainstay-dev/mainstay/provider/target"
)

// abandonAfter is how long a Release that is being deleted goes on trying to reach a
// cluster that is being deleted too. A moment's silence must not leave objects behind
// on a cluster that lives on, such as one that was adopted.
const abandonAfter = 30 * time.Second

type external = managed.TypedExternalClient[*v1alpha1.Release]

// A connector connects Releases to their clusters.
type connector struct {
	hub     client.Client
	live    client.Reader
	targets target.Connector
	bundles *bundles
	memory  *memory
	// pending changes are those that are under way.
	pending *pending
	looks   *looks
	clock   clock.PassiveClock
}

func newConnector(hub client.Client, live client.Reader, targets target.Connector, cl clock.PassiveClock) *connector {
	return &connector{hub: hub, live: live, targets: targets, bundles: newBundles(hub), memory: newMemory(), pending: newPending(), looks: newLooks(), clock: cl}
}

// Connect to the cluster of a Release, as its tenant.
func (c *connector) Connect(ctx context.Context, mg *v1alpha1.Release) (external, error) {
	if meta.WasDeleted(mg) {
		return c.connectToRemove(ctx, mg)
	}
	cluster, err := c.cluster(ctx, mg)
	if err != nil {
		return nil, c.fail(mg, err)
	}
	if cluster == nil {
		return nil, c.fail(mg, fmt.Errorf("cluster %q in namespace %q does not exist", mg.Spec.ForProvider.ClusterRef.Name, mg.Spec.ForProvider.ClusterRef.Namespace))
	}
	if meta.WasDeleted(cluster) {
		return nil, c.fail(mg, fmt.Errorf("cluster %q is being deleted: delete this Release", cluster.GetName()))
	}
	if err := tenancy.Check(cluster, mg.GetNamespace(), mg.Spec.ForProvider.Namespace); err != nil {
		return nil, c.fail(mg, refusal(mg, err))
	}
	if c.canWait(mg.GetUID()) && c.believable(ctx, mg, cluster) {
		c.looks.believe(mg.GetUID())
		return &believer{connector: c}, nil
	}
	c.looks.looked(mg.GetUID(), c.clock.Now())
	t, err := c.targets.Tenant(ctx, cluster, mg.GetNamespace())
	if err != nil {
		return nil, c.fail(mg, err)
	}
	return &applier{connector: c, cluster: cluster, remote: &remote{tenant: t}, cleaner: c.cleaner(cluster, t)}, nil
}

// connectToRemove connects to whatever is left of a Release's cluster.
func (c *connector) connectToRemove(ctx context.Context, mg *v1alpha1.Release) (external, error) {
	c.pending.end(mg.GetUID())
	c.looks.forget(mg.GetUID())
	if len(mg.Status.AtProvider.Inventory) == 0 {
		return &gone{connector: c}, nil
	}
	cluster, err := c.cluster(ctx, mg)
	if err != nil {
		return nil, c.fail(mg, err)
	}
	if cluster == nil || (meta.WasDeleted(cluster) && orphaned(cluster)) {
		return &gone{connector: c}, nil
	}
	t, err := c.targets.Tenant(ctx, cluster, mg.GetNamespace())
	if err != nil {
		if c.abandons(mg, cluster, err) {
			return &gone{connector: c}, nil
		}
		return nil, c.fail(mg, err)
	}
	return &remover{connector: c, cluster: cluster, remote: c.cleaner(cluster, t)}, nil
}

// cleaner reaches a cluster to take away what a Release has put there, also where its
// tenant may not any more.
func (c *connector) cleaner(cluster *v1alpha1.Cluster, tenant target.Target) *remote {
	return &remote{
		tenant: tenant,
		admin:  func(ctx context.Context) (target.Target, error) { return c.targets.Admin(ctx, cluster) },
	}
}

// cluster of a Release. It is nil where it certainly does not exist.
func (c *connector) cluster(ctx context.Context, mg *v1alpha1.Release) (*v1alpha1.Cluster, error) {
	cl := &v1alpha1.Cluster{}
	err := c.hub.Get(ctx, types.NamespacedName(mg.Spec.ForProvider.ClusterRef), cl)
	if kerrors.IsNotFound(err) {
		// A cache may be behind. What is forgotten for its sake is forgotten for good.
		err = c.live.Get(ctx, types.NamespacedName(mg.Spec.ForProvider.ClusterRef), cl)
	}
	if Absent(err) {
		return nil, nil //nolint:nilnil // That there is none is an answer.
	}
	if err != nil {
		return nil, fmt.Errorf("cannot get cluster %q: %w", mg.Spec.ForProvider.ClusterRef.Name, err)
	}
	return cl, nil
}

// abandons what a Release has on a cluster that will not come back.
func (c *connector) abandons(mg *v1alpha1.Release, cluster *v1alpha1.Cluster, err error) bool {
	if !meta.WasDeleted(cluster) || mg.GetDeletionTimestamp() == nil {
		return false
	}
	lost := target.IsUnreachable(err) || target.IsNotReady(err) || target.IsInvalidKubeconfig(err) || target.IsUnauthorized(err)
	return lost && c.clock.Since(mg.GetDeletionTimestamp().Time) >= abandonAfter
}

// orphaned is true where what is on a cluster is to be left alone.
func orphaned(cluster *v1alpha1.Cluster) bool {
	p := cluster.GetManagementPolicies()
	return len(p) > 0 && !slices.Contains(p, xpv2.ManagementActionAll) && !slices.Contains(p, xpv2.ManagementActionDelete)
}

// refusal of a tenant that may not be on a cluster.
func refusal(mg *v1alpha1.Release, err error) error {
	if len(mg.Status.AtProvider.Inventory) == 0 {
		return err
	}
	return fmt.Errorf("%w; what runs there is left as it is", err)
}

// Absent returns true where the hub says that an object does not exist. That a kind
// is not served at the moment is told apart: it says nothing about objects.
func Absent(err error) bool {
	if !kerrors.IsNotFound(err) {
		return false
	}
	status := kerrors.APIStatus(nil)
	if !errors.As(err, &status) || status.Status().Details == nil {
		return true
	}
	return !slices.ContainsFunc(status.Status().Details.Causes, func(c metav1.StatusCause) bool {
		return c.Type == metav1.CauseTypeUnexpectedServerResponse
	})
}

// sourcePort is the port that a call came from. It is another with every call.
var sourcePort = regexp.MustCompile(`(\S+:\d+)->`)

// stable takes out of a message what would make it another message every time.
func stable(err error) string { return sourcePort.ReplaceAllString(err.Error(), "") }

// A gone cluster has nothing left that could be removed.
type gone struct{ *connector }

// Observe that there is nothing.
func (g *gone) Observe(_ context.Context, mg *v1alpha1.Release) (managed.ExternalObservation, error) {
	g.memory.forget(mg.GetUID())
	return managed.ExternalObservation{ResourceExists: false}, nil
}

// Create nothing.
func (g *gone) Create(context.Context, *v1alpha1.Release) (managed.ExternalCreation, error) {
	return managed.ExternalCreation{}, nil
}

// Update nothing.
func (g *gone) Update(context.Context, *v1alpha1.Release) (managed.ExternalUpdate, error) {
	return managed.ExternalUpdate{}, nil
}

// Delete nothing.
func (g *gone) Delete(context.Context, *v1alpha1.Release) (managed.ExternalDelete, error) {
	return managed.ExternalDelete{}, nil
}

// Disconnect from nothing.
func (g *gone) Disconnect(context.Context) error { return nil }
