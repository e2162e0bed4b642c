package preflight

import (
	"fmt"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// checkServed is A1.
func checkServed(r *run) {
	if r.snap.Kinds == nil || r.snap.Kinds.Incomplete {
		return
	}
	for _, o := range r.objects {
		if r.serves(o.gvk) || r.moved(o.gvk) != "" {
			continue
		}
		r.find(o, "apiVersion", fmt.Sprintf("install what brings %s, or correct apiVersion and kind", o.gvk.GroupKind()),
			"the cluster does not serve kind %s of %s", o.gvk.Kind, o.GetAPIVersion())
	}
	for name, c := range r.contracts() {
		for _, k := range c.Kinds {
			if !r.servesResource(k) {
				r.find(r.lead(name), "", "install what brings "+k+", or place the component elsewhere", "component %q needs the cluster to serve %s", name, k)
			}
		}
	}
}

// serves is true where the cluster has a kind, or will have it from the application.
func (r *run) serves(gvk schema.GroupVersionKind) bool {
	if _, ok := r.snap.Kinds.Served[gvk]; ok {
		return true
	}
	d := r.defined[gvk.GroupKind()]
	return d != nil && d.Serves(gvk.Version)
}

// servesResource is serves for a contract's <plural>.<group>[/<version>].
func (r *run) servesResource(k string) bool {
	name, version, _ := strings.Cut(k, "/")
	gr := schema.ParseGroupResource(name)
	versions := slices.Clone(r.snap.Kinds.Resources[gr])
	for _, o := range r.objects {
		if crd, ok := o.typed.(*apiextensionsv1.CustomResourceDefinition); ok && crd.Spec.Group == gr.Group && crd.Spec.Names.Plural == gr.Resource {
			for _, v := range crd.Spec.Versions {
				if v.Served {
					versions = append(versions, v.Name)
				}
			}
		}
	}
	return len(versions) > 0 && (version == "" || slices.Contains(versions, version))
}

// A removal is a version of an API that a release of Kubernetes has no more.
type removal struct {
	group, version string
	// kinds that were removed. Without any, all of the version.
	kinds []string
	minor int
	use   string
}

// removals as Kubernetes announced them.
var removals = []removal{
	{"extensions", "v1beta1", []string{"Deployment", "DaemonSet", "ReplicaSet"}, 16, "apps/v1"},
	{"apps", "v1beta1", nil, 16, "apps/v1"},
	{"apps", "v1beta2", nil, 16, "apps/v1"},
	{"extensions", "v1beta1", []string{"NetworkPolicy", "Ingress"}, 22, "networking.k8s.io/v1"},
	{"networking.k8s.io", "v1beta1", []string{"Ingress", "IngressClass"}, 22, "networking.k8s.io/v1"},
	{"apiextensions.k8s.io", "v1beta1", nil, 22, "apiextensions.k8s.io/v1"},
	{"admissionregistration.k8s.io", "v1beta1", []string{"ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"}, 22, "admissionregistration.k8s.io/v1"},
	{"apiregistration.k8s.io", "v1beta1", nil, 22, "apiregistration.k8s.io/v1"},
	{"rbac.authorization.k8s.io", "v1beta1", nil, 22, "rbac.authorization.k8s.io/v1"},
	{"scheduling.k8s.io", "v1beta1", nil, 22, "scheduling.k8s.io/v1"},
	{"coordination.k8s.io", "v1beta1", []string{"Lease"}, 22, "coordination.k8s.io/v1"},
	{"certificates.k8s.io", "v1beta1", []string{"CertificateSigningRequest"}, 22, "certificates.k8s.io/v1"},
	{"storage.k8s.io", "v1beta1", []string{"CSIDriver", "CSINode", "StorageClass", "VolumeAttachment"}, 22, "storage.k8s.io/v1"},
	{"batch", "v1beta1", []string{"CronJob"}, 25, "batch/v1"},
	{"discovery.k8s.io", "v1beta1", nil, 25, "discovery.k8s.io/v1"},
	{"events.k8s.io", "v1beta1", nil, 25, "events.k8s.io/v1"},
	{"autoscaling", "v2beta1", nil, 25, "autoscaling/v2"},
	{"policy", "v1beta1", []string{"PodDisruptionBudget"}, 25, "policy/v1"},
	{"policy", "v1beta1", []string{"PodSecurityPolicy"}, 25, "pod security standards: label the namespace"},
	{"node.k8s.io", "v1beta1", nil, 25, "node.k8s.io/v1"},
	{"autoscaling", "v2beta2", nil, 26, "autoscaling/v2"},
	{"flowcontrol.apiserver.k8s.io", "v1beta1", nil, 26, "flowcontrol.apiserver.k8s.io/v1"},
	{"storage.k8s.io", "v1beta1", []string{"CSIStorageCapacity"}, 27, "storage.k8s.io/v1"},
	{"flowcontrol.apiserver.k8s.io", "v1beta2", nil, 29, "flowcontrol.apiserver.k8s.io/v1"},
	{"flowcontrol.apiserver.k8s.io", "v1beta3", nil, 32, "flowcontrol.apiserver.k8s.io/v1"},
}

// checkRemoved is A2.
func checkRemoved(r *run) {
	if r.snap.Kinds == nil || r.snap.Kinds.Incomplete {
		return
	}
	for _, o := range r.objects {
		use := r.moved(o.gvk)
		if use == "" {
			continue
		}
		if r.serves(o.gvk) {
			r.warn(o, "apiVersion", "use "+use, "%s of %s will be removed in a later release of Kubernetes", o.gvk.Kind, o.GetAPIVersion())
			continue
		}
		r.find(o, "apiVersion", "use "+use, "the cluster does not serve %s of %s any more", o.gvk.Kind, o.GetAPIVersion())
	}
}

// moved returns what to use in place of a kind that was removed, or that the cluster
// serves in another version only.
func (r *run) moved(gvk schema.GroupVersionKind) string {
	for _, m := range removals {
		if m.group == gvk.Group && m.version == gvk.Version && (m.kinds == nil || slices.Contains(m.kinds, gvk.Kind)) {
			return m.use
		}
	}
	if r.serves(gvk) {
		return ""
	}
	var versions []string
	for k := range r.snap.Kinds.Served {
		if k.GroupKind() == gvk.GroupKind() {
			versions = append(versions, k.GroupVersion().String())
		}
	}
	slices.Sort(versions)
	return strings.Join(versions, " or ")
}

// checkNamespaces is A5.
func checkNamespaces(r *run) {
	for _, ns := range r.namespaces() {
		there, known := r.snap.Namespaces[ns]
		if !known || (there == nil && r.brings("", "Namespace", "", ns) != nil) {
			continue
		}
		for _, o := range r.objects {
			if o.namespace != ns || !r.namespaced(o) {
				continue
			}
			switch {
			case there == nil:
				r.find(o, "metadata.namespace", "create the namespace, or correct its name", "namespace %q does not exist", ns)
			case there.Terminating:
				r.find(o, "metadata.namespace", "wait until it is gone, and create it again", "namespace %q is being deleted", ns)
			}
			break // One object says it for all.
		}
	}
}

// namespaced is true for an object that certainly has a namespace.
func (r *run) namespaced(o *object) bool {
	if !o.custom() {
		return o.namespace != ""
	}
	if d := r.definition(o.gvk.GroupKind()); d != nil {
		return d.Namespaced
	}
	return r.snap.Kinds != nil && r.snap.Kinds.Served[o.gvk]
}
