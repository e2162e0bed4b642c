package backendtest

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/provider/backend"
)

const poolName = "workers"

func pool(c backend.Cluster, size int32) backend.NodePool {
	return backend.NodePool{
		Cluster: c,
		Name:    poolName,
		Class:   "general",
		Capacity: corev1.ResourceList{
			corev1.ResourceCPU:    resource.MustParse("4"),
			corev1.ResourceMemory: resource.MustParse("16Gi"),
		},
		Size: size,
	}
}

// nodePools: they grow, change and shrink as asked, and pods run on them. A backend
// that adopts clusters says that it makes no nodes.
func (s *suite) nodePools(t *testing.T) {
	c := s.h.Cluster(t, 0)
	if !s.h.Makes {
		s.noNodePools(t, c)
		return
	}
	client := s.client(t, s.ready)

	p := pool(c, 2)
	p.Labels = map[string]string{"disk": "fast", "team": "a"}
	s.awaitPool(t, p, 2)
	s.awaitPods(t, client)

	p.Labels = map[string]string{"disk": "slow"}
	p.Taints = []corev1.Taint{{Key: "only", Value: "gpu", Effect: corev1.TaintEffectPreferNoSchedule}}
	p.Class, p.Capacity = "large", corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse("8"),
		corev1.ResourceMemory: resource.MustParse("32Gi"),
	}
	s.awaitPool(t, p, 2)
	s.checkNodes(t, client, p)

	// Another pool is left alone, and what somebody breaks is repaired.
	other := pool(c, 1)
	other.Name = "others"
	s.awaitPool(t, other, 1)
	n := s.nodes(t, client, p.Name)[0]
	if err := client.CoreV1().Nodes().Delete(t.Context(), n.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatalf("Cannot delete node: %v", err)
	}
	s.awaitPool(t, p, 2)

	p.Size = 1
	s.awaitPool(t, p, 1)
	p.Size = 0
	s.awaitPool(t, p, 0)

	for range 2 {
		s.removePool(t, other)
	}
	s.removePool(t, p)
}

func (s *suite) noNodePools(t *testing.T, c backend.Cluster) {
	if err := s.b.EnsureNodePool(t.Context(), pool(c, 1)); !backend.IsInvalid(err) {
		t.Errorf("EnsureNodePool(...): want an InvalidError, got %v", err)
	}
	if err := s.b.EnsureNodePool(t.Context(), pool(c, 0)); err != nil {
		t.Errorf("EnsureNodePool(...) of no nodes: %v", err)
	}
	s.removePool(t, pool(c, 1))
}

func (s *suite) awaitPool(t *testing.T, p backend.NodePool, ready int32) {
	t.Helper()
	want := backend.NodePoolState{Exists: ready > 0, UpToDate: true, Nodes: v1alpha1.NodeCount{Total: ready, Ready: ready}}
	last := backend.NodePoolState{}
	err := wait.PollUntilContextTimeout(t.Context(), poll, patience, true, func(ctx context.Context) (bool, error) {
		var err error
		if last, err = s.b.ObserveNodePool(ctx, p); err != nil {
			return false, err
		}
		if !last.UpToDate {
			return false, s.b.EnsureNodePool(ctx, p)
		}
		return last == want, nil
	})
	if err != nil {
		t.Fatalf("Node pool is not as wanted: %v: -want, +got:\n%s", err, cmp.Diff(want, last))
	}
}

func (s *suite) removePool(t *testing.T, p backend.NodePool) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), poll, patience, true, func(ctx context.Context) (bool, error) {
		if err := s.b.DeleteNodePool(ctx, p); err != nil {
			return false, err
		}
		st, err := s.b.ObserveNodePool(ctx, p)
		return !st.Exists, err
	})
	if err != nil {
		t.Fatalf("Node pool does not go: %v", err)
	}
}

func (s *suite) nodes(t *testing.T, client kubernetes.Interface, pool string) []corev1.Node {
	t.Helper()
	l, err := client.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{LabelSelector: v1alpha1.LabelNodePool + "=" + pool})
	if err != nil {
		t.Fatalf("Cannot list nodes: %v", err)
	}
	return l.Items
}

// checkNodes looks at what a pool gives its nodes, and that it took back the rest.
func (s *suite) checkNodes(t *testing.T, client kubernetes.Interface, p backend.NodePool) {
	t.Helper()
	type node struct {
		Class, Disk, Team, CPU string
		Taints                 []corev1.Taint
	}
	want := node{Class: p.Class, Disk: p.Labels["disk"], CPU: p.Capacity.Cpu().String(), Taints: p.Taints}
	for _, n := range s.nodes(t, client, p.Name) {
		got := node{
			Class:  n.Labels[v1alpha1.LabelNodeClass],
			Disk:   n.Labels["disk"],
			Team:   n.Labels["team"],
			CPU:    n.Status.Allocatable.Cpu().String(),
			Taints: n.Spec.Taints,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Node %s: -want, +got:\n%s", n.Name, diff)
		}
	}
}

// awaitPods runs what stays and what ends.
func (s *suite) awaitPods(t *testing.T, client kubernetes.Interface) {
	t.Helper()
	meta := metav1.ObjectMeta{Name: "work", Namespace: metav1.NamespaceDefault}
	labels := map[string]string{"app": "work"}
	spec := corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "registry.example.org/work:1"}}}
	once := spec
	once.RestartPolicy = corev1.RestartPolicyNever

	if _, err := client.AppsV1().Deployments(meta.Namespace).Create(t.Context(), &appsv1.Deployment{
		ObjectMeta: meta,
		Spec: appsv1.DeploymentSpec{
			Replicas: ptr.To[int32](3),
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: spec},
		},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatalf("Cannot create deployment: %v", err)
	}
	if _, err := client.BatchV1().Jobs(meta.Namespace).Create(t.Context(), &batchv1.Job{
		ObjectMeta: meta,
		Spec:       batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: once}},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatalf("Cannot create job: %v", err)
	}
	err := wait.PollUntilContextTimeout(t.Context(), poll, patience, true, func(ctx context.Context) (bool, error) {
		d, err := client.AppsV1().Deployments(meta.Namespace).Get(ctx, meta.Name, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		j, err := client.BatchV1().Jobs(meta.Namespace).Get(ctx, meta.Name, metav1.GetOptions{})
		return err == nil && d.Status.AvailableReplicas == 3 && j.Status.Succeeded == 1, err
	})
	if err != nil {
		t.Fatalf("Pods do not run: %v", err)
	}
	if err := client.AppsV1().Deployments(meta.Namespace).Delete(t.Context(), meta.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatalf("Cannot delete deployment: %v", err)
	}
}
