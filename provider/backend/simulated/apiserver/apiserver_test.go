package apiserver_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/mainstay-dev/mainstay/provider/backend/simulated/apiserver"
)

var machinery = apiserver.NewMachinery()

// A world is one cluster, and clients of it.
type world struct {
	cluster *apiserver.Cluster
	config  *rest.Config
	client  client.Client
	typed   kubernetes.Interface
}

func newWorld(t *testing.T) *world {
	t.Helper()
	c := apiserver.New(apiserver.Config{Machinery: machinery, Version: "v1.35.3", Token: "secret", Clock: clock.RealClock{}})
	s := httptest.NewServer(c)
	t.Cleanup(s.Close)
	w := &world{cluster: c, config: &rest.Config{Host: s.URL, BearerToken: "secret", QPS: -1}}
	w.client = w.as(t, rest.ImpersonationConfig{})
	var err error
	if w.typed, err = kubernetes.NewForConfig(w.config); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) as(t *testing.T, who rest.ImpersonationConfig) client.Client {
	t.Helper()
	cfg := rest.CopyConfig(w.config)
	cfg.Impersonate = who
	c, err := client.New(cfg, client.Options{Scheme: scheme.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	m := map[string]any{}
	if err := yaml.Unmarshal([]byte(text), &m); err != nil {
		t.Fatal(err)
	}
	return &unstructured.Unstructured{Object: m}
}

func apply(ctx context.Context, c client.Client, u *unstructured.Unstructured, manager string, opts ...client.ApplyOption) (*unstructured.Unstructured, error) {
	out := u.DeepCopy()
	err := c.Apply(ctx, client.ApplyConfigurationFromUnstructured(out), append(opts, client.FieldOwner(manager))...)
	return out, err
}

const web = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: main, image: "web:1", env: [{name: A, value: a}, {name: B, value: b}], ports: [{containerPort: 80}]}
`

func TestOwnership(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	u := object(t, web)
	first, err := apply(ctx, w.client, u, "mainstay")
	if err != nil {
		t.Fatalf("Apply: %v", err)
	}
	if first.GetGeneration() != 1 || first.GetUID() == "" || len(first.GetManagedFields()) != 1 {
		t.Errorf("Applied: generation %d, uid %q, managers %d", first.GetGeneration(), first.GetUID(), len(first.GetManagedFields()))
	}

	again, err := apply(ctx, w.client, u, "mainstay")
	if err != nil || again.GetResourceVersion() != first.GetResourceVersion() {
		t.Errorf("Applying the same again changes the object: %v, %s, %s", err, first.GetResourceVersion(), again.GetResourceVersion())
	}

	other := object(t, `{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: default}, spec: {replicas: 5}}`)
	if _, err := apply(ctx, w.client, other, "autoscaler"); !kerrors.IsConflict(err) {
		t.Errorf("Apply of another's field: want a conflict, got %v", err)
	}
	forced, err := apply(ctx, w.client, other, "autoscaler", client.ForceOwnership)
	if err != nil || forced.GetGeneration() != 2 {
		t.Errorf("Forced: %v, generation %d", err, forced.GetGeneration())
	}

	// What is dropped from what is applied is dropped from the object, if nobody else owns it.
	fewer := object(t, web)
	containers, _, _ := unstructured.NestedSlice(fewer.Object, "spec", "template", "spec", "containers")
	containers[0].(map[string]any)["env"] = []any{map[string]any{"name": "B", "value": "b"}}
	_ = unstructured.SetNestedSlice(fewer.Object, containers, "spec", "template", "spec", "containers")
	unstructured.RemoveNestedField(fewer.Object, "spec", "replicas")
	got, err := apply(ctx, w.client, fewer, "mainstay")
	if err != nil {
		t.Fatalf("Apply fewer: %v", err)
	}
	d := &appsv1.Deployment{}
	if err := w.client.Get(ctx, client.ObjectKeyFromObject(got), d); err != nil {
		t.Fatal(err)
	}
	want := []corev1.EnvVar{{Name: "B", Value: "b"}}
	if diff := cmp.Diff(want, d.Spec.Template.Spec.Containers[0].Env); diff != "" || *d.Spec.Replicas != 5 {
		t.Errorf("Replicas %d, env -want, +got:\n%s", *d.Spec.Replicas, diff)
	}
}

func TestRefusals(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	if _, err := apply(ctx, w.client, object(t, web), "mainstay"); err != nil {
		t.Fatal(err)
	}
	set := func(v any, path ...string) *unstructured.Unstructured {
		u := object(t, web)
		if err := unstructured.SetNestedField(u.Object, v, path...); err != nil {
			t.Fatal(err)
		}
		return u
	}
	cases := map[string]struct {
		reason string
		u      *unstructured.Unstructured
		is     func(error) bool
	}{
		"Selector":    {"A selector is immutable.", set(map[string]any{"app": "x"}, "spec", "selector", "matchLabels"), kerrors.IsInvalid},
		"NoNamespace": {"There is no such namespace.", set("nowhere", "metadata", "namespace"), kerrors.IsNotFound},
		"Name":        {"A name is a DNS name.", set("Not_A_Name", "metadata", "name"), kerrors.IsInvalid},
		"Label":       {"A label has a form.", set("no good", "metadata", "labels", "x"), kerrors.IsInvalid},
		"Unknown":     {"A field that is in no schema is refused.", set("x", "spec", "replicaz"), func(err error) bool { return err != nil }},
		"Revision":    {"Somebody else was faster.", set("1", "metadata", "resourceVersion"), kerrors.IsConflict},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if _, err := apply(ctx, w.client, tc.u, "mainstay"); !tc.is(err) {
				t.Errorf("%s\nApply(...): got %v", tc.reason, err)
			}
		})
	}
}

func TestPatchesAndUpdates(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	if _, err := apply(ctx, w.client, object(t, web), "mainstay"); err != nil {
		t.Fatal(err)
	}
	deployments := w.typed.AppsV1().Deployments("default")
	for kind, p := range map[types.PatchType]string{
		types.MergePatchType:          `{"spec":{"replicas":3}}`,
		types.StrategicMergePatchType: `{"spec":{"template":{"spec":{"containers":[{"name":"main","image":"web:2"}]}}}}`,
		types.JSONPatchType:           `[{"op":"add","path":"/metadata/annotations","value":{"a":"b"}}]`,
	} {
		if _, err := deployments.Patch(ctx, "web", kind, []byte(p), metav1.PatchOptions{}); err != nil {
			t.Errorf("Patch %s: %v", kind, err)
		}
	}
	d, err := deployments.Get(ctx, "web", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c := d.Spec.Template.Spec.Containers
	if *d.Spec.Replicas != 3 || len(c) != 1 || c[0].Image != "web:2" || len(c[0].Env) != 2 || d.Annotations["a"] != "b" {
		t.Errorf("After patches: %+v", d.Spec)
	}
	stale := d.DeepCopy()
	d.Status.ReadyReplicas = 1
	d.Spec.Replicas = ptr.To[int32](9)
	if d, err = deployments.UpdateStatus(ctx, d, metav1.UpdateOptions{}); err != nil || *d.Spec.Replicas != 3 || d.Status.ReadyReplicas != 1 {
		t.Errorf("UpdateStatus: %v, replicas %d, ready %d", err, *d.Spec.Replicas, d.Status.ReadyReplicas)
	}
	if _, err := deployments.Update(ctx, stale, metav1.UpdateOptions{}); !kerrors.IsConflict(err) {
		t.Errorf("Update of what is old: want a conflict, got %v", err)
	}
	s, err := deployments.GetScale(ctx, "web", metav1.GetOptions{})
	if err != nil || s.Spec.Replicas != 3 {
		t.Fatalf("GetScale: %v, %+v", err, s)
	}
	s.Spec.Replicas = 7
	if s, err = deployments.UpdateScale(ctx, "web", s, metav1.UpdateOptions{}); err != nil || s.Spec.Replicas != 7 {
		t.Errorf("UpdateScale: %v, %+v", err, s)
	}
	dry := d.DeepCopy()
	dry.ResourceVersion, dry.Spec.Replicas = "", ptr.To[int32](1)
	if _, err := deployments.Update(ctx, dry, metav1.UpdateOptions{DryRun: []string{metav1.DryRunAll}}); err != nil {
		t.Errorf("Dry run: %v", err)
	}
	if d, _ = deployments.Get(ctx, "web", metav1.GetOptions{}); *d.Spec.Replicas != 7 {
		t.Errorf("After a dry run: replicas %d", *d.Spec.Replicas)
	}
}

func TestListsAndWatches(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	cms := w.typed.CoreV1().ConfigMaps("default")
	create := func(name, team string) {
		t.Helper()
		if _, err := cms.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"team": team}}}, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	create("a", "x")
	create("b", "y")
	create("c", "x")
	names := func(opts metav1.ListOptions) (out []string, more string) {
		t.Helper()
		l, err := cms.List(ctx, opts)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range l.Items {
			out = append(out, o.Name)
		}
		return out, l.Continue
	}
	for selector, want := range map[string][]string{"team=x": {"a", "c"}, "team in (y)": {"b"}, "!team": {"kube-root-ca.crt"}} {
		if got, _ := names(metav1.ListOptions{LabelSelector: selector}); !cmp.Equal(want, got) {
			t.Errorf("List %s: want %v, got %v", selector, want, got)
		}
	}
	if got, _ := names(metav1.ListOptions{FieldSelector: "metadata.name=b"}); !cmp.Equal([]string{"b"}, got) {
		t.Errorf("List by name: got %v", got)
	}
	got, next := names(metav1.ListOptions{Limit: 3})
	rest, end := names(metav1.ListOptions{Limit: 3, Continue: next})
	if !cmp.Equal([]string{"a", "b", "c", "kube-root-ca.crt"}, append(got, rest...)) || end != "" {
		t.Errorf("Pages: got %v, %v, %q", got, rest, end)
	}

	l, _ := cms.List(ctx, metav1.ListOptions{})
	wa, err := cms.Watch(ctx, metav1.ListOptions{ResourceVersion: l.ResourceVersion, LabelSelector: "team=x"})
	if err != nil {
		t.Fatal(err)
	}
	defer wa.Stop()
	create("d", "y") // Nobody who watches team x sees it,
	d, _ := cms.Get(ctx, "d", metav1.GetOptions{})
	d.Labels["team"] = "x" // before it joins.
	if _, err := cms.Update(ctx, d, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	_ = cms.Delete(ctx, "a", metav1.DeleteOptions{})
	for _, want := range []struct {
		kind watch.EventType
		name string
	}{{watch.Added, "d"}, {watch.Deleted, "a"}} {
		select {
		case e := <-wa.ResultChan():
			if cm, ok := e.Object.(*corev1.ConfigMap); !ok || e.Type != want.kind || cm.Name != want.name {
				t.Errorf("Watch: want %s of %s, got %s of %+v", want.kind, want.name, e.Type, e.Object)
			}
		case <-time.After(5 * time.Second):
			t.Fatalf("Watch: %s of %s does not come", want.kind, want.name)
		}
	}
	if _, err := cms.Watch(ctx, metav1.ListOptions{ResourceVersion: "1"}); !kerrors.IsResourceExpired(err) && !kerrors.IsGone(err) {
		t.Errorf("Watch from long ago: want it expired, got %v", err)
	}
}

func TestDeletion(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	ns := object(t, `{apiVersion: v1, kind: Namespace, metadata: {name: shop}}`)
	cm := object(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: shop, finalizers: [example.org/hold]}}`)
	for _, u := range []*unstructured.Unstructured{ns, cm} {
		if err := w.client.Create(ctx, u); err != nil {
			t.Fatal(err)
		}
	}
	child := object(t, `{apiVersion: v1, kind: Secret, metadata: {name: child, namespace: shop}}`)
	child.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "a", UID: cm.GetUID()}})
	if err := w.client.Create(ctx, child); err != nil {
		t.Fatal(err)
	}
	there := func(u *unstructured.Unstructured) bool {
		err := w.client.Get(ctx, client.ObjectKeyFromObject(u), u.DeepCopy())
		if err != nil && !kerrors.IsNotFound(err) {
			t.Fatal(err)
		}
		return err == nil
	}
	if err := w.client.Delete(ctx, cm, client.Preconditions{UID: ptr.To(types.UID("other"))}); !kerrors.IsConflict(err) {
		t.Errorf("Delete of another: want a conflict, got %v", err)
	}
	if err := w.client.Delete(ctx, ns); err != nil {
		t.Fatal(err)
	}
	if !there(ns) || !there(cm) {
		t.Errorf("A finalizer holds nothing: namespace %t, object %t", there(ns), there(cm))
	}
	if err := w.client.Create(ctx, object(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: late, namespace: shop}}`)); !kerrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		t.Errorf("Create in a namespace that goes: got %v", err)
	}
	if err := w.client.Patch(ctx, cm, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`))); err != nil {
		t.Fatal(err)
	}
	for _, u := range []*unstructured.Unstructured{cm, child, ns} {
		if there(u) {
			t.Errorf("%s %s is left", u.GetKind(), u.GetName())
		}
	}
}

func TestTenants(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	for _, u := range []*unstructured.Unstructured{
		object(t, `{apiVersion: v1, kind: Namespace, metadata: {name: shop}}`),
		object(t, `{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: "mainstay:tenant:a", namespace: shop},
			roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: admin}, subjects: [{kind: User, apiGroup: rbac.authorization.k8s.io, name: "mainstay:tenant:a"}]}`),
	} {
		if _, err := apply(ctx, w.client, u, "mainstay"); err != nil {
			t.Fatal(err)
		}
	}
	tenant := w.as(t, rest.ImpersonationConfig{UserName: "mainstay:tenant:a", Groups: []string{"mainstay:tenants"}})
	u := object(t, web)
	if _, err := apply(ctx, tenant, u, "mainstay"); !kerrors.IsForbidden(err) {
		t.Errorf("Apply where a tenant may not: got %v", err)
	}
	u.SetNamespace("shop")
	if _, err := apply(ctx, tenant, u, "mainstay"); err != nil {
		t.Errorf("Apply where a tenant may: %v", err)
	}
	quota := object(t, `{apiVersion: v1, kind: ResourceQuota, metadata: {name: q, namespace: shop}}`)
	if err := tenant.Create(ctx, quota); !kerrors.IsForbidden(err) {
		t.Errorf("Create of a quota by a tenant: got %v", err)
	}
	if err := tenant.List(ctx, &corev1.NodeList{}); !kerrors.IsForbidden(err) {
		t.Errorf("List of nodes by a tenant: got %v", err)
	}
	for ns, want := range map[string]bool{"shop": true, "default": false} {
		r := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{User: "mainstay:tenant:a",
			ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: ns, Verb: "create", Resource: "configmaps"}}}
		if err := w.client.Create(ctx, r); err != nil || r.Status.Allowed != want {
			t.Errorf("SubjectAccessReview in %s: %v, allowed %t", ns, err, r.Status.Allowed)
		}
	}
	if err := w.client.List(ctx, &rbacv1.RoleBindingList{}, client.HasLabels{"x"}); err != nil {
		t.Errorf("List of bindings: %v", err)
	}
}

func TestCustomKinds(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	crd := object(t, `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: flinks.example.org}
spec:
  group: example.org
  scope: Namespaced
  names: {plural: flinks, kind: Flink, singular: flink, listKind: FlinkList}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
`)
	if _, err := apply(ctx, w.client, crd, "mainstay"); err != nil {
		t.Fatal(err)
	}
	cr := object(t, `{apiVersion: example.org/v1, kind: Flink, metadata: {name: f, namespace: default}, spec: {jobs: [a, b]}}`)
	if _, err := apply(ctx, w.client, cr, "mainstay"); err != nil {
		t.Fatalf("Apply of a custom kind: %v", err)
	}
	m := &metav1.PartialObjectMetadata{}
	m.SetGroupVersionKind(schema.GroupVersionKind{Group: "example.org", Version: "v1", Kind: "Flink"})
	if err := w.client.Get(ctx, client.ObjectKeyFromObject(cr), m); err != nil || m.UID == "" {
		t.Errorf("Metadata of a custom kind: %v, %+v", err, m)
	}

	// All of it survives a restart.
	b, changed := w.cluster.Snapshot()
	restored, err := apiserver.Restore(apiserver.Config{Machinery: machinery, Token: "secret", Clock: clock.RealClock{}}, b)
	if err != nil || !changed {
		t.Fatalf("Restore: %v, %t", err, changed)
	}
	gk := schema.GroupKind{Group: "example.org", Kind: "Flink"}
	if diff := cmp.Diff(w.cluster.Get(gk, "default", "f"), restored.Get(gk, "default", "f")); diff != "" {
		t.Errorf("Restored: -was, +is:\n%s", diff)
	}
	if err := w.client.Delete(ctx, crd); err != nil {
		t.Fatal(err)
	}
	if w.cluster.Get(gk, "default", "f") != nil {
		t.Errorf("An object outlives its definition")
	}
}

func TestStrangers(t *testing.T) {
	w := newWorld(t)
	for path, want := range map[string]int{"/readyz": http.StatusOK, "/api/v1/nodes": http.StatusUnauthorized, "/version": http.StatusUnauthorized} {
		r, err := http.Get(w.config.Host + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Body.Close()
		if r.StatusCode != want {
			t.Errorf("GET %s without a token: want %d, got %d", path, want, r.StatusCode)
		}
	}
}
