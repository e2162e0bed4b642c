package simulated

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/utils/ptr"

	"github.com/mainstay-dev/mainstay/provider/backend"
	"github.com/mainstay-dev/mainstay/provider/backend/local/nodes"
	"github.com/mainstay-dev/mainstay/provider/backend/local/nodes/carry"
	"github.com/mainstay-dev/mainstay/provider/backend/probe"
)

// maxChanges is how many nodes one call makes, or removes, so that it returns.
const maxChanges = 100

// ObserveNodePool says what is there.
func (b *Backend) ObserveNodePool(ctx context.Context, p backend.NodePool) (backend.NodePoolState, error) {
	client, version, err := b.clientOf(ctx, p.Cluster)
	if err != nil || client == nil {
		return backend.NodePoolState{}, err
	}
	all, err := carry.List(ctx, client)
	if err != nil {
		return backend.NodePoolState{}, err
	}
	there := nodes.Of(p.Name, all)
	return backend.NodePoolState{
		Exists:   len(there) > 0,
		UpToDate: nodes.Plan(p, version, all).None(),
		Nodes:    nodes.Count(there),
	}, nil
}

// EnsureNodePool makes, changes and removes nodes, a number of them at a time.
func (b *Backend) EnsureNodePool(ctx context.Context, p backend.NodePool) error {
	if len(p.Capacity) == 0 {
		return &backend.InvalidError{Message: fmt.Sprintf("class %q has no capacity: give it one in nodeClasses of the provider configuration", p.Class)}
	}
	client, version, err := b.clientOf(ctx, p.Cluster)
	if err != nil {
		return err
	}
	if client == nil {
		return fmt.Errorf("cannot make nodes: there is no such cluster yet")
	}
	all, err := carry.List(ctx, client)
	if err != nil {
		return err
	}
	plan := nodes.Plan(p, version, all)
	if err := carry.Out(ctx, client, plan, maxChanges); err != nil {
		return err
	}
	return remove(ctx, client, first(plan.Remove))
}

// DeleteNodePool removes nodes, a number of them at a time.
func (b *Backend) DeleteNodePool(ctx context.Context, p backend.NodePool) error {
	client, _, err := b.clientOf(ctx, p.Cluster)
	if err != nil || client == nil {
		return err
	}
	all, err := carry.List(ctx, client)
	if err != nil {
		return err
	}
	return remove(ctx, client, first(nodes.Of(p.Name, all)))
}

// remove nodes with the pods on them: whoever plays the controllers makes those anew.
func remove(ctx context.Context, client corev1client.CoreV1Interface, ns []corev1.Node) error {
	for _, n := range ns {
		err := client.Nodes().Delete(ctx, n.Name, metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(n.UID))})
		if err != nil && !carry.Lost(err) {
			return fmt.Errorf("cannot remove node: %w", err)
		}
		pods, err := client.Pods(corev1.NamespaceAll).List(ctx, metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("spec.nodeName", n.Name).String()})
		if err != nil {
			return fmt.Errorf("cannot list pods of node: %w", err)
		}
		for _, p := range pods.Items {
			if err := client.Pods(p.Namespace).Delete(ctx, p.Name, metav1.DeleteOptions{GracePeriodSeconds: ptr.To[int64](0)}); err != nil && !carry.Lost(err) {
				return fmt.Errorf("cannot delete pod of node: %w", err)
			}
		}
	}
	return nil
}

// clientOf a cluster, and its version. There is none where there is no such cluster.
func (b *Backend) clientOf(ctx context.Context, c backend.Cluster) (corev1client.CoreV1Interface, string, error) {
	if validate(c) != nil {
		return nil, "", nil
	}
	sim, err := b.Simulator()
	if err != nil {
		return nil, "", err
	}
	found, err := sim.Get(ctx, c.Namespace, c.Name)
	if err != nil || found == nil {
		return nil, "", err
	}
	cfg := sim.Config(found)
	if err := probe.Ready(ctx, cfg); err != nil {
		return nil, "", fmt.Errorf("cannot reach cluster: %w", err)
	}
	client, err := corev1client.NewForConfig(cfg)
	if err != nil {
		return nil, "", fmt.Errorf("cannot make client: %w", err)
	}
	return client, found.Version, nil
}

func first(ns []corev1.Node) []corev1.Node { return ns[:min(len(ns), maxChanges)] }
