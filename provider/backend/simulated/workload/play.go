package workload

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/rand"
)

var (
	pod        = schema.GroupKind{Kind: "Pod"}
	node       = schema.GroupKind{Kind: "Node"}
	claim      = schema.GroupKind{Kind: "PersistentVolumeClaim"}
	quota      = schema.GroupKind{Kind: "ResourceQuota"}
	limits     = schema.GroupKind{Kind: "LimitRange"}
	budget     = schema.GroupKind{Group: policyv1.GroupName, Kind: "PodDisruptionBudget"}
	deployment = schema.GroupKind{Group: "apps", Kind: "Deployment"}
	replicaSet = schema.GroupKind{Group: "apps", Kind: "ReplicaSet"}
	stateful   = schema.GroupKind{Group: "apps", Kind: "StatefulSet"}
	daemon     = schema.GroupKind{Group: "apps", Kind: "DaemonSet"}
	job        = schema.GroupKind{Group: "batch", Kind: "Job"}
	class      = schema.GroupKind{Group: "storage.k8s.io", Kind: "StorageClass"}
)

func isWorkload(gk schema.GroupKind) bool {
	switch gk {
	case deployment, replicaSet, stateful, daemon, job:
		return true
	}
	return false
}

func plays(gk schema.GroupKind) bool {
	switch gk {
	case pod, node, claim, budget, quota:
		return true
	}
	return isWorkload(gk)
}

// play what an object asks for, and return when to look at it again. 0 is when it changes.
func (s *shard) play(t task) time.Duration {
	u := t.player.cluster.Get(t.kind, t.namespace, t.name)
	if u == nil {
		return 0
	}
	switch t.kind {
	case node:
		t.player.playNode(t.name)
	case claim:
		t.player.playClaim(u)
	case pod:
		return t.player.playPod(u)
	case budget:
		t.player.playBudget(u)
	case quota:
		t.player.playQuota(u)
	case job:
		return s.playJob(t, u)
	case replicaSet:
		if metav1.GetControllerOf(u) != nil {
			return 0 // Its Deployment says how it is.
		}
		return s.playSet(t, u)
	default:
		return s.playSet(t, u)
	}
	return 0
}

// edit the status of an object.
func (p *Player) edit(gk schema.GroupKind, namespace, name string, fn func(status map[string]any) map[string]any) {
	// That it has gone meanwhile is right.
	_ = p.cluster.Edit(gk, namespace, name, "status", func(u *unstructured.Unstructured) {
		old, _ := u.Object["status"].(map[string]any)
		if s := fn(old); len(s) > 0 {
			u.Object["status"] = normal(s)
		}
	})
}

// normal is the form that decoded JSON has, so that what is the same compares equal.
func normal(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = normal(v[k])
		}
	case []any:
		for i := range v {
			v[i] = normal(v[i])
		}
	case int:
		return int64(v)
	case int32:
		return int64(v)
	}
	return v
}

// playSet plays Deployments, StatefulSets, DaemonSets and ReplicaSets.
func (s *shard) playSet(t task, u *unstructured.Unstructured) time.Duration {
	p := t.player
	template, err := templateOf(u)
	if err != nil {
		return 0 // Nothing runs of what makes no sense.
	}
	m := s.remember(t, u, template)
	now := s.engine.cfg.Clock.Now()
	set := Set{
		Kind: t.kind.Kind, Generation: u.GetGeneration(), Want: number(u, 1, "spec", "replicas"),
		Before: m.before, Age: now.Sub(m.since), Revision: t.name + "-" + m.revision,
		Behaviour: BehaviourOf(t.namespace, t.name, u.GetAnnotations(), template, p.rules(), s.engine.cfg.StartAfter),
		Deadline:  time.Duration(number(u, 600, "spec", "progressDeadlineSeconds")) * time.Second,
	}
	if m.old != "" {
		set.Old = t.name + "-" + m.old
	}
	if v, _, _ := unstructured.NestedString(u.Object, "spec", "strategy", "type"); v == "Recreate" {
		set.Recreate = true
	}
	set.MaxUnavailable = maxUnavailable(u)
	fits := p.fits(template)
	if t.kind == daemon {
		set.Want = int64(len(fits.nodes))
	} else if fits.none {
		set.Behaviour.Fault = Unschedulable
	}
	set.Granted, set.Denied = p.room(u, template, set.Want)

	var next time.Duration
	p.edit(t.kind, t.namespace, t.name, func(old map[string]any) (out map[string]any) {
		if t.kind == daemon {
			out, next = DaemonStatus(set)
			return out
		}
		out, next = StatusOf(set, now, old)
		return out
	})
	p.playPods(u, template, m.revision, CountOf(set), fits)
	p.lookAtBounds(t.namespace)
	return next
}

// playJob plays a Job. One that has ended stays as it is.
func (s *shard) playJob(t task, u *unstructured.Unstructured) time.Duration {
	p := t.player
	template, err := templateOf(u)
	if err != nil || ended(u) {
		return 0
	}
	m := s.remember(t, u, template)
	now := s.engine.cfg.Clock.Now()
	r := Run{
		Parallelism: number(u, 1, "spec", "parallelism"), Completions: number(u, 1, "spec", "completions"),
		BackoffLimit: number(u, 6, "spec", "backoffLimit"), Age: now.Sub(m.since),
		Behaviour: BehaviourOf(t.namespace, t.name, u.GetAnnotations(), template, p.rules(), s.engine.cfg.StartAfter),
	}
	r.Suspended, _, _ = unstructured.NestedBool(u.Object, "spec", "suspend")
	fits := p.fits(template)
	if fits.none {
		r.Behaviour.Fault = Unschedulable
	}
	r.Granted, _ = p.room(u, template, r.Parallelism)
	var next time.Duration
	p.edit(t.kind, t.namespace, t.name, func(old map[string]any) (out map[string]any) {
		out, next = JobStatus(r, now, old)
		return out
	})
	fault, done, _ := r.Behaviour.at(r.Age)
	p.playPods(u, template, m.revision, Count{Total: r.Granted, Updated: r.Granted, Fault: fault, Started: done, Ready: 0}, fits)
	return next
}

func ended(u *unstructured.Unstructured) bool {
	list, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
	for _, c := range list {
		m, _ := c.(map[string]any)
		if (m["type"] == "Complete" || m["type"] == "Failed") && m["status"] == "True" {
			return true
		}
	}
	return false
}

// remember when a workload began to want what it wants. After a restart of the engine
// what has been reached already began long ago.
func (s *shard) remember(t task, u *unstructured.Unstructured, template *corev1.PodTemplateSpec) memory {
	revision := hash(template)
	s.mu.Lock()
	defer s.mu.Unlock()
	m, ok := s.memory[t]
	uid, generation := string(u.GetUID()), u.GetGeneration()
	if ok && m.uid == uid && m.generation == generation {
		return m
	}
	now := s.engine.cfg.Clock.Now()
	next := memory{uid: uid, generation: generation, since: now, revision: revision}
	next.before = number(u, number(u, 0, "status", "numberAvailable"), "status", "availableReplicas")
	switch {
	case ok && m.uid == uid && m.revision == revision:
		next.old = m.old
		if next.before >= number(u, 1, "spec", "replicas") {
			next.since = m.since // It was scaled down, or something else than its pods changed.
		}
	case ok && m.uid == uid:
		next.old = m.revision
	case number(u, -1, "status", "observedGeneration") == generation && next.before > 0 && next.before == number(u, 1, "spec", "replicas"):
		next.since = u.GetCreationTimestamp().Time
	}
	s.memory[t] = next
	return next
}

func (p *Player) playNode(name string) {
	now := p.shard.engine.cfg.Clock.Now()
	p.edit(node, "", name, func(old map[string]any) map[string]any {
		if old == nil {
			old = map[string]any{}
		}
		old["phase"] = "Running"
		old["conditions"] = conditions([]condition{{"Ready", "True", "KubeletReady", "kubelet is posting ready status"}}, now, old)
		return old
	})
}

// playClaim binds a claim to a volume, where its class exists.
func (p *Player) playClaim(u *unstructured.Unstructured) {
	name, _, _ := unstructured.NestedString(u.Object, "spec", "storageClassName")
	if p.cluster.Get(class, "", name) == nil {
		return
	}
	p.edit(claim, u.GetNamespace(), u.GetName(), func(old map[string]any) map[string]any {
		if old["phase"] == "Bound" {
			return nil
		}
		out := map[string]any{"phase": "Bound"}
		if modes, ok, _ := unstructured.NestedSlice(u.Object, "spec", "accessModes"); ok {
			out["accessModes"] = modes
		}
		if size, ok, _ := unstructured.NestedMap(u.Object, "spec", "resources", "requests"); ok {
			out["capacity"] = size
		}
		return out
	})
}

// playBudget counts the pods that a disruption budget is about. Those that are only
// counted count too.
func (p *Player) playBudget(u *unstructured.Unstructured) {
	b := &policyv1.PodDisruptionBudget{}
	if runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, b) != nil {
		return
	}
	sel, err := metav1.LabelSelectorAsSelector(b.Spec.Selector)
	if err != nil {
		return
	}
	var expected, healthy int64
	for _, gk := range []schema.GroupKind{deployment, stateful} {
		for _, w := range p.cluster.List(gk, b.Namespace) {
			has, _, _ := unstructured.NestedStringMap(w.Object, "spec", "template", "metadata", "labels")
			if sel.Matches(labels.Set(has)) {
				expected += number(w, 1, "spec", "replicas")
				healthy += number(w, 0, "status", "readyReplicas")
			}
		}
	}
	desired := expected
	if v := b.Spec.MinAvailable; v != nil {
		desired = scaled(v, expected)
	} else if v := b.Spec.MaxUnavailable; v != nil {
		desired = max(0, expected-scaled(v, expected))
	}
	p.edit(budget, b.Namespace, b.Name, func(map[string]any) map[string]any {
		return map[string]any{
			"observedGeneration": b.Generation, "expectedPods": expected, "currentHealthy": healthy,
			"desiredHealthy": desired, "disruptionsAllowed": max(0, healthy-desired),
		}
	})
}

func scaled(v *intstr.IntOrString, of int64) int64 {
	n, err := intstr.GetScaledValueFromIntOrPercent(v, int(of), true)
	if err != nil {
		return of
	}
	return int64(n)
}

// lookAtBounds of a namespace, which count what runs in it.
func (p *Player) lookAtBounds(namespace string) {
	now := p.shard.engine.cfg.Clock.Now()
	for _, gk := range []schema.GroupKind{budget, quota} {
		if !p.cluster.Some(gk, namespace) {
			continue
		}
		for _, u := range p.cluster.List(gk, namespace) {
			p.shard.add(task{p, gk, namespace, u.GetName()}, now)
		}
	}
}

func templateOf(u *unstructured.Unstructured) (*corev1.PodTemplateSpec, error) {
	m, ok, _ := unstructured.NestedMap(u.Object, "spec", "template")
	if !ok {
		return nil, fmt.Errorf("%s %s has no template", u.GetKind(), u.GetName())
	}
	out := &corev1.PodTemplateSpec{}
	return out, runtime.DefaultUnstructuredConverter.FromUnstructured(m, out)
}

func hash(template *corev1.PodTemplateSpec) string {
	h := fnv.New32a()
	_ = json.NewEncoder(h).Encode(template)
	return rand.SafeEncodeString(fmt.Sprint(h.Sum32()))
}

func maxUnavailable(u *unstructured.Unstructured) *intstr.IntOrString {
	v, ok, _ := unstructured.NestedFieldNoCopy(u.Object, "spec", "strategy", "rollingUpdate", "maxUnavailable")
	if !ok {
		return nil
	}
	out := intstr.Parse(fmt.Sprint(v))
	return &out
}

func number(u *unstructured.Unstructured, or int64, path ...string) int64 {
	if n, ok, err := unstructured.NestedInt64(u.Object, path...); ok && err == nil {
		return n
	}
	return or
}
