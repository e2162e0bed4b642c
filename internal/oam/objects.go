package oam

import (
	"maps"
	"slices"
	"strings"

	pathvalidation "k8s.io/apimachinery/pkg/api/validation/path"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"
)

// objects renders Kubernetes objects as they were written, without what only a
// cluster can say.
func objects(_ instance, properties map[string]any) ([]unstructured.Unstructured, findings) {
	fs := findings{}
	out := []unstructured.Unstructured{}
	list, _ := properties["objects"].([]any)
	for i, v := range list {
		m, ok := v.(map[string]any)
		if !ok {
			continue
		}
		o := runtime.DeepCopyJSON(m)
		dropObserved(o)
		checkObject(o, path{"objects", i}, &fs)
		out = append(out, unstructured.Unstructured{Object: o})
	}
	if len(fs) > 0 {
		return nil, fs
	}
	return out, nil
}

// observedMetadata is what the API server writes. It is in what people copy from
// clusters, and would keep the object from being applied elsewhere.
var observedMetadata = []string{"creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"}

func dropObserved(o map[string]any) {
	delete(o, "status")
	if m, ok := o["metadata"].(map[string]any); ok {
		for _, k := range observedMetadata {
			delete(m, k)
		}
	}
}

func checkObject(o map[string]any, at path, fs *findings) {
	apiVersion := requiredString(o, "apiVersion", at, fs)
	kind := requiredString(o, "kind", at, fs)
	gv, err := schema.ParseGroupVersion(apiVersion)
	if apiVersion != "" && (err != nil || gv.Version == "") {
		fs.addf(at.field("apiVersion"), "must be <group>/<version> or <version>, got %s", describe(apiVersion))
	}
	switch {
	case kind == "List" || strings.HasSuffix(kind, "List") && o["items"] != nil:
		fs.addf(at.field("kind"), "a %s is not supported: write its items as objects of their own", kind)
		return
	case isClusterScoped(gv.Group, kind):
		fs.addf(at.field("kind"), "a %s belongs to the whole cluster and a tenant may not make one: ask the owner of the fleet", kind)
	}
	checkObjectMetadata(o, at, fs)
}

func checkObjectMetadata(o map[string]any, at path, fs *findings) {
	at = at.field("metadata")
	meta, ok := o["metadata"].(map[string]any)
	if !ok {
		fs.addf(at.field("name"), "is required")
		return
	}
	if _, ok := meta["generateName"]; ok {
		fs.addf(at.field("generateName"), "is not supported, because an object must be found again: set name")
		return
	}
	if _, ok := meta["ownerReferences"]; ok {
		fs.addf(at.field("ownerReferences"), "is not supported: remove it")
	}
	if name := requiredString(meta, "name", at, fs); name != "" {
		if msgs := pathvalidation.IsValidPathSegmentName(name); len(msgs) > 0 || len(name) > validation.DNS1123SubdomainMaxLength {
			fs.addf(at.field("name"), "is not a valid name of an object: %s", describe(name))
		}
	}
	if ns, ok := meta["namespace"]; ok {
		s, isString := ns.(string)
		if !isString || len(validation.IsDNS1123Label(s)) > 0 {
			fs.addf(at.field("namespace"), "must be a DNS label, got %s", describe(ns))
		}
	}
	for _, what := range []string{"labels", "annotations"} {
		checkStrings(meta, what, at, fs)
	}
}

// checkStrings checks labels or annotations.
func checkStrings(meta map[string]any, what string, at path, fs *findings) {
	v, ok := meta[what]
	if !ok {
		return
	}
	m, ok := v.(map[string]any)
	if !ok {
		fs.addf(at.field(what), "must be an object, got %s", describe(v))
		return
	}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		s, ok := m[k].(string)
		switch {
		case !ok:
			fs.addf(at.field(what, k), "must be a string, got %s: put it in quotes", describe(m[k]))
		case what == "labels":
			checkLabel(k, s, at.field(what, k), fs)
		case len(validation.IsQualifiedName(k)) > 0:
			fs.addf(at.field(what, k), "is not a valid annotation key")
		}
	}
}

func requiredString(m map[string]any, key string, at path, fs *findings) string {
	switch v := m[key].(type) {
	case nil:
		fs.addf(at.field(key), "is required")
	case string:
		if v == "" {
			fs.addf(at.field(key), "must not be empty")
		}
		return v
	default:
		fs.addf(at.field(key), "must be a string, got %s", describe(v))
	}
	return ""
}

// clusterScoped are the kinds that are known to have no namespace, by group. Others
// are refused by the cluster: a tenant has no rights there.
var clusterScoped = map[string][]string{
	"":                             {"Namespace", "Node", "PersistentVolume", "ComponentStatus"},
	"admissionregistration.k8s.io": {"MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding", "MutatingWebhookConfiguration", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "ValidatingWebhookConfiguration"},
	"apiextensions.k8s.io":         {"CustomResourceDefinition"},
	"apiregistration.k8s.io":       {"APIService"},
	"certificates.k8s.io":          {"CertificateSigningRequest", "ClusterTrustBundle"},
	"flowcontrol.apiserver.k8s.io": {"FlowSchema", "PriorityLevelConfiguration"},
	"networking.k8s.io":            {"IPAddress", "IngressClass", "ServiceCIDR"},
	"node.k8s.io":                  {"RuntimeClass"},
	"rbac.authorization.k8s.io":    {"ClusterRole", "ClusterRoleBinding"},
	"resource.k8s.io":              {"DeviceClass", "ResourceSlice"},
	"scheduling.k8s.io":            {"PriorityClass"},
	"storage.k8s.io":               {"CSIDriver", "CSINode", "StorageClass", "VolumeAttachment", "VolumeAttributesClass"},
}

func isClusterScoped(group, kind string) bool { return slices.Contains(clusterScoped[group], kind) }
