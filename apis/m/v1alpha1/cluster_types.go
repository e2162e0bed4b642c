package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
)

// A Cluster is one Kubernetes cluster.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,categories={crossplane,managed,mainstay}
// +kubebuilder:printcolumn:name="READY",type=string,JSONPath=`.status.conditions[?(@.type=='Ready')].status`
// +kubebuilder:printcolumn:name="SYNCED",type=string,JSONPath=`.status.conditions[?(@.type=='Synced')].status`
// +kubebuilder:printcolumn:name="REGION",type=string,JSONPath=`.spec.forProvider.region`
// +kubebuilder:printcolumn:name="VERSION",type=string,JSONPath=`.status.atProvider.version`
// +kubebuilder:printcolumn:name="NODES",type=integer,JSONPath=`.status.atProvider.nodes.ready`
// +kubebuilder:printcolumn:name="RELEASES",type=integer,JSONPath=`.status.atProvider.releases`
// +kubebuilder:printcolumn:name="MESSAGE",type=string,JSONPath=`.status.atProvider.message`
// +kubebuilder:printcolumn:name="AGE",type=date,JSONPath=`.metadata.creationTimestamp`
type Cluster struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   ClusterSpec   `json:"spec"`
	Status ClusterStatus `json:"status,omitempty"`
}

// A ClusterSpec is the wanted state of a Cluster.
type ClusterSpec struct {
	xpv2.ManagedResourceSpec `json:",inline"`

	// ForProvider is what the backend is asked for.
	ForProvider ClusterParameters `json:"forProvider"`
}

// ClusterParameters are what a backend is asked for.
//
// +kubebuilder:validation:XValidation:rule="self.name == oldSelf.name && self.fleet == oldSelf.fleet",message="fleet and name of a Cluster cannot change: make another Cluster"
type ClusterParameters struct {
	// Fleet the cluster belongs to.
	// +kubebuilder:validation:MaxLength=63
	// +optional
	Fleet string `json:"fleet"`

	// Name of the cluster in its fleet.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`

	// Region of the cluster.
	// +kubebuilder:validation:MaxLength=32
	// +optional
	Region string `json:"region,omitempty"`

	// KubernetesVersion of the control plane, such as v1.35.3. Empty leaves it to
	// the backend.
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:Pattern=`^v1\.[0-9]{1,3}\.[0-9]{1,3}$`
	// +optional
	KubernetesVersion string `json:"kubernetesVersion,omitempty"`

	// Labels by which policies select the cluster.
	// +kubebuilder:validation:MaxProperties=20
	// +optional
	Labels map[string]LabelValue `json:"labels,omitempty"`

	// Facts that manifests can use as ${cluster.<name>}, such as the registry that is
	// near.
	// +kubebuilder:validation:MaxProperties=16
	// +optional
	Facts map[string]string `json:"facts,omitempty"`

	// Tenants whose Releases may run on the cluster. Nobody else's may.
	// +kubebuilder:validation:MaxItems=50
	// +listType=map
	// +listMapKey=namespace
	// +optional
	Tenants []Tenant `json:"tenants,omitempty"`

	// KubeconfigSecretRef names the Secret, in this namespace, with the
	// kubeconfig of the existing cluster to adopt. The kubeconfig backend needs it.
	// +optional
	KubeconfigSecretRef *SecretKeySelector `json:"kubeconfigSecretRef,omitempty"`

	// Shape identifies the version and the node pools that the cluster is to have, where
	// its fleet rolls them out. A cluster that exists takes it when it is admitted.
	// Without it, it takes at once whatever is asked for.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Shape string `json:"shape,omitempty"`

	// Revision of the fleet that the cluster was told of.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Revision string `json:"revision,omitempty"`

	// Admitted is the shape that the fleet's Rollout lets the cluster take. It is the
	// Rollout's: nothing that is composed sets it.
	// +optional
	Admitted *AdmittedShape `json:"admitted,omitempty"`
}

// An AdmittedShape is a shape that a cluster may take.
//
// +kubebuilder:validation:XValidation:rule="self.epoch >= oldSelf.epoch",message="epoch cannot go back: whoever wrote this decided from an older state"
type AdmittedShape struct {
	// Shape that may be taken.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Shape string `json:"shape"`
	// Epoch of the Rollout that wrote this. It fences: a lower one is refused.
	// +kubebuilder:validation:Minimum=0
	Epoch int64 `json:"epoch"`
	// Wave that the cluster was in.
	// +kubebuilder:validation:MaxLength=63
	// +optional
	Wave string `json:"wave,omitempty"`
	// At which time it was admitted.
	At metav1.Time `json:"at"`
}

// A ClusterStatus is the observed state of a Cluster.
type ClusterStatus struct {
	xpv2.ConditionedStatus `json:",inline"`

	// AtProvider is what is observed of the cluster.
	// +optional
	AtProvider ClusterObservation `json:"atProvider,omitempty"`
}

// A ClusterObservation is what is observed of a cluster.
type ClusterObservation struct {
	// Version the control plane runs.
	// +optional
	Version string `json:"version,omitempty"`

	// Shape that the cluster has, once all of it is there and ready.
	// +optional
	Shape string `json:"shape,omitempty"`

	// Endpoint of the API server.
	// +optional
	Endpoint string `json:"endpoint,omitempty"`

	// Nodes counts the nodes.
	// +optional
	Nodes NodeCount `json:"nodes,omitempty"`

	// Releases is the number of Releases that name this cluster.
	// +optional
	Releases int32 `json:"releases"`

	// Applications are some of the applications those Releases belong to, as
	// namespace/name. At most 10.
	// +optional
	Applications []string `json:"applications,omitempty"`

	// Tenants are the tenants that have been set up on the cluster.
	// +optional
	Tenants []string `json:"tenants,omitempty"`

	// Message says what the cluster waits for, when it does.
	// +optional
	Message string `json:"message,omitempty"`
}

// A NodeCount counts nodes.
type NodeCount struct {
	// Total is the number of nodes.
	// +optional
	Total int32 `json:"total"`
	// Ready is the number of nodes that are ready.
	// +optional
	Ready int32 `json:"ready"`
}

// A ClusterList is a list of Clusters.
// +kubebuilder:object:root=true
type ClusterList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Cluster `json:"items"`
}
