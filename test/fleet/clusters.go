package fleet

import (
	"context"
	"fmt"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sigs.k8s.io/controller-runtime/pkg/client"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// makeClusters as a fleet would, and wait until the tenant can use them.
func (w *World) makeClusters(ctx context.Context) error {
	pc := &v1alpha1.ClusterProviderConfig{ObjectMeta: metav1.ObjectMeta{Name: "bench"}}
	pc.Spec.Backend = w.Backend
	if err := w.Hub.Create(ctx, pc); err != nil {
		return fmt.Errorf("cannot create provider configuration: %w", err)
	}
	regions := []string{"eu", "us", "ap"}
	for i := range w.Clusters {
		c := &v1alpha1.Cluster{}
		c.SetNamespace(Platform)
		c.SetName(ClusterName(i))
		c.Spec.ManagedResourceSpec = xpv2.ManagedResourceSpec{
			ProviderConfigReference:          &xpv2.ProviderConfigReference{Kind: v1alpha1.ClusterProviderConfigGVK.Kind, Name: pc.Name},
			WriteConnectionSecretToReference: &xpv2.LocalSecretReference{Name: ClusterName(i) + ".kubeconfig"},
		}
		c.Spec.ForProvider = v1alpha1.ClusterParameters{
			Fleet: fleetName, Name: "c" + strconv.Itoa(i), Region: regions[i%len(regions)], Tenants: []v1alpha1.Tenant{{Namespace: Tenant}},
			Labels: map[string]v1alpha1.LabelValue{"wave": wave(i, w.Clusters)},
		}
		if err := w.Hub.Create(ctx, c); err != nil {
			return fmt.Errorf("cannot create cluster: %w", err)
		}
		if err := w.makeNodes(ctx, i, pc.Name); err != nil {
			return err
		}
	}
	return w.Await(ctx, "all clusters to be ready", func(ctx context.Context) (bool, error) {
		l := &v1alpha1.ClusterList{}
		if err := w.Seen.List(ctx, l, client.UnsafeDisableDeepCopy); err != nil {
			return false, err
		}
		ready := 0
		for i := range l.Items {
			if l.Items[i].GetCondition(xpv2.TypeReady).Status == corev1.ConditionTrue {
				ready++
			}
		}
		return ready == w.Clusters, nil
	})
}

// makeNodes of a real cluster. A simulated one without nodes has room for everything.
func (w *World) makeNodes(ctx context.Context, i int, config string) error {
	if w.Backend != v1alpha1.BackendLocal {
		return nil
	}
	p := &v1alpha1.NodePool{}
	p.SetNamespace(Platform)
	p.SetName(ClusterName(i) + ".general")
	p.Spec.ProviderConfigReference = &xpv2.ProviderConfigReference{Kind: v1alpha1.ClusterProviderConfigGVK.Kind, Name: config}
	p.Spec.ForProvider = v1alpha1.NodePoolParameters{Cluster: ClusterName(i), Name: "general", Class: "general", Size: 2}
	if err := w.Hub.Create(ctx, p); err != nil {
		return fmt.Errorf("cannot create node pool: %w", err)
	}
	return nil
}

// ClusterName on the hub of one of the clusters, which count from 0.
func ClusterName(i int) string { return fleetName + ".c" + strconv.Itoa(i) }

// wave that a cluster is in: 20, 30 and 50 of a hundred.
func wave(i, of int) v1alpha1.LabelValue {
	switch {
	case i < of*20/100:
		return "first"
	case i < of*50/100:
		return "second"
	}
	return "third"
}
