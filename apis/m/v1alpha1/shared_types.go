package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// A LabelValue is the value of a label.
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:Pattern=`^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$`
type LabelValue string

// Labels returns label values as the plain strings that Kubernetes wants.
func Labels(in map[string]LabelValue) map[string]string {
	if in == nil {
		return nil
	}
	out := make(map[string]string, len(in))
	for k, v := range in {
		out[k] = string(v)
	}
	return out
}

// A SecretKeySelector names a key of a Secret in the same namespace.
type SecretKeySelector struct {
	// Name of the Secret.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// Key in the Secret.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:default=kubeconfig
	// +optional
	Key string `json:"key,omitempty"`
}

// A Taint keeps pods that do not tolerate it off a node.
type Taint struct {
	// Key of the taint.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Key string `json:"key"`

	// Value of the taint.
	// +optional
	Value LabelValue `json:"value,omitempty"`

	// Effect of the taint.
	// +kubebuilder:validation:Enum=NoSchedule;PreferNoSchedule;NoExecute
	Effect corev1.TaintEffect `json:"effect"`
}

// KubernetesTaints returns taints in the type of Kubernetes.
func KubernetesTaints(in []Taint) []corev1.Taint {
	if in == nil {
		return nil
	}
	out := make([]corev1.Taint, 0, len(in))
	for _, t := range in {
		out = append(out, corev1.Taint{Key: t.Key, Value: string(t.Value), Effect: t.Effect})
	}
	return out
}

// A Tenant is a namespace on the hub whose applications may run on a cluster.
type Tenant struct {
	// Namespace on the hub that the tenant's claims live in.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=50
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Namespace string `json:"namespace"`

	// TargetNamespaces on the clusters that the tenant may deploy into. They are
	// made where they do not exist. Defaults to the one that is named like the
	// tenant's namespace.
	// +kubebuilder:validation:MaxItems=20
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	// +kubebuilder:validation:items:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	// +kubebuilder:validation:XValidation:rule="self.all(n, !n.startsWith('kube-') && n != 'default')",message="targetNamespaces may not contain default or a namespace that starts with kube-"
	// +listType=set
	// +optional
	TargetNamespaces []string `json:"targetNamespaces,omitempty"`

	// Quota for each target namespace, as a ResourceQuota's hard limits. Where it
	// limits CPU or memory, containers that ask for none get a small default.
	// +kubebuilder:validation:MaxProperties=16
	// +optional
	Quota map[string]resource.Quantity `json:"quota,omitempty"`
}

// Namespaces returns the target namespaces of the tenant, the default applied.
func (t *Tenant) Namespaces() []string {
	if len(t.TargetNamespaces) == 0 {
		return []string{t.Namespace}
	}
	return t.TargetNamespaces
}

// A ObjectReference names one object on a cluster.
type ObjectReference struct {
	// APIVersion of the object.
	APIVersion string `json:"apiVersion"`
	// Kind of the object.
	Kind string `json:"kind"`
	// Namespace of the object. Empty for one that has none, and in a Bundle for
	// one whose namespace the Release decides.
	// +optional
	Namespace string `json:"namespace,omitempty"`
	// Name of the object.
	Name string `json:"name"`
	// Component the object belongs to.
	// +optional
	Component string `json:"component,omitempty"`
	// Keep says when the object stays although it is not wanted any more. Empty means
	// that it goes with the revision that drops it.
	// +optional
	Keep Keep `json:"keep,omitempty"`
	// Trace identifies what was last applied, and what the cluster made of it.
	// +optional
	Trace string `json:"trace,omitempty"`
}

// A Keep says when an object stays that is not wanted any more.
// +kubebuilder:validation:Enum=UntilDeleted;Always
type Keep string

// Keeps.
const (
	// KeepUntilDeleted keeps an object until the application is deleted.
	KeepUntilDeleted Keep = "UntilDeleted"
	// KeepAlways keeps an object for ever.
	KeepAlways Keep = "Always"
)
