package preflight

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/labels"
	resourcehelper "k8s.io/component-helpers/resource"
	schedulinghelper "k8s.io/component-helpers/scheduling/corev1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
	"k8s.io/klog/v2"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// candidates are the nodes that a workload's pods may run on, filter by filter: each
// list holds those of the one before that pass.
type candidates struct {
	request corev1.ResourceList
	// matching the node selector and affinity, tolerable of those, offering the extended
	// resources, and large enough if they were empty.
	matching, tolerable, offering, fitting []*Node
}

// candidatesOf a workload. It is nil where nodes are not known, or play no part.
func (r *run) candidatesOf(w *workload) *candidates {
	if r.snap.Capacity == nil || len(r.snap.Capacity.Nodes) == 0 || w.pod.Spec.NodeName != "" {
		return nil
	}
	if c, ok := r.nodes[w]; ok {
		return c
	}
	if r.nodes == nil {
		r.nodes = map[*workload]*candidates{}
	}
	pod := r.defaulted(w)
	c := &candidates{request: resourcehelper.PodRequests(pod, resourcehelper.PodResourcesOptions{})}
	r.nodes[w] = c
	affinity := nodeaffinity.GetRequiredNodeAffinity(pod)
	for i := range r.snap.Capacity.Nodes {
		n := &r.snap.Capacity.Nodes[i]
		// A selector that cannot be read matches nothing, and A3 tells why.
		if ok, err := affinity.Match(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: n.Name, Labels: n.Labels}}); err == nil && !ok {
			continue
		}
		c.matching = append(c.matching, n)
		if _, untolerated := schedulinghelper.FindMatchingUntoleratedTaint(klog.Logger{}, n.Taints, pod.Spec.Tolerations, lastingTaint, false); untolerated {
			continue
		}
		c.tolerable = append(c.tolerable, n)
		if !offers(n, c.request) {
			continue
		}
		c.offering = append(c.offering, n)
		if fits(c.request, n.Allocatable) {
			c.fitting = append(c.fitting, n)
		}
	}
	return c
}

// lastingTaint is true for a taint that keeps pods away, and is not a node's own passing
// state.
func lastingTaint(t *corev1.Taint) bool {
	if t.Effect != corev1.TaintEffectNoSchedule && t.Effect != corev1.TaintEffectNoExecute {
		return false
	}
	return !strings.HasPrefix(t.Key, "node.kubernetes.io/") && !strings.HasPrefix(t.Key, "node.cloudprovider.kubernetes.io/")
}

// extended is true for a resource that not every node has.
func extended(name corev1.ResourceName) bool {
	switch name {
	case corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage, corev1.ResourcePods:
		return false
	}
	return true
}

func offers(n *Node, request corev1.ResourceList) bool {
	for name, q := range request {
		has := n.Allocatable[name]
		if extended(name) && !q.IsZero() && has.IsZero() {
			return false
		}
	}
	return true
}

// fits is true where there is room for what is asked for. A resource that a node says
// nothing of is not judged, but for extended ones.
func fits(request, room corev1.ResourceList) bool {
	for name, q := range request {
		has, ok := room[name]
		if (ok || extended(name)) && q.Cmp(has) > 0 {
			return false
		}
	}
	return true
}

// certain is true where what no node has today, none will have tomorrow.
func (r *run) certain() bool { return !r.snap.Capacity.Elastic }

// schedule calls a check with each workload that is to run, and where it may.
func (r *run) schedule(check func(*workload, *candidates)) {
	for _, w := range r.workloads {
		if w.replicas == 0 && !w.daemon {
			continue
		}
		if c := r.candidatesOf(w); c != nil {
			check(w, c)
		}
	}
}

// What is found where there is no node: none are to come, or they are.
const (
	noNodes     = "the cluster has no nodes yet"
	notObserved = "no node of the cluster is observed yet: whether pods fit is not known"
)

// Nodeless is true for what is found only because there is no node. It is over as soon as there is one.
func Nodeless(f v1alpha1.Finding) bool {
	return f.Cause == "B1" && (f.Message == noNodes || f.Message == notObserved)
}

// checkFits is B1.
func checkFits(r *run) {
	if r.snap.Capacity != nil && len(r.snap.Capacity.Nodes) == 0 && len(r.workloads) > 0 {
		w, fix, message := r.workloads[0], "add nodes to the cluster", noNodes
		if !r.certain() {
			fix, message = "wait until nodes are there", notObserved
		}
		r.warn(w.object, w.path, fix, "%s", message)
		return
	}
	r.schedule(func(w *workload, c *candidates) {
		if len(c.offering) == 0 {
			return // Something else is wrong, and said.
		}
		if len(c.fitting) == 0 {
			r.findIf(r.certain(), w.object, w.path+".containers", "ask for less, or add larger nodes", "a pod asks for %s, and no node that it may run on has so much: the largest has %s", amounts(c.request), amounts(largest(c.offering, c.request)))
			return
		}
		if w.daemon {
			return
		}
		if !slices.ContainsFunc(c.fitting, func(n *Node) bool { return fits(c.request, r.room(n, func(p *Pod) bool { return p.Daemon })) }) {
			r.warn(w.object, w.path+".containers", "ask for less, or add larger nodes", "a pod asks for %s, and what daemons leave of any node is less", amounts(c.request))
		}
	})
}

// room that a node has beside some of its pods.
func (r *run) room(n *Node, taken func(*Pod) bool) corev1.ResourceList {
	used, pods, some := corev1.ResourceList{}, resource.Quantity{}, false
	for _, p := range r.podsOn(n) {
		if taken(p) {
			some = true
			addTimes(used, p.Requests, 1)
			pods.Add(onePod)
		}
	}
	if !some {
		return n.Allocatable
	}
	used[corev1.ResourcePods] = pods
	out := n.Allocatable.DeepCopy()
	for name, has := range out {
		has.Sub(used[name])
		out[name] = has
	}
	return out
}

// podsOn a node.
func (r *run) podsOn(n *Node) []*Pod {
	if r.pods == nil {
		r.pods = map[string][]*Pod{}
		for i := range r.snap.Capacity.Pods {
			p := &r.snap.Capacity.Pods[i]
			r.pods[p.Node] = append(r.pods[p.Node], p)
		}
	}
	return r.pods[n.Name]
}

// own is true for a pod that the application has made already.
func (s *Subject) own(p *Pod) bool {
	return slices.ContainsFunc(s.workloads, func(w *workload) bool {
		return w.namespace == p.Namespace && w.selector.Matches(labels.Set(p.Labels))
	})
}

// checkAffinity is B3.
func checkAffinity(r *run) {
	r.schedule(func(w *workload, c *candidates) {
		if len(c.matching) > 0 || r.wantedArch(w) != "" {
			return
		}
		r.findIf(r.certain(), w.object, selectorField(w), "correct the selector, or label nodes so", "no node matches %s", selectorText(w))
	})
	if r.snap.Capacity == nil || len(r.snap.Capacity.Nodes) == 0 {
		return
	}
	for name, c := range r.contracts() {
		want := labels.SelectorFromSet(c.NodeLabels)
		if len(c.NodeLabels) > 0 && !slices.ContainsFunc(r.snap.Capacity.Nodes, func(n Node) bool { return want.Matches(labels.Set(n.Labels)) }) {
			r.findIf(r.certain(), r.lead(name), "", "label nodes so, or place the component elsewhere", "component %q needs a node with labels %s, and there is none", name, labels.FormatLabels(c.NodeLabels))
		}
	}
}

func selectorField(w *workload) string {
	if len(w.pod.Spec.NodeSelector) > 0 {
		return w.path + ".nodeSelector"
	}
	return w.path + ".affinity.nodeAffinity"
}

func selectorText(w *workload) string {
	var parts []string
	if s := w.pod.Spec.NodeSelector; len(s) > 0 {
		parts = append(parts, "node selector "+labels.FormatLabels(s))
	}
	if a := w.pod.Spec.Affinity; a != nil && a.NodeAffinity != nil && a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution != nil {
		var terms []string
		for _, t := range a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms {
			var reqs []string
			for _, e := range slices.Concat(t.MatchExpressions, t.MatchFields) {
				reqs = append(reqs, strings.TrimSpace(fmt.Sprintf("%s %s %s", e.Key, e.Operator, strings.Join(e.Values, ","))))
			}
			terms = append(terms, strings.Join(reqs, " and "))
		}
		parts = append(parts, "node affinity "+strings.Join(terms, " or "))
	}
	return strings.Join(parts, " and ")
}

// checkTaints is B4.
func checkTaints(r *run) {
	r.schedule(func(w *workload, c *candidates) {
		if len(c.matching) == 0 || len(c.tolerable) > 0 {
			return
		}
		taints := map[string]bool{}
		for _, n := range c.matching {
			for _, t := range n.Taints {
				if lastingTaint(&t) {
					taints[t.ToString()] = true
				}
			}
		}
		r.findIf(r.certain(), w.object, w.path+".tolerations", "tolerate one of the taints, or select other nodes", "all nodes that match have a taint that the pod does not tolerate: %s", strings.Join(slices.Sorted(maps.Keys(taints)), ", "))
	})
}

// checkExtended is B7.
func checkExtended(r *run) {
	r.schedule(func(w *workload, c *candidates) {
		if len(c.tolerable) == 0 || len(c.offering) > 0 {
			return
		}
		var lacking []string
		for _, name := range names(c.request) {
			q := c.request[name]
			if extended(name) && !q.IsZero() && !slices.ContainsFunc(c.tolerable, func(n *Node) bool { has := n.Allocatable[name]; return !has.IsZero() }) {
				lacking = append(lacking, string(name))
			}
		}
		if len(lacking) == 0 {
			lacking = []string{"all of " + amounts(c.request)}
		}
		r.findIf(r.certain(), w.object, w.path+".containers", "add nodes that offer it, or do not ask for it", "no node that the pod may run on offers %s", strings.Join(lacking, ", "))
	})
	if r.snap.Capacity == nil || len(r.snap.Capacity.Nodes) == 0 {
		return
	}
	for name, c := range r.contracts() {
		for _, res := range c.NodeResources {
			if !slices.ContainsFunc(r.snap.Capacity.Nodes, func(n Node) bool { has := n.Allocatable[corev1.ResourceName(res)]; return !has.IsZero() }) {
				r.findIf(r.certain(), r.lead(name), "", "add nodes that offer it, or place the component elsewhere", "component %q needs a node that offers %s, and there is none", name, res)
			}
		}
	}
}

// amounts as text, such as 2 of cpu and 4Gi of memory.
func amounts(l corev1.ResourceList) string {
	var out []string
	for _, name := range names(l) {
		out = append(out, text(l[name])+" of "+string(name))
	}
	return strings.Join(out, ", ")
}

// largest of each resource that is asked for, of any node.
func largest(nodes []*Node, request corev1.ResourceList) corev1.ResourceList {
	out := corev1.ResourceList{}
	for name := range request {
		for _, n := range nodes {
			if q, ok := n.Allocatable[name]; ok {
				if most := out[name]; q.Cmp(most) > 0 {
					out[name] = q
				}
			}
		}
	}
	return out
}
