package oam

import (
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation"
)

// aString is the schema of a string.
var aString = &structural.Structural{Generic: structural.Generic{Type: "string"}}

// labels sets labels of the workload and of its pods.
func labels(t *target, p map[string]any, fs *findings) {
	for _, k := range slices.Sorted(maps.Keys(p)) {
		v, ok := p[k].(string)
		switch {
		case t.selects(k):
			fs.addf(path{k}, "is a label by which the workload finds its pods: choose another")
		case ok || p[k] == nil:
			checkLabel(k, v, path{k}, fs)
		default:
			fs.addf(path{k}, "%s", explainType(aString, p[k]))
		}
	}
	t.setMetadata("labels", p, fs)
}

// annotations sets annotations of the workload and of its pods.
func annotations(t *target, p map[string]any, fs *findings) {
	for _, k := range slices.Sorted(maps.Keys(p)) {
		_, ok := p[k].(string)
		switch {
		case len(validation.IsQualifiedName(k)) > 0:
			fs.addf(path{k}, "is not a valid annotation key")
		case !ok && p[k] != nil:
			fs.addf(path{k}, "%s", explainType(aString, p[k]))
		}
	}
	t.setMetadata("annotations", p, fs)
}

// selects returns true where the workload finds its pods by a label.
func (t *target) selects(key string) bool {
	m, _, _ := unstructured.NestedFieldNoCopy(t.workload().Object, "spec", "selector", "matchLabels")
	labels, _ := m.(map[string]any)
	_, ok := labels[key]
	return ok
}

// setMetadata sets labels or annotations of the workload, of its pods and of its Jobs.
func (t *target) setMetadata(what string, values map[string]any, fs *findings) {
	w := t.workload()
	places := [][]string{{"metadata", what}}
	if len(t.template) > 0 {
		places = append(places, append(slices.Clone(t.template), "metadata", what))
	}
	if w.GetKind() == "CronJob" {
		places = append(places, []string{"spec", "jobTemplate", "metadata", what})
	}
	for _, k := range slices.Sorted(maps.Keys(values)) {
		found := false
		for _, p := range places {
			if values[k] != nil {
				object(w.Object, p...)[k] = values[k]
				continue
			}
			v, _, _ := unstructured.NestedFieldNoCopy(w.Object, p...)
			there, _ := v.(map[string]any)
			_, has := there[k]
			found = found || has
			delete(there, k)
		}
		if values[k] == nil && !found {
			fs.addf(path{k}, "cannot be taken away: neither %s %q nor its pods have it", w.GetKind(), w.GetName())
		}
	}
}

type queueParameters struct {
	Kueue *struct {
		Queue         string `json:"queue"`
		PriorityClass string `json:"priorityClass"`
	} `json:"kueue"`
	ElasticQuota *struct {
		Name          string `json:"name"`
		Scheduler     string `json:"scheduler"`
		PriorityClass string `json:"priorityClass"`
		QoSClass      string `json:"qosClass"`
	} `json:"elasticQuota"`
}

// Labels of the two queueing systems.
const (
	labelKueueQueue    = "kueue.x-k8s.io/queue-name"
	labelKueuePriority = "kueue.x-k8s.io/priority-class"
	labelElasticQuota  = "quota.scheduling.koordinator.sh/name"
	labelQoSClass      = "koordinator.sh/qosClass"
)

// queue says which queue the pods wait in, or which quota they count for. Kueue looks
// at the workload, and for a CronJob at the Jobs it makes. Koordinator looks at pods.
func queue(t *target, p queueParameters, fs *findings) {
	if (p.Kueue == nil) == (p.ElasticQuota == nil) {
		fs.addf(nil, "must have exactly one of kueue and elasticQuota")
		return
	}
	set := func(m map[string]any, key, value string, at path) {
		if value != "" {
			checkLabel(key, value, at, fs)
			object(m, "labels")[key] = value
		}
	}
	if q := p.Kueue; q != nil {
		m := object(t.workload().Object, "metadata")
		if t.workload().GetKind() == "CronJob" {
			m = object(t.spec(), "jobTemplate", "metadata")
		}
		set(m, labelKueueQueue, q.Queue, path{"kueue", "queue"})
		set(m, labelKueuePriority, q.PriorityClass, path{"kueue", "priorityClass"})
		return
	}
	q := p.ElasticQuota
	m := object(t.pod(), "metadata")
	set(m, labelElasticQuota, q.Name, path{"elasticQuota", "name"})
	set(m, labelQoSClass, q.QoSClass, path{"elasticQuota", "qosClass"})
	t.podSpec()["schedulerName"] = q.Scheduler
	if q.PriorityClass != "" {
		checkObjectName(q.PriorityClass, path{"elasticQuota", "priorityClass"}, fs)
		t.podSpec()["priorityClassName"] = q.PriorityClass
	}
}

type relocationParameters struct {
	Registries       map[string]string `json:"registries"`
	ImagePullSecrets []string          `json:"imagePullSecrets"`
}

// relocation pulls images from elsewhere.
func relocation(t *target, p relocationParameters, _ *findings) {
	for _, c := range t.allContainers() {
		if image, ok := c["image"].(string); ok {
			c["image"] = relocated(image, p.Registries)
		}
	}
	for _, name := range p.ImagePullSecrets {
		there := entries(t.podSpec(), "imagePullSecrets")
		if !slices.ContainsFunc(there, func(e map[string]any) bool { return e["name"] == name }) {
			appendTo(t.podSpec(), "imagePullSecrets", map[string]any{"name": name})
		}
	}
}

// relocated returns the name of an image with what it begins with replaced. Whole
// parts of the name count, and the longest beginning that fits.
func relocated(image string, registries map[string]string) string {
	full := fullImage(image)
	best := ""
	for from := range registries {
		f := strings.TrimSuffix(from, "/")
		if rest, ok := strings.CutPrefix(full, f); ok && (rest == "" || strings.ContainsAny(rest[:1], "/:@")) && len(f) > len(strings.TrimSuffix(best, "/")) {
			best = from
		}
	}
	if best == "" {
		return image
	}
	return strings.TrimSuffix(registries[best], "/") + strings.TrimPrefix(full, strings.TrimSuffix(best, "/"))
}

// fullImage returns the name of an image with the registry and the folder that are
// meant where there is none.
func fullImage(image string) string {
	first, _, found := strings.Cut(image, "/")
	switch {
	case !found:
		return "docker.io/library/" + image
	case !strings.ContainsAny(first, ".:$") && first != "localhost":
		return "docker.io/" + image
	}
	return image
}

type accountParameters struct {
	Name       string `json:"name"`
	Create     bool   `json:"create"`
	Privileges []struct {
		Verbs           []string `json:"verbs"`
		APIGroups       []string `json:"apiGroups"`
		Resources       []string `json:"resources"`
		ResourceNames   []string `json:"resourceNames"`
		NonResourceURLs []string `json:"nonResourceURLs"`
		Scope           string   `json:"scope"`
	} `json:"privileges"`
}

// releaseNamespace is where the objects of an application go, which only the cluster
// that they are applied to can tell.
const releaseNamespace = "${cluster.namespace}"

// serviceAccount says what the pods may do in the cluster.
func serviceAccount(t *target, p accountParameters, fs *findings) {
	checkObjectName(p.Name, path{"name"}, fs)
	t.podSpec()["serviceAccountName"] = p.Name
	if p.Create {
		a := &corev1.ServiceAccount{ObjectMeta: named(p.Name)}
		a.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ServiceAccount"))
		t.add(a, fs)
	}
	role := &rbacv1.Role{ObjectMeta: named(p.Name)}
	for i, r := range p.Privileges {
		at := path{"privileges", i}
		if r.Scope == "cluster" {
			fs.addf(at.field("scope"), "cluster is not possible: what belongs to the whole cluster a tenant may not give, ask the owner of the fleet")
		}
		if len(r.NonResourceURLs) > 0 {
			fs.addf(at.field("nonResourceURLs"), "belong to the whole cluster and not to a namespace: remove it")
		}
		if len(r.Verbs) == 0 {
			fs.addf(at.field("verbs"), "must not be empty")
		}
		if len(r.Resources) == 0 {
			fs.addf(at.field("resources"), "is required")
		}
		groups := r.APIGroups
		if len(groups) == 0 {
			groups = []string{""}
		}
		role.Rules = append(role.Rules, rbacv1.PolicyRule{Verbs: r.Verbs, APIGroups: groups, Resources: r.Resources, ResourceNames: r.ResourceNames})
	}
	if len(role.Rules) == 0 {
		return
	}
	role.SetGroupVersionKind(rbacv1.SchemeGroupVersion.WithKind("Role"))
	t.add(role, fs)
	binding := &rbacv1.RoleBinding{
		ObjectMeta: named(p.Name),
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: p.Name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: p.Name, Namespace: releaseNamespace}},
	}
	binding.SetGroupVersionKind(rbacv1.SchemeGroupVersion.WithKind("RoleBinding"))
	t.add(binding, fs)
}
