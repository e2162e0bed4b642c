package preflight

import (
	"encoding/json"
	"iter"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"github.com/mainstay-dev/mainstay/internal/bundle"
)

// A Subject is a content that has been looked through, once for all the clusters that
// it is checked on. It may be used by many at once.
type Subject struct {
	objects   []*object
	workloads []*workload
	// claims to volumes that the content brings, on their own or with a StatefulSet.
	claims []claim
	// refs are what pods need.
	refs []ref

	components map[string]*bundle.Component
	brought    map[ObjectKey]*object
	// defined kinds come with the content.
	defined map[schema.GroupKind]*Definition
	// strangers go to namespaces that are not allowed.
	strangers []*object
	allowed   []string
	// makers of objects: the content has something that may make objects of a kind.
	makers map[string]bool
}

// An object of the content.
type object struct {
	*unstructured.Unstructured

	gvk       schema.GroupVersionKind
	component string
	// namespace it goes to. It is empty for a kind of Kubernetes that has none.
	namespace string
	// typed is nil for kinds that are not Kubernetes' own, or that cannot be read.
	typed runtime.Object
	// unknown fields, and why it cannot be read.
	unknown []string
	broken  error
	// late is true where it has texts that are still to be bound.
	late bool
}

// A workload is an object that makes pods.
type workload struct {
	*object

	// pod as it would be made, and the path of its specification.
	pod  *corev1.Pod
	path string
	// replicas that there will be at the same time. It is 0 for one for each node.
	replicas int
	daemon   bool
	selector labels.Selector
	// templates of claims, by name.
	templates map[string]bool
}

// A claim to a volume.
type claim struct {
	from  *object
	field string
	spec  corev1.PersistentVolumeClaimSpec
}

// Prepare a content to be checked. Objects that name no namespace go to the given one.
// Those that go to a namespace which is not allowed are found to, and are not looked at any
// further: whoever wrote them must learn nothing of what is there. Nil allows all.
func Prepare(content bundle.Content, namespace string, allowed []string) *Subject {
	s := &Subject{
		allowed:    allowed,
		components: map[string]*bundle.Component{},
		brought:    map[ObjectKey]*object{},
		defined:    map[schema.GroupKind]*Definition{},
		makers:     map[string]bool{},
	}
	for i := range content.Components {
		c := &content.Components[i]
		s.components[c.Name] = c
		for j := range c.Objects {
			o := read(&c.Objects[j], c.Name, namespace)
			if allowed != nil && o.namespace != "" && !slices.Contains(allowed, o.namespace) {
				s.strangers = append(s.strangers, o)
				continue
			}
			s.bring(o)
		}
	}
	for _, o := range s.objects {
		s.define(o)
		s.makes(o)
		if w := workloadOf(o); w != nil {
			s.workloads = append(s.workloads, w)
		}
	}
	for _, w := range s.workloads {
		s.refs = append(s.refs, refsOf(w)...)
	}
	for _, o := range s.objects {
		s.claims = append(s.claims, claimsOf(o)...)
	}
	return s
}

func (s *Subject) bring(o *object) {
	s.objects = append(s.objects, o)
	s.brought[o.key()] = o
}

// brings is true where the content has an object.
func (s *Subject) brings(group, kind, namespace, name string) *object {
	return s.brought[ObjectKey{schema.GroupKind{Group: group, Kind: kind}, types.NamespacedName{Namespace: namespace, Name: name}}]
}

// define the kinds that the content brings.
func (s *Subject) define(o *object) {
	crd, ok := o.typed.(*apiextensionsv1.CustomResourceDefinition)
	if !ok {
		return
	}
	if d, err := Define(crd); err == nil {
		s.defined[schema.GroupKind{Group: crd.Spec.Group, Kind: crd.Spec.Names.Kind}] = d
	}
}

// makes notes what an object may cause to be made: an operator makes Secrets and more
// for its resources, and a Job what its role lets it.
func (s *Subject) makes(o *object) {
	if o.custom() {
		for _, k := range []string{"ConfigMap", "Secret", "ServiceAccount", "PersistentVolumeClaim"} {
			s.makers[k] = true
		}
		return
	}
	for _, rule := range rulesOf(o) {
		for kind, resource := range map[string]string{
			"ConfigMap": "configmaps", "Secret": "secrets", "ServiceAccount": "serviceaccounts", "PersistentVolumeClaim": "persistentvolumeclaims",
		} {
			if allows(rule, "", resource, "create") {
				s.makers[kind] = true
			}
		}
	}
}

// read an object of the content.
func read(u *unstructured.Unstructured, component, namespace string) *object {
	o := &object{Unstructured: u, gvk: u.GroupVersionKind(), component: component, late: Late(u.Object)}
	o.namespace = u.GetNamespace()
	switch {
	case clusterScoped[o.gvk.GroupKind()]:
		o.namespace = ""
	case o.namespace == "":
		o.namespace = namespace
	}
	typed, err := kinds().New(o.gvk)
	if err != nil {
		return o
	}
	err = runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(u.Object, typed, true)
	strict, isStrict := runtime.AsStrictDecodingError(err)
	switch {
	case isStrict:
		for _, e := range strict.Errors() {
			o.unknown = append(o.unknown, e.Error())
		}
	case err != nil:
		// Decoded as the server does it, it either works or says which field it is.
		typed, o.broken = decoded(o)
	}
	if o.broken == nil {
		o.typed = typed
	}
	return o
}

func decoded(o *object) (runtime.Object, error) {
	raw, err := json.Marshal(o.Object)
	if err != nil {
		return nil, err
	}
	typed, err := kinds().New(o.gvk)
	if err != nil {
		return nil, err
	}
	return typed, json.Unmarshal(raw, typed)
}

// custom is true for a kind that does not come with Kubernetes.
func (o *object) custom() bool { return !BuiltinGroup(o.gvk.Group) }

// title of the object as findings have it.
func (o *object) title() string { return o.GetKind() + "/" + o.GetName() }

func (o *object) key() ObjectKey {
	return ObjectKey{GroupKind: o.gvk.GroupKind(), NamespacedName: types.NamespacedName{Namespace: o.namespace, Name: o.GetName()}}
}

// Late is true where a value has texts that are bound later.
func Late(v any) bool {
	switch t := v.(type) {
	case string:
		return late(t)
	case map[string]any:
		for k, e := range t {
			if late(k) || Late(e) {
				return true
			}
		}
	case []any:
		for _, e := range t {
			if Late(e) {
				return true
			}
		}
	}
	return false
}

// workloadOf an object. It is nil for one that makes no pods.
func workloadOf(o *object) *workload {
	one := ptr.To[int32](1)
	switch t := o.typed.(type) {
	case *appsv1.Deployment:
		return newWorkload(o, &t.Spec.Template, "spec.template", ptr.Deref(t.Spec.Replicas, 1), t.Spec.Selector)
	case *appsv1.ReplicaSet:
		return newWorkload(o, &t.Spec.Template, "spec.template", ptr.Deref(t.Spec.Replicas, 1), t.Spec.Selector)
	case *appsv1.StatefulSet:
		w := newWorkload(o, &t.Spec.Template, "spec.template", ptr.Deref(t.Spec.Replicas, 1), t.Spec.Selector)
		for _, c := range t.Spec.VolumeClaimTemplates {
			w.templates[c.Name] = true
		}
		return w
	case *appsv1.DaemonSet:
		w := newWorkload(o, &t.Spec.Template, "spec.template", 0, t.Spec.Selector)
		w.daemon = true
		return w
	case *batchv1.Job:
		n := ptr.Deref(t.Spec.Parallelism, 1)
		if ptr.Deref(t.Spec.Suspend, false) {
			n = 0
		}
		return newWorkload(o, &t.Spec.Template, "spec.template", min(n, ptr.Deref(t.Spec.Completions, n)), t.Spec.Selector)
	case *batchv1.CronJob:
		return newWorkload(o, &t.Spec.JobTemplate.Spec.Template, "spec.jobTemplate.spec.template", ptr.Deref(t.Spec.JobTemplate.Spec.Parallelism, *one), nil)
	case *corev1.Pod:
		return newWorkload(o, &corev1.PodTemplateSpec{ObjectMeta: t.ObjectMeta, Spec: t.Spec}, "", 1, nil)
	}
	return nil
}

func newWorkload(o *object, t *corev1.PodTemplateSpec, path string, replicas int32, sel *metav1.LabelSelector) *workload {
	w := &workload{object: o, path: strings.TrimPrefix(path+".spec", "."), replicas: int(replicas), templates: map[string]bool{}, selector: labels.Nothing()}
	w.pod = &corev1.Pod{ObjectMeta: *t.ObjectMeta.DeepCopy(), Spec: *t.Spec.DeepCopy()}
	w.pod.Namespace = o.namespace
	if s, err := metav1.LabelSelectorAsSelector(sel); err == nil && sel != nil {
		w.selector = s
	}
	fillIn(&w.pod.Spec)
	return w
}

// fillIn what the API server fills in, as far as checks depend on it.
func fillIn(spec *corev1.PodSpec) {
	for _, list := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
		for i := range list {
			c := &list[i]
			for name, q := range c.Resources.Limits {
				if _, ok := c.Resources.Requests[name]; !ok {
					if c.Resources.Requests == nil {
						c.Resources.Requests = corev1.ResourceList{}
					}
					c.Resources.Requests[name] = q
				}
			}
			for j := range c.Ports {
				p := &c.Ports[j]
				if p.Protocol == "" {
					p.Protocol = corev1.ProtocolTCP
				}
				if spec.HostNetwork && p.HostPort == 0 {
					p.HostPort = p.ContainerPort
				}
			}
		}
	}
}

// containers of a workload's pods, init containers first, with their paths.
func (w *workload) containers() iter.Seq2[*corev1.Container, string] {
	return func(yield func(*corev1.Container, string) bool) {
		for i := range w.pod.Spec.InitContainers {
			c := &w.pod.Spec.InitContainers[i]
			if !yield(c, w.path+".initContainers[name="+c.Name+"]") {
				return
			}
		}
		for i := range w.pod.Spec.Containers {
			c := &w.pod.Spec.Containers[i]
			if !yield(c, w.path+".containers[name="+c.Name+"]") {
				return
			}
		}
	}
}

// account that a workload's pods run as.
func (w *workload) account() string {
	if n := w.pod.Spec.ServiceAccountName; n != "" {
		return n
	}
	if n := w.pod.Spec.DeprecatedServiceAccount; n != "" {
		return n
	}
	return "default"
}

// claimsOf an object: to volumes that are to be made for it.
func claimsOf(o *object) []claim {
	var out []claim
	switch t := o.typed.(type) {
	case *corev1.PersistentVolumeClaim:
		out = append(out, claim{from: o, field: "spec", spec: t.Spec})
	case *appsv1.StatefulSet:
		for _, c := range t.Spec.VolumeClaimTemplates {
			out = append(out, claim{from: o, field: "spec.volumeClaimTemplates[" + c.Name + "].spec", spec: c.Spec})
		}
	}
	if w := workloadOf(o); w != nil {
		for _, v := range w.pod.Spec.Volumes {
			if v.Ephemeral != nil && v.Ephemeral.VolumeClaimTemplate != nil {
				out = append(out, claim{from: o, field: w.path + ".volumes[" + v.Name + "].ephemeral.volumeClaimTemplate.spec", spec: v.Ephemeral.VolumeClaimTemplate.Spec})
			}
		}
	}
	return out
}
