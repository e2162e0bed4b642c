package snapshot

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
	testingclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/preflight"
	"github.com/mainstay-dev/mainstay/provider/target"
)

// A world is one cluster, a fake, and how often it was read.
type world struct {
	far client.WithWatch

	reads int
	fails error
}

func (w *world) Admin(context.Context, *v1alpha1.Cluster) (target.Target, error) { return w, nil }
func (w *world) Tenant(context.Context, *v1alpha1.Cluster, string) (target.Target, error) {
	return w, nil
}
func (w *world) Mapper() meta.RESTMapper { return w.far.RESTMapper() }
func (w *world) Client() client.Client {
	return interceptor.NewClient(w.far, interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, k client.ObjectKey, o client.Object, opts ...client.GetOption) error {
			w.reads++
			if w.fails != nil {
				return w.fails
			}
			return c.Get(ctx, k, o, opts...)
		},
		List: func(ctx context.Context, c client.WithWatch, l client.ObjectList, opts ...client.ListOption) error {
			w.reads++
			if w.fails != nil {
				return w.fails
			}
			// The fake has no index of phases.
			kept := opts[:0:0]
			for _, o := range opts {
				if _, ok := o.(client.MatchingFieldsSelector); !ok {
					kept = append(kept, o)
				}
			}
			return c.List(ctx, l, kept...)
		},
	})
}

func newWorld(objects ...client.Object) *world {
	mapper := meta.NewDefaultRESTMapper(scheme.Scheme.PrioritizedVersionsAllGroups())
	for gvk := range scheme.Scheme.AllKnownTypes() {
		scope := meta.RESTScopeNamespace
		if gvk.Kind == "Namespace" || gvk.Kind == "Node" || strings.HasSuffix(gvk.Kind, "Class") {
			scope = meta.RESTScopeRoot
		}
		mapper.Add(gvk, scope)
	}
	return &world{far: fake.NewClientBuilder().WithScheme(scheme.Scheme).WithRESTMapper(mapper).WithObjects(objects...).Build()}
}

const secretValue = "do-not-keep-me"

func objects() []client.Object {
	in := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: "team-a", Name: name} }
	return []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "team-a", Labels: map[string]string{"a": "b"}}},
		&corev1.Secret{ObjectMeta: in("db"), Type: corev1.SecretTypeOpaque, Data: map[string][]byte{"password": []byte(secretValue)}},
		&corev1.ConfigMap{ObjectMeta: in("settings"), Data: map[string]string{"b": "1", "a": "2"}},
		&corev1.ServiceAccount{ObjectMeta: in("robot")},
		&storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: "disk", Annotations: map[string]string{"storageclass.kubernetes.io/is-default-class": "true"}}},
		&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n", Labels: map[string]string{"zone": "a"}}, Status: corev1.NodeStatus{
			Allocatable: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("4")}, NodeInfo: corev1.NodeSystemInfo{Architecture: "amd64", KubeletVersion: "v1.35.3"},
		}},
		&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "other", Name: "p"}, Spec: corev1.PodSpec{NodeName: "n", Containers: []corev1.Container{{
			Name: "c", Ports: []corev1.ContainerPort{{Name: "http", HostPort: 80, ContainerPort: 80, Protocol: corev1.ProtocolTCP}},
			Env:       []corev1.EnvVar{{Name: "S", Value: secretValue}},
			Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")}},
		}}}},
	}
}

func needs() preflight.Needs {
	key := func(name string) types.NamespacedName {
		return types.NamespacedName{Namespace: "team-a", Name: name}
	}
	secret := preflight.ObjectKey{GroupKind: schema.GroupKind{Kind: "Secret"}, NamespacedName: key("db")}
	return preflight.Needs{
		Namespaces: []string{"team-a", "nowhere"}, Pods: true, Storage: true,
		ConfigMaps: []types.NamespacedName{key("settings"), key("gone")}, Secrets: []types.NamespacedName{key("db")},
		ServiceAccounts: []types.NamespacedName{key("robot"), key("gone")},
		Kinds:           []schema.GroupVersionKind{{Group: "apps", Version: "v1", Kind: "Deployment"}, {Version: "v1", Kind: "Secret"}, {Group: "policy", Version: "v1alpha9", Kind: "PodDisruptionBudget"}, {Group: "nowhere.io", Version: "v1", Kind: "Thing"}},
		Objects:         []preflight.ObjectRef{{ObjectKey: secret, Version: "v1"}},
	}
}

func aCluster() *v1alpha1.Cluster {
	c := &v1alpha1.Cluster{}
	c.SetNamespace("fleets")
	c.SetName("eu.one")
	c.SetUID("1")
	c.Status.AtProvider.Version = "v1.35.3"
	return c
}

func TestSnapshot(t *testing.T) {
	clock := testingclock.NewFakePassiveClock(time.Unix(1000, 0))
	w := newWorld(objects()...)
	cache := New(w, clock, func() float64 { return 0 }, nil)
	get := func(growing bool) *preflight.Snapshot {
		t.Helper()
		s, err := cache.Snapshot(t.Context(), aCluster(), growing, needs())
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := get(false)
	key := func(name string) types.NamespacedName {
		return types.NamespacedName{Namespace: "team-a", Name: name}
	}
	if diff := cmp.Diff(map[types.NamespacedName]*preflight.Secret{key("db"): {Type: corev1.SecretTypeOpaque, Keys: []string{"password"}}}, s.Secrets); diff != "" {
		t.Errorf("Secrets: -want, +got:\n%s", diff)
	}
	if diff := cmp.Diff(map[types.NamespacedName]*preflight.ConfigMap{key("settings"): {Keys: []string{"a", "b"}}, key("gone"): nil}, s.ConfigMaps); diff != "" {
		t.Errorf("ConfigMaps: -want, +got:\n%s", diff)
	}
	if diff := cmp.Diff(map[string]*preflight.Namespace{"team-a": {Labels: map[string]string{"a": "b"}}, "nowhere": nil}, s.Namespaces); diff != "" {
		t.Errorf("Namespaces: -want, +got:\n%s", diff)
	}
	if s.Minor != 35 || !s.Storage.Default || s.ServiceAccounts[key("robot")] == nil || s.ServiceAccounts[key("gone")] != nil {
		t.Errorf("Snapshot(...): got %+v", s)
	}
	if len(s.Capacity.Nodes) != 1 || len(s.Capacity.Pods) != 1 || s.Capacity.Elastic || s.Capacity.Pods[0].Ports[0].Port != 80 {
		t.Errorf("Capacity: got %+v", s.Capacity)
	}
	if _, ok := s.Kinds.Served[schema.GroupVersionKind{Group: "policy", Version: "v1", Kind: "PodDisruptionBudget"}]; !ok {
		t.Errorf("Kinds: a kind that is served in another version is not told: %v", s.Kinds)
	}

	// No value of a Secret is anywhere, and nothing of another tenant's pods but what they take.
	if kept := dump(cache, s); strings.Contains(kept, secretValue) || !strings.Contains(kept, "password") {
		t.Errorf("a value of a Secret is kept: %s", kept)
	}

	// What is remembered is not read again, until it is old.
	reads := w.reads
	if again := get(false); w.reads != reads || again.Generation != s.Generation {
		t.Errorf("Snapshot(...): read %d times again", w.reads-reads)
	}
	clock.SetTime(clock.Now().Add(TTL))
	if again := get(false); w.reads == reads || again.Generation != s.Generation {
		t.Errorf("Snapshot(...): want it read again, and its generation unchanged")
	}
	if err := w.far.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "gone"}}); err != nil {
		t.Fatal(err)
	}
	clock.SetTime(clock.Now().Add(TTL))
	if again := get(false); again.Generation == s.Generation || again.ConfigMaps[key("gone")] == nil {
		t.Errorf("Snapshot(...): a change is not seen")
	}
	n := needs()
	n.Elastic = true
	if err := w.far.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "cluster-autoscaler-status"}}); err != nil {
		t.Fatal(err)
	}
	if scaled, err := cache.Snapshot(t.Context(), aCluster(), false, n); err != nil || !scaled.Capacity.Elastic {
		t.Errorf("Snapshot(...): a cluster with an autoscaler is not elastic: %v", err)
	}
	if grown := get(true); !grown.Capacity.Elastic {
		t.Errorf("Snapshot(...): a cluster that grows is not elastic")
	}
}

// TestFirstNode of a cluster that was started a moment ago is seen at once.
func TestFirstNode(t *testing.T) {
	w := newWorld()
	cache := New(w, testingclock.NewFakePassiveClock(time.Unix(1000, 0)), func() float64 { return 0 }, nil)
	nodes := func() int {
		t.Helper()
		s, err := cache.Snapshot(t.Context(), aCluster(), false, preflight.Needs{Pods: true})
		if err != nil {
			t.Fatal(err)
		}
		return len(s.Capacity.Nodes)
	}
	if got := nodes(); got != 0 {
		t.Fatalf("there are none yet, got %d", got)
	}
	if err := w.far.Create(t.Context(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n"}}); err != nil {
		t.Fatal(err)
	}
	if got := nodes(); got != 1 {
		t.Errorf("that there was none must not be remembered, got %d", got)
	}
}

// dump of all that is kept of a cluster, and of a snapshot.
func dump(c *Cache, s *preflight.Snapshot) string {
	out := &strings.Builder{}
	fmt.Fprintf(out, "%+v", s.Capacity)
	for key, p := range c.cluster(aCluster()).parts {
		raw, err := json.Marshal(p.value)
		fmt.Fprintln(out, key, string(raw), err)
	}
	return out.String()
}

func TestSnapshotErrors(t *testing.T) {
	cases := map[string]struct {
		reason  string
		err     error
		wantErr bool
	}{
		"Forbidden":   {reason: "What may not be read is unknown.", err: kerrors.NewForbidden(schema.GroupResource{}, "x", nil)},
		"Unreachable": {reason: "A cluster that does not answer is an error.", err: &target.UnreachableError{Err: context.DeadlineExceeded}, wantErr: true},
		"TooMany":     {reason: "One that is busy is asked again.", err: kerrors.NewTooManyRequestsError("busy"), wantErr: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(objects()...)
			w.fails = tc.err
			cache := New(w, testingclock.NewFakePassiveClock(time.Unix(1000, 0)), func() float64 { return 0 }, nil)
			s, err := cache.Snapshot(t.Context(), aCluster(), false, needs())
			if (err != nil) != tc.wantErr {
				t.Fatalf("\n%s\nSnapshot(...): %v", tc.reason, err)
			}
			if err == nil && (s.Capacity != nil || len(s.Secrets)+len(s.ConfigMaps)+len(s.Namespaces) > 0) {
				t.Errorf("\n%s\nSnapshot(...): got %+v", tc.reason, s)
			}
		})
	}
}

func TestImages(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	ref, err := name.ParseReference(host + "/app:1.0")
	if err != nil {
		t.Fatal(err)
	}
	index := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: empty.Image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "arm64"}}})
	if err := remote.WriteIndex(ref, index); err != nil {
		t.Fatal(err)
	}
	clock := testingclock.NewFakePassiveClock(time.Unix(1000, 0))
	images := NewImages(clock, server.Client().Transport)
	got := images.look(t.Context(), []string{host + "/app:1.0", host + "/app:2.0", "NOT A NAME"})
	want := map[string]*preflight.Image{host + "/app:1.0": {Platforms: []string{"linux/arm64"}}, host + "/app:2.0": {Missing: true}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("look(...): -want, +got:\n%s", diff)
	}
	server.Close()
	if diff := cmp.Diff(want, images.look(t.Context(), []string{host + "/app:1.0", host + "/app:2.0"})); diff != "" {
		t.Errorf("look(...): an answer is not remembered: -want, +got:\n%s", diff)
	}
	clock.SetTime(clock.Now().Add(imageTTL))
	if got := images.look(t.Context(), []string{host + "/app:1.0"}); len(got) > 0 {
		t.Errorf("look(...): a registry that does not answer says nothing: got %v", got)
	}
	// This host is not a registry, whatever a tenant says.
	if got := NewImages(clock, nil).ask(t.Context(), host+"/app:2.0"); got.image != nil || got.digest != "" || got.why != noAnswer {
		t.Errorf("ask(...): got %v", got)
	}
}
