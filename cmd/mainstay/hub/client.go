package hub

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	pkgv1 "github.com/crossplane/crossplane/apis/v2/pkg/v1"
)

// client of the hub's administrator. What is not one of Kubernetes' own kinds or of
// Crossplane's packages is used unstructured.
func (h *Hub) client() (client.Client, error) {
	cfg, err := clientcmd.BuildConfigFromFlags("", h.Kubeconfig())
	if err != nil {
		return nil, fmt.Errorf("cannot read kubeconfig: %w", err)
	}
	cfg.QPS = -1
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, pkgv1.AddToScheme} {
		if err := add(s); err != nil {
			return nil, fmt.Errorf("cannot register kinds: %w", err)
		}
	}
	c, err := client.New(cfg, client.Options{Scheme: s})
	if err != nil {
		return nil, fmt.Errorf("cannot make client: %w", err)
	}
	return c, nil
}

// apply an object the way it is, whatever was there.
func apply(ctx context.Context, c client.Client, o client.Object) error {
	u, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		return fmt.Errorf("cannot convert %s: %w", o.GetName(), err)
	}
	delete(u, "status")
	if err := c.Apply(ctx, client.ApplyConfigurationFromUnstructured(unstructuredFrom(u)), client.FieldOwner("mainstay-hub"), client.ForceOwnership); err != nil {
		return fmt.Errorf("cannot apply %s %q: %w", o.GetObjectKind().GroupVersionKind().Kind, o.GetName(), err)
	}
	return nil
}
