package health

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// crashes is how often a container must have been started again before it counts as
// one that will not start. Many crash once or twice until what they need is there.
const crashes = 3

// hopeless are reasons for which a container waits that waiting does not mend.
var hopeless = []string{"ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError", "CreateContainerError", "RunContainerError"}

// PodSelector returns the labels by which a workload finds its pods, and false where an
// object is no workload.
func PodSelector(live *unstructured.Unstructured) (map[string]string, bool) {
	switch {
	case isKind(live, "apps", "Deployment"), isKind(live, "apps", "StatefulSet"), isKind(live, "apps", "DaemonSet"),
		isKind(live, "apps", "ReplicaSet"), isKind(live, "batch", "Job"):
		labels, ok, err := unstructured.NestedStringMap(live.Object, "spec", "selector", "matchLabels")
		return labels, ok && err == nil && len(labels) > 0
	}
	return nil, false
}

// WithPods returns the health of a workload that is on its way, given what its pods
// say. They know first, and best, why it does not get there. Only pods of the
// revision that is being started count: those it replaces may be what is mended.
func WithPods(r Result, live *unstructured.Unstructured, pods []unstructured.Unstructured) Result {
	if r.Health != v1alpha1.Progressing || !begun(live) {
		return r
	}
	first := ""
	for _, p := range newest(pods) {
		said, fatal := podTrouble(p)
		if fatal {
			return degraded(live, "pod "+p.GetName()+": "+said)
		}
		if first == "" && said != "" {
			first = "pod " + p.GetName() + ": " + said
		}
	}
	if first == "" {
		return r
	}
	return progressing(live, first)
}

// begun is true where a workload has pods of the revision that is wanted. Until then, all
// there is to see are pods that are about to be replaced.
func begun(live *unstructured.Unstructured) bool {
	field := "updatedReplicas"
	switch {
	case isKind(live, "apps", "Deployment"), isKind(live, "apps", "StatefulSet"):
	case isKind(live, "apps", "DaemonSet"):
		field = "updatedNumberScheduled"
	default:
		return true
	}
	return number(live, 0, "status", "observedGeneration") >= live.GetGeneration() && number(live, 0, "status", field) > 0
}

// newest are the pods of the revision that the newest pod is of, in order of their names.
func newest(pods []unstructured.Unstructured) []*unstructured.Unstructured {
	var last *unstructured.Unstructured
	for i := range pods {
		p := &pods[i]
		if p.GetDeletionTimestamp() == nil && (last == nil || last.GetCreationTimestamp().Time.Before(p.GetCreationTimestamp().Time)) {
			last = p
		}
	}
	var out []*unstructured.Unstructured
	for i := range pods {
		if p := &pods[i]; last != nil && p.GetDeletionTimestamp() == nil && revision(p) == revision(last) {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b *unstructured.Unstructured) int {
		if a.GetName() < b.GetName() {
			return -1
		}
		return 1
	})
	return out
}

func revision(p *unstructured.Unstructured) string {
	l := p.GetLabels()
	return l["pod-template-hash"] + l["controller-revision-hash"]
}

// podTrouble says what keeps a pod from running, and whether it will not get better.
func podTrouble(p *unstructured.Unstructured) (said string, fatal bool) {
	for _, field := range []string{"initContainerStatuses", "containerStatuses"} {
		statuses, _, _ := unstructured.NestedSlice(p.Object, "status", field)
		for _, s := range statuses {
			status, ok := s.(map[string]any)
			if !ok {
				continue
			}
			if said, fatal = containerTrouble(status); said != "" {
				return said, fatal
			}
		}
	}
	for _, c := range conditions(p) {
		if c.kind == "PodScheduled" && c.status == "False" {
			return c.text(), false
		}
	}
	return "", false
}

func containerTrouble(status map[string]any) (said string, fatal bool) {
	name, _, _ := unstructured.NestedString(status, "name")
	reason, _, _ := unstructured.NestedString(status, "state", "waiting", "reason")
	message, _, _ := unstructured.NestedString(status, "state", "waiting", "message")
	if reason == "" || reason == "ContainerCreating" || reason == "PodInitializing" {
		return "", false
	}
	said = withDetail(fmt.Sprintf("container %s: %s", name, reason), message)
	if exit, ok, _ := unstructured.NestedInt64(status, "lastState", "terminated", "exitCode"); ok {
		said = fmt.Sprintf("%s (exit code %d)", said, exit)
	}
	restarts, _, _ := unstructured.NestedInt64(status, "restartCount")
	return said, slices.Contains(hopeless, reason) || (reason == "CrashLoopBackOff" && restarts >= crashes)
}
