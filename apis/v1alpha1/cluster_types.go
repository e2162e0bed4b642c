package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"

	mv1alpha1 "github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// A ProviderConfigReference names the configuration that says which backend
// reaches the clusters, and with which credentials.
type ProviderConfigReference struct {
	// Kind of the configuration.
	// +kubebuilder:validation:Enum=ProviderConfig;ClusterProviderConfig
	// +kubebuilder:default=ClusterProviderConfig
	// +optional
	Kind string `json:"kind,omitempty"`

	// Name of the configuration.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:default=default
	// +optional
	Name string `json:"name,omitempty"`
}

// A FleetCluster is one cluster of a fleet.
type FleetCluster struct {
	// Name of the cluster, unique in the fleet. Topology policies use it.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=45
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`

	// Region the cluster runs in. Becomes the cluster label "region".
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	// +optional
	Region string `json:"region,omitempty"`

	// Labels that topology and override policies can select the cluster by.
	// +kubebuilder:validation:MaxProperties=16
	// +optional
	Labels map[string]mv1alpha1.LabelValue `json:"labels,omitempty"`

	// Facts that manifests can use as ${cluster.<name>}, such as the registry that is
	// near.
	// +kubebuilder:validation:MaxProperties=16
	// +optional
	Facts map[string]string `json:"facts,omitempty"`

	// KubernetesVersion of this cluster. Defaults to the fleet's.
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:Pattern=`^v1\.[0-9]{1,3}\.[0-9]{1,3}$`
	// +optional
	KubernetesVersion string `json:"kubernetesVersion,omitempty"`

	// KubeconfigSecretRef names the Secret, in the fleet's namespace, that holds
	// the kubeconfig of an existing cluster. Only the kubeconfig backend reads it.
	// +optional
	KubeconfigSecretRef *mv1alpha1.SecretKeySelector `json:"kubeconfigSecretRef,omitempty"`
}

// A FleetNodePool is a group of like nodes that every cluster of a fleet has.
type FleetNodePool struct {
	// Name of the pool, unique in the fleet.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`

	// Class of the nodes: a name that the provider configuration gives a size
	// to, such as general, compute, memory or gpu.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Class string `json:"class"`

	// Size is the number of nodes in each cluster.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	Size int32 `json:"size"`

	// Labels the nodes carry.
	// +kubebuilder:validation:MaxProperties=16
	// +optional
	Labels map[string]mv1alpha1.LabelValue `json:"labels,omitempty"`

	// Taints the nodes carry.
	// +kubebuilder:validation:MaxItems=8
	// +listType=atomic
	// +optional
	Taints []mv1alpha1.Taint `json:"taints,omitempty"`
}

// KubernetesTaints returns the pool's taints in the types of Kubernetes.
func (p *FleetNodePool) KubernetesTaints() []corev1.Taint {
	return mv1alpha1.KubernetesTaints(p.Taints)
}

// A ClusterCount says how many clusters there are, and how many of them are ready.
type ClusterCount struct {
	// Total is the number of clusters wanted.
	// +optional
	Total int32 `json:"total"`

	// Ready is the number of clusters that are ready.
	// +optional
	Ready int32 `json:"ready"`
}

// A ClusterProblem is a cluster that is not as wanted, and why.
type ClusterProblem struct {
	// Cluster is the name of the cluster in its fleet.
	Cluster string `json:"cluster"`

	// Message says what is wrong and what can be done.
	Message string `json:"message"`
}
