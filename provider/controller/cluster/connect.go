package cluster

import (
	"context"
	"fmt"

	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	"github.com/crossplane/crossplane-runtime/v2/pkg/reconciler/managed"
	"github.com/crossplane/crossplane-runtime/v2/pkg/resource"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/fleet"
	"github.com/mainstay-dev/mainstay/provider/controller/providerconfig"
	"github.com/mainstay-dev/mainstay/provider/controller/steady"
)

// A publisher writes connection details to the Secret that a Cluster names.
type publisher interface {
	PublishConnection(ctx context.Context, o resource.LocalConnectionSecretOwner, c managed.ConnectionDetails) (bool, error)
}

// A connector finds out who a Cluster is to be asked from.
type connector struct {
	hub      client.Reader
	usage    resource.ModernTracker
	resolver *providerconfig.Resolver
	targets  Opener
	secrets  publisher
	clock    clock.PassiveClock
}

// Connect to the backend of a Cluster.
func (c *connector) Connect(ctx context.Context, cr *v1alpha1.Cluster) (managed.TypedExternalClient[*v1alpha1.Cluster], error) {
	if !steady.DeletedInForeground(cr) {
		if err := c.usage.Track(ctx, cr); err != nil {
			return nil, fmt.Errorf("cannot track use of the provider configuration: %w", err)
		}
	}
	found, err := c.resolver.Resolve(ctx, cr)
	if err != nil && meta.WasDeleted(cr) && neverMade(cr) {
		return neverThere(), nil
	}
	if err != nil {
		return nil, err
	}
	found.Cluster.Version = fleet.VersionToAsk(cr)
	return &external{hub: c.hub, backend: found.Backend, asked: found.Cluster, targets: c.targets, secrets: c.secrets, clock: c.clock}, nil
}

// neverMade is true where no backend was ever asked for the cluster: the first that is
// heard from a backend sets the condition Ready.
func neverMade(cr *v1alpha1.Cluster) bool {
	return cr.GetCondition(xpv2.TypeReady).Reason == "" && cr.Status.AtProvider.Endpoint == ""
}

// neverThere is what there is of a cluster whose configuration never could be used. It
// lets the Cluster go, instead of asking for a configuration only to delete nothing.
func neverThere() managed.TypedExternalClient[*v1alpha1.Cluster] {
	return managed.TypedExternalClientFns[*v1alpha1.Cluster]{
		ObserveFn: func(context.Context, *v1alpha1.Cluster) (managed.ExternalObservation, error) {
			return managed.ExternalObservation{}, nil
		},
		DisconnectFn: func(context.Context) error { return nil },
	}
}
