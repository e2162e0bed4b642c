package preflight

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// Needs are the parts of a snapshot that a content is checked against. What it does
// not refer to is not read.
type Needs struct {
	// Namespaces that objects go to. Their quotas and limit ranges are needed where Pods is true.
	Namespaces []string
	// Pods is true where the content runs any: nodes, quotas and limits are needed.
	Pods bool
	// Elastic asks whether nodes may come by themselves. It only matters where pods would
	// not be scheduled, so that Needs never has it: see Unplaced.
	Elastic bool

	ConfigMaps      []types.NamespacedName
	Secrets         []types.NamespacedName
	ServiceAccounts []types.NamespacedName
	Claims          []types.NamespacedName

	// Storage is needed, and the classes that claims name.
	Storage        bool
	StorageClasses []string

	PriorityClasses, RuntimeClasses bool

	// Kinds of all objects. Definitions are needed of those that are not Kubernetes' own.
	Kinds []schema.GroupVersionKind
	// Resources that contracts name.
	Resources []schema.GroupResource
	Access    []Access
	Images    []string
	// Objects of the content that have fields which cannot be changed, with a version to
	// read them in.
	Objects []ObjectRef
}

// An ObjectRef is an object and a version to read it in.
type ObjectRef struct {
	ObjectKey

	Version string
}

// Needs of a content.
func (s *Subject) Needs() Needs {
	n := Needs{Namespaces: s.namespaces(), Pods: len(s.workloads) > 0}
	sets := map[string]map[types.NamespacedName]bool{"ConfigMap": {}, "Secret": {}, "ServiceAccount": {}, "PersistentVolumeClaim": {}}
	for _, ref := range s.refs {
		if set, ok := sets[ref.kind]; ok && !ref.optional && !late(ref.name) {
			set[types.NamespacedName{Namespace: ref.from.namespace, Name: ref.name}] = true
		}
	}
	n.ConfigMaps, n.Secrets = sorted(sets["ConfigMap"]), sorted(sets["Secret"])
	n.ServiceAccounts, n.Claims = sorted(sets["ServiceAccount"]), sorted(sets["PersistentVolumeClaim"])

	images := map[string]bool{}
	for _, w := range s.workloads {
		n.PriorityClasses = n.PriorityClasses || w.pod.Spec.PriorityClassName != ""
		n.RuntimeClasses = n.RuntimeClasses || w.pod.Spec.RuntimeClassName != nil
		for c := range w.containers() {
			images[c.Image] = true
		}
	}
	delete(images, "")
	n.Images = slices.Sorted(maps.Keys(images))
	n.Storage = len(s.claims) > 0 || len(n.Claims) > 0

	for _, c := range s.claims {
		if c.spec.StorageClassName != nil && !slices.Contains(n.StorageClasses, *c.spec.StorageClassName) {
			n.StorageClasses = append(n.StorageClasses, *c.spec.StorageClassName)
		}
	}
	for _, c := range s.contracts() {
		for _, k := range c.Kinds {
			name, _, _ := strings.Cut(k, "/")
			n.Resources = append(n.Resources, schema.ParseGroupResource(name))
		}
	}
	for _, o := range s.objects {
		if !slices.Contains(n.Kinds, o.gvk) {
			n.Kinds = append(n.Kinds, o.gvk)
		}
		if hasImmutable(o) && s.compares(o) {
			n.Objects = append(n.Objects, ObjectRef{ObjectKey: o.key(), Version: o.gvk.Version})
		}
	}
	for _, q := range s.accessNeeds() {
		n.Access = append(n.Access, q.Access)
	}
	return n
}

// compares is true for an object that is worth reading to compare it with. Most
// ConfigMaps and Services have nothing that cannot be changed.
func (s *Subject) compares(o *object) bool {
	switch o.typed.(type) {
	case *corev1.Service:
		ip, _, _ := unstructured.NestedString(o.Object, "spec", "clusterIP")
		return ip != ""
	case *corev1.ConfigMap:
		frozen, _, _ := unstructured.NestedBool(o.Object, "immutable")
		return frozen || slices.ContainsFunc(s.refs, func(r ref) bool {
			return r.kind == "ConfigMap" && r.name == o.GetName() && r.from.namespace == o.namespace
		})
	}
	return true
}

func sorted(in map[types.NamespacedName]bool) []types.NamespacedName {
	return slices.SortedFunc(maps.Keys(in), func(a, b types.NamespacedName) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
}

// namespaces that objects of the content go to.
func (s *Subject) namespaces() []string {
	set := map[string]bool{}
	for _, o := range s.objects {
		if o.namespace != "" && !late(o.namespace) {
			set[o.namespace] = true
		}
	}
	return slices.Sorted(maps.Keys(set))
}

// standardKeys are the keys that a Secret of a type must have.
var standardKeys = map[corev1.SecretType][]string{
	corev1.SecretTypeTLS:              {corev1.TLSCertKey, corev1.TLSPrivateKeyKey},
	corev1.SecretTypeDockerConfigJson: {corev1.DockerConfigJsonKey},
	corev1.SecretTypeDockercfg:        {corev1.DockerConfigKey},
	corev1.SecretTypeSSHAuth:          {corev1.SSHAuthPrivateKey},
}
