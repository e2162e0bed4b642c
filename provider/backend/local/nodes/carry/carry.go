// Package carry carries out what package nodes plans, through the API server of a
// cluster whose nodes are played.
//
// Deliberately absent: removing nodes. What becomes of the pods on them is the backend's.
package carry

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/mainstay-dev/mainstay/provider/backend"
	"github.com/mainstay-dev/mainstay/provider/backend/local/nodes"
)

// List all nodes of a cluster.
func List(ctx context.Context, client corev1client.CoreV1Interface) ([]corev1.Node, error) {
	l, err := client.Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("cannot list nodes: %w", err)
	}
	return l.Items, nil
}

// Out makes and changes the nodes of a plan, at most so many new ones. An
// InvalidError says what the API server will never take.
func Out(ctx context.Context, client corev1client.CoreV1Interface, plan nodes.Changes, most int) error {
	for i := range plan.Create[:min(len(plan.Create), most)] {
		if _, err := client.Nodes().Create(ctx, &plan.Create[i], metav1.CreateOptions{}); err != nil && !kerrors.IsAlreadyExists(err) {
			return invalid("make node", err)
		}
	}
	// Who else changed a node meanwhile is right; the next call looks again.
	for i := range plan.Update {
		if _, err := client.Nodes().Update(ctx, &plan.Update[i], metav1.UpdateOptions{}); err != nil && !Lost(err) {
			return invalid("change node", err)
		}
	}
	for i := range plan.UpdateStatus {
		if _, err := client.Nodes().UpdateStatus(ctx, &plan.UpdateStatus[i], metav1.UpdateOptions{}); err != nil && !Lost(err) {
			return invalid("change capacity of node", err)
		}
	}
	return nil
}

// Lost returns true where somebody else was faster.
func Lost(err error) bool { return kerrors.IsConflict(err) || kerrors.IsNotFound(err) }

// invalid tells what the API server will never take from what it did not take now.
func invalid(verb string, err error) error {
	if kerrors.IsInvalid(err) || kerrors.IsBadRequest(err) {
		return &backend.InvalidError{Message: fmt.Sprintf("cannot %s: %v", verb, err)}
	}
	return fmt.Errorf("cannot %s: %w", verb, err)
}
