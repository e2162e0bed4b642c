package local

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/mainstay-dev/mainstay/provider/backend"
	"github.com/mainstay-dev/mainstay/provider/backend/local/nodes"
	"github.com/mainstay-dev/mainstay/provider/backend/local/nodes/carry"
	"github.com/mainstay-dev/mainstay/provider/backend/probe"
)

const (
	// maxChanges is how many nodes one call makes, or removes, so that it returns.
	maxChanges = 50
	// podPatience is how long after the end of its grace period a pod may keep
	// the node that it is on.
	podPatience = 30 * time.Second
)

// ObserveNodePool says what is there.
func (b *Backend) ObserveNodePool(ctx context.Context, p backend.NodePool) (backend.NodePoolState, error) {
	client, err := b.client(ctx, p.Cluster)
	if err != nil || client == nil {
		return backend.NodePoolState{}, err
	}
	all, err := carry.List(ctx, client)
	if err != nil {
		return backend.NodePoolState{}, err
	}
	there := nodes.Of(p.Name, all)
	v, err := b.binariesVersion(ctx)
	if err != nil {
		return backend.NodePoolState{}, err
	}
	return backend.NodePoolState{
		Exists:   len(there) > 0,
		UpToDate: nodes.Plan(p, v, all).None(),
		Nodes:    nodes.Count(there),
	}, nil
}

// EnsureNodePool makes, changes and removes nodes, a number of them at a time.
func (b *Backend) EnsureNodePool(ctx context.Context, p backend.NodePool) error {
	if len(p.Capacity) == 0 {
		return &backend.InvalidError{Message: fmt.Sprintf("class %q has no capacity: give it one in nodeClasses of the provider configuration", p.Class)}
	}
	client, err := b.client(ctx, p.Cluster)
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
	v, err := b.binariesVersion(ctx)
	if err != nil {
		return err
	}
	plan := nodes.Plan(p, v, all)
	if err := carry.Out(ctx, client, plan, maxChanges); err != nil {
		return err
	}
	return b.remove(ctx, client, first(plan.Remove))
}

// DeleteNodePool removes nodes, a number of them at a time.
func (b *Backend) DeleteNodePool(ctx context.Context, p backend.NodePool) error {
	client, err := b.client(ctx, p.Cluster)
	if err != nil || client == nil {
		return err
	}
	all, err := carry.List(ctx, client)
	if err != nil {
		return err
	}
	return b.remove(ctx, client, first(nodes.Of(p.Name, all)))
}

// remove cordons nodes, asks their pods to go, and removes those nodes that no pod
// is on any more.
func (b *Backend) remove(ctx context.Context, client corev1client.CoreV1Interface, ns []corev1.Node) error {
	for _, n := range ns {
		want := nodes.Cordoned(n)
		if _, err := client.Nodes().Update(ctx, &want, metav1.UpdateOptions{}); err != nil && !carry.Lost(err) {
			return fmt.Errorf("cannot cordon node: %w", err)
		}
	}
	for _, n := range ns {
		empty, err := b.drain(ctx, client, n.Name)
		if err != nil {
			return err
		}
		if !empty {
			continue
		}
		err = client.Nodes().Delete(ctx, n.Name, metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(n.UID))})
		if err != nil && !carry.Lost(err) {
			return fmt.Errorf("cannot remove node: %w", err)
		}
	}
	return nil
}

// drain deletes the pods of a node, and returns true where none holds it up.
func (b *Backend) drain(ctx context.Context, client corev1client.CoreV1Interface, node string) (bool, error) {
	pods, err := client.Pods(corev1.NamespaceAll).List(ctx, metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector("spec.nodeName", node).String(),
	})
	if err != nil {
		return false, fmt.Errorf("cannot list pods of node: %w", err)
	}
	empty := true
	for _, p := range pods.Items {
		if !nodes.HoldsUp(p, b.clock.Now().Add(-podPatience)) {
			continue
		}
		empty = false
		if p.DeletionTimestamp != nil {
			continue
		}
		err := client.Pods(p.Namespace).Delete(ctx, p.Name, metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(p.UID))})
		if err != nil && !carry.Lost(err) {
			return false, fmt.Errorf("cannot delete pod of node: %w", err)
		}
	}
	return empty, nil
}

// client returns none where there is no such cluster.
func (b *Backend) client(ctx context.Context, c backend.Cluster) (corev1client.CoreV1Interface, error) {
	if validate(c) != nil {
		return nil, nil
	}
	cp := b.controlPlane(c)
	exists, err := cp.Exists()
	if err != nil || !exists {
		return nil, err
	}
	cfg, err := cp.RESTConfig()
	if err != nil {
		return nil, fmt.Errorf("cannot reach cluster: it is being made")
	}
	if err := probe.Ready(ctx, cfg); err != nil {
		return nil, fmt.Errorf("cannot reach cluster: %w", err)
	}
	// The API server limits its clients itself.
	cfg.QPS = -1
	client, err := corev1client.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("cannot make client: %w", err)
	}
	return client, nil
}

func first(ns []corev1.Node) []corev1.Node { return ns[:min(len(ns), maxChanges)] }
