package release

import (
	"context"
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
	testingclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/yaml"

	"github.com/crossplane/crossplane-runtime/v2/pkg/reconciler/managed"
	rfake "github.com/crossplane/crossplane-runtime/v2/pkg/resource/fake"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/bundle"
	"github.com/mainstay-dev/mainstay/internal/names"
	"github.com/mainstay-dev/mainstay/provider/target"
)

const (
	tenant      = "team-a"
	application = "shop"
)

// A harness is the real managed reconciler of Releases between a hub and a cluster
// that are both fakes.
type harness struct {
	t     *testing.T
	ctx   context.Context
	clock *testingclock.FakePassiveClock
	hub   client.Client
	far   *cluster
	// hubWrites counts the writes to the hub, farWrites those to the cluster, and farReads
	// what of it was got.
	hubWrites, farWrites, farReads int
	reconciler                     *managed.Reconciler
}

// A cluster is a fake of one.
type cluster struct {
	client.Client

	// silent is what every call ends in, and tenantForbidden what a tenant's do.
	silent          error
	tenantForbidden bool
	admins          int
	noKubeconfig    bool
}

func (c *cluster) Admin(_ context.Context, cr *v1alpha1.Cluster) (target.Target, error) {
	c.admins++
	return c.as(cr, false)
}

func (c *cluster) Tenant(_ context.Context, cr *v1alpha1.Cluster, _ string) (target.Target, error) {
	return c.as(cr, true)
}

func (c *cluster) as(cr *v1alpha1.Cluster, tenant bool) (target.Target, error) {
	if c.noKubeconfig {
		return nil, &target.NotReadyError{Cluster: client.ObjectKeyFromObject(cr), Waits: "its kubeconfig"}
	}
	return &view{cluster: c, tenant: tenant}, nil
}

// A view of a cluster is the cluster as somebody.
type view struct {
	*cluster

	tenant bool
}

func (v *view) Mapper() apimeta.RESTMapper { return v.RESTMapper() }

func (v *view) Client() client.Client {
	check := func(o client.Object) error {
		if v.silent != nil {
			return v.silent
		}
		if v.tenant && v.tenantForbidden {
			return kerrors.NewForbidden(schema.GroupResource{Resource: "things"}, o.GetName(), errors.New("not yours"))
		}
		return nil
	}
	return interceptor.NewClient(v.cluster.Client.(client.WithWatch), interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, k client.ObjectKey, o client.Object, opts ...client.GetOption) error {
			if err := check(o); err != nil {
				return err
			}
			return c.Get(ctx, k, o, opts...)
		},
		List: func(ctx context.Context, c client.WithWatch, l client.ObjectList, opts ...client.ListOption) error {
			if err := check(&metav1.PartialObjectMetadata{}); err != nil {
				return err
			}
			return c.List(ctx, l, opts...)
		},
		Delete: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.DeleteOption) error {
			if err := check(o); err != nil {
				return err
			}
			return c.Delete(ctx, o, opts...)
		},
		Apply: func(ctx context.Context, c client.WithWatch, o runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
			if err := check(&metav1.PartialObjectMetadata{}); err != nil {
				return err
			}
			return c.Apply(ctx, o, opts...)
		},
	})
}

func newHarness(t *testing.T, objects ...client.Object) *harness {
	t.Helper()
	h := &harness{t: t, ctx: t.Context(), clock: testingclock.NewFakePassiveClock(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))}

	s := runtime.NewScheme()
	if err := errors.Join(scheme.AddToScheme(s), v1alpha1.AddToScheme(s)); err != nil {
		t.Fatal(err)
	}
	hub := fake.NewClientBuilder().WithScheme(s).WithStatusSubresource(&v1alpha1.Release{}, &v1alpha1.Cluster{}).WithObjects(objects...).Build()
	h.hub = interceptor.NewClient(hub, interceptor.Funcs{
		SubResourceUpdate: func(ctx context.Context, c client.Client, sub string, o client.Object, opts ...client.SubResourceUpdateOption) error {
			before := &v1alpha1.Release{}
			h.must(c.Get(ctx, client.ObjectKeyFromObject(o), before))
			if r, ok := o.(*v1alpha1.Release); ok && equality.Semantic.DeepEqual(before.Status, r.Status) {
				return nil // An API server does not write what does not change.
			}
			h.hubWrites++
			err := c.SubResource(sub).Update(ctx, o, opts...)
			return err
		},
		Update: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.UpdateOption) error {
			h.hubWrites++
			return c.Update(ctx, o, opts...)
		},
	})

	mapper := apimeta.NewDefaultRESTMapper(nil)
	for gvk := range scheme.Scheme.AllKnownTypes() {
		scope := apimeta.RESTScopeNamespace
		if gvk.Kind == "Namespace" || gvk.Kind == "ClusterRole" {
			scope = apimeta.RESTScopeRoot
		}
		mapper.Add(gvk, scope)
	}
	far := fake.NewClientBuilder().WithScheme(scheme.Scheme).WithRESTMapper(mapper).WithInterceptorFuncs(interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
			h.farReads++
			return c.Get(ctx, key, o, opts...)
		},
		Apply: func(ctx context.Context, c client.WithWatch, o runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
			h.farWrites++
			return c.Apply(ctx, o, opts...)
		},
		Delete: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.DeleteOption) error {
			h.farWrites++
			// The fake takes preconditions for a kind of selector that it does not have.
			return c.Delete(ctx, o)
		},
	}).Build()
	h.far = &cluster{Client: far}
	h.restart(s)
	return h
}

// restart the controller: it forgets everything.
func (h *harness) restart(s *runtime.Scheme) {
	c := newConnector(h.hub, h.hub, h.far, h.clock)
	h.reconciler = newReconciler(&rfake.Manager{Client: h.hub, Scheme: s}, c, managed.WithManagementPolicies())
}

// reconcile the Release once and return what it is then. It is nil once it is gone.
func (h *harness) reconcile() *v1alpha1.Release {
	h.t.Helper()
	key := client.ObjectKeyFromObject(newRelease(""))
	if _, err := h.reconciler.Reconcile(h.ctx, reconcile.Request{NamespacedName: key}); err != nil {
		h.t.Fatalf("Reconcile(...): %v", err)
	}
	r := &v1alpha1.Release{}
	err := h.hub.Get(h.ctx, key, r)
	if kerrors.IsNotFound(err) {
		return nil
	}
	h.must(err)
	return r
}

func (h *harness) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// update the Release's specification.
func (h *harness) update(change func(r *v1alpha1.Release)) {
	h.t.Helper()
	r := &v1alpha1.Release{}
	h.must(h.hub.Get(h.ctx, client.ObjectKeyFromObject(newRelease("")), r))
	change(r)
	r.SetGeneration(r.GetGeneration() + 1)
	h.must(h.hub.Update(h.ctx, r))
}

func (h *harness) updateCluster(change func(c *v1alpha1.Cluster)) {
	h.t.Helper()
	c := newCluster()
	h.must(h.hub.Get(h.ctx, client.ObjectKeyFromObject(c), c))
	change(c)
	h.must(h.hub.Update(h.ctx, c))
}

// bundle of components, put on the hub.
func (h *harness) bundle(components ...bundle.Component) string {
	h.t.Helper()
	b := newBundle(h.t, components...)
	h.must(client.IgnoreAlreadyExists(h.hub.Create(h.ctx, b)))
	return b.GetName()
}

// live object on the cluster. It is nil where there is none.
func (h *harness) live(manifest string) *unstructured.Unstructured {
	h.t.Helper()
	u := parse(h.t, manifest)
	err := h.far.Get(h.ctx, client.ObjectKeyFromObject(&u), &u)
	if kerrors.IsNotFound(err) {
		return nil
	}
	h.must(err)
	return &u
}

// edit an object on the cluster, the way somebody else would.
func (h *harness) edit(manifest string, change func(u *unstructured.Unstructured)) {
	h.t.Helper()
	u := h.live(manifest)
	if u == nil {
		h.t.Fatalf("there is no %s", manifest)
	}
	change(u)
	h.must(h.far.Update(h.ctx, u))
}

// run the Deployment the way its controller would.
func (h *harness) run(name string) {
	h.t.Helper()
	u := h.live(deploymentRef(name))
	if u == nil {
		h.t.Fatalf("there is no Deployment %q", name)
	}
	u.Object["status"] = map[string]any{
		"observedGeneration": u.GetGeneration(), "replicas": int64(1), "updatedReplicas": int64(1), "availableReplicas": int64(1), "readyReplicas": int64(1),
		"conditions": []any{map[string]any{"type": "Available", "status": "True"}, map[string]any{"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}},
	}
	h.must(h.far.Status().Update(h.ctx, u))
}

func deploymentRef(name string) string {
	return `{apiVersion: apps/v1, kind: Deployment, metadata: {name: ` + name + `, namespace: team-a}}`
}

func configMapRef(name string) string {
	return `{apiVersion: v1, kind: ConfigMap, metadata: {name: ` + name + `, namespace: team-a}}`
}

func parse(t testing.TB, manifest string) unstructured.Unstructured {
	t.Helper()
	u := unstructured.Unstructured{}
	raw, err := yaml.YAMLToJSON([]byte(manifest))
	if err != nil {
		t.Fatal(err)
	}
	if err := u.UnmarshalJSON(raw); err != nil {
		t.Fatal(err)
	}
	return u
}

func component(t *testing.T, name string, deps []string, manifests ...string) bundle.Component {
	t.Helper()
	c := bundle.Component{Name: name, Type: "webservice", DependsOn: deps}
	for _, m := range manifests {
		c.Objects = append(c.Objects, parse(t, m))
	}
	return c
}

func deployment(name, image string) string {
	return `
apiVersion: apps/v1
kind: Deployment
metadata: {name: ` + name + `}
spec:
  replicas: 1
  selector: {matchLabels: {app: ` + name + `}}
  template:
    metadata: {labels: {app: ` + name + `}}
    spec: {containers: [{name: main, image: "` + image + `"}]}
`
}

func configMap(name, value string) string {
	return `{apiVersion: v1, kind: ConfigMap, metadata: {name: ` + name + `}, data: {key: ` + value + `}}`
}

func newBundle(t *testing.T, components ...bundle.Component) *v1alpha1.Bundle {
	t.Helper()
	sealed, err := bundle.New(application, bundle.Content{Components: components})
	if err != nil {
		t.Fatal(err)
	}
	b := sealed[0]
	b.SetNamespace(tenant)
	b.SetUID(types.UID(b.Spec.Digest))
	return b
}

func newCluster(o ...func(c *v1alpha1.Cluster)) *v1alpha1.Cluster {
	c := &v1alpha1.Cluster{}
	c.SetNamespace("platform")
	c.SetName("prod.eu-1")
	c.SetUID("cluster-uid")
	c.SetFinalizers([]string{managed.FinalizerName})
	c.Spec.ForProvider = v1alpha1.ClusterParameters{Fleet: "prod", Name: "eu-1", Tenants: []v1alpha1.Tenant{{Namespace: tenant}}}
	for _, fn := range o {
		fn(c)
	}
	return c
}

func newRelease(bundleName string, o ...func(r *v1alpha1.Release)) *v1alpha1.Release {
	r := &v1alpha1.Release{}
	r.SetNamespace(tenant)
	r.SetName(names.Release(application, "platform", "prod.eu-1"))
	r.SetUID("release-uid")
	r.SetGeneration(1)
	r.SetFinalizers([]string{managed.FinalizerName})
	r.Spec.ManagementPolicies = xpv2.ManagementPolicies{xpv2.ManagementActionAll}
	r.Spec.ForProvider = v1alpha1.ReleaseParameters{
		ClusterRef:  v1alpha1.ClusterReference{Namespace: "platform", Name: "prod.eu-1"},
		Application: application,
		Bundle:      bundleName,
		Namespace:   tenant,
	}
	for _, fn := range o {
		fn(r)
	}
	return r
}

func condition(r *v1alpha1.Release, kind string) (corev1.ConditionStatus, string) {
	for _, c := range r.Status.Conditions {
		if string(c.Type) == kind {
			return c.Status, c.Message
		}
	}
	return "", ""
}
