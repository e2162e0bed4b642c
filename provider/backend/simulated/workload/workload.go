// Package workload plays what makes workloads run: the controllers, the scheduler and
// the nodes of simulated clusters. What becomes of a workload follows from what it asks
// for, from how its pods are said to behave, and from the time; the functions that work
// that out are pure. An Engine carries it out for all clusters of a process, driven by
// changes and by its clock, on as many goroutines as there are processors.
//
// How pods behave is said by annotations, by a script for the cluster, or by the tag of
// an image, in this order: see Behaviour.
//
// Deliberately absent: the schedules of CronJobs, autoscaling, pods that share what a
// node has (a pod needs one node that could hold it alone), and more pods of a workload
// than Config.Pods, whose number is in the status all the same. A cluster without any
// node has room for everything.
package workload

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Annotations, on a workload or on its pods, that say how the pods behave.
const (
	// AnnotationBehaviour is never-ready, crash-loop or image-pull-error.
	AnnotationBehaviour = "simulated.mainstay.dev/behaviour"
	// AnnotationStartAfter is how long a pod takes to start, such as 30s.
	AnnotationStartAfter = "simulated.mainstay.dev/start-after"
	// AnnotationFailAfter is how long after it started a pod crashes, such as 1m.
	AnnotationFailAfter = "simulated.mainstay.dev/fail-after"
)

// A Fault is what is wrong with pods.
type Fault string

// Faults.
const (
	NeverReady     Fault = "never-ready"
	CrashLoop      Fault = "crash-loop"
	ImagePullError Fault = "image-pull-error"
	// Unschedulable is not said but found: no node could hold the pod.
	Unschedulable Fault = "unschedulable"
)

// A Behaviour is how the pods of a workload behave.
type Behaviour struct {
	// Fault of the pods. Empty where they start.
	Fault Fault `json:"fault,omitempty"`
	// StartAfter is how long they take to start.
	StartAfter time.Duration `json:"startAfter,omitempty"`
	// FailAfter is how long after that they crash, for good. 0 is never.
	FailAfter time.Duration `json:"failAfter,omitempty"`
}

// A Rule of a script says how some workloads of a cluster behave.
type Rule struct {
	// Namespace, Name and Image choose workloads. An image is chosen by its end, such
	// as :2.0.0. What is empty chooses any.
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name,omitempty"`
	Image     string `json:"image,omitempty"`

	Behaviour `json:",inline"`
}

// matches is true where a rule is about a workload.
func (r Rule) matches(namespace, name string, pod *corev1.PodTemplateSpec) bool {
	if r.Namespace != "" && r.Namespace != namespace || r.Name != "" && r.Name != name {
		return false
	}
	return r.Image == "" || image(pod, r.Image)
}

func image(pod *corev1.PodTemplateSpec, suffix string) bool {
	for _, c := range pod.Spec.Containers {
		if strings.HasSuffix(c.Image, suffix) {
			return true
		}
	}
	return false
}

// BehaviourOf the pods of a workload. The first that says something is right: its
// annotations, those of its pods, the script, the tag of an image. An annotation that
// makes no sense is never-ready.
func BehaviourOf(namespace, name string, annotations map[string]string, pod *corev1.PodTemplateSpec, script []Rule, startAfter time.Duration) Behaviour {
	out := Behaviour{StartAfter: startAfter}
	for _, t := range []struct {
		tag   string
		fault Fault
	}{{":broken", CrashLoop}, {":missing", ImagePullError}, {":unready", NeverReady}} {
		if image(pod, t.tag) {
			out.Fault = t.fault
		}
	}
	for _, r := range script {
		if r.matches(namespace, name, pod) {
			out.Fault, out.FailAfter = r.Fault, r.FailAfter
			if r.StartAfter > 0 {
				out.StartAfter = r.StartAfter
			}
			break
		}
	}
	for _, a := range []map[string]string{pod.Annotations, annotations} {
		out = out.annotated(a)
	}
	return out
}

func (b Behaviour) annotated(a map[string]string) Behaviour {
	if v, ok := a[AnnotationBehaviour]; ok {
		switch f := Fault(v); f {
		case CrashLoop, ImagePullError, "":
			b.Fault = f
		default:
			b.Fault = NeverReady
		}
	}
	for key, into := range map[string]*time.Duration{AnnotationStartAfter: &b.StartAfter, AnnotationFailAfter: &b.FailAfter} {
		v, ok := a[key]
		if !ok {
			continue
		}
		d, err := time.ParseDuration(v)
		if err != nil || d < 0 {
			b.Fault = NeverReady
			continue
		}
		*into = d
	}
	return b
}

// at says what is wrong with pods that have been there for a while, whether they have
// started, and when that changes next. 0 is never.
func (b Behaviour) at(age time.Duration) (fault Fault, started bool, next time.Duration) {
	switch {
	case b.Fault != "":
		return b.Fault, false, 0
	case age < b.StartAfter:
		return "", false, b.StartAfter - age
	case b.FailAfter == 0:
		return "", true, 0
	case age < b.StartAfter+b.FailAfter:
		return "", true, b.StartAfter + b.FailAfter - age
	}
	return CrashLoop, false, 0
}

// waiting is why the container of a pod waits, and in which words.
func (f Fault) waiting(image string) (reason, message string) {
	switch f {
	case CrashLoop:
		return "CrashLoopBackOff", "back-off 10s restarting failed container"
	case ImagePullError:
		return "ImagePullBackOff", fmt.Sprintf("Back-off pulling image %q", image)
	case NeverReady, Unschedulable:
	}
	return "ContainerCreating", ""
}
