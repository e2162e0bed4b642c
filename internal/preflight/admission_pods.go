package preflight

import (
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	psaapi "k8s.io/pod-security-admission/api"
	psapolicy "k8s.io/pod-security-admission/policy"
)

// evaluator judges pods as the API server's admission does. Checks do not change, so
// that making it cannot fail.
var evaluator, evaluatorErr = psapolicy.NewEvaluator(psapolicy.DefaultChecks(), nil)

// checkPodSecurity is A8.
func checkPodSecurity(r *run) {
	if evaluatorErr != nil {
		return
	}
	for _, w := range r.workloads {
		ns := r.namespace(w.namespace)
		if ns == nil {
			continue
		}
		// What is written wrong in a label counts as the strictest, as it does there.
		p, _ := psaapi.PolicyToEvaluate(ns.Labels, psaapi.Policy{Enforce: privileged, Audit: privileged, Warn: privileged})
		res := psapolicy.AggregateCheckResults(evaluator.EvaluatePod(p.Enforce, &w.pod.ObjectMeta, &w.pod.Spec))
		if res.Allowed {
			continue
		}
		r.find(w.object, w.path, fmt.Sprintf("change the pod, or ask the cluster's owner for another level than %q in namespace %q", p.Enforce.Level, w.namespace),
			"pods violate pod security level %q: %s", p.Enforce.String(), res.ForbiddenDetail())
	}
}

var privileged = psaapi.LevelVersion{Level: psaapi.LevelPrivileged, Version: psaapi.LatestVersion()}

// namespace as it will be. It is nil where that is not known.
func (r *run) namespace(name string) *Namespace {
	there := r.snap.Namespaces[name]
	brought := r.brings("", "Namespace", "", name)
	switch {
	case brought == nil:
		return there
	case there == nil:
		return &Namespace{Labels: brought.GetLabels()}
	}
	merged := map[string]string{}
	for _, l := range []map[string]string{there.Labels, brought.GetLabels()} {
		for k, v := range l {
			merged[k] = v
		}
	}
	return &Namespace{Labels: merged, Terminating: there.Terminating}
}

// checkPriorityClass is A9.
func checkPriorityClass(r *run) {
	for _, w := range r.workloads {
		n := w.pod.Spec.PriorityClassName
		if n == "" || r.snap.PriorityClasses == nil || r.snap.PriorityClasses[n] || strings.HasPrefix(n, "system-") ||
			r.brings("scheduling.k8s.io", "PriorityClass", "", n) != nil {
			continue
		}
		r.find(w.object, w.path+".priorityClassName", "create the priority class, or correct its name", "priority class %q does not exist", n)
	}
}

// checkRuntimeClass is A10.
func checkRuntimeClass(r *run) {
	for _, w := range r.workloads {
		n := w.pod.Spec.RuntimeClassName
		if n == nil || r.snap.RuntimeClasses == nil || r.snap.RuntimeClasses[*n] || r.brings("node.k8s.io", "RuntimeClass", "", *n) != nil {
			continue
		}
		r.find(w.object, w.path+".runtimeClassName", "create the runtime class, or correct its name", "runtime class %q does not exist", *n)
	}
}

// checkServiceAccount is A11.
func checkServiceAccount(r *run) {
	for _, ref := range r.refs {
		if ref.kind != "ServiceAccount" || ref.optional || r.brings("", ref.kind, ref.from.namespace, ref.name) != nil {
			continue
		}
		if r.missing(ref) {
			r.findIf(!r.makers[ref.kind], ref.from.object, ref.field, "create the service account, or correct its name", "service account %q does not exist", ref.name)
		}
	}
}

// checkSelectors is A14.
func checkSelectors(r *run) {
	for _, w := range r.workloads {
		var sel *metav1.LabelSelector
		switch t := w.typed.(type) {
		case *appsv1.Deployment:
			sel = t.Spec.Selector
		case *appsv1.ReplicaSet:
			sel = t.Spec.Selector
		case *appsv1.StatefulSet:
			sel = t.Spec.Selector
		case *appsv1.DaemonSet:
			sel = t.Spec.Selector
		default:
			continue
		}
		s, err := metav1.LabelSelectorAsSelector(sel)
		switch {
		case err != nil:
			r.find(w.object, "spec.selector", "correct the selector", "selector is not valid: %v", err)
		case sel == nil || s.Empty():
			r.find(w.object, "spec.selector", "give it the labels of the template", "the selector is empty, so it selects nothing")
		case !s.Matches(labels.Set(w.pod.Labels)):
			r.find(w.object, "spec.selector", "give the template the labels that are selected", "selector %q does not match the labels %q of the template", metav1.FormatLabelSelector(sel), labels.FormatLabels(w.pod.Labels))
		}
	}
}

// checkParts is A15.
func checkParts(r *run) {
	for _, w := range r.workloads {
		seen := unique{r: r, w: w, seen: map[string]bool{}}
		volumes := map[string]bool{}
		for _, v := range w.pod.Spec.Volumes {
			seen.once(w.path+".volumes", "volume", v.Name)
			volumes[v.Name] = true
		}
		if len(w.pod.Spec.Containers) == 0 {
			r.find(w.object, w.path+".containers", "add a container", "pods have no container")
		}
		for c, at := range w.containers() {
			seen.once(w.path+".containers", "container", c.Name)
			r.parts(w, c, at, volumes)
		}
	}
}

func (r *run) parts(w *workload, c *corev1.Container, at string, volumes map[string]bool) {
	seen := unique{r: r, w: w, seen: map[string]bool{}}
	for _, p := range c.Ports {
		seen.once(at+".ports", "port", fmt.Sprintf("%d/%s", p.ContainerPort, p.Protocol))
		if p.Name != "" {
			seen.once(at+".ports", "port", p.Name)
		}
	}
	for _, e := range c.Env {
		seen.once(at+".env", "variable", e.Name)
	}
	for _, m := range c.VolumeMounts {
		seen.once(at+".volumeMounts", "mount path", m.MountPath)
		if !volumes[m.Name] && !w.templates[m.Name] {
			r.find(w.object, at+".volumeMounts["+m.Name+"]", "add the volume, or correct the name", "mount at %q names volume %q, which the pod does not have", m.MountPath, m.Name)
		}
	}
	for _, d := range c.VolumeDevices {
		if !volumes[d.Name] && !w.templates[d.Name] {
			r.find(w.object, at+".volumeDevices["+d.Name+"]", "add the volume, or correct the name", "device at %q names volume %q, which the pod does not have", d.DevicePath, d.Name)
		}
	}
}

// A unique reports what is there twice.
type unique struct {
	r    *run
	w    *workload
	seen map[string]bool
}

func (u unique) once(at, what, name string) {
	k := what + " " + name
	if u.seen[k] {
		u.r.find(u.w.object, at+"["+name+"]", "remove one of them", "%s %q is there twice", what, name)
	}
	u.seen[k] = true
}
