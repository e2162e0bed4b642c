package fleet

import (
	"fmt"
	"slices"

	mv1alpha1 "github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/nodeclass"
)

// ValidateFor returns what a fleet asks for that the backend of its provider
// configuration cannot do. The error is an InvalidError.
func ValidateFor(s *v1alpha1.ClusterFleetSpec, config *mv1alpha1.ProviderConfigSpec) error {
	var ps problems
	if config.Backend == mv1alpha1.BackendKubeconfig {
		ps.adopted(s)
		return ps.err()
	}
	for i, c := range s.Clusters {
		if c.KubeconfigSecretRef != nil {
			ps.addf(fmt.Sprintf("spec.clusters[%d].kubeconfigSecretRef", i),
				"the %s backend makes its clusters and adopts none: remove it, or use a provider configuration with backend kubeconfig", config.Backend)
		}
	}
	for i, p := range s.NodePools {
		if _, err := nodeclass.Capacity(config.NodeClasses, p.Class); err != nil {
			ps.addf(fmt.Sprintf("spec.nodePools[%d].class", i), "%s", err)
		}
	}
	return ps.err()
}

func (ps *problems) adopted(s *v1alpha1.ClusterFleetSpec) {
	for i, c := range s.Clusters {
		if c.KubeconfigSecretRef == nil {
			ps.addf(fmt.Sprintf("spec.clusters[%d].kubeconfigSecretRef", i),
				"the kubeconfig backend adopts existing clusters: name the Secret with the kubeconfig of %q", c.Name)
		}
	}
	for i, g := range s.Generate {
		if g.Count > 0 {
			ps.addf(fmt.Sprintf("spec.generate[%d]", i), "the kubeconfig backend makes no clusters: list existing ones in spec.clusters")
		}
	}
	for i, p := range s.NodePools {
		if p.Size > 0 {
			ps.addf(fmt.Sprintf("spec.nodePools[%d]", i), "the kubeconfig backend makes no nodes: an adopted cluster brings its own, so remove the pool")
		}
	}
}

// Blocked says why a fleet cannot go on without somebody's help, given its provider
// configuration, which is nil where it does not exist. It is empty where it can.
func Blocked(namespace string, ref v1alpha1.ProviderConfigReference, config *mv1alpha1.ClusterProviderConfigSpec) string {
	switch {
	case config == nil:
		return fmt.Sprintf("%s %q does not exist: create it or change spec.providerConfigRef", ref.Kind, ref.Name)
	case len(config.AllowedNamespaces) > 0 && !slices.Contains(config.AllowedNamespaces, namespace):
		return fmt.Sprintf("%s %q may not be used from namespace %q: ask its owner to add it to spec.allowedNamespaces, or change spec.providerConfigRef",
			ref.Kind, ref.Name, namespace)
	}
	return ""
}
