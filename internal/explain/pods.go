package explain

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// podNodes of a component, one for each reason for which pods do not run.
func podNodes(pods []corev1.Pod, component string, state State) []Node {
	type why struct {
		cause Cause
		pods  []string
	}
	var all []why
	for i := range pods {
		p := &pods[i]
		if p.Labels[v1alpha1.LabelComponent] != component {
			continue
		}
		c, ok := podCause(p)
		if !ok {
			continue
		}
		j := slices.IndexFunc(all, func(w why) bool { return w.cause.Message == c.Message })
		if j < 0 {
			all, j = append(all, why{cause: c}), len(all)
		}
		all[j].pods = append(all[j].pods, p.GetName())
	}
	var out []Node
	for _, w := range all {
		what := "Pod " + w.pods[0]
		if more := len(w.pods) - 1; more > 0 {
			what += fmt.Sprintf(" and %d more", more)
		}
		message := w.cause.Message
		w.cause.State = state
		w.cause.Message = "Component " + component + ": " + message
		out = append(out, Node{What: what, State: state, Message: message, because: []Cause{w.cause}})
	}
	return out
}

// podCause says why a pod does not run, or is not ready. It names no pod: pods of one
// component have one cause.
func podCause(p *corev1.Pod) (Cause, bool) {
	if p.DeletionTimestamp != nil || p.Status.Phase == corev1.PodSucceeded {
		return Cause{}, false
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return Cause{
				Message: "no node takes its pods: " + c.Message,
				Next:    []string{"Ask for less or for other nodes, or give the cluster nodes that fit."},
			}, true
		}
	}
	for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		if c, ok := containerCause(s); ok {
			return c, true
		}
	}
	if p.Status.Phase == corev1.PodFailed {
		return Cause{Message: strings.TrimSuffix("its pods failed: "+cmp.Or(p.Status.Reason, "no reason is given")+": "+p.Status.Message, ": ")}, true
	}
	for _, s := range p.Status.ContainerStatuses {
		if s.State.Running != nil && !s.Ready {
			return Cause{
				Message: fmt.Sprintf("container %s runs but is not ready", s.Name),
				Next:    []string{"Its readiness probe fails, or it takes its time. Its log, on the cluster, says more."},
			}, true
		}
	}
	return Cause{}, false
}

// containerCause says why a container does not run.
func containerCause(s corev1.ContainerStatus) (Cause, bool) {
	w := s.State.Waiting
	switch {
	case w == nil && s.State.Terminated != nil && s.State.Terminated.ExitCode != 0:
		return crashed(s.Name, s.State.Terminated), true
	case w == nil:
		return Cause{}, false
	}
	switch w.Reason {
	case "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ImageInspectError", "ErrImageNeverPull", "RegistryUnavailable":
		return Cause{
			Message: strings.TrimSuffix(fmt.Sprintf("container %s cannot get image %s (%s): %s", s.Name, s.Image, w.Reason, w.Message), ": "),
			Next:    []string{"Is the image's name right, does the tag exist, and may the cluster pull it? An imagePullSecret may be missing."},
		}, true
	case "CrashLoopBackOff":
		if t := s.LastTerminationState.Terminated; t != nil {
			return crashed(s.Name, t), true
		}
		return Cause{Message: fmt.Sprintf("container %s crashes again and again", s.Name), Next: []string{"Its log, on the cluster, says why."}}, true
	case "CreateContainerConfigError", "CreateContainerError", "RunContainerError":
		return Cause{
			Message: strings.TrimSuffix(fmt.Sprintf("container %s cannot be made (%s): %s", s.Name, w.Reason, w.Message), ": "),
			Next:    []string{"A ConfigMap, a Secret or a key of one is missing, or the command does not exist in the image."},
		}, true
	case "ContainerCreating", "PodInitializing", "":
		return Cause{}, false
	}
	return Cause{Message: strings.TrimSuffix(fmt.Sprintf("container %s waits (%s): %s", s.Name, w.Reason, w.Message), ": ")}, true
}

func crashed(container string, t *corev1.ContainerStateTerminated) Cause {
	if t.Reason == "OOMKilled" {
		return Cause{
			Message: fmt.Sprintf("container %s was killed because it used more memory than it may", container),
			Next:    []string{"Raise its memory limit, or have it use less."},
		}
	}
	return Cause{
		Message: strings.TrimSuffix(fmt.Sprintf("container %s crashes with exit code %d: %s", container, t.ExitCode, strings.TrimSpace(t.Message)), ": "),
		Next:    []string{"Its log, on the cluster, says why."},
	}
}
