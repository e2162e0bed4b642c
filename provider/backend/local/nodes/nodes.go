// Package nodes decides which nodes a pool of the local backend has to have made,
// changed and removed. It only decides: whoever asks does it.
//
// A node may carry more than its pool gives it, from Kubernetes, KWOK or a person.
// Annotations hold what the pool gave, so that it can take back that and no more.
package nodes

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/provider/backend"
	"github.com/mainstay-dev/mainstay/provider/backend/local/controlplane"
)

const (
	// annotationLabels and annotationTaints list what the pool gave.
	annotationLabels = "mainstay.dev/node-pool-labels"
	annotationTaints = "mainstay.dev/node-pool-taints"
	// annotationRemoving marks a node that is cordoned because it is to go.
	annotationRemoving = "mainstay.dev/node-pool-removing"
	// defaultPods is how many pods a node runs where its class does not say.
	defaultPods = "110"
)

// Changes that bring a pool to what is wanted. All are whole nodes, in order of
// their numbers, those to be removed from the highest down.
type Changes struct {
	// Create these nodes.
	Create []corev1.Node
	// Update metadata and spec of these nodes.
	Update []corev1.Node
	// UpdateStatus of these nodes, which are as they were but for it.
	UpdateStatus []corev1.Node
	// Remove these nodes.
	Remove []corev1.Node
}

// None returns true where the pool is as wanted.
func (c Changes) None() bool {
	return len(c.Create)+len(c.Update)+len(c.UpdateStatus)+len(c.Remove) == 0
}

// Plan compares the wanted pool with all the nodes of its cluster, whichever pool
// they are of. Nodes are made for the given version of Kubernetes.
func Plan(p backend.NodePool, version string, all []corev1.Node) Changes {
	there := Of(p.Name, all)
	out := Changes{}
	for len(there) > int(max(p.Size, 0)) {
		last := len(there) - 1
		out.Remove = append(out.Remove, there[last])
		there = there[:last]
	}
	for _, n := range there {
		if want := withSpec(n, p); !equality.Semantic.DeepEqual(n, want) {
			out.Update = append(out.Update, want)
		}
		if want := withCapacity(n, p); !equality.Semantic.DeepEqual(n, want) {
			out.UpdateStatus = append(out.UpdateStatus, want)
		}
	}
	taken := map[string]bool{}
	for _, n := range all {
		taken[n.Name] = true
	}
	for i := 0; len(there)+len(out.Create) < int(p.Size); i++ {
		if name := p.Name + "-" + strconv.Itoa(i); !taken[name] {
			out.Create = append(out.Create, fresh(name, version, p))
		}
	}
	return out
}

// Of returns the nodes of a pool, in order of their numbers. Nodes that the pool
// did not name come last.
func Of(pool string, all []corev1.Node) []corev1.Node {
	out := make([]corev1.Node, 0, len(all))
	for _, n := range all {
		if n.Labels[v1alpha1.LabelNodePool] == pool && n.DeletionTimestamp == nil {
			out = append(out, n)
		}
	}
	number := func(n corev1.Node) int {
		s, ok := strings.CutPrefix(n.Name, pool+"-")
		i, err := strconv.Atoi(s)
		if !ok || err != nil {
			return int(^uint(0) >> 1)
		}
		return i
	}
	slices.SortFunc(out, func(a, b corev1.Node) int {
		return cmp.Or(cmp.Compare(number(a), number(b)), cmp.Compare(a.Name, b.Name))
	})
	return out
}

// Count counts nodes, and those that are ready.
func Count(ns []corev1.Node) v1alpha1.NodeCount {
	out := v1alpha1.NodeCount{Total: int32(len(ns))} //nolint:gosec // A pool has at most 1000 nodes.
	for _, n := range ns {
		if slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
			return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
		}) {
			out.Ready++
		}
	}
	return out
}

// Cordoned returns a node that takes no new pods because it is to go.
func Cordoned(n corev1.Node) corev1.Node {
	out := *n.DeepCopy()
	metav1.SetMetaDataAnnotation(&out.ObjectMeta, annotationRemoving, "true")
	out.Spec.Unschedulable = true
	return out
}

func fresh(name, version string, p backend.NodePool) corev1.Node {
	n := withCapacity(withSpec(corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}, p), p)
	n.Status.NodeInfo = corev1.NodeSystemInfo{
		Architecture:    "amd64",
		OperatingSystem: "linux",
		KubeletVersion:  version,
	}
	return n
}

// withSpec returns a node with what the pool gives, without what it gave before.
func withSpec(in corev1.Node, p backend.NodePool) corev1.Node {
	n := *in.DeepCopy()
	labels := poolLabels(n.Name, p)
	for _, k := range split(n.Annotations[annotationLabels]) {
		delete(n.Labels, k)
	}
	for k, v := range labels {
		metav1.SetMetaDataLabel(&n.ObjectMeta, k, v)
	}
	n.Spec.Taints = withTaints(n.Spec.Taints, split(n.Annotations[annotationTaints]), p.Taints)

	if n.Annotations[annotationRemoving] != "" {
		delete(n.Annotations, annotationRemoving)
		n.Spec.Unschedulable = false
	}
	given := make([]string, 0, len(labels))
	for k := range labels {
		given = append(given, k)
	}
	taints := make([]string, 0, len(p.Taints))
	for _, t := range p.Taints {
		taints = append(taints, taintKey(t))
	}
	metav1.SetMetaDataAnnotation(&n.ObjectMeta, annotationLabels, join(given))
	metav1.SetMetaDataAnnotation(&n.ObjectMeta, annotationTaints, join(taints))
	metav1.SetMetaDataAnnotation(&n.ObjectMeta, controlplane.AnnotationFake, controlplane.AnnotationFakeValue)
	return n
}

// poolLabels are those of the pool, and those that a node of any pool has, which
// no pool can change.
func poolLabels(name string, p backend.NodePool) map[string]string {
	out := map[string]string{}
	for k, v := range p.Labels {
		out[k] = v
	}
	out[corev1.LabelOSStable] = "linux"
	out[corev1.LabelArchStable] = "amd64"
	out[corev1.LabelInstanceTypeStable] = p.Class
	out[v1alpha1.LabelNodePool] = p.Name
	out[v1alpha1.LabelNodeClass] = p.Class
	// A label is shorter than a name may be.
	if len(name) <= 63 {
		out[corev1.LabelHostname] = name
	}
	return out
}

// withTaints keeps what neither is nor was the pool's, such as what Kubernetes
// puts on a node that is not ready.
func withTaints(there []corev1.Taint, given []string, want []corev1.Taint) []corev1.Taint {
	var out []corev1.Taint
	seen := map[string]bool{}
	for _, t := range there {
		k := taintKey(t)
		i := slices.IndexFunc(want, func(w corev1.Taint) bool { return taintKey(w) == k })
		switch {
		case i >= 0:
			t.Value = want[i].Value
		case slices.Contains(given, k):
			continue
		}
		out, seen[k] = append(out, t), true
	}
	for _, t := range want {
		if k := taintKey(t); !seen[k] {
			out, seen[k] = append(out, t), true
		}
	}
	return out
}

// withCapacity returns a node that has what its class has.
func withCapacity(in corev1.Node, p backend.NodePool) corev1.Node {
	n := *in.DeepCopy()
	c := p.Capacity.DeepCopy()
	if c == nil {
		c = corev1.ResourceList{}
	}
	if _, ok := c[corev1.ResourcePods]; !ok {
		c[corev1.ResourcePods] = resource.MustParse(defaultPods)
	}
	n.Status.Capacity, n.Status.Allocatable = c, c.DeepCopy()
	return n
}

// taintKey tells taints of one node apart.
func taintKey(t corev1.Taint) string { return t.Key + ":" + string(t.Effect) }

func join(s []string) string {
	slices.Sort(s)
	return strings.Join(slices.Compact(s), ",")
}

func split(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}
