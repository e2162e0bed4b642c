package workload

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// A fit says where pods can run.
type fit struct {
	// none is true where no node could hold the pod.
	none  bool
	nodes []string
}

// on which node the i-th pod runs.
func (f fit) on(i int) string {
	if len(f.nodes) == 0 {
		return ""
	}
	return f.nodes[i%len(f.nodes)]
}

// fits finds the nodes that could hold a pod alone. A cluster without nodes has room for
// everything.
func (p *Player) fits(template *corev1.PodTemplateSpec) fit {
	if !p.cluster.Some(node, "") {
		return fit{}
	}
	out := fit{none: true}
	asked := requests(&template.Spec, nil)
	for _, u := range p.cluster.List(node, "") {
		n := &corev1.Node{}
		if runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, n) != nil || !holds(n, &template.Spec, asked) {
			continue
		}
		out.none, out.nodes = false, append(out.nodes, n.Name)
	}
	return out
}

func holds(n *corev1.Node, pod *corev1.PodSpec, asked corev1.ResourceList) bool {
	if n.Spec.Unschedulable {
		return false
	}
	for k, v := range pod.NodeSelector {
		if n.Labels[k] != v {
			return false
		}
	}
	for _, t := range n.Spec.Taints {
		borne := t.Effect == corev1.TaintEffectPreferNoSchedule || slices.ContainsFunc(pod.Tolerations, func(o corev1.Toleration) bool {
			return (o.Key == "" && o.Operator == corev1.TolerationOpExists) || o.Key == t.Key &&
				(o.Operator == corev1.TolerationOpExists || o.Value == t.Value) && (o.Effect == "" || o.Effect == t.Effect)
		})
		if !borne {
			return false
		}
	}
	for name, q := range asked {
		has, ok := n.Status.Allocatable[name]
		if !ok || has.Cmp(q) < 0 {
			return false
		}
	}
	return true
}

// requests of a pod. Containers that say nothing ask for what they are given by default.
func requests(pod *corev1.PodSpec, defaults corev1.ResourceList) corev1.ResourceList {
	out := corev1.ResourceList{}
	for _, c := range pod.Containers {
		asks := c.Resources.Requests.DeepCopy()
		if asks == nil {
			asks = corev1.ResourceList{}
		}
		for _, more := range []corev1.ResourceList{c.Resources.Limits, defaults} {
			for name, q := range more {
				if _, ok := asks[name]; !ok {
					asks[name] = q
				}
			}
		}
		for name, q := range asks {
			sum := out[name]
			sum.Add(q)
			out[name] = sum
		}
	}
	return out
}

// room that the quotas of a namespace leave for a workload: how many of its pods, and
// why no more.
func (p *Player) room(u *unstructured.Unstructured, template *corev1.PodTemplateSpec, want int64) (int64, string) {
	ns := u.GetNamespace()
	if !p.cluster.Some(quota, ns) {
		return want, ""
	}
	defaults := p.defaults(ns)
	asks := requests(&template.Spec, defaults)
	used := p.used(ns, u, defaults)
	granted, denied := want, ""
	for _, q := range p.cluster.List(quota, ns) {
		hard, _, _ := unstructured.NestedMap(q.Object, "spec", "hard")
		for name, v := range hard {
			limit, err := resource.ParseQuantity(fmt.Sprint(v))
			if err != nil {
				continue
			}
			each, ok := demand(asks, name)
			if !ok || each.IsZero() {
				continue
			}
			taken, _ := demand(used, name)
			n := (limit.MilliValue() - taken.MilliValue()) / each.MilliValue()
			if n = max(n, 0); n < granted {
				granted = n
				denied = fmt.Sprintf("pods %q is forbidden: exceeded quota: %s, requested: %s=%s, used: %s=%s, limited: %s=%s",
					u.GetName()+"-", q.GetName(), name, each.String(), name, taken.String(), name, limit.String())
			}
		}
	}
	return granted, denied
}

// demand on what a quota names.
func demand(asks corev1.ResourceList, name string) (resource.Quantity, bool) {
	if name == "pods" || name == "count/pods" {
		if n, ok := asks[corev1.ResourcePods]; ok {
			return n, true
		}
		return resource.MustParse("1"), true
	}
	q, ok := asks[corev1.ResourceName(strings.TrimPrefix(name, "requests."))]
	return q, ok
}

// used by the pods of all other workloads of a namespace.
func (p *Player) used(namespace string, but *unstructured.Unstructured, defaults corev1.ResourceList) corev1.ResourceList {
	out := corev1.ResourceList{corev1.ResourcePods: resource.Quantity{}}
	for _, gk := range []schema.GroupKind{deployment, stateful, daemon, job} {
		for _, w := range p.cluster.List(gk, namespace) {
			template, err := templateOf(w)
			if err != nil || but != nil && w.GetUID() == but.GetUID() {
				continue
			}
			n := max(number(w, 0, "status", "replicas"), number(w, 0, "status", "currentNumberScheduled"), number(w, 0, "status", "active"))
			asks := requests(&template.Spec, defaults)
			asks[corev1.ResourcePods] = resource.MustParse("1")
			for name, q := range asks {
				sum := out[name]
				q.Mul(n)
				sum.Add(q)
				out[name] = sum
			}
		}
	}
	return out
}

// defaults that a namespace gives containers that ask for nothing.
func (p *Player) defaults(namespace string) corev1.ResourceList {
	out := corev1.ResourceList{}
	for _, u := range p.cluster.List(limits, namespace) {
		l := &corev1.LimitRange{}
		if runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, l) != nil {
			continue
		}
		for _, item := range l.Spec.Limits {
			if item.Type != corev1.LimitTypeContainer {
				continue
			}
			for name, q := range item.DefaultRequest {
				out[name] = q
			}
		}
	}
	return out
}

// playQuota says how much of a quota is used.
func (p *Player) playQuota(u *unstructured.Unstructured) {
	hard, _, _ := unstructured.NestedMap(u.Object, "spec", "hard")
	used := p.used(u.GetNamespace(), nil, p.defaults(u.GetNamespace()))
	says := map[string]any{}
	for name := range hard {
		q, _ := demand(used, name)
		says[name] = q.String()
	}
	p.edit(quota, u.GetNamespace(), u.GetName(), func(map[string]any) map[string]any {
		return map[string]any{"hard": hard, "used": says}
	})
}
