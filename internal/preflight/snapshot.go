package preflight

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// A Snapshot is what is known of a cluster. Each part is nil where it is not known. In
// a map by name, an entry that is nil says that there is no such object, and a name
// without an entry that nobody has looked.
//
// A snapshot is shared and read by many: nothing changes it once it is made.
type Snapshot struct {
	// Generation is another one whenever something in the snapshot is.
	Generation uint64
	// Minor of the cluster's version 1.<minor>. It is 0 where it is not known.
	Minor int
	// Kinds that the cluster serves.
	Kinds *Kinds
	// Definitions of kinds that are custom resources.
	Definitions map[schema.GroupKind]*Definition
	// Capacity is the nodes and what runs on them.
	Capacity *Capacity
	// Namespaces by name.
	Namespaces map[string]*Namespace

	ConfigMaps      map[types.NamespacedName]*ConfigMap
	Secrets         map[types.NamespacedName]*Secret
	ServiceAccounts map[types.NamespacedName]*ServiceAccount
	Claims          map[types.NamespacedName]*Claim

	// Quotas and LimitRanges of a namespace. An empty list says that there are none.
	Quotas      map[string][]corev1.ResourceQuota
	LimitRanges map[string][]corev1.LimitRange

	Storage *Storage
	// PriorityClasses and RuntimeClasses that there are.
	PriorityClasses map[string]bool
	RuntimeClasses  map[string]bool

	// Access is whether a right is there.
	Access map[Access]bool
	// Images by reference, as the registry knows them.
	Images map[string]*Image
	// Objects of the application as they are on the cluster.
	Objects map[ObjectKey]*unstructured.Unstructured
}

// Kinds that a cluster serves, of those that were asked for.
type Kinds struct {
	// Served by group, version and kind, in all versions of a kind that is served in
	// another than was asked for. The value is true for a kind with namespaces.
	Served map[schema.GroupVersionKind]bool
	// Resources are plural names by group, and the versions they are served in.
	Resources map[schema.GroupResource][]string
	// Incomplete is true where the cluster could not say, so that there may be more.
	Incomplete bool
}

// A Capacity is the nodes of a cluster and what runs on them.
type Capacity struct {
	Nodes []Node
	// Pods that take room on a node, of all namespaces.
	Pods []Pod
	// Elastic is true where nodes may come by themselves, or are still to come: what no
	// node has today says nothing of tomorrow.
	Elastic bool
}

// A Node of a cluster.
type Node struct {
	Name        string
	Labels      map[string]string
	Taints      []corev1.Taint
	Allocatable corev1.ResourceList
	// Arch is the processor's, such as amd64.
	Arch string
	// Images that the node has. Kubelets report some of them only.
	Images []string
	// Fake is true for a node that runs nothing: it pulls no images.
	Fake bool
}

// A Pod takes room on a node.
type Pod struct {
	Namespace string
	Labels    map[string]string
	// Node it is on. It is empty for one that waits.
	Node string
	// Requests of all its containers.
	Requests corev1.ResourceList
	// Ports on the node.
	Ports []HostPort
	// Daemon is true for one that every node has.
	Daemon bool
	// PortNames are the names of its containers' ports.
	PortNames []string
}

// A HostPort is a port that a pod takes on its node.
type HostPort struct {
	Protocol corev1.Protocol
	Port     int32
	// IP is empty for all addresses.
	IP string
}

// A Namespace of a cluster.
type Namespace struct {
	Labels      map[string]string
	Terminating bool
}

// A ConfigMap is the names of its keys.
type ConfigMap struct{ Keys []string }

// A Secret is its type and the names of its keys. There is no place for values.
type Secret struct {
	Type corev1.SecretType
	Keys []string
}

// A ServiceAccount that is there.
type ServiceAccount struct{ PullSecrets []string }

// A Claim to a volume.
type Claim struct {
	Phase corev1.PersistentVolumeClaimPhase
	// Class is nil where it has none yet.
	Class       *string
	Terminating bool
}

// Storage is what volumes can be had.
type Storage struct {
	// Classes by name, and whether they wait for the pod before they bind.
	Classes map[string]bool
	// Default is true where a class is the default.
	Default bool
	// Free are the classes of volumes that were made by hand and are free.
	Free map[string]bool
}

// Access is a question: may a service account do something in its namespace?
type Access struct {
	Namespace, ServiceAccount string
	Group, Resource, Verb     string
}

// String is the question in a line.
func (a Access) String() string {
	return a.Namespace + "/" + a.ServiceAccount + " " + a.Verb + " " + a.Resource + "." + a.Group
}

// An Image as a registry knows it.
type Image struct {
	// Missing is true where the registry says that there is no such tag or digest.
	Missing bool
	// Platforms as os/arch. It is empty where the registry does not say.
	Platforms []string
}

// An ObjectKey names an object on a cluster.
type ObjectKey struct {
	schema.GroupKind
	types.NamespacedName
}
