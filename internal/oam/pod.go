package oam

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

// pod returns the template of a component's pods.
func (c *container) pod(in instance, ports []corev1.ContainerPort, fs *findings) corev1.PodTemplateSpec {
	c.checkMetadata(fs)
	c.checkEnv(fs)
	c.checkRepeated(fs)
	checkProbe(c.LivenessProbe, "livenessProbe", fs)
	checkProbe(c.ReadinessProbe, "readinessProbe", fs)
	volumes, mounts := c.volumes(fs)

	main := corev1.Container{
		Name:            in.component,
		Image:           c.Image,
		ImagePullPolicy: c.ImagePullPolicy,
		Command:         c.Cmd,
		Args:            c.Args,
		Ports:           ports,
		Env:             c.Env,
		Resources:       c.resources(fs),
		VolumeMounts:    mounts,
		LivenessProbe:   c.LivenessProbe,
		ReadinessProbe:  c.ReadinessProbe,
	}
	secrets := make([]corev1.LocalObjectReference, 0, len(c.ImagePullSecrets))
	for _, s := range c.ImagePullSecrets {
		secrets = append(secrets, corev1.LocalObjectReference{Name: s})
	}
	labels := maps.Clone(c.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	setLabels(labels, in)
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: c.Annotations},
		Spec: corev1.PodSpec{
			Containers:       []corev1.Container{main},
			Volumes:          volumes,
			ImagePullSecrets: secrets,
			HostAliases:      c.HostAliases,
		},
	}
}

// resources returns what the container gets and may use. What it may use defaults
// to what it gets.
func (c *container) resources(fs *findings) corev1.ResourceRequirements {
	r := corev1.ResourceRequirements{}
	for _, q := range []struct {
		name         corev1.ResourceName
		get, limit   string
		getAt, limAt path
	}{
		{corev1.ResourceCPU, c.CPU, c.Limit.CPU, path{"cpu"}, path{"limit", "cpu"}},
		{corev1.ResourceMemory, c.Memory, c.Limit.Memory, path{"memory"}, path{"limit", "memory"}},
	} {
		get, hasGet := parseQuantity(q.get, q.getAt, fs)
		most, hasMost := parseQuantity(q.limit, q.limAt, fs)
		if !hasMost && q.limit == "" {
			most, hasMost = get, hasGet
		}
		if hasGet && hasMost && most.Cmp(get) < 0 {
			fs.addf(q.limAt, "must not be less than %s, which is %q", q.getAt, q.get)
		}
		if hasGet {
			r.Requests = with(r.Requests, q.name, get)
		}
		if hasMost {
			r.Limits = with(r.Limits, q.name, most)
		}
	}
	return r
}

func with(l corev1.ResourceList, name corev1.ResourceName, q resource.Quantity) corev1.ResourceList {
	if l == nil {
		l = corev1.ResourceList{}
	}
	l[name] = q
	return l
}

func parseQuantity(s string, at path, fs *findings) (resource.Quantity, bool) {
	if s == "" {
		return resource.Quantity{}, false
	}
	q, err := resource.ParseQuantity(s)
	if err != nil || q.Sign() < 0 {
		fs.addf(at, `must be a quantity such as "500m" or "2Gi", got %s`, describe(s))
		return resource.Quantity{}, false
	}
	return q, true
}

// checkMetadata finds labels and annotations that Kubernetes would refuse, and
// labels that are ours to set.
func (c *container) checkMetadata(fs *findings) {
	for _, k := range slices.Sorted(maps.Keys(c.Labels)) {
		checkLabel(k, c.Labels[k], path{"labels", k}, fs)
	}
	for _, k := range slices.Sorted(maps.Keys(c.Annotations)) {
		if len(validation.IsQualifiedName(k)) > 0 {
			fs.addf(path{"annotations", k}, "is not a valid annotation key")
		}
	}
}

func (c *container) checkEnv(fs *findings) {
	known := map[string]bool{}
	for i, e := range c.Env {
		at := path{"env", i}
		if len(validation.IsEnvVarName(e.Name)) > 0 {
			fs.addf(at.field("name"), "is not a valid name of an environment variable: %q", e.Name)
		}
		if known[e.Name] {
			fs.addf(at.field("name"), "%q is set twice", e.Name)
		}
		known[e.Name] = true
		if e.ValueFrom == nil {
			continue
		}
		if e.Value != "" {
			fs.addf(at, "has both value and valueFrom: keep one")
		}
		sources := 0
		for _, set := range []bool{e.ValueFrom.SecretKeyRef != nil, e.ValueFrom.ConfigMapKeyRef != nil, e.ValueFrom.FieldRef != nil} {
			if set {
				sources++
			}
		}
		if sources != 1 {
			fs.addf(at.field("valueFrom"), "must have exactly one of secretKeyRef, configMapKeyRef and fieldRef")
		}
	}
}

// checkRepeated finds entries that would be one: Kubernetes tells them apart by name.
func (c *container) checkRepeated(fs *findings) {
	known := map[string]bool{}
	for i, a := range c.HostAliases {
		if known[a.IP] {
			fs.addf(path{"hostAliases", i, "ip"}, "%q is listed twice: put its names together", a.IP)
		}
		known[a.IP] = true
	}
	known = map[string]bool{}
	for i, s := range c.ImagePullSecrets {
		if known[s] {
			fs.addf(path{"imagePullSecrets", i}, "%q is listed twice", s)
		}
		known[s] = true
	}
}

func checkProbe(p *corev1.Probe, name string, fs *findings) {
	if p == nil {
		return
	}
	handlers := 0
	for _, set := range []bool{p.Exec != nil, p.HTTPGet != nil, p.TCPSocket != nil} {
		if set {
			handlers++
		}
	}
	if handlers != 1 {
		fs.addf(path{name}, "must have exactly one of exec, httpGet and tcpSocket")
	}
	if name == "livenessProbe" && p.SuccessThreshold > 1 {
		fs.addf(path{name, "successThreshold"}, "must be 1: a container is alive or it is not")
	}
}
