package steady

import (
	"context"

	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// Quiet returns a manager for the runtime's reconciler, which ends every turn by writing
// the status, whether it says something new or not. A status that is what the cache has
// is not sent: it would change nothing, but cost the API server as much as one that does.
// Nor is one that a controller says can wait. Nil is a controller that never does.
func Quiet(m manager.Manager, waits func(client.Object) bool) manager.Manager {
	return quietManager{Manager: m, client: quietClient{Client: m.GetClient(), waits: waits}}
}

type quietManager struct {
	manager.Manager

	client client.Client
}

// GetClient returns the client that sends no status twice.
func (m quietManager) GetClient() client.Client { return m.client }

type quietClient struct {
	client.Client

	waits func(client.Object) bool
}

// Status returns the writer that sends no status twice.
func (c quietClient) Status() client.SubResourceWriter {
	return quietStatus{SubResourceWriter: c.Client.Status(), cache: c.Client, waits: c.waits}
}

type quietStatus struct {
	client.SubResourceWriter

	cache client.Reader
	waits func(client.Object) bool
}

// Update the status of an object, unless that can wait, or the cache has all of it already.
// A cache that is behind has another resource version, and stops nothing.
func (s quietStatus) Update(ctx context.Context, o client.Object, opts ...client.SubResourceUpdateOption) error {
	if s.waits != nil && s.waits(o) {
		return nil
	}
	was, ok := o.DeepCopyObject().(client.Object)
	if ok && s.cache.Get(ctx, client.ObjectKeyFromObject(o), was) == nil {
		was.GetObjectKind().SetGroupVersionKind(o.GetObjectKind().GroupVersionKind())
		if equality.Semantic.DeepEqual(was, o) {
			return nil
		}
	}
	return s.SubResourceWriter.Update(ctx, o, opts...)
}
