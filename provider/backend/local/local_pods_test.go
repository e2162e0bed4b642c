package local_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/mainstay-dev/mainstay/provider/backend"
)

// TestPods holds what pods do to what stages.yaml promises.
func TestPods(t *testing.T) {
	state := stateFolder(t)
	b := open(t, state)
	c := cluster(0)
	kube := client(t, await(t, b, c))
	pool := backend.NodePool{Cluster: c, Name: "general", Class: "general-small", Size: 1,
		Capacity: corev1.ResourceList{"cpu": resource.MustParse("4"), "memory": resource.MustParse("8Gi")}}
	if err := b.EnsureNodePool(t.Context(), pool); err != nil {
		t.Fatalf("EnsureNodePool(...): %v", err)
	}

	// A pod of no controller is told its node, so that no scheduler has a say.
	cases := map[string]struct {
		reason, image string
		want          string
	}{
		"runs":       {"A pod runs.", "registry.example:5000/shop:1.0", "Running ready"},
		"digest":     {"A digest is no tag.", "registry.example/shop-crashes@sha256:0123", "Running ready"},
		"repository": {"The name of an image may be anything.", "registry.example/shop-crashes:1.0", "Running ready"},
		"unpullable": {"An image that cannot be pulled.", "registry.example/shop:1.1-unpullable", "Pending ImagePullBackOff"},
		"crashes":    {"A container that crashes.", "registry.example/shop:1.1-crashes", "Pending CrashLoopBackOff"},
		"unready":    {"A container that never becomes ready.", "registry.example/shop:1.1-unready", "Pending"},
	}
	for name, tc := range cases {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.PodSpec{
			NodeName:   "general-0",
			Containers: []corev1.Container{{Name: "main", Image: tc.image}},
		}}
		create := func(ctx context.Context) (bool, error) {
			_, err := kube.CoreV1().Pods("default").Create(ctx, pod, metav1.CreateOptions{})
			return err == nil, nil // The namespace's service account takes a moment.
		}
		if err := wait.PollUntilContextTimeout(t.Context(), 100*time.Millisecond, 30*time.Second, true, create); err != nil {
			t.Fatalf("Cannot create pod %s: %v", name, err)
		}
	}
	for name, tc := range cases {
		got := ""
		_ = wait.PollUntilContextTimeout(t.Context(), 100*time.Millisecond, 30*time.Second, true, func(ctx context.Context) (bool, error) {
			pod, err := kube.CoreV1().Pods("default").Get(ctx, name, metav1.GetOptions{})
			if err != nil || pod.Status.PodIP == "" {
				return false, err
			}
			got = does(pod)
			return got == tc.want, nil
		})
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s: %s (-want +got):\n%s", name, tc.reason, diff)
		}
	}
	if err := b.DeleteCluster(t.Context(), c); err != nil {
		t.Fatalf("DeleteCluster(...): %v", err)
	}
}

// does says what a pod does, in words.
func does(pod *corev1.Pod) string {
	out := string(pod.Status.Phase)
	for _, s := range pod.Status.ContainerStatuses {
		if s.Ready {
			out += " ready"
		}
		if s.State.Waiting != nil {
			out += " " + s.State.Waiting.Reason
		}
	}
	return out
}
