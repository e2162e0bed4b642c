package preflight

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// checkAntiAffinity is B5.
func checkAntiAffinity(r *run) {
	r.schedule(func(w *workload, c *candidates) {
		a := w.pod.Spec.Affinity
		if w.daemon || len(c.fitting) == 0 || a == nil || a.PodAntiAffinity == nil {
			return
		}
		for _, term := range a.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution {
			if !selects(term.LabelSelector, w) || len(term.Namespaces) > 0 && !slices.Contains(term.Namespaces, w.namespace) ||
				len(term.Namespaces) == 0 && term.NamespaceSelector != nil && !empty(term.NamespaceSelector) || len(term.MatchLabelKeys)+len(term.MismatchLabelKeys) > 0 {
				continue
			}
			// A node without the label is a place of its own: nothing there can clash.
			places := map[string]bool{}
			for _, n := range c.fitting {
				v, ok := n.Labels[term.TopologyKey]
				if !ok {
					v = "\x00" + n.Name
				}
				places[v] = ok
			}
			unlabelled := slices.ContainsFunc(c.fitting, func(n *Node) bool { _, ok := n.Labels[term.TopologyKey]; return !ok })
			if !unlabelled && w.replicas > len(places) {
				r.findIf(r.certain(), w.object, w.path+".affinity.podAntiAffinity", "run fewer replicas, add nodes, or prefer to keep them apart instead of requiring it",
					"%d replicas must not share a value of node label %s, and the nodes that they may run on have %d", w.replicas, term.TopologyKey, len(places))
			}
		}
	})
}

// checkSpread is B6.
func checkSpread(r *run) {
	r.schedule(func(w *workload, c *candidates) {
		if w.daemon || len(c.matching) == 0 {
			return
		}
		for _, t := range w.pod.Spec.TopologySpreadConstraints {
			if t.WhenUnsatisfiable != corev1.DoNotSchedule {
				continue
			}
			nodes := c.matching
			if t.NodeAffinityPolicy != nil && *t.NodeAffinityPolicy == corev1.NodeInclusionPolicyIgnore {
				continue // Nodes that it may not run on count too. That is the scheduler's to judge.
			}
			domains := map[string]bool{}
			for _, n := range nodes {
				if v, ok := n.Labels[t.TopologyKey]; ok {
					domains[v] = true
				}
			}
			at := w.path + ".topologySpreadConstraints[" + t.TopologyKey + "]"
			if len(domains) == 0 {
				r.findIf(r.certain(), w.object, at, "label the nodes, or set whenUnsatisfiable to ScheduleAnyway", "no node that the pod may run on has label %s", t.TopologyKey)
				continue
			}
			if t.MinDomains == nil || int(*t.MinDomains) <= len(domains) || !selects(t.LabelSelector, w) {
				continue
			}
			// With fewer domains than wanted, each takes as many as the skew allows.
			if most := len(domains) * int(t.MaxSkew); w.replicas > most {
				r.findIf(r.certain(), w.object, at, "lower minDomains or the number of replicas, or add nodes in other domains",
					"%d replicas must spread over %d domains of node label %s, and there are %d, which take %d", w.replicas, *t.MinDomains, t.TopologyKey, len(domains), most)
			}
		}
	})
}

// selects is true where a selector of pods selects a workload's own.
func selects(s *metav1.LabelSelector, w *workload) bool {
	if s == nil {
		return false
	}
	sel, err := metav1.LabelSelectorAsSelector(s)
	return err == nil && sel.Matches(labels.Set(w.pod.Labels))
}

func empty(s *metav1.LabelSelector) bool {
	return len(s.MatchLabels) == 0 && len(s.MatchExpressions) == 0
}
