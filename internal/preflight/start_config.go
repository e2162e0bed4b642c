package preflight

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

func (r *run) key(ref ref) types.NamespacedName {
	return types.NamespacedName{Namespace: ref.from.namespace, Name: ref.name}
}

// missing is true where what is referred to certainly is not on the cluster.
func (r *run) missing(ref ref) bool {
	return absent(r.snap, ref.kind, r.key(ref))
}

func absent(s *Snapshot, kind string, key types.NamespacedName) bool {
	switch kind {
	case "ConfigMap":
		v, known := s.ConfigMaps[key]
		return known && v == nil
	case "Secret":
		v, known := s.Secrets[key]
		return known && v == nil
	case "ServiceAccount":
		v, known := s.ServiceAccounts[key]
		return known && v == nil
	}
	return false
}

// checkConfig is C1.
func checkConfig(r *run) {
	for _, ref := range r.refs {
		if (ref.kind != "ConfigMap" && ref.kind != "Secret") || ref.optional || ref.soft || r.brings("", ref.kind, ref.from.namespace, ref.name) != nil || !r.missing(ref) {
			continue
		}
		r.findIf(!r.makers[ref.kind], ref.from.object, ref.field, fmt.Sprintf("create %s %q in namespace %q, or correct the name", ref.kind, ref.name, ref.from.namespace), "%s %q does not exist", ref.kind, ref.name)
	}
}

// checkKeys is C2.
func checkKeys(r *run) {
	for _, ref := range r.refs {
		if ref.key == "" || ref.optional {
			continue
		}
		if keys, known := r.keys(ref.kind, r.key(ref)); known && !slices.Contains(keys, ref.key) {
			r.findIf(!r.makers[ref.kind] || r.brings("", ref.kind, ref.from.namespace, ref.name) == nil, ref.from.object, ref.field, "add the key, or correct its name", "%s %q has no key %q", ref.kind, ref.name, ref.key)
		}
	}
	for name, c := range r.contracts() {
		for _, need := range c.Config {
			r.configNeed(name, need.Kind, need.Name, need.Required, need.Forbidden)
		}
	}
}

func (r *run) configNeed(component, kind, name string, required, forbidden []string) {
	lead := r.lead(component)
	if lead == nil {
		return
	}
	key := types.NamespacedName{Namespace: lead.namespace, Name: name}
	keys, known := r.keys(kind, key)
	if !known {
		return
	}
	o := r.brings("", kind, key.Namespace, name)
	if o == nil {
		o = lead
	}
	for _, k := range required {
		if !slices.Contains(keys, k) {
			r.find(o, "data["+k+"]", "add the key: this version of the component needs it", "%s %q has no key %q, which component %q needs", kind, name, k, component)
		}
	}
	for _, k := range forbidden {
		if slices.Contains(keys, k) {
			r.find(o, "data["+k+"]", "remove the key, or rename it as this version of the component has it", "%s %q has key %q, which component %q does not have any more", kind, name, k, component)
		}
	}
}

// keys of a ConfigMap or Secret as they will be. They are not known where it is not,
// nor where it does not exist: that is another cause.
func (r *run) keys(kind string, key types.NamespacedName) ([]string, bool) {
	if o := r.brings("", kind, key.Namespace, key.Name); o != nil {
		keys := keysOf(o.Unstructured)
		// Server-side apply leaves alone what others have put there.
		there, _ := keysThere(r.snap, kind, key)
		return append(keys, there...), true
	}
	return keysThere(r.snap, kind, key)
}

func keysThere(s *Snapshot, kind string, key types.NamespacedName) ([]string, bool) {
	switch kind {
	case "ConfigMap":
		if v := s.ConfigMaps[key]; v != nil {
			return v.Keys, true
		}
	case "Secret":
		if v := s.Secrets[key]; v != nil {
			return v.Keys, true
		}
	}
	return nil, false
}

func keysOf(u *unstructured.Unstructured) []string {
	var out []string
	for _, f := range []string{"data", "stringData", "binaryData"} {
		m, _, _ := unstructured.NestedMap(u.Object, f)
		for k := range m {
			out = append(out, k)
		}
	}
	return out
}

// checkSecretTypes is C3.
func checkSecretTypes(r *run) {
	for _, ref := range r.refs {
		if ref.kind != "Secret" || !strings.Contains(ref.field, ".imagePullSecrets[") {
			continue
		}
		if kind, known := r.secretType(r.key(ref)); known && kind != corev1.SecretTypeDockerConfigJson && kind != corev1.SecretTypeDockercfg {
			r.warn(ref.from.object, ref.field, "use a Secret of type "+string(corev1.SecretTypeDockerConfigJson), "pull secret %q has type %q, so it is not used to pull images", ref.name, kind)
		}
	}
	for _, o := range r.objects {
		switch t := o.typed.(type) {
		case *corev1.Secret:
			r.ownSecret(o, t)
		case *networkingv1.Ingress:
			for _, tls := range t.Spec.TLS {
				r.tlsSecret(o, tls.SecretName)
			}
		}
	}
}

// ownSecret of the application: the API server refuses one without the keys of its type.
func (r *run) ownSecret(o *object, s *corev1.Secret) {
	keys := keysOf(o.Unstructured)
	for _, k := range standardKeys[s.Type] {
		if !slices.Contains(keys, k) {
			r.find(o, "data["+k+"]", "add the key, or use another type", "a Secret of type %q needs key %q", s.Type, k)
		}
	}
}

// tlsSecret of an Ingress. Certificates are often made later, so nothing blocks here.
func (r *run) tlsSecret(o *object, name string) {
	if name == "" {
		return
	}
	key := types.NamespacedName{Namespace: o.namespace, Name: name}
	keys, known := r.keys("Secret", key)
	if !known {
		return
	}
	for _, k := range standardKeys[corev1.SecretTypeTLS] {
		if !slices.Contains(keys, k) {
			r.warn(o, "spec.tls["+name+"]", "use a Secret of type "+string(corev1.SecretTypeTLS), "Secret %q has no key %q, which TLS needs", name, k)
		}
	}
}

func (r *run) secretType(key types.NamespacedName) (corev1.SecretType, bool) {
	if o := r.brings("", "Secret", key.Namespace, key.Name); o != nil {
		if s, ok := o.typed.(*corev1.Secret); ok {
			if s.Type == "" {
				return corev1.SecretTypeOpaque, true
			}
			return s.Type, true
		}
		return "", false
	}
	if s := r.snap.Secrets[key]; s != nil {
		return s.Type, true
	}
	return "", false
}

// checkPullSecrets is C4.
func checkPullSecrets(r *run) {
	for _, ref := range r.refs {
		if ref.kind == "Secret" && ref.soft && r.brings("", ref.kind, ref.from.namespace, ref.name) == nil && r.missing(ref) {
			r.find(ref.from.object, ref.field, "create the Secret, or correct its name", "pull secret %q does not exist", ref.name)
		}
	}
}
