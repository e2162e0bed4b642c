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
func Quiet(m manager.Manager) manager.Manager {
	return quietManager{Manager: m, client: quietClient{Client: m.GetClient()}}
}

type quietManager struct {
	manager.Manager

	client client.Client
}

// GetClient returns the client that sends no status twice.
func (m quietManager) GetClient() client.Client { return m.client }

type quietClient struct{ client.Client }

// Status returns the writer that sends no status twice.
func (c quietClient) Status() client.SubResourceWriter {
	return quietStatus{SubResourceWriter: c.Client.Status(), cache: c.Client}
}

type quietStatus struct {
	client.SubResourceWriter

	cache client.Reader
}

// Update the status of an object, unless the cache has all of it already. A cache that is
// behind has another resource version, and stops nothing.
func (s quietStatus) Update(ctx context.Context, o client.Object, opts ...client.SubResourceUpdateOption) error {
	was, ok := o.DeepCopyObject().(client.Object)
	if ok && s.cache.Get(ctx, client.ObjectKeyFromObject(o), was) == nil {
		was.GetObjectKind().SetGroupVersionKind(o.GetObjectKind().GroupVersionKind())
		if equality.Semantic.DeepEqual(was, o) {
			return nil
		}
	}
	return s.SubResourceWriter.Update(ctx, o, opts...)
}
