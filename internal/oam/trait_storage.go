package oam

import (
	"encoding/base64"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

type storageParameters struct {
	PVC       []claimEntry   `json:"pvc"`
	ConfigMap []storageEntry `json:"configMap"`
	Secret    []storageEntry `json:"secret"`
	EmptyDir  []struct {
		Name      string `json:"name"`
		MountPath string `json:"mountPath"`
		SubPath   string `json:"subPath"`
		Medium    string `json:"medium"`
		SizeLimit any    `json:"sizeLimit"`
	} `json:"emptyDir"`
	HostPath []struct {
		Name      string `json:"name"`
		Path      string `json:"path"`
		MountPath string `json:"mountPath"`
		Type      string `json:"type"`
	} `json:"hostPath"`
}

type claimEntry struct {
	Name             string                              `json:"name"`
	MountOnly        bool                                `json:"mountOnly"`
	MountPath        string                              `json:"mountPath"`
	SubPath          string                              `json:"subPath"`
	VolumeMode       corev1.PersistentVolumeMode         `json:"volumeMode"`
	VolumeName       string                              `json:"volumeName"`
	AccessModes      []corev1.PersistentVolumeAccessMode `json:"accessModes"`
	StorageClassName *string                             `json:"storageClassName"`
	Resources        *struct {
		Requests map[string]any `json:"requests"`
		Limits   map[string]any `json:"limits"`
	} `json:"resources"`
	DataSource    map[string]any        `json:"dataSource"`
	DataSourceRef map[string]any        `json:"dataSourceRef"`
	Selector      *metav1.LabelSelector `json:"selector"`
	PerPod        bool                  `json:"perPod"`
}

type storageEntry struct {
	configEntry

	MountOnly   bool         `json:"mountOnly"`
	MountToEnv  *mountToEnv  `json:"mountToEnv"`
	MountToEnvs []mountToEnv `json:"mountToEnvs"`
	ReadOnly    bool         `json:"readOnly"`
}

type mountToEnv struct {
	EnvName      string `json:"envName"`
	ConfigMapKey string `json:"configMapKey"`
	SecretKey    string `json:"secretKey"`
}

// storage gives the component's container volumes.
func storage(t *target, p storageParameters, fs *findings) {
	c, _ := t.container("", nil, fs)
	for i := range p.PVC {
		p.PVC[i].mount(t, c, path{"pvc", i}, fs)
	}
	for i := range p.ConfigMap {
		e, at := &p.ConfigMap[i], path{"configMap", i}
		switch {
		case !e.MountOnly:
			checkKeys(e.Data, at.field("data"), fs)
			t.addConfigMap(e.Name, e.Data, at, fs)
		case e.Data != nil:
			fs.addf(at.field("data"), "would be ignored, because mountOnly says that the ConfigMap exists: remove one")
		}
		e.mount(t, c, kindConfigMap, at, fs)
	}
	for i := range p.Secret {
		e, at := &p.Secret[i], path{"secret", i}
		switch {
		case !e.MountOnly:
			t.addSecret(e.secret(at, fs), e.Name, at, fs)
		case e.Data != nil || e.StringData != nil:
			fs.addf(at.field("mountOnly"), "says that the Secret exists, so data and stringData would be ignored: remove either")
		}
		e.mount(t, c, kindSecret, at, fs)
	}
	for i, e := range p.EmptyDir {
		at := path{"emptyDir", i}
		source := map[string]any{}
		if e.Medium != "" {
			source["medium"] = e.Medium
		}
		if e.SizeLimit != nil {
			if q, ok := quantityOf(e.SizeLimit, at.field("sizeLimit"), fs); ok {
				source["sizeLimit"] = q.String()
			}
		}
		name := volumeName("emptydir-", e.Name)
		t.addVolume(name, map[string]any{"emptyDir": source}, at.field("name"), fs)
		addMount(c, mountOf(name, e.MountPath, e.SubPath, false), at.field("mountPath"), fs)
	}
	for i, e := range p.HostPath {
		at := path{"hostPath", i}
		name := volumeName("hostpath-", e.Name)
		kind := e.Type
		if kind == "FileOrCreate" {
			kind = string(corev1.HostPathFileOrCreate)
		}
		t.addVolume(name, map[string]any{"hostPath": map[string]any{"path": e.Path, "type": kind}}, at.field("name"), fs)
		addMount(c, mountOf(name, e.MountPath, "", false), at.field("mountPath"), fs)
	}
}

// mount a claim, which is made here unless it exists.
func (e *claimEntry) mount(t *target, container map[string]any, at path, fs *findings) {
	name := volumeName("pvc-", e.Name)
	e.claim(t, name, at, fs)
	if !e.PerPod {
		t.addVolume(name, map[string]any{"persistentVolumeClaim": map[string]any{"claimName": e.Name}}, at.field("name"), fs)
	}
	if e.VolumeMode != corev1.PersistentVolumeBlock {
		addMount(container, mountOf(name, e.MountPath, e.SubPath, false), at.field("mountPath"), fs)
		return
	}
	if e.SubPath != "" {
		fs.addf(at.field("subPath"), "is not possible where volumeMode is Block")
	}
	appendTo(container, "volumeDevices", map[string]any{"name": name, "devicePath": e.MountPath})
}

// defaultClaimSize is KubeVela's.
const defaultClaimSize = "8Gi"

func (e *claimEntry) claim(t *target, volume string, at path, fs *findings) {
	if e.MountOnly {
		if e.VolumeName != "" || e.AccessModes != nil || e.StorageClassName != nil || e.Resources != nil || e.DataSource != nil ||
			e.DataSourceRef != nil || e.Selector != nil || e.PerPod {
			fs.addf(at.field("mountOnly"), "says that the claim exists, so what it should be like would be ignored: remove either")
		}
		return
	}
	checkObjectName(e.Name, at.field("name"), fs)
	c := &corev1.PersistentVolumeClaim{
		ObjectMeta: named(e.Name),
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: e.AccessModes, VolumeMode: &e.VolumeMode, VolumeName: e.VolumeName, StorageClassName: e.StorageClassName, Selector: e.Selector,
		},
	}
	if len(c.Spec.AccessModes) == 0 {
		c.Spec.AccessModes = []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}
	}
	c.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("PersistentVolumeClaim"))
	u, err := toUnstructured(c)
	if err != nil {
		fs.addf(at, "cannot be rendered: %v", err)
		return
	}
	spec := object(u.Object, "spec")
	if e.DataSource != nil {
		spec["dataSource"] = e.DataSource
	}
	if e.DataSourceRef != nil {
		spec["dataSourceRef"] = e.DataSourceRef
	}
	e.size(spec, at.field("resources"), fs)
	if !e.PerPod {
		t.objects = append(t.objects, u)
		return
	}
	if t.workload().GetKind() != "StatefulSet" {
		fs.addf(at.field("perPod"), "is only for a StatefulSet: the pods of a %s have no names to tell their claims by", t.workload().GetKind())
		return
	}
	appendTo(t.spec(), "volumeClaimTemplates", map[string]any{"metadata": map[string]any{"name": volume}, "spec": spec})
}

func (e *claimEntry) size(spec map[string]any, at path, fs *findings) {
	var requests, limits map[string]any
	if e.Resources != nil {
		requests, limits = e.Resources.Requests, e.Resources.Limits
	}
	if requests["storage"] == nil {
		requests = map[string]any{"storage": defaultClaimSize}
	}
	for _, side := range []struct {
		name   string
		values map[string]any
	}{{"requests", requests}, {"limits", limits}} {
		if v := side.values["storage"]; v != nil {
			if q, ok := quantityOf(v, at.field(side.name, "storage"), fs); ok {
				object(spec, "resources", side.name)["storage"] = q.String()
			}
		}
	}
}

func (e *storageEntry) secret(at path, fs *findings) *corev1.Secret {
	s := secretOf(e.StringData)
	checkKeys(e.StringData, at.field("stringData"), fs)
	checkKeys(e.Data, at.field("data"), fs)
	for _, k := range slices.Sorted(maps.Keys(e.Data)) {
		v, err := base64.StdEncoding.DecodeString(e.Data[k])
		if err != nil {
			fs.addf(at.field("data", k), "must be in base64: use stringData for a text")
			continue
		}
		if _, twice := e.StringData[k]; twice {
			fs.addf(at.field("data", k), "is in stringData, too: keep one")
		}
		if s.Data == nil {
			s.Data = map[string][]byte{}
		}
		s.Data[k] = v
	}
	return s
}

// mount a ConfigMap or Secret, or make environment variables of its keys.
func (e *storageEntry) mount(t *target, container map[string]any, k configKind, at path, fs *findings) {
	if e.MountPath != "" {
		source := map[string]any{k.nameField: e.Name, "defaultMode": e.DefaultMode}
		if len(e.Items) > 0 {
			source["items"] = e.Items
		}
		name := volumeName(k.prefix, e.Name)
		t.addVolume(name, map[string]any{k.volume: source}, at.field("name"), fs)
		addMount(container, mountOf(name, e.MountPath, e.SubPath, e.ReadOnly), at.field("mountPath"), fs)
	} else if e.SubPath != "" || len(e.Items) > 0 || e.ReadOnly {
		fs.addf(at.field("mountPath"), "is required where subPath, items or readOnly is set")
	}
	if e.MountToEnv != nil {
		e.env(container, ptr.Deref(e.MountToEnv, mountToEnv{}), k, at.field("mountToEnv"), fs)
	}
	for i, v := range e.MountToEnvs {
		e.env(container, v, k, at.field("mountToEnvs").index(i), fs)
	}
	if e.MountOnly && e.MountPath == "" && e.MountToEnv == nil && len(e.MountToEnvs) == 0 {
		fs.addf(at, "does nothing: give it a mountPath or mountToEnv")
	}
}

func (e *storageEntry) env(container map[string]any, v mountToEnv, k configKind, at path, fs *findings) {
	setEnv(container, v.EnvName, map[string]any{k.keyRef: map[string]any{"name": e.Name, "key": v.ConfigMapKey + v.SecretKey}}, at.field("envName"), fs)
}
