package preflight

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/validation/path"
	"k8s.io/apimachinery/pkg/util/validation"
)

// checkNames is A13.
func checkNames(r *run) {
	for _, o := range r.objects {
		r.objectName(o)
		r.labels(o, "metadata.labels", o.GetLabels())
		r.annotations(o, o.GetAnnotations())
	}
	for _, w := range r.workloads {
		r.madeNames(w)
		if w.path != "spec" {
			r.labels(w.object, strings.TrimSuffix(w.path, ".spec")+".metadata.labels", w.pod.Labels)
		}
		for c, at := range w.containers() {
			r.containerNames(w, c, at)
		}
		for _, v := range w.pod.Spec.Volumes {
			r.invalid(w.object, w.path+".volumes["+v.Name+"].name", v.Name, validation.IsDNS1123Label(v.Name))
		}
	}
}

func (r *run) objectName(o *object) {
	name := o.GetName()
	var problems []string
	switch {
	case name == "":
		problems = []string{"a name is needed"}
	case o.gvk.Group == "rbac.authorization.k8s.io":
		problems = path.IsValidPathSegmentName(name)
	case o.gvk.Group == "" && (o.gvk.Kind == "Namespace" || o.gvk.Kind == "Service"):
		problems = validation.IsDNS1123Label(name)
	case o.custom():
		problems = path.IsValidPathSegmentName(name)
		if len(problems) == 0 {
			problems = validation.IsDNS1123Subdomain(name)
		}
	case slices.Contains([]string{"", "apps", "batch", "networking.k8s.io", "policy", "autoscaling", "scheduling.k8s.io", "storage.k8s.io"}, o.gvk.Group):
		problems = validation.IsDNS1123Subdomain(name)
	}
	r.invalid(o, "metadata.name", name, problems)
}

// madeNames are those that Kubernetes makes of a workload's.
func (r *run) madeNames(w *workload) {
	name, most, why := w.GetName(), 0, ""
	switch t := w.typed.(type) {
	case *appsv1.StatefulSet:
		// Pods are labelled with <name>-<hash of 10>.
		most, why = validation.LabelValueMaxLength-11, "its pods carry a label that is made of it"
		if last := name + "-" + strconv.Itoa(max(w.replicas-1, 0)); len(name) <= most && len(last) > validation.DNS1123LabelMaxLength {
			most, why = 0, ""
			r.find(w.object, "metadata.name", "choose a shorter name", "pod %q would have a name of %d characters: at most %d are possible", last, len(last), validation.DNS1123LabelMaxLength)
		}
	case *batchv1.CronJob:
		// Jobs are called <name>-<11 digits>.
		most, why = validation.DNS1123LabelMaxLength-11, "its Jobs have names that are made of it"
	case *batchv1.Job:
		most, why = validation.LabelValueMaxLength, "its pods carry it as a label"
		if ptrTrue(t.Spec.ManualSelector) {
			most = 0
		}
	}
	if most > 0 && len(name) > most {
		r.find(w.object, "metadata.name", "choose a shorter name", "name %q has %d characters: at most %d are possible, as %s", name, len(name), most, why)
	}
}

func (r *run) containerNames(w *workload, c *corev1.Container, at string) {
	r.invalid(w.object, at+".name", c.Name, validation.IsDNS1123Label(c.Name))
	for _, e := range c.Env {
		if e.Name == "" || strings.Contains(e.Name, "=") {
			r.invalid(w.object, at+".env["+e.Name+"].name", e.Name, []string{"it must not be empty, and must not contain '='"})
		}
	}
	for _, p := range c.Ports {
		if p.Name != "" {
			r.invalid(w.object, fmt.Sprintf("%s.ports[%d].name", at, p.ContainerPort), p.Name, validation.IsValidPortName(p.Name))
		}
		if len(validation.IsValidPortNum(int(p.ContainerPort))) > 0 {
			r.find(w.object, at+".ports", "use a port from 1 to 65535", "container port %d is not valid", p.ContainerPort)
		}
	}
}

func (r *run) labels(o *object, at string, labels map[string]string) {
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		r.invalid(o, at, k, validation.IsQualifiedName(k))
		r.invalid(o, at+"["+k+"]", labels[k], validation.IsValidLabelValue(labels[k]))
	}
}

// annotationsMost is how many bytes all annotations of an object may have.
const annotationsMost = 256 << 10

func (r *run) annotations(o *object, annotations map[string]string) {
	size := 0
	for _, k := range slices.Sorted(maps.Keys(annotations)) {
		size += len(k) + len(annotations[k])
		r.invalid(o, "metadata.annotations", k, validation.IsQualifiedName(strings.ToLower(k)))
	}
	if size > annotationsMost {
		r.find(o, "metadata.annotations", "make them smaller", "annotations have %d bytes: at most %d are possible", size, annotationsMost)
	}
}

func (r *run) invalid(o *object, at, value string, problems []string) {
	if len(problems) > 0 {
		r.find(o, at, "correct the name", "%q is not valid: %s", value, problems[0])
	}
}

func ptrTrue(b *bool) bool { return b != nil && *b }
