package release

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/crossplane/crossplane-runtime/v2/pkg/reconciler/managed"
	rfake "github.com/crossplane/crossplane-runtime/v2/pkg/resource/fake"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/bundle"
	"github.com/mainstay-dev/mainstay/internal/names"
	"github.com/mainstay-dev/mainstay/internal/tenancy"
	"github.com/mainstay-dev/mainstay/provider/backend/backendtest"
	"github.com/mainstay-dev/mainstay/provider/backend/local/controlplane"
	"github.com/mainstay-dev/mainstay/provider/target"
)

// An actual harness is the real managed reconciler between a hub that is a fake and a
// cluster that is not.
type actual struct {
	t          *testing.T
	hub        client.Client
	admin      client.Client
	tenant     client.Client
	reconciler *managed.Reconciler
	plane      *controlplane.ControlPlane
}

// newReal starts a cluster with one node and lets its tenant in.
func newReal(t *testing.T) *actual {
	t.Helper()
	bin, dir := backendtest.Binaries(t), t.TempDir()
	etcd := controlplane.NewEtcd(filepath.Join(dir, "etcd"), bin)
	plane := controlplane.New(controlplane.Config{Name: "eu-1", Dir: filepath.Join(dir, "eu-1"), Binaries: bin, Etcd: etcd, Prefix: "/eu-1", Nodes: true})
	t.Cleanup(func() {
		if err := errors.Join(plane.Destroy(context.Background()), etcd.Destroy(context.Background())); err != nil {
			t.Errorf("cannot clean up: %v", err)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	if err := plane.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	kubeconfig, err := plane.Kubeconfig()
	if err != nil {
		t.Fatal(err)
	}

	s := runtime.NewScheme()
	if err := errors.Join(scheme.AddToScheme(s), v1alpha1.AddToScheme(s)); err != nil {
		t.Fatal(err)
	}
	secret := &corev1.Secret{Data: map[string][]byte{target.KubeconfigKey: kubeconfig}}
	secret.SetNamespace("platform")
	secret.SetName(names.Kubeconfig("prod.eu-1"))
	hub := fake.NewClientBuilder().WithScheme(s).WithStatusSubresource(&v1alpha1.Release{}, &v1alpha1.Cluster{}).WithObjects(newCluster(), secret).Build()
	targets := target.NewClients(hub, clock.RealClock{})

	r := &actual{t: t, hub: hub, plane: plane}
	as := func(tgt target.Target, err error) client.Client {
		r.must(err)
		return tgt.Client()
	}
	r.admin = as(targets.Admin(ctx, newCluster()))
	r.tenant = as(targets.Tenant(ctx, newCluster(), tenant))

	plan := tenancy.Reconcile(tenancy.Grants(newCluster().Spec.ForProvider.Tenants), tenancy.State{})
	for _, o := range plan.Apply {
		co, ok := o.(client.Object)
		if !ok {
			t.Fatalf("%T is not an object", o)
		}
		r.must(r.admin.Create(ctx, co))
	}
	r.must(r.admin.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "team-b"}}))
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-1", Annotations: map[string]string{controlplane.AnnotationFake: controlplane.AnnotationFakeValue}}}
	node.Status.Capacity = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("8"), corev1.ResourceMemory: resource.MustParse("32Gi"), corev1.ResourcePods: resource.MustParse("110")}
	node.Status.Allocatable = node.Status.Capacity
	r.must(r.admin.Create(ctx, node))

	r.reconciler = newReconciler(&rfake.Manager{Client: hub, Scheme: s}, newConnector(hub, hub, targets, clock.RealClock{}), managed.WithManagementPolicies())
	return r
}

func (r *actual) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// on lets another test use the harness.
func (r *actual) on(t *testing.T) *actual {
	t.Helper()
	c := *r
	c.t = t
	return &c
}

// release makes a Release of components, under a name of its own.
func (r *actual) release(name string, components ...bundle.Component) *v1alpha1.Release {
	r.t.Helper()
	rel := newRelease(r.bundle(components...), func(rel *v1alpha1.Release) {
		rel.SetName(name)
		rel.SetUID(types.UID(name))
	})
	r.must(r.hub.Create(r.t.Context(), rel))
	return rel
}

func (r *actual) bundle(components ...bundle.Component) string {
	r.t.Helper()
	b := newBundle(r.t, components...)
	r.must(client.IgnoreAlreadyExists(r.hub.Create(r.t.Context(), b)))
	return b.GetName()
}

// until something is so, reconcile. It returns the Release as it is then, or nil where
// it is gone.
func (r *actual) until(of *v1alpha1.Release, what string, so func(rel *v1alpha1.Release) bool) *v1alpha1.Release {
	r.t.Helper()
	last := &v1alpha1.Release{}
	err := wait.PollUntilContextTimeout(r.t.Context(), 250*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		if _, err := r.reconciler.Reconcile(ctx, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(of)}); err != nil {
			return false, err
		}
		now := &v1alpha1.Release{}
		err := r.hub.Get(ctx, client.ObjectKeyFromObject(of), now)
		if kerrors.IsNotFound(err) {
			last = nil
			return so(nil), nil
		}
		last = now
		return err == nil && so(now), err
	})
	if err != nil {
		_, synced := condition(last, "Synced")
		r.t.Fatalf("it should be %s: %v: %s: %+v", what, err, synced, last.Status.AtProvider)
	}
	return last
}

func healthy(rel *v1alpha1.Release) bool {
	return rel != nil && rel.Status.AtProvider.Health == v1alpha1.Healthy && rel.Status.AtProvider.Bundle == rel.Spec.ForProvider.Bundle
}

func refused(with string) func(rel *v1alpha1.Release) bool {
	return func(rel *v1alpha1.Release) bool {
		synced, message := condition(rel, "Synced")
		return synced == corev1.ConditionFalse && strings.Contains(message, with)
	}
}

func isGone(rel *v1alpha1.Release) bool { return rel == nil }

// get an object of the cluster. It is nil where there is none.
func (r *actual) get(manifest string) *unstructured.Unstructured {
	r.t.Helper()
	u := parse(r.t, manifest)
	err := r.admin.Get(r.t.Context(), client.ObjectKeyFromObject(&u), &u)
	if kerrors.IsNotFound(err) {
		return nil
	}
	r.must(err)
	return &u
}

// TestOnRealCluster does what the other tests do on an API server that has a mind of
// its own: admission, authorization, server-side apply, controllers, a node.
func TestOnRealCluster(t *testing.T) {
	r := newReal(t)

	t.Run("ApplyInOrderRepairPruneRemove", func(t *testing.T) {
		r := r.on(t)
		rel := r.release("shop.order",
			component(t, "web", []string{"db"}, deployment("web", "nginx"), `{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {selector: {app: web}, ports: [{port: 80}]}}`),
			component(t, "db", nil, deployment("db", "pg"), `{apiVersion: v1, kind: Secret, metadata: {name: db}, stringData: {password: x}}`))
		r.until(rel, "seen that web waits", func(rel *v1alpha1.Release) bool {
			if r.get(deploymentRef("db")) == nil {
				return false
			}
			if r.get(deploymentRef("web")) != nil && !healthy(rel) {
				// It may have been quick. Then db must have been healthy before.
				return r.get(deploymentRef("web")).GetCreationTimestamp().After(r.get(deploymentRef("db")).GetCreationTimestamp().Time)
			}
			return true
		})
		r.until(rel, "healthy", healthy)

		before := r.get(deploymentRef("web")).GetResourceVersion()
		r.until(rel, "healthy still", healthy)
		if after := r.get(deploymentRef("web")).GetResourceVersion(); before != after {
			t.Errorf("what is unchanged is not written: got %s, then %s", before, after)
		}

		web := r.get(deploymentRef("web"))
		r.must(unstructured.SetNestedField(web.Object, int64(0), "spec", "replicas"))
		r.must(r.admin.Update(t.Context(), web))
		r.must(r.admin.Delete(t.Context(), r.get(`{apiVersion: v1, kind: Secret, metadata: {name: db, namespace: team-a}}`)))
		r.until(rel, "repaired", func(rel *v1alpha1.Release) bool {
			replicas, _, _ := unstructured.NestedInt64(r.get(deploymentRef("web")).Object, "spec", "replicas")
			return replicas == 1 && r.get(`{apiVersion: v1, kind: Secret, metadata: {name: db, namespace: team-a}}`) != nil
		})

		now := r.until(rel, "healthy again", healthy)
		now.Spec.ForProvider.Bundle = r.bundle(component(t, "db", nil, deployment("db", "pg")))
		r.must(r.hub.Update(t.Context(), now))
		r.until(rel, "pruned", func(rel *v1alpha1.Release) bool { return healthy(rel) && len(rel.Status.AtProvider.Inventory) == 1 })
		if r.get(deploymentRef("web")) != nil || r.get(`{apiVersion: v1, kind: Service, metadata: {name: web, namespace: team-a}}`) != nil {
			t.Errorf("what was dropped is gone")
		}

		r.must(r.hub.Delete(t.Context(), rel))
		r.until(rel, "gone", isGone)
		if r.get(deploymentRef("db")) != nil {
			t.Errorf("and so is what it put there")
		}
	})

	t.Run("TheClusterDecides", func(t *testing.T) {
		r := r.on(t)
		cm := parse(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: x, namespace: team-b}}`)
		if err := r.tenant.Create(t.Context(), &cm); !kerrors.IsForbidden(err) {
			t.Errorf("a tenant may write into its own namespaces only: got %v", err)
		}
		cluster := r.release("shop.cluster", component(t, "a", nil, `{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: all}, rules: [{apiGroups: ["*"], resources: ["*"], verbs: ["*"]}]}`))
		r.until(cluster, "refused", refused(`clusterroles.rbac.authorization.k8s.io "all" is forbidden: User "mainstay:tenant:team-a" cannot`))
		escalate := r.release("shop.escalate", component(t, "a", nil, `{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: all}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}, subjects: [{kind: User, name: x, apiGroup: rbac.authorization.k8s.io}]}`))
		r.until(escalate, "refused", refused("is forbidden"))
		foreign := r.release("shop.foreign", component(t, "a", nil, `{apiVersion: v1, kind: ConfigMap, metadata: {name: x, namespace: team-b}}`))
		r.until(foreign, "refused", refused(`tenant "team-a" may not deploy into namespace "team-b", only into team-a`))
		invalid := r.release("shop.invalid", component(t, "a", nil, `{apiVersion: v1, kind: Service, metadata: {name: Bad_Name}, spec: {ports: [{port: 80}]}}`))
		r.until(invalid, "refused", refused(`cannot apply Service "Bad_Name"`))
		for _, rel := range []*v1alpha1.Release{cluster, escalate, foreign, invalid} {
			r.must(r.hub.Delete(t.Context(), rel))
			r.until(rel, "gone", isGone)
		}
	})

	t.Run("NoTenant", func(t *testing.T) {
		r := r.on(t)
		rel := newRelease("shop.1", func(rel *v1alpha1.Release) { rel.SetNamespace("team-b") })
		r.must(r.hub.Create(t.Context(), rel))
		r.until(rel, "refused", refused(`namespace "team-b" is not a tenant of cluster "eu-1"`))
	})

	t.Run("MissingSecretIsHeld", func(t *testing.T) {
		r := r.on(t)
		rel := r.release("shop.held", component(t, "web", nil, `
apiVersion: v1
kind: Pod
metadata: {name: held}
spec: {containers: [{name: main, image: nginx, envFrom: [{secretRef: {name: late}}]}]}
`))
		r.until(rel, "held", refused(`component "web": Pod "held" needs Secret "late" (spec.containers[name=main].envFrom[0].secretRef.name), which is not in namespace "team-a" of cluster "prod.eu-1"`))
		if r.get(`{apiVersion: v1, kind: Pod, metadata: {name: held, namespace: team-a}}`) != nil {
			t.Errorf("nothing is written before all is there")
		}
		r.must(r.admin.Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: tenant, Name: "late"}}))
		r.until(rel, "healthy", healthy)
	})

	t.Run("OwnershipIsRespected", func(t *testing.T) {
		r := r.on(t)
		first := r.release("shop.first", component(t, "a", nil, configMap("shared", "first")))
		r.until(first, "healthy", healthy)
		second := r.release("shop.second", component(t, "a", nil, configMap("shared", "second")))
		r.until(second, "refused", refused("belongs to Release team-a/shop.first"))
		r.must(r.hub.Delete(t.Context(), second))
		r.until(second, "gone", isGone)
		if got := r.get(configMapRef("shared")); got == nil || got.Object["data"].(map[string]any)["key"] != "first" {
			t.Errorf("what is the first's stays so: got %v", got)
		}
	})

	t.Run("CleanedUpAfterTheTenantWasShutOut", func(t *testing.T) {
		r := r.on(t)
		rel := r.release("shop.evicted", component(t, "a", nil, configMap("evicted", "x")))
		r.until(rel, "healthy", healthy)
		bindings := &unstructured.Unstructured{}
		bindings.SetAPIVersion("rbac.authorization.k8s.io/v1")
		bindings.SetKind("RoleBinding")
		r.must(r.admin.DeleteAllOf(t.Context(), bindings, client.InNamespace(tenant)))
		r.must(r.hub.Delete(t.Context(), rel))
		r.until(rel, "gone", isGone)
		if r.get(configMapRef("evicted")) != nil {
			t.Errorf("what it put there is gone")
		}
	})

	t.Run("UnreachableIsParked", func(t *testing.T) {
		r := r.on(t)
		rel := r.release("shop.parked", component(t, "a", nil, configMap("parked", "x")))
		r.must(r.plane.Stop(t.Context()))
		now := r.until(rel, "parked", refused(`cluster "prod.eu-1" is unreachable`))
		if ready, _ := condition(now, "Ready"); ready != corev1.ConditionUnknown {
			t.Errorf("what cannot be seen is not known: got Ready %s", ready)
		}
	})
}
