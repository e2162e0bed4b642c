package explain

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

func pod(s corev1.PodStatus) corev1.Pod {
	return corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web-1", Labels: map[string]string{v1alpha1.LabelComponent: "web"}}, Status: s}
}

func waits(reason, message string) corev1.PodStatus {
	return corev1.PodStatus{Phase: corev1.PodPending, ContainerStatuses: []corev1.ContainerStatus{{
		Name: "main", Image: "shop:2", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}},
	}}}
}

func TestPods(t *testing.T) {
	crash := waits("CrashLoopBackOff", "back-off 5m0s")
	crash.ContainerStatuses[0].LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ExitCode: 3, Message: "no database\n"}
	killed := waits("CrashLoopBackOff", "")
	killed.ContainerStatuses[0].LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "OOMKilled"}
	now := metav1.Now()
	leaving := pod(crash)
	leaving.DeletionTimestamp = &now
	other := pod(crash)
	other.Labels[v1alpha1.LabelComponent] = "cache"

	cases := map[string]struct {
		reason string
		pods   []corev1.Pod
		want   []string
	}{
		"Healthy": {
			reason: "Pods that run, have run, are made right now or leave are none to explain.",
			pods: []corev1.Pod{
				pod(corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{{Ready: true, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}}}),
				pod(corev1.PodStatus{Phase: corev1.PodSucceeded}), pod(waits("ContainerCreating", "")), leaving, other,
			},
		},
		"Alike": {
			reason: "Pods with one reason are one.",
			pods:   []corev1.Pod{pod(crash), pod(crash), pod(killed)},
			want: []string{
				"Pod web-1 and 1 more: container main crashes with exit code 3: no database",
				"Pod web-1: container main was killed because it used more memory than it may",
			},
		},
		"Unschedulable": {
			reason: "What the scheduler says is the reason.",
			pods: []corev1.Pod{pod(corev1.PodStatus{Phase: corev1.PodPending, Conditions: []corev1.PodCondition{
				{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "0/3 nodes are available: 3 Insufficient cpu."},
			}})},
			want: []string{"Pod web-1: no node takes its pods: 0/3 nodes are available: 3 Insufficient cpu."},
		},
		"Image": {
			reason: "The image is named.",
			pods:   []corev1.Pod{pod(waits("ErrImagePull", "not found"))},
			want:   []string{"Pod web-1: container main cannot get image shop:2 (ErrImagePull): not found"},
		},
		"Config": {
			reason: "What is missing is named.",
			pods:   []corev1.Pod{pod(waits("CreateContainerConfigError", `secret "db" not found`))},
			want:   []string{`Pod web-1: container main cannot be made (CreateContainerConfigError): secret "db" not found`},
		},
		"Crashing": {
			reason: "A crash that left nothing is a crash still.",
			pods:   []corev1.Pod{pod(waits("CrashLoopBackOff", ""))},
			want:   []string{"Pod web-1: container main crashes again and again"},
		},
		"Odd": {
			reason: "A reason that is not known is told as it is.",
			pods:   []corev1.Pod{pod(waits("Odd", ""))},
			want:   []string{"Pod web-1: container main waits (Odd)"},
		},
		"Init": {
			reason: "Containers that come first count first.",
			pods: []corev1.Pod{pod(corev1.PodStatus{Phase: corev1.PodPending, InitContainerStatuses: []corev1.ContainerStatus{{
				Name: "setup", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1}},
			}}})},
			want: []string{"Pod web-1: container setup crashes with exit code 1"},
		},
		"NotReady": {
			reason: "It runs, and its probe fails.",
			pods: []corev1.Pod{pod(corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{
				{Name: "main", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}},
			}})},
			want: []string{"Pod web-1: container main runs but is not ready"},
		},
		"Evicted": {
			reason: "A pod that failed says why.",
			pods:   []corev1.Pod{pod(corev1.PodStatus{Phase: corev1.PodFailed, Reason: "Evicted", Message: "The node was low on resource: memory."})},
			want:   []string{"Pod web-1: its pods failed: Evicted: The node was low on resource: memory."},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, n := range podNodes(tc.pods, "web", Failed) {
				got = append(got, n.What+": "+n.Message)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\npodNodes(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestGroup(t *testing.T) {
	var many []Cause
	for _, c := range []string{"c-7", "c-1", "c-2", "c-3", "c-4", "c-5", "c-1"} {
		many = append(many, Cause{State: Unknown, Message: `cluster "` + c + `" is unreachable`, cluster: c})
	}
	many = append(many,
		Cause{State: Progressing, Message: "on its way"},
		Cause{State: Failed, Message: "broken", cluster: "c-9"},
		Cause{State: Failed, Message: "all of it"})
	want := []Cause{
		{State: Failed, Message: "all of it"},
		{State: Failed, Message: "broken", Clusters: 1, Examples: []string{"c-9"}},
		{State: Unknown, Message: "The cluster is unreachable", Clusters: 6, Examples: []string{"c-1", "c-2", "c-3", "c-4", "c-5"}},
	}
	if diff := cmp.Diff(want, group(many), cmp.FilterPath(func(p cmp.Path) bool { return p.String() == "cluster" }, cmp.Ignore())); diff != "" {
		t.Errorf("group(...): -want, +got:\n%s", diff)
	}
}
