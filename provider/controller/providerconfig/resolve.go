package providerconfig

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/provider/backend"
	"github.com/mainstay-dev/mainstay/provider/target"
)

// Backends are what this process can make and reach clusters with.
type Backends map[v1alpha1.BackendName]backend.Backend

// Names of the backends, sorted.
func (b Backends) Names() []v1alpha1.BackendName {
	return slices.Sorted(maps.Keys(b))
}

// Get a backend by name. The error of one that is not there says how to get it.
func (b Backends) Get(name v1alpha1.BackendName) (backend.Backend, error) {
	if found, ok := b[name]; ok {
		return found, nil
	}
	if name == v1alpha1.BackendLocal {
		return nil, fmt.Errorf("backend %q is not available in this provider: start it with --local-binaries and --local-state", name)
	}
	return nil, fmt.Errorf("backend %q is not available in this provider", name)
}

// A Resolver finds out who a Cluster is to be asked from, and with what.
type Resolver struct {
	// Hub is read for configurations and Secrets.
	Hub client.Reader
	// Backends there are.
	Backends Backends
}

// A Resolution is who a Cluster is to be asked from, and with what.
type Resolution struct {
	Backend     backend.Backend
	Cluster     backend.Cluster
	NodeClasses []v1alpha1.NodeClass
}

// Resolve a Cluster. Errors name the field that has to change. Where the Cluster is
// being deleted a kubeconfig that cannot be had is left out: what is to be let go of
// need not be reached.
func (r *Resolver) Resolve(ctx context.Context, cr *v1alpha1.Cluster) (*Resolution, error) {
	spec, err := r.config(ctx, cr)
	if err != nil {
		return nil, err
	}
	b, err := r.Backends.Get(spec.Backend)
	if err != nil {
		return nil, err
	}
	kubeconfig, err := r.kubeconfig(ctx, cr)
	if err != nil && cr.GetDeletionTimestamp() == nil {
		return nil, err
	}
	return &Resolution{
		Backend: b,
		Cluster: backend.Cluster{
			Namespace:  cr.GetNamespace(),
			Name:       cr.GetName(),
			Version:    cr.Spec.ForProvider.KubernetesVersion,
			Kubeconfig: kubeconfig,
		},
		NodeClasses: spec.NodeClasses,
	}, nil
}

func (r *Resolver) config(ctx context.Context, cr *v1alpha1.Cluster) (*v1alpha1.ProviderConfigSpec, error) {
	ref := cr.GetProviderConfigReference()
	if ref == nil {
		return nil, fmt.Errorf("spec.providerConfigRef is missing: name a ProviderConfig or a ClusterProviderConfig")
	}
	switch ref.Kind {
	case v1alpha1.ProviderConfigGVK.Kind:
		pc := &v1alpha1.ProviderConfig{}
		if err := r.get(ctx, types.NamespacedName{Namespace: cr.GetNamespace(), Name: ref.Name}, ref.Kind, pc); err != nil {
			return nil, err
		}
		return &pc.Spec, nil
	case v1alpha1.ClusterProviderConfigGVK.Kind:
		pc := &v1alpha1.ClusterProviderConfig{}
		if err := r.get(ctx, types.NamespacedName{Name: ref.Name}, ref.Kind, pc); err != nil {
			return nil, err
		}
		if err := allowed(pc, cr.GetNamespace()); err != nil {
			return nil, err
		}
		return &pc.Spec.ProviderConfigSpec, nil
	}
	return nil, fmt.Errorf("spec.providerConfigRef.kind %q is not supported: use %s or %s",
		ref.Kind, v1alpha1.ProviderConfigGVK.Kind, v1alpha1.ClusterProviderConfigGVK.Kind)
}

func (r *Resolver) get(ctx context.Context, name types.NamespacedName, kind string, into client.Object) error {
	err := r.Hub.Get(ctx, name, into)
	if kerrors.IsNotFound(err) {
		return fmt.Errorf("%s %q does not exist%s: create it, or name another in spec.providerConfigRef", kind, name.Name, in(name.Namespace))
	}
	if err != nil {
		return fmt.Errorf("cannot get %s %q: %w", kind, name.Name, err)
	}
	return nil
}

func in(namespace string) string {
	if namespace == "" {
		return ""
	}
	return fmt.Sprintf(" in namespace %q", namespace)
}

func allowed(pc *v1alpha1.ClusterProviderConfig, namespace string) error {
	if len(pc.Spec.AllowedNamespaces) == 0 || slices.Contains(pc.Spec.AllowedNamespaces, namespace) {
		return nil
	}
	return fmt.Errorf("ClusterProviderConfig %q may not be used from namespace %q: add it to its spec.allowedNamespaces, or name another in spec.providerConfigRef",
		pc.GetName(), namespace)
}

// Field of a claim that names the Secret of a cluster to adopt.
const kubeconfigField = "spec.clusters[].kubeconfigSecretRef"

func (r *Resolver) kubeconfig(ctx context.Context, cr *v1alpha1.Cluster) ([]byte, error) {
	ref := cr.Spec.ForProvider.KubeconfigSecretRef
	if ref == nil {
		return nil, nil
	}
	s := &corev1.Secret{}
	err := r.Hub.Get(ctx, types.NamespacedName{Namespace: cr.GetNamespace(), Name: ref.Name}, s)
	if kerrors.IsNotFound(err) {
		return nil, fmt.Errorf("%s: there is no Secret %q in namespace %q: create it, or correct the name", kubeconfigField, ref.Name, cr.GetNamespace())
	}
	if err != nil {
		return nil, fmt.Errorf("%s: cannot get Secret %q: %w", kubeconfigField, ref.Name, err)
	}
	key := ref.Key
	if key == "" {
		key = target.KubeconfigKey
	}
	data := s.Data[key]
	if len(strings.TrimSpace(string(data))) == 0 {
		return nil, fmt.Errorf("%s: Secret %q has no key %q: add it, or correct the key", kubeconfigField, ref.Name, key)
	}
	if _, err := target.ParseKubeconfig(data); err != nil {
		return nil, fmt.Errorf("%s: key %q of Secret %q: %w", kubeconfigField, key, ref.Name, err)
	}
	return data, nil
}
