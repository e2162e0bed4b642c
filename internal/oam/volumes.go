package oam

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/validation"
)

// A mount is one entry of a container's volumes, and where it was written.
type mount struct {
	volume

	kind string
	at   path
}

// mounts returns all volume entries in the order they are mounted in.
func (c *container) mounts(fs *findings) []mount {
	if c.VolumeMounts != nil && len(c.Volumes) > 0 {
		fs.addf(path{"volumes"}, "cannot be used together with volumeMounts: move its entries there")
		return nil
	}
	out := []mount{}
	for i, v := range c.Volumes {
		out = append(out, mount{volume: v, kind: v.Type, at: path{"volumes", i}})
	}
	if c.VolumeMounts == nil {
		return out
	}
	for _, group := range []struct {
		kind    string
		volumes []volume
	}{
		{"pvc", c.VolumeMounts.PVC},
		{"configMap", c.VolumeMounts.ConfigMap},
		{"secret", c.VolumeMounts.Secret},
		{"emptyDir", c.VolumeMounts.EmptyDir},
		{"hostPath", c.VolumeMounts.HostPath},
	} {
		for i, v := range group.volumes {
			out = append(out, mount{volume: v, kind: group.kind, at: path{"volumeMounts", group.kind, i}})
		}
	}
	return out
}

// volumes returns the volumes of a pod and the mounts of its container.
func (c *container) volumes(fs *findings) ([]corev1.Volume, []corev1.VolumeMount) {
	var volumes []corev1.Volume
	var mounted []corev1.VolumeMount
	known := map[string]corev1.Volume{}
	paths := map[string]bool{}
	for _, m := range c.mounts(fs) {
		m.check(fs)
		v := corev1.Volume{Name: m.Name, VolumeSource: m.source()}
		before, again := known[m.Name]
		switch {
		case !again:
			known[m.Name] = v
			volumes = append(volumes, v)
		case !equality.Semantic.DeepEqual(before, v):
			fs.addf(m.at.field("name"), "%q already names another volume of this component: choose another name", m.Name)
		}
		if paths[m.MountPath] {
			fs.addf(m.at.field("mountPath"), "%q already has a volume mounted", m.MountPath)
		}
		paths[m.MountPath] = true
		mounted = append(mounted, corev1.VolumeMount{Name: m.Name, MountPath: m.MountPath, SubPath: m.SubPath})
	}
	return volumes, mounted
}

// check what the schema cannot: names, and in volumes what each kind asks for.
func (m mount) check(fs *findings) {
	if msgs := validation.IsDNS1123Label(m.Name); len(msgs) > 0 {
		fs.addf(m.at.field("name"), "must be a DNS label: lower-case letters, digits and '-', got %s", describe(m.Name))
	}
	want := map[string]struct{ key, value string }{
		"pvc":       {"claimName", m.ClaimName},
		"configMap": {"cmName", m.CMName},
		"secret":    {"secretName", m.SecretName},
	}
	if w, ok := want[m.kind]; ok && w.value == "" {
		fs.addf(m.at.field(w.key), "is required for a volume of type %s", m.kind)
	}
}

func (m mount) source() corev1.VolumeSource {
	switch m.kind {
	case "pvc":
		return corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: m.ClaimName}}
	case "configMap":
		return corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
			LocalObjectReference: corev1.LocalObjectReference{Name: m.CMName}, DefaultMode: m.DefaultMode, Items: m.Items,
		}}
	case "secret":
		return corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: m.SecretName, DefaultMode: m.DefaultMode, Items: m.Items}}
	case "hostPath":
		return corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: m.Path}}
	}
	return corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMedium(m.Medium)}}
}
