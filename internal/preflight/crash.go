package preflight

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
)

// checkProbes is D1.
func checkProbes(r *run) {
	for _, w := range r.workloads {
		for c, at := range w.containers() {
			for _, p := range []struct {
				name  string
				probe *corev1.Probe
			}{{"livenessProbe", c.LivenessProbe}, {"readinessProbe", c.ReadinessProbe}, {"startupProbe", c.StartupProbe}} {
				if p.probe == nil {
					continue
				}
				field := at + "." + p.name
				switch h := p.probe.ProbeHandler; {
				case h.HTTPGet != nil && h.HTTPGet.Host == "":
					r.probe(w, c, field, h.HTTPGet.Port)
				case h.TCPSocket != nil && h.TCPSocket.Host == "":
					r.probe(w, c, field, h.TCPSocket.Port)
				case h.GRPC != nil:
					r.probe(w, c, field, intstr.FromInt32(h.GRPC.Port))
				}
			}
		}
	}
}

func (r *run) probe(w *workload, c *corev1.Container, field string, port intstr.IntOrString) {
	if port.Type == intstr.String {
		if !slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool { return p.Name == port.StrVal }) {
			if _, err := strconv.Atoi(port.StrVal); err != nil {
				r.find(w.object, field, "name one of the container's ports", "the probe asks port %q, and container %q has no port of this name", port.StrVal, c.Name)
			}
		}
		return
	}
	// What a container declares is for information only, so a number may still be right, and
	// be the port of another container of the pod.
	declared := false
	for o := range w.containers() {
		declared = declared || slices.ContainsFunc(o.Ports, func(p corev1.ContainerPort) bool { return p.ContainerPort == port.IntVal })
	}
	if len(c.Ports) > 0 && !declared {
		r.warn(w.object, field, "ask one of the container's ports, or declare this one", "the probe asks port %d, and container %q declares others", port.IntVal, c.Name)
	}
}

// checkServices is D7.
func checkServices(r *run) {
	for _, o := range r.objects {
		svc, ok := o.typed.(*corev1.Service)
		if !ok || len(svc.Spec.Selector) == 0 || svc.Spec.Type == corev1.ServiceTypeExternalName || r.makesPods(o.namespace) {
			continue
		}
		sel := labels.SelectorFromSet(svc.Spec.Selector)
		selected, ports := false, map[string]bool{}
		for _, w := range r.workloads {
			if w.namespace == o.namespace && sel.Matches(labels.Set(w.pod.Labels)) {
				selected = true
				for c := range w.containers() {
					for _, p := range c.Ports {
						ports[p.Name] = true
					}
				}
			}
		}
		if r.snap.Capacity != nil {
			for i := range r.snap.Capacity.Pods {
				if p := &r.snap.Capacity.Pods[i]; p.Namespace == o.namespace && !r.own(p) && sel.Matches(labels.Set(p.Labels)) {
					selected = true
					for _, n := range p.PortNames {
						ports[n] = true
					}
				}
			}
		}
		if !selected {
			if r.snap.Capacity != nil || len(r.workloads) > 0 {
				r.find(o, "spec.selector", "give it the labels of pods", "no pod has the labels %q", labels.FormatLabels(svc.Spec.Selector))
			}
			continue
		}
		for _, p := range svc.Spec.Ports {
			if p.TargetPort.Type == intstr.String && p.TargetPort.StrVal != "" && !ports[p.TargetPort.StrVal] {
				r.find(o, fmt.Sprintf("spec.ports[%d].targetPort", p.Port), "name a port of the pods", "no pod that the Service selects has a port called %q", p.TargetPort.StrVal)
			}
		}
	}
}

// makesPods is true where something in the application may make pods that are not seen
// here, such as an operator's resource.
func (r *run) makesPods(namespace string) bool {
	return slices.ContainsFunc(r.objects, func(o *object) bool { return o.custom() && (o.namespace == namespace || o.namespace == "") })
}

// checkBudgets is D10.
func checkBudgets(r *run) {
	for _, o := range r.objects {
		pdb, ok := o.typed.(*policyv1.PodDisruptionBudget)
		if !ok {
			continue
		}
		sel, err := metav1.LabelSelectorAsSelector(pdb.Spec.Selector)
		if err != nil || r.makesPods(o.namespace) {
			continue
		}
		replicas, scaled := 0, false
		for _, w := range r.workloads {
			if w.namespace == o.namespace && !w.daemon && sel.Matches(labels.Set(w.pod.Labels)) {
				replicas += w.replicas
				scaled = scaled || r.scaled(w)
			}
		}
		if m := pdb.Spec.MaxUnavailable; m != nil && zero(*m) {
			r.find(o, "spec.maxUnavailable", "allow at least 1", "the budget never allows a pod to be evicted: nodes that have one cannot be drained")
			continue
		}
		if m := pdb.Spec.MinAvailable; m != nil && replicas > 0 && !scaled {
			least, err := intstr.GetScaledValueFromIntOrPercent(m, replicas, true)
			if err == nil && least >= replicas {
				r.find(o, "spec.minAvailable", "leave at least one replica over", "the budget wants %s of %d replicas to be available, so none can be evicted: nodes that have one cannot be drained", m.String(), replicas)
			}
		}
	}
}

// scaled is true for a workload that has an autoscaler.
func (r *run) scaled(w *workload) bool {
	return slices.ContainsFunc(r.objects, func(o *object) bool {
		return o.gvk.Kind == "HorizontalPodAutoscaler" && o.namespace == w.namespace && targets(o, w)
	})
}

func targets(o *object, w *workload) bool {
	ref, _ := o.Object["spec"].(map[string]any)
	target, _ := ref["scaleTargetRef"].(map[string]any)
	return target["kind"] == w.gvk.Kind && target["name"] == w.GetName()
}

func zero(v intstr.IntOrString) bool {
	return v.Type == intstr.Int && v.IntVal == 0 || v.Type == intstr.String && (v.StrVal == "0%" || v.StrVal == "0")
}

// checkSurge is D11.
func checkSurge(r *run) {
	for _, w := range r.workloads {
		var surge, unavailable *intstr.IntOrString
		switch t := w.typed.(type) {
		case *appsv1.Deployment:
			if u := t.Spec.Strategy.RollingUpdate; u != nil {
				surge, unavailable = u.MaxSurge, u.MaxUnavailable
			}
		case *appsv1.DaemonSet:
			if u := t.Spec.UpdateStrategy.RollingUpdate; u != nil {
				surge, unavailable = ptr.To(ptr.Deref(u.MaxSurge, intstr.FromInt32(0))), u.MaxUnavailable
			}
		}
		if surge != nil && unavailable != nil && zero(*surge) && zero(*unavailable) {
			r.find(w.object, "spec.strategy.rollingUpdate", "allow at least 1 of either", "maxSurge and maxUnavailable are both 0, so no pod could ever be replaced")
			continue
		}
		// With none unavailable an update begins with one pod more.
		if unavailable != nil && zero(*unavailable) && w.replicas > 0 && !w.daemon {
			if c := r.candidatesOf(w); c != nil && len(c.fitting) > 0 {
				n := places(c.request, c.fitting, func(n *Node) corev1.ResourceList { return n.Allocatable })
				if ports := hostPorts(w.pod); len(ports) > 0 {
					n = min(n, len(c.fitting))
				}
				if n == w.replicas {
					r.warn(w.object, "spec.strategy.rollingUpdate", "allow 1 to be unavailable, or add nodes", "an update needs room for one more pod, and all nodes that they may run on take %d", n)
				}
			}
		}
	}
}

var sleep = regexp.MustCompile(`\bsleep\s+(\d{1,6})\b`)

// checkGrace is D12.
func checkGrace(r *run) {
	for _, w := range r.workloads {
		grace := ptr.Deref(w.pod.Spec.TerminationGracePeriodSeconds, corev1.DefaultTerminationGracePeriodSeconds)
		for c, at := range w.containers() {
			if c.Lifecycle == nil || c.Lifecycle.PreStop == nil {
				continue
			}
			takes := int64(0)
			switch h := c.Lifecycle.PreStop; {
			case h.Sleep != nil:
				takes = h.Sleep.Seconds
			case h.Exec != nil:
				if m := sleep.FindStringSubmatch(strings.Join(h.Exec.Command, " ")); m != nil {
					takes, _ = strconv.ParseInt(m[1], 10, 64)
				}
			}
			if takes > 0 && takes >= grace {
				r.find(w.object, at+".lifecycle.preStop", fmt.Sprintf("set terminationGracePeriodSeconds to more than %d", takes), "the hook takes %d s before the container is stopped, and the pod is given %d s for all", takes, grace)
			}
		}
	}
}
