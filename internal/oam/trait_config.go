package oam

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/mainstay-dev/mainstay/internal/expr"
)

type configParameters struct {
	ContainerName string        `json:"containerName"`
	Restart       bool          `json:"restart"`
	ConfigMaps    []configEntry `json:"configMaps"`
	Secrets       []configEntry `json:"secrets"`
}

type configEntry struct {
	Name        string            `json:"name"`
	Data        map[string]string `json:"data"`
	StringData  map[string]string `json:"stringData"`
	Type        corev1.SecretType `json:"type"`
	MountPath   string            `json:"mountPath"`
	SubPath     string            `json:"subPath"`
	Items       []any             `json:"items"`
	DefaultMode int64             `json:"defaultMode"`
	Env         map[string]string `json:"env"`
	EnvFrom     bool              `json:"envFrom"`
	Optional    bool              `json:"optional"`
}

// A configKind is what differs between ConfigMaps and Secrets in a pod.
type configKind struct{ kind, volume, nameField, keyRef, envFrom, prefix string }

var (
	kindConfigMap = configKind{kind: "ConfigMap", volume: "configMap", nameField: "name", keyRef: "configMapKeyRef", envFrom: "configMapRef", prefix: "configmap-"}
	kindSecret    = configKind{kind: "Secret", volume: "secret", nameField: "secretName", keyRef: "secretKeyRef", envFrom: "secretRef", prefix: "secret-"}
)

// configChecksum is the annotation of pods that changes with the data that the
// config trait writes, and so replaces them.
const configChecksum = "mainstay.dev/config-checksum"

// config gives a container ConfigMaps and Secrets.
func config(t *target, p configParameters, fs *findings) {
	c, ok := t.container(p.ContainerName, path{"containerName"}, fs)
	if !ok {
		return
	}
	written := map[string]map[string]string{}
	for i := range p.ConfigMaps {
		e := &p.ConfigMaps[i]
		at := path{"configMaps", i}
		if e.Data != nil {
			checkKeys(e.Data, at.field("data"), fs)
			t.addConfigMap(e.Name, e.Data, at, fs)
			written["configMaps/"+e.Name] = e.Data
		}
		e.use(t, c, kindConfigMap, at, fs)
	}
	for i := range p.Secrets {
		e := &p.Secrets[i]
		at := path{"secrets", i}
		switch {
		case e.StringData != nil:
			checkKeys(e.StringData, at.field("stringData"), fs)
			s := secretOf(e.StringData)
			s.Type = e.Type
			t.addSecret(s, e.Name, at, fs)
			written["secrets/"+e.Name] = e.StringData
		case e.Type != "":
			fs.addf(at.field("type"), "would be ignored without stringData")
		}
		e.use(t, c, kindSecret, at, fs)
	}
	if !p.Restart || len(written) == 0 {
		return
	}
	raw, err := json.Marshal(written)
	if err != nil {
		fs.addf(nil, "cannot be read: %v", err)
		return
	}
	sum := sha256.Sum256(raw)
	object(t.pod(), "metadata", "annotations")[configChecksum] = hex.EncodeToString(sum[:16])
}

// use mounts what an entry names, or makes environment variables of it.
func (e *configEntry) use(t *target, container map[string]any, k configKind, at path, fs *findings) {
	if e.MountPath == "" && len(e.Env) == 0 && !e.EnvFrom && e.Data == nil && e.StringData == nil {
		fs.addf(at, "does nothing: give it data, a mountPath, env or envFrom")
	}
	ref := map[string]any{}
	if e.Optional {
		ref["optional"] = true
	}
	if e.MountPath != "" {
		source := maps.Clone(ref)
		source[k.nameField], source["defaultMode"] = e.Name, e.DefaultMode
		if len(e.Items) > 0 {
			source["items"] = e.Items
		}
		name := volumeName(k.prefix, e.Name)
		t.addVolume(name, map[string]any{k.volume: source}, at.field("name"), fs)
		addMount(container, mountOf(name, e.MountPath, e.SubPath, false), at.field("mountPath"), fs)
	} else if e.SubPath != "" || len(e.Items) > 0 {
		fs.addf(at.field("mountPath"), "is required where subPath or items is set")
	}
	ref["name"] = e.Name
	for _, name := range slices.Sorted(maps.Keys(e.Env)) {
		key := maps.Clone(ref)
		key["key"] = e.Env[name]
		setEnv(container, name, map[string]any{k.keyRef: key}, at.field("env", name), fs)
	}
	if e.EnvFrom {
		appendTo(container, "envFrom", map[string]any{k.envFrom: ref})
	}
}

func checkKeys(data map[string]string, at path, fs *findings) {
	for _, k := range slices.Sorted(maps.Keys(data)) {
		if len(validation.IsConfigMapKey(k)) > 0 {
			fs.addf(at.field(k), "is not a valid key: letters, digits, '-', '_' and '.' are possible")
		}
	}
}

func (t *target) addConfigMap(name string, data map[string]string, at path, fs *findings) {
	checkObjectName(name, at.field("name"), fs)
	c := &corev1.ConfigMap{ObjectMeta: named(name), Data: data}
	c.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ConfigMap"))
	t.add(c, fs)
}

// secretOf returns a Secret with texts as data. To apply stringData would not take
// away what it no longer has, and nobody could see whether a cluster still has it. Only
// texts with expressions must stay texts until those are bound.
func secretOf(texts map[string]string) *corev1.Secret {
	s := &corev1.Secret{}
	for k, v := range texts {
		if spans, _ := expr.Spans(v); len(spans) > 0 {
			if s.StringData == nil {
				s.StringData = map[string]string{}
			}
			s.StringData[k] = v
			continue
		}
		if s.Data == nil {
			s.Data = map[string][]byte{}
		}
		s.Data[k] = []byte(strings.ReplaceAll(v, "$${", "${"))
	}
	return s
}

func (t *target) addSecret(s *corev1.Secret, name string, at path, fs *findings) {
	checkObjectName(name, at.field("name"), fs)
	s.ObjectMeta = named(name)
	s.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	t.add(s, fs)
}

func checkObjectName(name string, at path, fs *findings) {
	if len(validation.IsDNS1123Subdomain(name)) > 0 {
		fs.addf(at, "is not a valid name of an object: %s", describe(name))
	}
}

// volumeName returns the name of an object's volume. A volume's name can be less
// than an object's: where it does not fit, a digest tells it from others.
func volumeName(prefix, name string) string {
	if out := prefix + name; len(validation.IsDNS1123Label(out)) == 0 {
		return out
	}
	sum := sha256.Sum256([]byte(name))
	return prefix + hex.EncodeToString(sum[:8])
}

func mountOf(name, mountPath, subPath string, readOnly bool) map[string]any {
	m := map[string]any{"name": name, "mountPath": mountPath}
	if subPath != "" {
		m["subPath"] = subPath
	}
	if readOnly {
		m["readOnly"] = true
	}
	return m
}
