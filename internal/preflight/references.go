package preflight

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
)

// A ref is something that pods need in their own namespace.
type ref struct {
	from  *workload
	field string
	kind  string
	name  string
	// key that is needed of it. Without it, no key in particular is.
	key string
	// optional is true where pods start without it, and soft where they start but may
	// not get far.
	optional, soft bool
}

// refsOf the pods of a workload.
func refsOf(w *workload) []ref {
	f := &refFinder{w: w}
	spec := &w.pod.Spec
	f.add(ref{field: w.path + ".serviceAccountName", kind: "ServiceAccount", name: w.account(), optional: w.account() == "default"})
	for _, s := range spec.ImagePullSecrets {
		f.add(ref{field: w.path + ".imagePullSecrets[" + s.Name + "]", kind: "Secret", name: s.Name, soft: true})
	}
	for i := range spec.Volumes {
		f.volume(&spec.Volumes[i], w.path+".volumes["+spec.Volumes[i].Name+"]")
	}
	for c, at := range w.containers() {
		f.env(c, at)
	}
	return f.out
}

type refFinder struct {
	w   *workload
	out []ref
}

func (f *refFinder) add(r ref) {
	r.from = f.w
	if r.name != "" {
		f.out = append(f.out, r)
	}
}

func (f *refFinder) volume(v *corev1.Volume, at string) {
	switch {
	case v.ConfigMap != nil:
		f.keys("ConfigMap", v.ConfigMap.Name, at+".configMap", v.ConfigMap.Items, v.ConfigMap.Optional)
	case v.Secret != nil:
		f.keys("Secret", v.Secret.SecretName, at+".secret", v.Secret.Items, v.Secret.Optional)
	case v.PersistentVolumeClaim != nil:
		f.add(ref{field: at + ".persistentVolumeClaim", kind: "PersistentVolumeClaim", name: v.PersistentVolumeClaim.ClaimName})
	case v.Projected != nil:
		for _, s := range v.Projected.Sources {
			if s.ConfigMap != nil {
				f.keys("ConfigMap", s.ConfigMap.Name, at+".projected", s.ConfigMap.Items, s.ConfigMap.Optional)
			}
			if s.Secret != nil {
				f.keys("Secret", s.Secret.Name, at+".projected", s.Secret.Items, s.Secret.Optional)
			}
		}
	}
}

// keys that a volume takes of an object. Without items it takes all there are.
func (f *refFinder) keys(kind, name, at string, items []corev1.KeyToPath, optional *bool) {
	o := ptr.Deref(optional, false)
	f.add(ref{field: at, kind: kind, name: name, optional: o})
	for _, i := range items {
		f.add(ref{field: at + ".items[" + i.Key + "]", kind: kind, name: name, key: i.Key, optional: o})
	}
}

func (f *refFinder) env(c *corev1.Container, at string) {
	for _, e := range c.EnvFrom {
		if r := e.ConfigMapRef; r != nil {
			f.add(ref{field: at + ".envFrom[" + r.Name + "]", kind: "ConfigMap", name: r.Name, optional: ptr.Deref(r.Optional, false)})
		}
		if r := e.SecretRef; r != nil {
			f.add(ref{field: at + ".envFrom[" + r.Name + "]", kind: "Secret", name: r.Name, optional: ptr.Deref(r.Optional, false)})
		}
	}
	for _, e := range c.Env {
		if e.ValueFrom == nil {
			continue
		}
		if r := e.ValueFrom.ConfigMapKeyRef; r != nil {
			f.add(ref{field: at + ".env[" + e.Name + "]", kind: "ConfigMap", name: r.Name, key: r.Key, optional: ptr.Deref(r.Optional, false)})
		}
		if r := e.ValueFrom.SecretKeyRef; r != nil {
			f.add(ref{field: at + ".env[" + e.Name + "]", kind: "Secret", name: r.Name, key: r.Key, optional: ptr.Deref(r.Optional, false)})
		}
	}
}
