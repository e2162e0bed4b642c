package target

import (
	"errors"
	"fmt"

	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
)

// A NotReadyError says that a cluster cannot be connected to yet, because it has no
// kubeconfig. It is no proof that there is nothing on the cluster: a kubeconfig can be
// missing for a while, also of a cluster that is being deleted.
type NotReadyError struct {
	// Cluster resource.
	Cluster types.NamespacedName
	// Waits says what is waited for.
	Waits string
}

// Error says what is waited for.
func (e *NotReadyError) Error() string {
	return fmt.Sprintf("cluster %q is not ready: waits for %s", e.Cluster.Name, e.Waits)
}

// An UnreachableError says that a cluster does not answer.
type UnreachableError struct {
	// Cluster resource.
	Cluster types.NamespacedName
	// Err is why.
	Err error
}

// Error says which cluster does not answer, and how.
func (e *UnreachableError) Error() string {
	return fmt.Sprintf("cluster %q is unreachable: %v", e.Cluster.Name, e.Err)
}

// Unwrap returns why the cluster does not answer.
func (e *UnreachableError) Unwrap() error { return e.Err }

// An InvalidKubeconfigError says that a kubeconfig cannot be used, and why. It quotes
// nothing of it, since a kubeconfig is secret.
type InvalidKubeconfigError struct{ Reason string }

// Error says what is wrong with the kubeconfig.
func (e *InvalidKubeconfigError) Error() string { return "kubeconfig cannot be used: " + e.Reason }

// IsNotReady returns true where an error says that a cluster has no kubeconfig yet.
func IsNotReady(err error) bool {
	var e *NotReadyError
	return errors.As(err, &e)
}

// IsUnreachable returns true where an error says that a cluster does not answer, or
// answers only that it cannot serve.
func IsUnreachable(err error) bool {
	var e *UnreachableError
	return errors.As(err, &e) || kerrors.IsServiceUnavailable(err) || kerrors.IsServerTimeout(err) || kerrors.IsTimeout(err)
}

// IsUnauthorized returns true where an error says that a cluster answers but does not
// accept the credentials of its kubeconfig.
func IsUnauthorized(err error) bool { return kerrors.IsUnauthorized(err) }

// IsInvalidKubeconfig returns true where an error says that a kubeconfig cannot be used.
func IsInvalidKubeconfig(err error) bool {
	var e *InvalidKubeconfigError
	return errors.As(err, &e)
}
