package apiserver

import (
	"fmt"
	"sync"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/managedfields"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/applyconfigurations"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/kube-openapi/pkg/handler3"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// Machinery is what the clusters of a process share: the kinds that all of them serve,
// and how their fields are merged. It holds nothing of any cluster.
type Machinery struct {
	scheme *runtime.Scheme
	codecs serializer.CodecFactory
	kinds  []*kind
	byPath map[schema.GroupVersionResource]*kind
	typed  managedfields.TypeConverter
	freed  managedfields.TypeConverter

	discovery discovery
	openAPI   func() *handler3.OpenAPIService

	mu       sync.Mutex
	managers map[managerKey]*managedfields.FieldManager
}

type managerKey struct {
	gvk         schema.GroupVersionKind
	subresource string
}

// NewMachinery returns the machinery of a process. It takes some milliseconds and
// megabytes to make: make one.
func NewMachinery() *Machinery {
	s := runtime.NewScheme()
	utilruntime.Must(scheme.AddToScheme(s))
	utilruntime.Must(apiextensionsv1.AddToScheme(s))
	m := &Machinery{
		scheme:   s,
		codecs:   serializer.NewCodecFactory(s),
		kinds:    parseKinds(builtin),
		byPath:   map[schema.GroupVersionResource]*kind{},
		typed:    applyconfigurations.NewTypeConverter(scheme.Scheme),
		freed:    managedfields.NewDeducedTypeConverter(),
		managers: map[managerKey]*managedfields.FieldManager{},
	}
	for _, k := range m.kinds {
		m.byPath[k.gvk.GroupVersion().WithResource(k.resource)] = k
	}
	m.discovery = discover(m.kinds)
	m.openAPI = sync.OnceValue(func() *handler3.OpenAPIService { return describe(m.kinds) })
	return m
}

// manager of the fields of a kind, or of one of its subresources.
func (m *Machinery) manager(k *kind, subresource string) (*managedfields.FieldManager, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := managerKey{k.gvk, subresource}
	if fm, ok := m.managers[key]; ok {
		return fm, nil
	}
	converter, build := m.typed, managedfields.NewDefaultFieldManager
	if !m.hasSchema(k) {
		converter, build = m.freed, managedfields.NewDefaultCRDFieldManager
	}
	gv := k.gvk.GroupVersion()
	fm, err := build(converter, asIs{}, asIs{}, asIs{}, k.gvk, gv, subresource, resetFields(k, subresource))
	if err != nil {
		return nil, fmt.Errorf("cannot make field manager of %s: %w", k.gvk.Kind, err)
	}
	m.managers[key] = fm
	return fm, nil
}

// hasSchema is false for kinds whose fields are merged by their shape alone.
func (m *Machinery) hasSchema(k *kind) bool {
	return !k.custom && scheme.Scheme.Recognizes(k.gvk)
}

// resetFields are those that a request cannot own: the status of an object where all
// but it is written, and all but the status where it is.
func resetFields(k *kind, subresource string) map[fieldpath.APIVersion]fieldpath.Filter {
	if !k.status {
		return nil
	}
	reset := "status"
	if subresource == "status" {
		reset = "spec"
	}
	set := fieldpath.NewSet(fieldpath.MakePathOrDie(reset))
	return map[fieldpath.APIVersion]fieldpath.Filter{
		fieldpath.APIVersion(k.gvk.GroupVersion().String()): fieldpath.NewExcludeSetFilter(set),
	}
}

// asIs converts and defaults nothing: there is one version of each kind.
type asIs struct{}

func (asIs) Default(runtime.Object) {}

func (asIs) New(gvk schema.GroupVersionKind) (runtime.Object, error) {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(gvk)
	return u, nil
}

func (asIs) Convert(_, _, _ any) error { return nil }

func (asIs) ConvertToVersion(in runtime.Object, _ runtime.GroupVersioner) (runtime.Object, error) {
	return in, nil
}

func (asIs) ConvertFieldLabel(_ schema.GroupVersionKind, label, value string) (string, string, error) {
	return label, value, nil
}
