package preflight

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	resourcehelper "k8s.io/component-helpers/resource"
)

// checkLimitRanges is A7.
func checkLimitRanges(r *run) {
	for _, w := range r.workloads {
		pod := r.defaulted(w)
		for _, item := range r.limits(w.namespace) {
			switch item.Type {
			case corev1.LimitTypeContainer:
				for i, c := range pod.Spec.Containers {
					at := w.path + ".containers[name=" + c.Name + "].resources"
					r.within(w.object, at, item, pod.Spec.Containers[i].Resources.Requests, c.Resources.Limits, "container "+c.Name)
				}
			case corev1.LimitTypePod:
				reqs := resourcehelper.PodRequests(pod, resourcehelper.PodResourcesOptions{})
				lims := resourcehelper.PodLimits(pod, resourcehelper.PodResourcesOptions{})
				r.within(w.object, w.path, item, reqs, lims, "the pod")
			}
		}
	}
	for _, c := range r.claims {
		for _, item := range r.limits(c.from.namespace) {
			if item.Type == corev1.LimitTypePersistentVolumeClaim {
				r.within(c.from, c.field+".resources", item, c.spec.Resources.Requests, c.spec.Resources.Limits, "the claim")
			}
		}
	}
}

// limits of a namespace.
func (r *run) limits(namespace string) []corev1.LimitRangeItem {
	var out []corev1.LimitRangeItem
	for i := range r.snap.LimitRanges[namespace] {
		out = append(out, r.snap.LimitRanges[namespace][i].Spec.Limits...)
	}
	return out
}

// within reports what is out of a limit range. A claim has requests only, and for it the
// most counts against them.
func (r *run) within(o *object, at string, item corev1.LimitRangeItem, reqs, lims corev1.ResourceList, what string) {
	for _, name := range names(item.Min) {
		if q, ok := reqs[name]; !ok || q.Cmp(item.Min[name]) < 0 {
			r.find(o, at+".requests."+string(name), "ask for at least "+text(item.Min[name]), "%s asks for %s of %s: the namespace wants at least %s", what, textOr(reqs, name), name, text(item.Min[name]))
		}
	}
	for _, name := range names(item.Max) {
		of := lims
		if item.Type == corev1.LimitTypePersistentVolumeClaim {
			of = reqs
		}
		if q, ok := of[name]; !ok || q.Cmp(item.Max[name]) > 0 {
			r.find(o, at+".limits."+string(name), "set a limit of at most "+text(item.Max[name]), "%s may use %s of %s: the namespace allows at most %s", what, textOr(of, name), name, text(item.Max[name]))
		}
	}
	for _, name := range names(item.MaxLimitRequestRatio) {
		q, l := reqs[name], lims[name]
		if q.IsZero() || l.IsZero() || l.AsApproximateFloat64()/q.AsApproximateFloat64() > ratio(item.MaxLimitRequestRatio[name])+1e-9 {
			r.find(o, at+"."+string(name), "bring request and limit closer together", "%s has a request of %s and a limit of %s for %s: the namespace allows a ratio of at most %s", what, textOr(reqs, name), textOr(lims, name), name, text(item.MaxLimitRequestRatio[name]))
		}
	}
}

func ratio(q resource.Quantity) float64 { return q.AsApproximateFloat64() }

// defaulted pod, with the defaults of the namespace's limit ranges.
func (r *run) defaulted(w *workload) *corev1.Pod {
	limits := r.limits(w.namespace)
	if !slices.ContainsFunc(limits, func(i corev1.LimitRangeItem) bool { return len(i.Default)+len(i.DefaultRequest) > 0 }) {
		return w.pod
	}
	pod := w.pod.DeepCopy()
	for _, list := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range list {
			for _, item := range limits {
				if item.Type == corev1.LimitTypeContainer {
					fill(&list[i].Resources.Limits, item.Default)
					fill(&list[i].Resources.Requests, item.DefaultRequest)
				}
			}
			fill(&list[i].Resources.Requests, list[i].Resources.Limits)
		}
	}
	return pod
}

func fill(to *corev1.ResourceList, from corev1.ResourceList) {
	for name, q := range from {
		if _, ok := (*to)[name]; ok {
			continue
		}
		if *to == nil {
			*to = corev1.ResourceList{}
		}
		(*to)[name] = q
	}
}

// checkQuotas is A6.
func checkQuotas(r *run) {
	for _, ns := range r.namespaces() {
		for i := range r.snap.Quotas[ns] {
			r.quota(ns, &r.snap.Quotas[ns][i])
		}
	}
}

func (r *run) quota(ns string, q *corev1.ResourceQuota) {
	total := corev1.ResourceList{}
	var first *workload
	for _, w := range r.workloads {
		if w.namespace != ns || !inScope(q, w) {
			continue
		}
		if first == nil {
			first = w
		}
		pod := r.defaulted(w)
		r.demanded(w, pod, q)
		replicas := max(w.replicas, 0)
		if w.daemon {
			replicas = r.daemons(w)
		}
		addTimes(total, quotaUse(pod), replicas)
	}
	r.count(ns, q, total)
	own := r.ownUse(ns)
	for _, name := range names(q.Spec.Hard) {
		need, ok := total[name]
		if !ok || need.IsZero() {
			continue
		}
		hard := q.Spec.Hard[name]
		o := r.about(ns, name, first)
		at := "ResourceQuota " + q.Name + " " + string(name)
		if need.Cmp(hard) > 0 {
			r.find(o, at, "ask for less, or ask the cluster's owner for a larger quota", "the application needs %s of %s: quota %q of namespace %q allows %s", text(need), name, q.Name, ns, text(hard))
			continue
		}
		free := hard.DeepCopy()
		free.Sub(q.Status.Used[name])
		free.Add(own[name])
		if _, measured := q.Status.Used[name]; measured && need.Cmp(free) > 0 {
			r.warn(o, at, "free some of it, or ask the cluster's owner for a larger quota", "the application needs %s of %s: others use so much of quota %q of namespace %q that not enough is left", text(need), name, q.Name, ns)
		}
	}
}

// about which object a finding on a quota is.
func (r *run) about(ns string, name corev1.ResourceName, first *workload) *object {
	if kind, ok := strings.CutPrefix(string(name), "count/"); ok {
		for _, o := range r.objects {
			if o.namespace == ns && plural(o) == kind {
				return o
			}
		}
	}
	if first != nil {
		return first.object
	}
	return nil
}

// demanded reports containers without what a quota wants them to have.
func (r *run) demanded(w *workload, pod *corev1.Pod, q *corev1.ResourceQuota) {
	for _, name := range names(q.Spec.Hard) {
		list, base := "requests", name
		switch {
		case name == corev1.ResourceCPU || name == corev1.ResourceMemory || name == corev1.ResourceEphemeralStorage:
		case strings.HasPrefix(string(name), "requests."):
			base = corev1.ResourceName(strings.TrimPrefix(string(name), "requests."))
		case strings.HasPrefix(string(name), "limits."):
			list, base = "limits", corev1.ResourceName(strings.TrimPrefix(string(name), "limits."))
		default:
			continue
		}
		// A pod need not have what is not the computer's own.
		if base != corev1.ResourceCPU && base != corev1.ResourceMemory || resourcehelper.IsPodLevelResourcesSet(pod) {
			continue
		}
		for _, c := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
			has := c.Resources.Requests
			if list == "limits" {
				has = c.Resources.Limits
			}
			if _, ok := has[base]; !ok {
				r.find(w.object, fmt.Sprintf("%s.containers[name=%s].resources.%s.%s", w.path, c.Name, list, base), "set it, or ask the cluster's owner for a LimitRange with defaults",
					"container %q has no %s of %s, and quota %q of namespace %q wants every container to have one", c.Name, base, list, q.Name, w.namespace)
			}
		}
	}
}

// quotaUse of one pod, in the names that quotas have for it.
func quotaUse(pod *corev1.Pod) corev1.ResourceList {
	out := corev1.ResourceList{corev1.ResourcePods: resource.MustParse("1"), "count/pods": resource.MustParse("1")}
	for name, q := range resourcehelper.PodRequests(pod, resourcehelper.PodResourcesOptions{}) {
		out["requests."+name] = q
		if name == corev1.ResourceCPU || name == corev1.ResourceMemory || name == corev1.ResourceEphemeralStorage {
			out[name] = q
		}
	}
	for name, q := range resourcehelper.PodLimits(pod, resourcehelper.PodResourcesOptions{}) {
		out["limits."+name] = q
	}
	return out
}

// count the objects that quotas count.
func (r *run) count(ns string, q *corev1.ResourceQuota, total corev1.ResourceList) {
	if len(q.Spec.Scopes) > 0 || q.Spec.ScopeSelector != nil {
		return
	}
	one := resource.MustParse("1")
	for _, o := range r.objects {
		if o.namespace != ns {
			continue
		}
		if svc, ok := o.typed.(*corev1.Service); ok {
			switch svc.Spec.Type {
			case corev1.ServiceTypeLoadBalancer:
				addTimes(total, corev1.ResourceList{corev1.ResourceServicesLoadBalancers: one}, 1)
			case corev1.ServiceTypeNodePort:
				addTimes(total, corev1.ResourceList{corev1.ResourceServicesNodePorts: one}, 1)
			}
		}
		p := plural(o)
		if p == "" || p == "pods" {
			continue
		}
		list := corev1.ResourceList{corev1.ResourceName("count/" + p): one}
		if o.gvk.Group == "" {
			list[corev1.ResourceName(p)] = one
		}
		addTimes(total, list, 1)
	}
	for _, c := range r.claims {
		if c.from.namespace == ns {
			n := 1
			if w := r.workloadOf(c.from); w != nil {
				n = w.replicas
				addTimes(total, corev1.ResourceList{corev1.ResourcePersistentVolumeClaims: one, "count/persistentvolumeclaims": one}, n)
			}
			addTimes(total, corev1.ResourceList{corev1.ResourceRequestsStorage: c.spec.Resources.Requests[corev1.ResourceStorage]}, n)
		}
	}
}

// ownUse is what the application uses of a namespace's quotas already.
func (r *run) ownUse(ns string) corev1.ResourceList {
	out := corev1.ResourceList{}
	if r.snap.Capacity != nil {
		for i := range r.snap.Capacity.Pods {
			p := &r.snap.Capacity.Pods[i]
			if p.Namespace != ns || !r.own(p) {
				continue
			}
			use := corev1.ResourceList{corev1.ResourcePods: resource.MustParse("1"), "count/pods": resource.MustParse("1")}
			for name, q := range p.Requests {
				// What limits pods have is not kept. They have at least what they ask for.
				use[name], use["requests."+name], use["limits."+name] = q, q, q
			}
			addTimes(out, use, 1)
		}
	}
	for _, o := range r.objects {
		// What is not known to be new may be there, and counted.
		if live, known := r.snap.Objects[o.key()]; o.namespace != ns || (known && live == nil) {
			continue
		}
		addTimes(out, corev1.ResourceList{corev1.ResourceName("count/" + plural(o)): resource.MustParse("1"), corev1.ResourceName(plural(o)): resource.MustParse("1")}, 1)
	}
	return out
}

// inScope is true where a quota counts a workload's pods. One that cannot be judged
// does not count.
func inScope(q *corev1.ResourceQuota, w *workload) bool {
	if q.Spec.ScopeSelector != nil {
		return false
	}
	for _, s := range q.Spec.Scopes {
		bestEffort := len(resourcehelper.PodRequests(w.pod, resourcehelper.PodResourcesOptions{})) == 0
		terminating := w.pod.Spec.ActiveDeadlineSeconds != nil
		switch {
		case s == corev1.ResourceQuotaScopeBestEffort && bestEffort, s == corev1.ResourceQuotaScopeNotBestEffort && !bestEffort,
			s == corev1.ResourceQuotaScopeTerminating && terminating, s == corev1.ResourceQuotaScopeNotTerminating && !terminating:
		default:
			return false
		}
	}
	return true
}

// plural of kinds that quotas are made for, as <plural>[.<group>].
func plural(o *object) string {
	p := map[string]string{
		"Deployment": "deployments", "StatefulSet": "statefulsets", "ReplicaSet": "replicasets", "Job": "jobs", "CronJob": "cronjobs",
		"Service": "services", "ConfigMap": "configmaps", "Secret": "secrets", "PersistentVolumeClaim": "persistentvolumeclaims", "Pod": "pods", "Ingress": "ingresses",
	}[o.gvk.Kind]
	if p == "" || o.custom() {
		return ""
	}
	if o.gvk.Group != "" {
		p += "." + o.gvk.Group
	}
	return p
}

func addTimes(to, what corev1.ResourceList, times int) {
	for name, q := range what {
		product, sum := q.DeepCopy(), to[name]
		if times != 1 {
			product.Mul(int64(times))
		}
		sum.Add(product)
		to[name] = sum
	}
}

func names(l corev1.ResourceList) []corev1.ResourceName { return slices.Sorted(maps.Keys(l)) }

func text(q resource.Quantity) string { return q.String() }

func textOr(l corev1.ResourceList, name corev1.ResourceName) string {
	if q, ok := l[name]; ok {
		return q.String()
	}
	return "nothing"
}
