package preflight

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/bundle"
	"github.com/mainstay-dev/mainstay/internal/nodeclass"
)

const namespace = "team-a"

// contentOf one component of manifests.
func contentOf(t testing.TB, manifests string, contract *bundle.Contract) bundle.Content {
	t.Helper()
	c := bundle.Component{Name: "main", Type: "k8s-objects", Contract: contract}
	for _, doc := range strings.Split(manifests, "\n---\n") {
		if strings.TrimSpace(doc) == "" {
			continue
		}
		c.Objects = append(c.Objects, objectOf(t, doc))
	}
	return bundle.Content{Components: []bundle.Component{c}}
}

func objectOf(t testing.TB, doc string) unstructured.Unstructured {
	t.Helper()
	u := unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(doc), &u.Object); err != nil {
		t.Fatalf("%v in:\n%s", err, doc)
	}
	return u
}

// deployment of a given number of replicas, with lines for its pods and its container.
func deployment(replicas, pod, container string) string {
	return workloadText("Deployment", "web", "replicas: "+replicas, pod, container)
}

func workloadText(kind, name, spec, pod, container string) string {
	return strings.NewReplacer("KIND", kind, "NAME", name, "SPEC", spec, "POD", pod, "CONTAINER", container).Replace(`
apiVersion: apps/v1
kind: KIND
metadata: {name: NAME}
spec:
  SPEC
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}}
    spec:
      POD
      containers:
      - name: main
        image: registry.example.com/web:1.0
        CONTAINER
`)
}

// nodeOf a class of the demo's.
func nodeOf(t testing.TB, name, class, zone string) Node {
	t.Helper()
	capacity, err := nodeclass.Capacity(nil, class)
	if err != nil {
		t.Fatal(err)
	}
	return Node{
		Name: name, Arch: "amd64", Fake: true, Allocatable: capacity,
		Labels: map[string]string{
			corev1.LabelHostname: name, corev1.LabelArchStable: "amd64", corev1.LabelOSStable: "linux", corev1.LabelTopologyZone: zone,
			v1alpha1.LabelNodeClass: class, corev1.LabelInstanceTypeStable: class,
		},
	}
}

// cluster as the demo has them: three general nodes and a tainted one with a GPU, in two zones.
func cluster(t testing.TB, change ...func(*Snapshot)) *Snapshot {
	t.Helper()
	gpu := nodeOf(t, "gpu-0", "gpu", "b")
	gpu.Taints = []corev1.Taint{{Key: "dedicated", Value: "gpu", Effect: corev1.TaintEffectNoSchedule}}
	s := &Snapshot{
		Generation: 1,
		Minor:      35,
		Kinds:      &Kinds{Served: map[schema.GroupVersionKind]bool{}, Resources: map[schema.GroupResource][]string{}},
		Capacity: &Capacity{Nodes: []Node{
			nodeOf(t, "general-0", "general", "a"), nodeOf(t, "general-1", "general", "a"), nodeOf(t, "general-2", "general", "b"), gpu,
		}},
		Namespaces:      map[string]*Namespace{namespace: {Labels: map[string]string{"pod-security.kubernetes.io/enforce": "baseline"}}},
		ConfigMaps:      map[types.NamespacedName]*ConfigMap{inTeam("settings"): {Keys: []string{"level"}}},
		Secrets:         map[types.NamespacedName]*Secret{inTeam("db"): {Type: corev1.SecretTypeOpaque, Keys: []string{"password"}}, inTeam("pull"): {Type: corev1.SecretTypeDockerConfigJson, Keys: []string{".dockerconfigjson"}}},
		ServiceAccounts: map[types.NamespacedName]*ServiceAccount{inTeam("default"): {}, inTeam("worker"): {}},
		Claims:          map[types.NamespacedName]*Claim{inTeam("data"): {Phase: corev1.ClaimBound}},
		Quotas:          map[string][]corev1.ResourceQuota{namespace: nil},
		LimitRanges:     map[string][]corev1.LimitRange{namespace: nil},
		Storage:         &Storage{Classes: map[string]bool{"disk": true}, Default: true, Free: map[string]bool{}},
		PriorityClasses: map[string]bool{"high": true},
		RuntimeClasses:  map[string]bool{"gvisor": true},
		Access:          map[Access]bool{},
		Images:          map[string]*Image{},
		Objects:         map[ObjectKey]*unstructured.Unstructured{},
		Definitions:     map[schema.GroupKind]*Definition{},
	}
	s.Capacity.Nodes[2].Labels["workload"] = "batch"
	for gvk := range kinds().AllKnownTypes() {
		s.Kinds.Served[gvk] = !clusterScoped[gvk.GroupKind()]
	}
	for _, c := range change {
		c(s)
	}
	// What was not asked for is there or not, but known.
	return s
}

// absentNames makes names known as not being there.
func absentNames(names ...string) func(*Snapshot) {
	return func(s *Snapshot) {
		for _, n := range names {
			s.ConfigMaps[inTeam(n)], s.Secrets[inTeam(n)], s.ServiceAccounts[inTeam(n)], s.Claims[inTeam(n)] = nil, nil, nil, nil
		}
	}
}

func inTeam(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: namespace, Name: name}
}

// there puts objects on the cluster.
func there(t testing.TB, manifests string) func(*Snapshot) {
	return func(s *Snapshot) {
		for _, o := range Prepare(contentOf(t, manifests, nil), namespace, nil).objects {
			s.Objects[o.key()] = o.Unstructured
		}
	}
}

// running puts a pod on a node.
func running(node, ns, app, cpu string, ports ...HostPort) func(*Snapshot) {
	return func(s *Snapshot) {
		s.Capacity.Pods = append(s.Capacity.Pods, Pod{
			Namespace: ns, Node: node, Labels: map[string]string{"app": app}, Ports: ports,
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu)},
		})
	}
}

func limitRange(t testing.TB, doc string) func(*Snapshot) {
	return func(s *Snapshot) {
		l := corev1.LimitRange{}
		if err := yaml.UnmarshalStrict([]byte(doc), &l); err != nil {
			t.Fatal(err)
		}
		s.LimitRanges[namespace] = append(s.LimitRanges[namespace], l)
	}
}

func quotaOf(t testing.TB, doc string) func(*Snapshot) {
	return func(s *Snapshot) {
		q := corev1.ResourceQuota{}
		if err := yaml.UnmarshalStrict([]byte(doc), &q); err != nil {
			t.Fatal(err)
		}
		s.Quotas[namespace] = append(s.Quotas[namespace], q)
	}
}

// widgets are custom resources that the cluster serves.
const widgets = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Widget, plural: widgets}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            required: [size, shape]
            x-kubernetes-validations:
            - {rule: "self.size < 100 || self.shape == 'flat'", message: "large widgets are flat"}
            properties:
              size: {type: integer, minimum: 1}
              shape: {type: string, default: round}
`

func withWidgets(t testing.TB) func(*Snapshot) {
	return func(s *Snapshot) {
		crd := &apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.UnmarshalStrict([]byte(widgets), crd); err != nil {
			t.Fatal(err)
		}
		d, err := Define(crd)
		if err != nil {
			t.Fatal(err)
		}
		s.Definitions[schema.GroupKind{Group: "example.com", Kind: "Widget"}] = d
		s.Kinds.Served[schema.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "Widget"}] = true
		s.Kinds.Resources[schema.GroupResource{Group: "example.com", Resource: "widgets"}] = []string{"v1"}
	}
}
