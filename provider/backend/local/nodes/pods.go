package nodes

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// HoldsUp returns true where a pod keeps its node from being removed: one that
// would be lost, not one that a DaemonSet would put right back, that has ended, or
// that should have been gone before the given time.
func HoldsUp(p corev1.Pod, since time.Time) bool {
	if c := metav1.GetControllerOf(&p); c != nil && c.Kind == "DaemonSet" {
		return false
	}
	if p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed {
		return false
	}
	return p.DeletionTimestamp == nil || p.DeletionTimestamp.After(since)
}
