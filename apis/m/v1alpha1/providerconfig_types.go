package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
)

// A BackendName names a way to reach clusters.
type BackendName string

// Backends.
const (
	BackendLocal      BackendName = "local"
	BackendKubeconfig BackendName = "kubeconfig"
	BackendSimulated  BackendName = "simulated"
)

// A ProviderConfigSpec says how the provider reaches clusters.
type ProviderConfigSpec struct {
	// Backend that makes or reaches the clusters: local runs real control planes
	// as processes beside the provider, kubeconfig adopts existing clusters, and
	// simulated plays clusters, a thousand and more of them, on which nothing runs
	// that anybody could use.
	// +kubebuilder:validation:Enum=local;kubeconfig;simulated
	Backend BackendName `json:"backend"`

	// NodeClasses are the sizes of nodes that node pools can ask for by name, in
	// addition to the backend's own: general (4 CPUs, 16 GiB), compute (16, 32),
	// memory (8, 64) and gpu (16, 64 and one nvidia.com/gpu).
	// +kubebuilder:validation:MaxItems=50
	// +listType=map
	// +listMapKey=name
	// +optional
	NodeClasses []NodeClass `json:"nodeClasses,omitempty"`
}

// A NodeClass is a size of node.
type NodeClass struct {
	// Name of the class.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`

	// Capacity of a node of this class.
	Capacity corev1.ResourceList `json:"capacity"`
}

// A ClusterProviderConfigSpec is a ProviderConfigSpec that several namespaces can share.
type ClusterProviderConfigSpec struct {
	ProviderConfigSpec `json:",inline"`

	// AllowedNamespaces are the namespaces whose Clusters may use this
	// configuration. Without it all may.
	// +kubebuilder:validation:MaxItems=100
	// +kubebuilder:validation:items:MaxLength=63
	// +listType=set
	// +optional
	AllowedNamespaces []string `json:"allowedNamespaces,omitempty"`
}

// A ProviderConfigStatus is the observed state of a provider configuration.
type ProviderConfigStatus struct {
	xpv2.ProviderConfigStatus `json:",inline"`
}

// A ProviderConfig says how the provider reaches the clusters of one namespace.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,categories={crossplane,provider,mainstay}
// +kubebuilder:printcolumn:name="BACKEND",type=string,JSONPath=`.spec.backend`
// +kubebuilder:printcolumn:name="USERS",type=integer,JSONPath=`.status.users`
// +kubebuilder:printcolumn:name="AGE",type=date,JSONPath=`.metadata.creationTimestamp`
type ProviderConfig struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   ProviderConfigSpec   `json:"spec"`
	Status ProviderConfigStatus `json:"status,omitempty"`
}

// A ProviderConfigList is a list of ProviderConfigs.
// +kubebuilder:object:root=true
type ProviderConfigList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ProviderConfig `json:"items"`
}

// A ClusterProviderConfig says how the provider reaches clusters, for many namespaces.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,categories={crossplane,provider,mainstay}
// +kubebuilder:printcolumn:name="BACKEND",type=string,JSONPath=`.spec.backend`
// +kubebuilder:printcolumn:name="USERS",type=integer,JSONPath=`.status.users`
// +kubebuilder:printcolumn:name="AGE",type=date,JSONPath=`.metadata.creationTimestamp`
type ClusterProviderConfig struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   ClusterProviderConfigSpec `json:"spec"`
	Status ProviderConfigStatus      `json:"status,omitempty"`
}

// A ClusterProviderConfigList is a list of ClusterProviderConfigs.
// +kubebuilder:object:root=true
type ClusterProviderConfigList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ClusterProviderConfig `json:"items"`
}

// A ProviderConfigUsage says that a managed resource uses a provider configuration.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Namespaced,categories={crossplane,provider,mainstay}
// +kubebuilder:printcolumn:name="CONFIG-NAME",type=string,JSONPath=`.providerConfigRef.name`
// +kubebuilder:printcolumn:name="RESOURCE-KIND",type=string,JSONPath=`.resourceRef.kind`
// +kubebuilder:printcolumn:name="RESOURCE-NAME",type=string,JSONPath=`.resourceRef.name`
// +kubebuilder:printcolumn:name="AGE",type=date,JSONPath=`.metadata.creationTimestamp`
type ProviderConfigUsage struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	xpv2.TypedProviderConfigUsage `json:",inline"`
}

// A ProviderConfigUsageList is a list of ProviderConfigUsages.
// +kubebuilder:object:root=true
type ProviderConfigUsageList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ProviderConfigUsage `json:"items"`
}
