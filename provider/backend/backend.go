// Package backend is the seam between the provider and the world of clusters. A
// backend makes clusters, or reaches existing ones. Everything it does is
// idempotent and returns fast: a controller observes, asks for what is missing,
// and observes again, and it may be killed between any two calls.
//
// What a backend must do beyond its signatures is written down as tests, in
// package backendtest, that every backend passes. Deliberately absent: anything
// about applications. Once a cluster's kubeconfig is known all clusters are alike.
package backend

import (
	"context"
	"errors"

	corev1 "k8s.io/api/core/v1"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// A Backend makes or reaches clusters and their nodes.
type Backend interface {
	Clusters
	NodePools
}

// Clusters makes or reaches clusters.
type Clusters interface {
	// ObserveCluster says what is there. That a cluster does not exist, or does
	// not answer, is not an error but a state.
	ObserveCluster(ctx context.Context, c Cluster) (ClusterState, error)
	// EnsureCluster brings a cluster nearer to what is wanted. It returns once
	// that has begun. An InvalidError says that it never can.
	EnsureCluster(ctx context.Context, c Cluster) error
	// DeleteCluster destroys a cluster that the backend made, and lets go of one
	// that it did not make. That there is none is no error.
	DeleteCluster(ctx context.Context, c Cluster) error
}

// NodePools makes nodes.
type NodePools interface {
	// ObserveNodePool says what is there.
	ObserveNodePool(ctx context.Context, p NodePool) (NodePoolState, error)
	// EnsureNodePool brings a pool nearer to what is wanted: it adds, changes and
	// removes nodes. An InvalidError says that it never can.
	EnsureNodePool(ctx context.Context, p NodePool) error
	// DeleteNodePool removes all nodes of a pool. That there are none, or that the
	// cluster is gone, is no error.
	DeleteNodePool(ctx context.Context, p NodePool) error
}

// A Cluster is what a backend is asked for.
type Cluster struct {
	// Namespace and Name of the Cluster resource. Together they identify it.
	Namespace, Name string
	// Version of Kubernetes, such as v1.35.3. Empty leaves it to the backend.
	Version string
	// Kubeconfig of the existing cluster to adopt, where there is one.
	Kubeconfig []byte
}

// A ClusterState is what a backend observes of a cluster.
type ClusterState struct {
	// Exists is false where there is nothing that DeleteCluster could delete.
	Exists bool
	// UpToDate is false where EnsureCluster has something to do.
	UpToDate bool
	// Ready is true where the API server answers and can be used.
	Ready bool
	// Version the API server says it is.
	Version string
	// Endpoint is the URL of the API server.
	Endpoint string
	// Kubeconfig with administrator's rights, once it is known. Secret.
	Kubeconfig []byte
	// Message says what is waited for where the cluster is not ready.
	Message string
}

// A NodePool is what a backend is asked for.
type NodePool struct {
	// Cluster the nodes join.
	Cluster Cluster
	// Name of the pool in its cluster.
	Name string
	// Class of the nodes, and what a node of the class has.
	Class    string
	Capacity corev1.ResourceList
	// Size is the number of nodes.
	Size int32
	// Labels and taints the nodes carry.
	Labels map[string]string
	Taints []corev1.Taint
}

// A NodePoolState is what a backend observes of a pool.
type NodePoolState struct {
	// Exists is false where the pool has no node.
	Exists bool
	// UpToDate is false where EnsureNodePool has something to do.
	UpToDate bool
	// Nodes that are there.
	Nodes v1alpha1.NodeCount
}

// An InvalidError says that what is asked for cannot be had from this backend,
// however often it is tried, and what to ask for instead.
type InvalidError struct{ Message string }

// Error says what cannot be had, and what can.
func (e *InvalidError) Error() string { return e.Message }

// IsInvalid returns true where an error says that trying again is of no use.
func IsInvalid(err error) bool {
	var ie *InvalidError
	return errors.As(err, &ie)
}
