package providerconfig

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/provider/backend"
)

const kubeconfig = `{"apiVersion":"v1","kind":"Config","current-context":"x",
"contexts":[{"name":"x","context":{"cluster":"c","user":"u"}}],
"clusters":[{"name":"c","cluster":{"server":"https://127.0.0.1:6443"}}],
"users":[{"name":"u","user":{"token":"s3cret"}}]}`

func TestResolve(t *testing.T) {
	now := metav1.Now()
	type want struct {
		cluster backend.Cluster
		classes int
		err     string
	}
	cases := map[string]struct {
		reason  string
		cluster *v1alpha1.Cluster
		objects []client.Object
		want    want
	}{
		"Shared": {
			reason:  "A shared configuration says which backend is asked, and knows classes.",
			cluster: asks("ClusterProviderConfig", nil),
			objects: []client.Object{shared(v1alpha1.BackendKubeconfig)},
			want:    want{cluster: backend.Cluster{Namespace: "ops", Name: "eu-1", Version: "v1.35.3"}, classes: 1},
		},
		"OwnNamespace": {
			reason:  "A namespace's own configuration is found in it.",
			cluster: asks("ProviderConfig", nil),
			objects: []client.Object{&v1alpha1.ProviderConfig{
				ObjectMeta: metav1.ObjectMeta{Namespace: "ops", Name: "default"},
				Spec:       v1alpha1.ProviderConfigSpec{Backend: v1alpha1.BackendKubeconfig},
			}},
			want: want{cluster: backend.Cluster{Namespace: "ops", Name: "eu-1", Version: "v1.35.3"}},
		},
		"Adopts": {
			reason:  "The kubeconfig of an existing cluster comes along.",
			cluster: asks("ClusterProviderConfig", &v1alpha1.SecretKeySelector{Name: "theirs"}),
			objects: []client.Object{shared(v1alpha1.BackendKubeconfig), secret("kubeconfig", kubeconfig)},
			want:    want{cluster: backend.Cluster{Namespace: "ops", Name: "eu-1", Version: "v1.35.3", Kubeconfig: []byte(kubeconfig)}, classes: 1},
		},
		"NoReference": {
			reason:  "A Cluster must say what it uses.",
			cluster: &v1alpha1.Cluster{},
			want:    want{err: `spec.providerConfigRef is missing: name a ProviderConfig or a ClusterProviderConfig`},
		},
		"UnknownKind": {
			reason:  "There are two kinds of configurations.",
			cluster: asks("Magic", nil),
			want:    want{err: `spec.providerConfigRef.kind "Magic" is not supported: use ProviderConfig or ClusterProviderConfig`},
		},
		"NoConfig": {
			reason:  "A configuration that is missing is named.",
			cluster: asks("ClusterProviderConfig", nil),
			want:    want{err: `ClusterProviderConfig "default" does not exist: create it, or name another in spec.providerConfigRef`},
		},
		"OtherNamespace": {
			reason:  "Another namespace's configuration is not found.",
			cluster: asks("ProviderConfig", nil),
			objects: []client.Object{&v1alpha1.ProviderConfig{ObjectMeta: metav1.ObjectMeta{Namespace: "other", Name: "default"}}},
			want:    want{err: `ProviderConfig "default" does not exist in namespace "ops": create it, or name another in spec.providerConfigRef`},
		},
		"NotAllowed": {
			reason:  "A shared configuration may be for some namespaces only.",
			cluster: asks("ClusterProviderConfig", nil),
			objects: []client.Object{func() client.Object {
				pc := shared(v1alpha1.BackendKubeconfig)
				pc.Spec.AllowedNamespaces = []string{"other"}
				return pc
			}()},
			want: want{err: `ClusterProviderConfig "default" may not be used from namespace "ops": add it to its spec.allowedNamespaces, or name another in spec.providerConfigRef`},
		},
		"NoLocal": {
			reason:  "A backend that this process has not says how to get it.",
			cluster: asks("ClusterProviderConfig", nil),
			objects: []client.Object{shared(v1alpha1.BackendLocal)},
			want:    want{err: `backend "local" is not available in this provider: start it with --local-binaries and --local-state`},
		},
		"NoBackend": {
			reason:  "So does one that nobody has.",
			cluster: asks("ClusterProviderConfig", nil),
			objects: []client.Object{shared("moon")},
			want:    want{err: `backend "moon" is not available in this provider`},
		},
		"NoSecret": {
			reason:  "A Secret that is missing is named, by the field of the claim that names it.",
			cluster: asks("ClusterProviderConfig", &v1alpha1.SecretKeySelector{Name: "theirs"}),
			objects: []client.Object{shared(v1alpha1.BackendKubeconfig)},
			want:    want{err: `spec.clusters[].kubeconfigSecretRef: there is no Secret "theirs" in namespace "ops": create it, or correct the name`},
		},
		"NoKey": {
			reason:  "So is a key.",
			cluster: asks("ClusterProviderConfig", &v1alpha1.SecretKeySelector{Name: "theirs", Key: "config"}),
			objects: []client.Object{shared(v1alpha1.BackendKubeconfig), secret("kubeconfig", kubeconfig)},
			want:    want{err: `spec.clusters[].kubeconfigSecretRef: Secret "theirs" has no key "config": add it, or correct the key`},
		},
		"Garbage": {
			reason:  "Garbage is called that.",
			cluster: asks("ClusterProviderConfig", &v1alpha1.SecretKeySelector{Name: "theirs"}),
			objects: []client.Object{shared(v1alpha1.BackendKubeconfig), secret("kubeconfig", "s3cret")},
			want:    want{err: `spec.clusters[].kubeconfigSecretRef: key "kubeconfig" of Secret "theirs": kubeconfig cannot be used: it is not a kubeconfig in YAML or JSON`},
		},
		"GoneAnyway": {
			reason: "A cluster that is let go of need not be reached.",
			cluster: func() *v1alpha1.Cluster {
				c := asks("ClusterProviderConfig", &v1alpha1.SecretKeySelector{Name: "theirs"})
				c.SetDeletionTimestamp(&now)
				return c
			}(),
			objects: []client.Object{shared(v1alpha1.BackendKubeconfig)},
			want:    want{cluster: backend.Cluster{Namespace: "ops", Name: "eu-1", Version: "v1.35.3"}, classes: 1},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := runtime.NewScheme()
			for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, v1alpha1.AddToScheme} {
				if err := add(s); err != nil {
					t.Fatal(err)
				}
			}
			r := &Resolver{
				Hub:      fake.NewClientBuilder().WithScheme(s).WithObjects(tc.objects...).Build(),
				Backends: Backends{v1alpha1.BackendKubeconfig: nil},
			}
			got := want{}
			res, err := r.Resolve(context.Background(), tc.cluster)
			if res != nil {
				got.cluster, got.classes = res.Cluster, len(res.NodeClasses)
			}
			if err != nil {
				got.err = err.Error()
			}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(want{})); diff != "" {
				t.Errorf("\n%s\nResolve(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func asks(kind string, ref *v1alpha1.SecretKeySelector) *v1alpha1.Cluster {
	c := &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: "ops", Name: "eu-1"}}
	c.Spec.ProviderConfigReference = &xpv2.ProviderConfigReference{Kind: kind, Name: "default"}
	c.Spec.ForProvider = v1alpha1.ClusterParameters{KubernetesVersion: "v1.35.3", KubeconfigSecretRef: ref}
	return c
}

func shared(b v1alpha1.BackendName) *v1alpha1.ClusterProviderConfig {
	return &v1alpha1.ClusterProviderConfig{
		ObjectMeta: metav1.ObjectMeta{Name: "default"},
		Spec: v1alpha1.ClusterProviderConfigSpec{ProviderConfigSpec: v1alpha1.ProviderConfigSpec{
			Backend: b, NodeClasses: []v1alpha1.NodeClass{{Name: "tiny"}},
		}},
	}
}

func secret(key, value string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "ops", Name: "theirs"}, Data: map[string][]byte{key: []byte(value)}}
}
