package apiserver

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	metavalidation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// fixed fields cannot change once an object is made.
func fixed(gk schema.GroupKind) []string {
	switch gk.String() {
	case "Deployment.apps", "ReplicaSet.apps", "DaemonSet.apps":
		return []string{"spec.selector"}
	case "StatefulSet.apps":
		return []string{"spec.selector", "spec.serviceName", "spec.podManagementPolicy", "spec.volumeClaimTemplates"}
	case "Job.batch":
		return []string{"spec.selector", "spec.template", "spec.completionMode"}
	case "PersistentVolumeClaim":
		return []string{"spec.storageClassName", "spec.accessModes", "spec.volumeName", "spec.selector"}
	case "Pod":
		return []string{"spec.nodeSelector", "spec.volumes", "spec.serviceAccountName"}
	case "Secret":
		return []string{"type"}
	case "StorageClass.storage.k8s.io":
		return []string{"provisioner", "parameters", "reclaimPolicy"}
	case "RoleBinding.rbac.authorization.k8s.io", "ClusterRoleBinding.rbac.authorization.k8s.io":
		return []string{"roleRef"}
	}
	return nil
}

// validate an object as far as this server does. Live is nil where it is made.
func validate(k *kind, live, u *unstructured.Unstructured) error {
	var all field.ErrorList
	all = append(all, validateMeta(k, u)...)
	if live == nil {
		all = append(all, validateWorkload(k, u)...)
	} else {
		all = append(all, validateFixed(k, live, u)...)
	}
	if len(all) > 0 {
		return apierrors.NewInvalid(k.gvk.GroupKind(), u.GetName(), all)
	}
	return nil
}

func validateMeta(k *kind, u *unstructured.Unstructured) field.ErrorList {
	var all field.ErrorList
	path := field.NewPath("metadata")
	name := validation.NameIsDNSSubdomain
	switch {
	case k.gvk.Group == "rbac.authorization.k8s.io":
		name = pathSegment
	case isKind(k, "", "Namespace"):
		name = validation.NameIsDNSLabel
	case isKind(k, "", "Service"):
		name = validation.NameIsDNS1035Label
	}
	if u.GetName() == "" {
		all = append(all, field.Required(path.Child("name"), "name or generateName is required"))
	} else {
		for _, msg := range name(u.GetName(), false) {
			all = append(all, field.Invalid(path.Child("name"), u.GetName(), msg))
		}
	}
	all = append(all, metavalidation.ValidateLabels(u.GetLabels(), path.Child("labels"))...)
	all = append(all, validation.ValidateAnnotations(u.GetAnnotations(), path.Child("annotations"))...)
	all = append(all, validation.ValidateFinalizers(u.GetFinalizers(), path.Child("finalizers"))...)
	return all
}

func pathSegment(name string, _ bool) []string {
	if name == "." || name == ".." || strings.ContainsAny(name, "/%") {
		return []string{`may not be '.' or '..' and may not contain '/' or '%'`}
	}
	return nil
}

// validateWorkload checks that a workload selects the pods that it makes.
func validateWorkload(k *kind, u *unstructured.Unstructured) field.ErrorList {
	template, ok, _ := unstructured.NestedMap(u.Object, "spec", "template")
	if !ok || k.gvk.Group != "apps" {
		return validatePod(k, u)
	}
	var all field.ErrorList
	spec := field.NewPath("spec")
	selector := &metav1.LabelSelector{}
	m, found, _ := unstructured.NestedMap(u.Object, "spec", "selector")
	if !found || convert(m, selector) != nil {
		return append(all, field.Required(spec.Child("selector"), ""))
	}
	has, _, _ := unstructured.NestedStringMap(template, "metadata", "labels")
	s, err := metav1.LabelSelectorAsSelector(selector)
	switch {
	case err != nil:
		all = append(all, field.Invalid(spec.Child("selector"), m, err.Error()))
	case s.Empty():
		all = append(all, field.Invalid(spec.Child("selector"), m, "empty selector is invalid for "+strings.ToLower(k.gvk.Kind)))
	case !s.Matches(labels.Set(has)):
		all = append(all, field.Invalid(spec.Child("template", "metadata", "labels"), has, "`selector` does not match template `labels`"))
	}
	return append(all, containers(spec.Child("template", "spec"), template)...)
}

func validatePod(k *kind, u *unstructured.Unstructured) field.ErrorList {
	switch {
	case isKind(k, "", "Pod"):
		return containers(field.NewPath("spec"), u.Object)
	case isKind(k, "batch", "Job"):
		template, _, _ := unstructured.NestedMap(u.Object, "spec", "template")
		path := field.NewPath("spec", "template", "spec")
		all := containers(path, template)
		switch p, _, _ := unstructured.NestedString(template, "spec", "restartPolicy"); p {
		case "Never", "OnFailure":
		default:
			all = append(all, field.NotSupported(path.Child("restartPolicy"), p, []string{"OnFailure", "Never"}))
		}
		return all
	}
	return nil
}

func containers(path *field.Path, pod map[string]any) field.ErrorList {
	var all field.ErrorList
	list, _, _ := unstructured.NestedSlice(pod, "spec", "containers")
	if len(list) == 0 {
		all = append(all, field.Required(path.Child("containers"), ""))
	}
	for i, c := range list {
		m, _ := c.(map[string]any)
		for _, f := range []string{"name", "image"} {
			if s, _, _ := unstructured.NestedString(m, f); s == "" {
				all = append(all, field.Required(path.Child("containers").Index(i).Child(f), ""))
			}
		}
	}
	return all
}

func validateFixed(k *kind, live, u *unstructured.Unstructured) field.ErrorList {
	var all field.ErrorList
	for _, f := range fixed(k.gvk.GroupKind()) {
		path := strings.Split(f, ".")
		was, had, _ := unstructured.NestedFieldNoCopy(live.Object, path...)
		is, has, _ := unstructured.NestedFieldNoCopy(u.Object, path...)
		if had && has && !reflect.DeepEqual(was, is) || had && !has {
			all = append(all, field.Invalid(field.NewPath(path[0], path[1:]...), is, "field is immutable"))
		}
	}
	if isKind(k, "", "ConfigMap") || isKind(k, "", "Secret") {
		all = append(all, validateImmutable(live, u)...)
	}
	return all
}

func validateImmutable(live, u *unstructured.Unstructured) field.ErrorList {
	if on, _, _ := unstructured.NestedBool(live.Object, "immutable"); !on {
		return nil
	}
	var all field.ErrorList
	for _, f := range []string{"data", "binaryData", "immutable"} {
		if !reflect.DeepEqual(live.Object[f], u.Object[f]) {
			all = append(all, field.Forbidden(field.NewPath(f), "field is immutable when `immutable` is set"))
		}
	}
	return all
}

func required(path, text string) field.ErrorList {
	return field.ErrorList{field.Required(field.NewPath(path), text)}
}

func unsupported(t types.PatchType) *metav1.Status {
	return &metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusUnsupportedMediaType, Reason: metav1.StatusReasonUnsupportedMediaType,
		Message: fmt.Sprintf("the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml; got %s", t),
	}
}
