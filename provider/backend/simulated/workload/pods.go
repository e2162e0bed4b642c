package workload

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// maxGrace is how long a pod takes to stop at most. Nobody waits for what is not there.
const maxGrace = time.Second

// playPods makes and unmakes the pods of a workload, as many as there are to be, so that
// whoever looks finds why it does not run.
func (p *Player) playPods(u *unstructured.Unstructured, template *corev1.PodTemplateSpec, revision string, c Count, fits fit) {
	most := p.shard.engine.cfg.Pods
	if most == 0 {
		return
	}
	owner := u
	if u.GetKind() == "Deployment" {
		if owner = p.playReplicaSets(u, template, revision, c); owner == nil {
			return
		}
	}
	var want []string
	for i := range min(int(c.Updated), most) {
		name := fmt.Sprintf("%s-%s-%d", u.GetName(), revision, i)
		if u.GetKind() == "StatefulSet" {
			name = fmt.Sprintf("%s-%d", u.GetName(), i)
		}
		want = append(want, name)
		p.playPodOf(owner, template, revision, name, c, fits.on(i))
	}
	for _, name := range p.cluster.Owned(pod, u.GetNamespace(), string(owner.GetUID())) {
		if !slices.Contains(want, name) {
			_ = p.cluster.Delete(pod, u.GetNamespace(), name)
		}
	}
}

// playReplicaSets keeps the one of the wanted template, and those before it while their
// pods are needed.
func (p *Player) playReplicaSets(u *unstructured.Unstructured, template *corev1.PodTemplateSpec, revision string, c Count) *unstructured.Unstructured {
	name := u.GetName() + "-" + revision
	for _, other := range p.cluster.Owned(replicaSet, u.GetNamespace(), string(u.GetUID())) {
		if other != name && c.Started {
			_ = p.cluster.Delete(replicaSet, u.GetNamespace(), other)
		}
	}
	if p.cluster.Get(replicaSet, u.GetNamespace(), name) == nil {
		m, err := runtime.DefaultUnstructuredConverter.ToUnstructured(template)
		if err != nil {
			return nil
		}
		selector, _, _ := unstructured.NestedMap(u.Object, "spec", "selector")
		rs := owned(u, schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "ReplicaSet"}, name)
		rs.SetLabels(with(template.Labels, "pod-template-hash", revision))
		rs.Object["spec"] = map[string]any{"replicas": c.Updated, "selector": selector, "template": m}
		if p.cluster.Create(rs) != nil {
			return nil
		}
	}
	p.edit(replicaSet, u.GetNamespace(), name, func(map[string]any) map[string]any {
		ready := int64(0)
		if c.Started {
			ready = c.Updated
		}
		return map[string]any{"observedGeneration": int64(1), "replicas": c.Updated, "readyReplicas": ready, "availableReplicas": ready}
	})
	return p.cluster.Get(replicaSet, u.GetNamespace(), name)
}

// playPodOf makes a pod, or brings it to where it should be.
func (p *Player) playPodOf(owner *unstructured.Unstructured, template *corev1.PodTemplateSpec, revision, name string, c Count, node string) {
	namespace := owner.GetNamespace()
	if live := p.cluster.Get(pod, namespace, name); live != nil && live.GetLabels()["pod-template-hash"] != revision {
		_ = p.cluster.Delete(pod, namespace, name)
	}
	if p.cluster.Get(pod, namespace, name) == nil {
		m, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&template.Spec)
		if err != nil {
			return
		}
		if node != "" {
			m["nodeName"] = node
		}
		u := owned(owner, corev1.SchemeGroupVersion.WithKind("Pod"), name)
		u.SetLabels(with(template.Labels, "pod-template-hash", revision))
		u.SetAnnotations(template.Annotations)
		u.Object["spec"] = m
		if p.cluster.Create(u) != nil {
			return
		}
	}
	now := p.shard.engine.cfg.Clock.Now()
	p.edit(pod, namespace, name, func(old map[string]any) map[string]any {
		return podStatus(template, c, owner.GetKind() == "Job", now, old)
	})
}

// podStatus of a pod, as its node would write it.
func podStatus(template *corev1.PodTemplateSpec, c Count, once bool, now time.Time, old map[string]any) map[string]any {
	ready := condition{"Ready", "False", "ContainersNotReady", "containers with unready status"}
	scheduled := condition{"PodScheduled", "True", "", ""}
	phase := corev1.PodPending
	running := c.Started || c.Fault == CrashLoop || c.Fault == NeverReady
	switch {
	case c.Started && once:
		phase = corev1.PodSucceeded
	case running:
		phase = corev1.PodRunning
	}
	if c.Started && !once {
		ready = condition{"Ready", "True", "", ""}
	}
	out := map[string]any{"phase": string(phase)}
	if c.Fault == Unschedulable {
		scheduled = condition{"PodScheduled", "False", "Unschedulable", "no node has the labels, the room and the taints that the pod asks for and bears"}
		out["conditions"] = conditions([]condition{scheduled}, now, old)
		return out
	}
	out["conditions"] = conditions([]condition{scheduled, ready}, now, old)
	var list []any
	for _, ct := range template.Spec.Containers {
		reason, message := c.Fault.waiting(ct.Image)
		state := map[string]any{"waiting": map[string]any{"reason": reason, "message": message}}
		switch {
		case phase == corev1.PodSucceeded:
			state = map[string]any{"terminated": map[string]any{"exitCode": int64(0), "reason": "Completed"}}
		case c.Started || c.Fault == NeverReady:
			state = map[string]any{"running": map[string]any{"startedAt": now.UTC().Format(time.RFC3339)}}
		}
		restarts := int64(0)
		if c.Fault == CrashLoop {
			restarts = 3
		}
		list = append(list, map[string]any{
			"name": ct.Name, "image": ct.Image, "imageID": "", "ready": c.Started && !once, "restartCount": restarts, "state": state,
		})
	}
	out["containerStatuses"] = list
	return out
}

// playPod removes a pod that was asked to stop, once it has had time to, and runs one
// that nobody owns.
func (p *Player) playPod(u *unstructured.Unstructured) time.Duration {
	now := p.shard.engine.cfg.Clock.Now()
	if at := u.GetDeletionTimestamp(); at != nil {
		grace := maxGrace
		if g := u.GetDeletionGracePeriodSeconds(); g != nil {
			grace = min(grace, time.Duration(*g)*time.Second)
		}
		if wait := at.Add(grace).Sub(now); wait > 0 {
			return wait
		}
		_ = p.cluster.Delete(pod, u.GetNamespace(), u.GetName())
		return 0
	}
	if metav1.GetControllerOf(u) != nil {
		return 0
	}
	template := &corev1.PodTemplateSpec{}
	m := map[string]any{"metadata": map[string]any{}, "spec": u.Object["spec"]}
	if runtime.DefaultUnstructuredConverter.FromUnstructured(m, template) != nil {
		return 0
	}
	b := BehaviourOf(u.GetNamespace(), u.GetName(), u.GetAnnotations(), template, p.rules(), p.shard.engine.cfg.StartAfter)
	if p.fits(template).none {
		b.Fault = Unschedulable
	}
	fault, started, next := b.at(now.Sub(u.GetCreationTimestamp().Time))
	p.edit(pod, u.GetNamespace(), u.GetName(), func(old map[string]any) map[string]any {
		return podStatus(template, Count{Fault: fault, Started: started}, template.Spec.RestartPolicy == corev1.RestartPolicyNever, now, old)
	})
	return next
}

// owned returns an object that has a controller.
func owned(owner *unstructured.Unstructured, gvk schema.GroupVersionKind, name string) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{}}
	u.SetGroupVersionKind(gvk)
	u.SetNamespace(owner.GetNamespace())
	u.SetName(name)
	u.SetOwnerReferences([]metav1.OwnerReference{*metav1.NewControllerRef(owner, owner.GroupVersionKind())})
	return u
}

func with(m map[string]string, k, v string) map[string]string {
	out := map[string]string{k: v}
	for k, v := range m {
		out[k] = v
	}
	return out
}
