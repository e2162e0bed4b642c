package plan

import (
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// effects of an action on one cluster.
func effects(before, after *unstructured.Unstructured, verb Verb) Effects {
	e := Effects{}
	switch verb {
	case Create:
		n, known := pods(after)
		e.Starts = n
		e.unknown(!known)
	case Delete:
		n, known := pods(before)
		e.Stops = n
		e.unknown(!known)
	case Scale, Update, Restart, Replace:
		had, _ := pods(before)
		has, known := pods(after)
		e.Starts, e.Stops = max(0, has-had), max(0, had-has)
		if verb == Replace || !same(template1(before), template1(after)) {
			e.Restarts = min(had, has)
			e.unknown(!known)
		}
	case Noop:
	}
	if (verb == Delete || verb == Replace) && hasData(before) {
		e.Data = 1
	}
	return e
}

func (e *Effects) unknown(yes bool) {
	if yes {
		e.Unknown = 1
	}
}

// add the effects on so many clusters.
func (e *Effects) add(o Effects, times int) {
	e.Restarts += o.Restarts * times
	e.Stops += o.Stops * times
	e.Starts += o.Starts * times
	e.Moves += o.Moves * times
	e.Unknown += o.Unknown * times
	e.Data += o.Data * times
}

// pods of a workload, and whether their number is known.
func pods(o *unstructured.Unstructured) (int, bool) {
	path := []string{"spec", "replicas"}
	switch o.GetKind() {
	case "Deployment", "StatefulSet", "ReplicaSet":
	case "Job":
		path = []string{"spec", "parallelism"}
	case "Pod":
		return 1, true
	case "DaemonSet":
		return 0, false
	default:
		return 0, true
	}
	v, found, _ := unstructured.NestedFieldNoCopy(o.Object, path...)
	if !found {
		return 1, true
	}
	switch n := v.(type) {
	case int64:
		return int(n), true
	case float64:
		return int(n), true
	}
	return 0, false
}

// template1 of a workload's pods.
func template1(o *unstructured.Unstructured) any {
	if o.GetKind() == "CronJob" {
		return nil // The next run has it.
	}
	if o.GetKind() == "Pod" {
		return o.Object["spec"]
	}
	v, _, _ := unstructured.NestedFieldNoCopy(o.Object, "spec", "template")
	return v
}

// hasData is true for an object with which data goes.
func hasData(o *unstructured.Unstructured) bool {
	switch o.GetKind() {
	case "PersistentVolumeClaim", "PersistentVolume", "Namespace", "CustomResourceDefinition":
		return true
	case "StatefulSet":
		when, _, _ := unstructured.NestedString(o.Object, "spec", "persistentVolumeClaimRetentionPolicy", "whenDeleted")
		return when == "Delete"
	}
	return false
}

// stateful is true for an object that others keep data by.
func stateful(o *unstructured.Unstructured) bool {
	volumes, _, _ := unstructured.NestedSlice(o.Object, "spec", "volumeClaimTemplates")
	return o.GetKind() == "StatefulSet" && len(volumes) > 0
}

// custom is true for an object whose kind is not Kubernetes' own.
func custom(o *unstructured.Unstructured) bool {
	group, _, grouped := strings.Cut(o.GetAPIVersion(), "/")
	if !grouped {
		return false
	}
	return strings.Contains(group, ".") && !strings.HasSuffix(group, ".k8s.io")
}
