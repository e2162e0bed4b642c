package preflight

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// tenObjects of an application as they are common.
func tenObjects() string {
	var docs []string
	for i := range 3 {
		name := fmt.Sprintf("part-%d", i)
		docs = append(docs,
			workloadText("Deployment", name, "replicas: 3", "volumes: [{name: c, configMap: {name: "+name+"}}]", "ports: [{name: http, containerPort: 80}]\n        readinessProbe: {httpGet: {port: http}}\n        "+needs),
			"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "+name+"}\ndata: {a: b}",
			"apiVersion: v1\nkind: Service\nmetadata: {name: "+name+"}\nspec: {selector: {app: "+name+"}, ports: [{port: 80, targetPort: http}]}")
	}
	docs = append(docs, "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: b}\nspec: {maxUnavailable: 1, selector: {matchLabels: {app: part-0}}}")
	return strings.Join(docs, "\n---\n")
}

// busy cluster of 20 nodes with 400 pods.
func busy(b *testing.B) *Snapshot {
	return cluster(b, func(s *Snapshot) {
		for i := range 16 {
			s.Capacity.Nodes = append(s.Capacity.Nodes, nodeOf(b, fmt.Sprintf("more-%d", i), "general", "a"))
		}
		for i := range 400 {
			s.Capacity.Pods = append(s.Capacity.Pods, Pod{
				Namespace: fmt.Sprintf("ns-%d", i%20), Node: s.Capacity.Nodes[i%20].Name, Labels: map[string]string{"app": "x"},
				Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("128Mi")},
			})
		}
	})
}

// BenchmarkCheck checks ten objects on one cluster, the content being prepared already.
func BenchmarkCheck(b *testing.B) {
	s, snap := Prepare(contentOf(b, tenObjects(), nil), namespace, nil), busy(b)
	for b.Loop() {
		if Blocks(s.Check(snap)) {
			b.Fatal("it is refused")
		}
	}
}

// BenchmarkPrepareAndCheck is what a content costs that is bound for its cluster alone.
func BenchmarkPrepareAndCheck(b *testing.B) {
	content, snap := contentOf(b, tenObjects(), nil), busy(b)
	for b.Loop() {
		if Blocks(Check(Input{Content: content, Namespace: namespace, Snapshot: snap})) {
			b.Fatal("it is refused")
		}
	}
}

// BenchmarkFleet checks ten objects on a thousand clusters, all with snapshots of their own.
func BenchmarkFleet(b *testing.B) {
	s := Prepare(contentOf(b, tenObjects(), nil), namespace, nil)
	fleet := make([]*Snapshot, 1000)
	for i := range fleet {
		fleet[i] = busy(b)
	}
	for b.Loop() {
		for _, snap := range fleet {
			if Blocks(s.Check(snap)) {
				b.Fatal("it is refused")
			}
		}
	}
}
