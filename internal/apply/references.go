package apply

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// A Reference is something that an object's pods cannot start without.
type Reference struct {
	// From is the object that refers, and Field where it does.
	From  v1alpha1.ObjectReference
	Field string
	// To is what must be there.
	To v1alpha1.ObjectReference
}

// String says what needs what, where.
func (r Reference) String() string {
	return fmt.Sprintf("%s %q needs %s %q (%s)", r.From.Kind, r.From.Name, r.To.Kind, r.To.Name, r.Field)
}

// References returns what the pods of a component need and the set does not itself
// bring. What is optional is left out, and so is the service account that every
// namespace has.
func (s Set) References(c Component) []Reference {
	brought := map[key]bool{}
	for _, o := range s.Objects() {
		brought[keyOf(o.Ref())] = true
	}
	var out []Reference
	seen := map[key]bool{}
	for _, o := range c.Objects {
		for _, r := range referencesOf(o) {
			to := keyOf(r.To)
			if brought[to] || seen[to] {
				continue
			}
			seen[to] = true
			out = append(out, r)
		}
	}
	return out
}

// referencesOf an object's pods.
func referencesOf(o Object) []Reference {
	spec, at := podSpec(o.Unstructured)
	if spec == nil {
		return nil
	}
	f := &finder{from: o}
	f.account(spec, at)
	for i, s := range maps(spec, "imagePullSecrets") {
		f.need("Secret", str(s, "name"), "%s.imagePullSecrets[%d]", at, i)
	}
	for i, v := range maps(spec, "volumes") {
		f.volume(v, fmt.Sprintf("%s.volumes[%d]", at, i))
	}
	for _, list := range []string{"initContainers", "containers"} {
		for _, c := range maps(spec, list) {
			f.container(c, fmt.Sprintf("%s.%s[name=%s]", at, list, str(c, "name")))
		}
	}
	return f.found
}

// podSpec of an object that makes pods, and its path.
func podSpec(u *unstructured.Unstructured) (map[string]any, string) {
	paths := [][]string{
		{"spec", "template", "spec"},
		{"spec", "jobTemplate", "spec", "template", "spec"},
	}
	if u.GetAPIVersion() == "v1" && u.GetKind() == "Pod" {
		paths = [][]string{{"spec"}}
	}
	for _, p := range paths {
		v, found, err := unstructured.NestedFieldNoCopy(u.Object, p...)
		if err != nil || !found {
			continue
		}
		if spec, ok := v.(map[string]any); ok && len(maps(spec, "containers")) > 0 {
			return spec, strings.Join(p, ".")
		}
	}
	return nil, ""
}

// A finder gathers references of one object.
type finder struct {
	from  Object
	found []Reference
}

func (f *finder) account(spec map[string]any, at string) {
	for _, field := range []string{"serviceAccountName", "serviceAccount"} {
		if name := str(spec, field); name != "" && name != "default" {
			f.need("ServiceAccount", name, "%s.%s", at, field)
			return
		}
	}
}

func (f *finder) volume(v map[string]any, at string) {
	if s := child(v, "secret"); s != nil && !optional(s) {
		f.need("Secret", str(s, "secretName"), "%s.secret.secretName", at)
	}
	if c := child(v, "configMap"); c != nil && !optional(c) {
		f.need("ConfigMap", str(c, "name"), "%s.configMap.name", at)
	}
	if p := child(v, "persistentVolumeClaim"); p != nil {
		f.need("PersistentVolumeClaim", str(p, "claimName"), "%s.persistentVolumeClaim.claimName", at)
	}
	for i, s := range maps(child(v, "projected"), "sources") {
		if x := child(s, "secret"); x != nil && !optional(x) {
			f.need("Secret", str(x, "name"), "%s.projected.sources[%d].secret.name", at, i)
		}
		if x := child(s, "configMap"); x != nil && !optional(x) {
			f.need("ConfigMap", str(x, "name"), "%s.projected.sources[%d].configMap.name", at, i)
		}
	}
	if s := child(child(v, "csi"), "nodePublishSecretRef"); s != nil {
		f.need("Secret", str(s, "name"), "%s.csi.nodePublishSecretRef.name", at)
	}
}

func (f *finder) container(c map[string]any, at string) {
	for _, e := range maps(c, "env") {
		from := child(e, "valueFrom")
		if s := child(from, "secretKeyRef"); s != nil && !optional(s) {
			f.need("Secret", str(s, "name"), "%s.env[name=%s].valueFrom.secretKeyRef.name", at, str(e, "name"))
		}
		if m := child(from, "configMapKeyRef"); m != nil && !optional(m) {
			f.need("ConfigMap", str(m, "name"), "%s.env[name=%s].valueFrom.configMapKeyRef.name", at, str(e, "name"))
		}
	}
	for i, e := range maps(c, "envFrom") {
		if s := child(e, "secretRef"); s != nil && !optional(s) {
			f.need("Secret", str(s, "name"), "%s.envFrom[%d].secretRef.name", at, i)
		}
		if m := child(e, "configMapRef"); m != nil && !optional(m) {
			f.need("ConfigMap", str(m, "name"), "%s.envFrom[%d].configMapRef.name", at, i)
		}
	}
}

func (f *finder) need(kind, name, field string, args ...any) {
	if name == "" {
		return
	}
	f.found = append(f.found, Reference{
		From:  f.from.Ref(),
		Field: fmt.Sprintf(field, args...),
		To:    v1alpha1.ObjectReference{APIVersion: "v1", Kind: kind, Namespace: f.from.GetNamespace(), Name: name},
	})
}

func child(m map[string]any, name string) map[string]any {
	c, _ := m[name].(map[string]any)
	return c
}

func maps(m map[string]any, name string) []map[string]any {
	list, _ := m[name].([]any)
	out := make([]map[string]any, 0, len(list))
	for _, item := range list {
		if c, ok := item.(map[string]any); ok {
			out = append(out, c)
		}
	}
	return out
}

func str(m map[string]any, name string) string {
	s, _ := m[name].(string)
	return s
}

func optional(m map[string]any) bool {
	b, _ := m["optional"].(bool)
	return b
}
