// Package kubeconfig adopts existing clusters: all that it needs to know of one is
// its kubeconfig. It changes nothing there. Deleting an adopted cluster lets go of
// it, and its nodes are its own.
//
// A kubeconfig is not trusted: it may be written by somebody who may not run
// programs, read files or send credentials as the provider can. Package target says
// what is refused. The kubeconfig that is handed on is written anew, from what was
// looked at and nothing else.
//
// Deliberately absent: making, upgrading and destroying clusters, and nodes.
package kubeconfig

import (
	"context"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/provider/backend"
	"github.com/mainstay-dev/mainstay/provider/backend/probe"
	"github.com/mainstay-dev/mainstay/provider/target"
)

// A Backend adopts existing clusters.
type Backend struct {
	mu sync.Mutex
	// letGo are the clusters that were deleted, and not asked for since. One that
	// is forgotten, because the provider was started again, is let go of again.
	letGo map[string]bool
}

var _ backend.Backend = &Backend{}

// New returns a backend that has let go of nothing.
func New() *Backend { return &Backend{letGo: map[string]bool{}} }

// ObserveCluster says whether the cluster of a kubeconfig can be used. It exists
// from the moment there is a kubeconfig until it is let go of.
func (b *Backend) ObserveCluster(ctx context.Context, c backend.Cluster) (backend.ClusterState, error) {
	if len(c.Kubeconfig) == 0 || b.isLetGo(c) {
		return backend.ClusterState{}, nil
	}
	cfg, err := target.ParseKubeconfig(c.Kubeconfig)
	if err != nil {
		return backend.ClusterState{Exists: true, Message: err.Error()}, nil
	}
	out := backend.ClusterState{Exists: true, UpToDate: true, Endpoint: cfg.Host}
	if out.Kubeconfig, err = write(c.Name, cfg); err != nil {
		return backend.ClusterState{}, err
	}
	if out.Version, err = probe.Version(ctx, cfg); err != nil {
		out.Message = err.Error()
		return out, nil
	}
	out.Ready = true
	out.UpToDate = checkVersion(c, out.Version) == nil
	return out, nil
}

// EnsureCluster makes nothing. It returns an InvalidError where a kubeconfig cannot
// be used, or its cluster is of another version than is asked for.
func (b *Backend) EnsureCluster(ctx context.Context, c backend.Cluster) error {
	b.mark(c, false)
	if len(c.Kubeconfig) == 0 {
		return &backend.InvalidError{Message: "kubeconfigSecretRef: this backend adopts existing clusters and needs the kubeconfig of one"}
	}
	cfg, err := target.ParseKubeconfig(c.Kubeconfig)
	if err != nil {
		return &backend.InvalidError{Message: "kubeconfigSecretRef: " + err.Error()}
	}
	v, err := probe.Version(ctx, cfg)
	if err != nil {
		// Observing says so. Nothing can be done about it from here.
		return nil //nolint:nilerr // See above.
	}
	return checkVersion(c, v)
}

// DeleteCluster lets go of a cluster.
func (b *Backend) DeleteCluster(_ context.Context, c backend.Cluster) error {
	b.mark(c, true)
	return nil
}

// ObserveNodePool counts the nodes that carry the pool's label. The pool does not
// exist all the same: there is nothing in it that could be deleted.
func (b *Backend) ObserveNodePool(ctx context.Context, p backend.NodePool) (backend.NodePoolState, error) {
	out := backend.NodePoolState{UpToDate: p.Size == 0}
	cfg, err := target.ParseKubeconfig(p.Cluster.Kubeconfig)
	if err != nil {
		// The cluster says so.
		return out, nil //nolint:nilerr // See above.
	}
	if err := probe.Ready(ctx, cfg); err != nil {
		return out, nil //nolint:nilerr // See above.
	}
	client, err := corev1client.NewForConfig(cfg)
	if err != nil {
		return out, fmt.Errorf("cannot make client: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, probe.Timeout)
	defer cancel()
	l, err := client.Nodes().List(ctx, metav1.ListOptions{
		LabelSelector: labels.Set{v1alpha1.LabelNodePool: p.Name}.String(),
	})
	if err != nil {
		return out, fmt.Errorf("cannot list nodes: %w", err)
	}
	for _, n := range l.Items {
		out.Nodes.Total++
		for _, c := range n.Status.Conditions {
			if c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue {
				out.Nodes.Ready++
			}
		}
	}
	return out, nil
}

// EnsureNodePool returns an InvalidError where any node is asked for.
func (b *Backend) EnsureNodePool(_ context.Context, p backend.NodePool) error {
	if p.Size == 0 {
		return nil
	}
	return &backend.InvalidError{Message: fmt.Sprintf("node pool %s: an adopted cluster brings its own nodes; remove the pool", p.Name)}
}

// DeleteNodePool does nothing: the nodes are the cluster's own.
func (b *Backend) DeleteNodePool(context.Context, backend.NodePool) error { return nil }

func (b *Backend) isLetGo(c backend.Cluster) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.letGo[key(c)]
}

func (b *Backend) mark(c backend.Cluster, letGo bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if letGo {
		b.letGo[key(c)] = true
		return
	}
	delete(b.letGo, key(c))
}

func checkVersion(c backend.Cluster, v string) error {
	if c.Version == "" || c.Version == v {
		return nil
	}
	return &backend.InvalidError{Message: fmt.Sprintf("kubernetesVersion %s: adopted cluster runs %s; remove kubernetesVersion or upgrade it yourself", c.Version, v)}
}

func key(c backend.Cluster) string { return c.Namespace + "/" + c.Name }

// write a kubeconfig with what is needed to reach a cluster.
func write(name string, cfg *rest.Config) ([]byte, error) {
	out := clientcmdapi.NewConfig()
	out.Clusters[name] = &clientcmdapi.Cluster{
		Server:                   cfg.Host,
		TLSServerName:            cfg.ServerName,
		CertificateAuthorityData: cfg.CAData,
	}
	out.AuthInfos[name] = &clientcmdapi.AuthInfo{
		Token:                 cfg.BearerToken,
		Username:              cfg.Username,
		Password:              cfg.Password,
		ClientCertificateData: cfg.CertData,
		ClientKeyData:         cfg.KeyData,
	}
	out.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	out.CurrentContext = name
	b, err := clientcmd.Write(*out)
	if err != nil {
		return nil, fmt.Errorf("cannot write kubeconfig: %w", err)
	}
	return b, nil
}
