package controller

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	xpcontroller "github.com/crossplane/crossplane-runtime/v2/pkg/controller"
	"github.com/crossplane/crossplane-runtime/v2/pkg/feature"
	"github.com/crossplane/crossplane-runtime/v2/pkg/gate"
	"github.com/crossplane/crossplane-runtime/v2/pkg/logging"
	"github.com/crossplane/crossplane-runtime/v2/pkg/ratelimiter"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	apisv1alpha1 "github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/provider/backend/backendtest"
	"github.com/mainstay-dev/mainstay/provider/backend/kubeconfig"
	"github.com/mainstay-dev/mainstay/provider/backend/local"
	"github.com/mainstay-dev/mainstay/provider/backend/local/controlplane"
	"github.com/mainstay-dev/mainstay/provider/controller/providerconfig"
	"github.com/mainstay-dev/mainstay/provider/repo"
	"github.com/mainstay-dev/mainstay/provider/target"
)

// patience is how long the world may take to become as it is wanted. It ends early.
const patience = 90 * time.Second

// holder keeps a Release from going, as something on its cluster would.
const holder = "test.mainstay.dev/holds"

// TestClusters takes clusters through their life on a real hub, made of real control
// planes by the backend local. Its steps build on each other.
func TestClusters(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()

	t.Run("StartsSafely", func(t *testing.T) {
		// The controllers have been waiting for these definitions.
		if _, err := envtest.InstallCRDs(w.hubConfig, envtest.CRDInstallOptions{Paths: []string{"../../package/provider/crds"}}); err != nil {
			t.Fatal(err)
		}
		for _, ns := range []string{"ops", "shop"} {
			w.create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}})
		}
		w.create(t, &v1alpha1.ClusterProviderConfig{
			ObjectMeta: metav1.ObjectMeta{Name: "default"},
			Spec:       v1alpha1.ClusterProviderConfigSpec{ProviderConfigSpec: v1alpha1.ProviderConfigSpec{Backend: v1alpha1.BackendLocal}},
		})
	})

	cr := &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: "ops", Name: "analytics.eu-1"}}
	cr.Spec.ForProvider = v1alpha1.ClusterParameters{Fleet: "analytics", Name: "eu-1", Tenants: []v1alpha1.Tenant{
		{Namespace: "shop", TargetNamespaces: []string{"shop", "shop-jobs"}, Quota: map[string]resource.Quantity{"limits.cpu": resource.MustParse("4")}},
		{Namespace: "web"},
	}}
	pool := &v1alpha1.NodePool{ObjectMeta: metav1.ObjectMeta{Namespace: "ops", Name: "analytics.eu-1.workers"}}
	pool.Spec.ForProvider = v1alpha1.NodePoolParameters{Cluster: cr.GetName(), Name: "workers", Class: "general", Size: 2}

	t.Run("BecomesReady", func(t *testing.T) {
		writes := w.count(t)
		w.create(t, cr, pool)
		w.until(t, "cluster and nodes are ready", func() error {
			return first(w.has(cr, xpv2.TypeReady, corev1.ConditionTrue, ""), w.has(pool, xpv2.TypeReady, corev1.ConditionTrue, ""))
		})
		if diff := cmp.Diff([]string{"shop", "web"}, cr.Status.AtProvider.Tenants); diff != "" {
			t.Errorf("tenants: -want, +got:\n%s", diff)
		}
		// Of the finalizer, of its first status, and of few messages on the way. Each
		// costs core's circuit breaker.
		if got := writes(cr.GetName()); got > 6 {
			t.Errorf("it took %d writes of the Cluster, want no more than 6", got)
		}
		w.until(t, "the configuration counts its user", func() error {
			pc := &v1alpha1.ClusterProviderConfig{}
			return first(w.hub.Get(ctx, types.NamespacedName{Name: "default"}, pc), equal(int64(1), pc.Status.Users))
		})
	})

	t.Run("TenantsKeepToTheirNamespaces", func(t *testing.T) {
		shop, web := w.tenant(t, cr, "shop"), w.tenant(t, cr, "web")
		for _, ns := range []string{"shop", "shop-jobs"} {
			if err := shop.Create(ctx, configMap(ns)); err != nil {
				t.Errorf("a tenant may act in its namespace: %v", err)
			}
		}
		for what, err := range map[string]error{
			"another's namespace":      web.Create(ctx, configMap("shop")),
			"a namespace of nobody":    shop.Create(ctx, configMap("default")),
			"Secrets of the system":    shop.List(ctx, &corev1.SecretList{}, client.InNamespace("kube-system")),
			"what has no namespace":    shop.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "more"}}),
			"its own quota":            shop.DeleteAllOf(ctx, &corev1.ResourceQuota{}, client.InNamespace("shop")),
			"what all namespaces have": shop.List(ctx, &corev1.ConfigMapList{}),
		} {
			if !kerrors.IsForbidden(err) {
				t.Errorf("%s must be forbidden, got %v", what, err)
			}
		}
	})

	t.Run("RepairsAndRevokes", func(t *testing.T) {
		admin := w.admin(t, cr)
		if err := admin.Delete(ctx, &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "mainstay"}}); err != nil {
			t.Fatal(err)
		}
		w.until(t, "the quota is back", func() error {
			return admin.Get(ctx, types.NamespacedName{Namespace: "shop", Name: "mainstay"}, &corev1.ResourceQuota{})
		})
		w.change(t, cr, func() { cr.Spec.ForProvider.Tenants = cr.Spec.ForProvider.Tenants[:1] })
		web := w.tenant(t, cr, "web")
		w.until(t, "a tenant that left is locked out", func() error {
			if err := web.List(ctx, &corev1.ConfigMapList{}, client.InNamespace("web")); !kerrors.IsForbidden(err) {
				return fmt.Errorf("want forbidden, got %w", err)
			}
			return nil
		})
		if err := admin.Get(ctx, types.NamespacedName{Name: "web"}, &corev1.Namespace{}); err != nil {
			t.Errorf("its namespace stays: %v", err)
		}
	})

	t.Run("RefusesVersion", func(t *testing.T) {
		w.change(t, cr, func() { cr.Spec.ForProvider.KubernetesVersion = "v1.99.0" })
		w.until(t, "a version that nobody has is refused", func() error {
			return first(w.has(cr, xpv2.TypeSynced, corev1.ConditionFalse, "v1.99.0"), w.has(cr, xpv2.TypeReady, corev1.ConditionTrue, ""))
		})
		w.change(t, cr, func() { cr.Spec.ForProvider.KubernetesVersion = "" })
		w.until(t, "all is well again", func() error { return w.has(cr, xpv2.TypeSynced, corev1.ConditionTrue, "") })
	})

	t.Run("IsDrained", func(t *testing.T) {
		r := &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "storefront.ops.analytics.eu-1", Finalizers: []string{holder}}}
		r.Spec.ForProvider = v1alpha1.ReleaseParameters{
			ClusterRef:  v1alpha1.ClusterReference{Namespace: "ops", Name: cr.GetName()},
			Application: "storefront", Bundle: "storefront.0123456789ab", Namespace: "shop",
		}
		w.create(t, r)
		w.until(t, "the Release is counted", func() error {
			return first(w.get(cr), equal([]string{"shop/storefront"}, cr.Status.AtProvider.Applications))
		})

		// As the garbage collector deletes it where its claim is: what it owns goes first.
		for _, o := range []client.Object{cr, pool} {
			if err := w.hub.Delete(ctx, o, client.PropagationPolicy(metav1.DeletePropagationForeground)); err != nil {
				t.Fatal(err)
			}
		}
		w.until(t, "the cluster waits for the Release, with its Secret", func() error {
			s := &corev1.Secret{}
			if err := w.hub.Get(ctx, types.NamespacedName{Namespace: "ops", Name: "analytics.eu-1.kubeconfig"}, s); err != nil {
				return err
			}
			return first(w.get(cr), equal([]string{"finalizer.managedresource.crossplane.io"}, cr.GetFinalizers()),
				equal("waits for 1 Release to leave: shop/storefront", cr.Status.AtProvider.Message))
		})
		w.until(t, "its nodes do not wait", func() error { return w.gone(pool) })
		if err := w.admin(t, cr).List(ctx, &corev1.NodeList{}); err != nil {
			t.Errorf("a cluster that is drained must live: %v", err)
		}

		if err := w.hub.Delete(ctx, r); err != nil {
			t.Fatal(err)
		}
		w.change(t, r, func() { r.SetFinalizers(without(r.GetFinalizers(), holder)) })
		w.until(t, "cluster and Release are gone", func() error { return first(w.gone(r), w.gone(cr)) })
	})

	t.Run("AdoptsAndLetsGo", func(t *testing.T) { w.adopt(t) })

	t.Run("LeavesNothing", func(t *testing.T) {
		left, err := filepath.Glob(filepath.Join(w.state, "*", "*"))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string(nil), left); diff != "" {
			t.Errorf("state: -want, +got:\n%s", diff)
		}
		pc := &v1alpha1.ClusterProviderConfig{ObjectMeta: metav1.ObjectMeta{Name: "default"}}
		if err := w.hub.Delete(ctx, pc); err != nil {
			t.Fatal(err)
		}
		w.until(t, "the configuration is no longer used", func() error { return w.gone(pc) })
	})
}

// adopt the hub itself, and let go of it.
func (w *world) adopt(t *testing.T) {
	t.Helper()
	w.create(t, &v1alpha1.ProviderConfig{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ops", Name: "adopted"},
		Spec:       v1alpha1.ProviderConfigSpec{Backend: v1alpha1.BackendKubeconfig},
	})
	cr := &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: "ops", Name: "theirs.hub"}}
	cr.Spec.ProviderConfigReference = &xpv2.ProviderConfigReference{Kind: "ProviderConfig", Name: "adopted"}
	cr.Spec.ForProvider = v1alpha1.ClusterParameters{
		Fleet: "theirs", Name: "hub", Tenants: []v1alpha1.Tenant{{Namespace: "shop"}},
		KubeconfigSecretRef: &v1alpha1.SecretKeySelector{Name: "theirs"},
	}
	w.create(t, cr)
	w.until(t, "the Secret that is missing is named", func() error {
		return w.has(cr, xpv2.TypeSynced, corev1.ConditionFalse, `spec.clusters[].kubeconfigSecretRef: there is no Secret "theirs" in namespace "ops"`)
	})
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "ops", Name: "theirs"}, Data: map[string][]byte{"kubeconfig": []byte("garbage")}}
	w.create(t, s)
	w.until(t, "garbage is called that", func() error {
		return w.has(cr, xpv2.TypeSynced, corev1.ConditionFalse, "kubeconfig cannot be used")
	})
	w.change(t, s, func() { s.Data["kubeconfig"] = w.hubKubeconfig })
	w.until(t, "the cluster is adopted", func() error {
		return first(w.has(cr, xpv2.TypeReady, corev1.ConditionTrue, ""), w.has(cr, xpv2.TypeSynced, corev1.ConditionTrue, ""))
	})
	if err := w.tenant(t, cr, "shop").Create(t.Context(), configMap("shop")); err != nil {
		t.Errorf("a tenant may act in its namespace: %v", err)
	}

	if err := w.hub.Delete(t.Context(), cr); err != nil {
		t.Fatal(err)
	}
	w.until(t, "the cluster is let go of", func() error { return w.gone(cr) })
	b := &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "mainstay:tenant:shop"}}
	if err := w.gone(b); err != nil {
		t.Errorf("its tenants have left: %v", err)
	}
	if err := w.get(configMap("shop")); err != nil {
		t.Errorf("what they had is left alone: %v", err)
	}
}

// A world is a hub with controllers, and the clusters they make.
type world struct {
	hub           client.WithWatch
	hubConfig     *rest.Config
	hubKubeconfig []byte
	state         string
	targets       *target.Clients
}

func newWorld(t *testing.T) *world {
	t.Helper()
	ctrl.SetLogger(logr.Discard())
	dir, bin := t.TempDir(), backendtest.Binaries(t)
	w := &world{state: filepath.Join(dir, "clusters")}
	w.hubConfig, w.hubKubeconfig = startHub(t, dir, bin)

	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{scheme.AddToScheme, apiextensionsv1.AddToScheme, v1alpha1.AddToScheme, apisv1alpha1.AddToScheme} {
		if err := add(s); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if w.hub, err = client.NewWithWatch(w.hubConfig, client.Options{Scheme: s}); err != nil {
		t.Fatal(err)
	}
	w.targets = target.NewClients(w.hub, clock.RealClock{})
	b, err := local.New(local.Config{Binaries: bin, State: w.state})
	if err != nil {
		t.Fatal(err)
	}

	mgr, err := ctrl.NewManager(ratelimiter.LimitRESTConfig(w.hubConfig, 100), ctrl.Options{
		Scheme:  s,
		Client:  client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}}}},
		Metrics: metricsserver.Options{BindAddress: "0"},
	})
	if err != nil {
		t.Fatal(err)
	}
	o := xpcontroller.Options{
		Logger:                  logging.NewNopLogger(),
		GlobalRateLimiter:       ratelimiter.NewGlobal(100),
		PollInterval:            2 * time.Second,
		MaxConcurrentReconciles: 5,
		Features:                &feature.Flags{},
		Gate:                    new(gate.Gate[schema.GroupVersionKind]),
	}
	o.Features.Enable(feature.EnableBetaManagementPolicies)
	d := Deps{
		Backends: providerconfig.Backends{v1alpha1.BackendLocal: b, v1alpha1.BackendKubeconfig: kubeconfig.New()},
		Targets:  target.NewClients(mgr.GetClient(), clock.RealClock{}),
		Workers:  Workers{Clusters: 5, NodePools: 5, Releases: 5, Rollouts: 5},
		// Nobody has a Repository here.
		Repositories: repo.NewPool(mgr.GetClient(), t.TempDir(), clock.RealClock{}.Now),
	}
	if err := SetupGated(mgr, o, d, func(err error) { t.Error(err) }); err != nil {
		t.Fatal(err)
	}
	run(t, mgr)
	return w
}

// run a manager until the test ends.
func run(t *testing.T, mgr ctrl.Manager) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- mgr.Start(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// startHub starts a control plane that collects garbage.
func startHub(t *testing.T, dir, bin string) (*rest.Config, []byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	e := controlplane.NewEtcd(filepath.Join(dir, "etcd"), bin)
	c := controlplane.New(controlplane.Config{Name: "hub", Dir: filepath.Join(dir, "hub"), Binaries: bin, Etcd: e, Prefix: "/hub"})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := first(c.Discard(ctx), e.Destroy(ctx)); err != nil {
			t.Error(err)
		}
	})
	if err := c.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	cfg, err := c.RESTConfig()
	if err != nil {
		t.Fatal(err)
	}
	kc, err := c.Kubeconfig()
	if err != nil {
		t.Fatal(err)
	}
	return cfg, kc
}

func (w *world) create(t *testing.T, objects ...client.Object) {
	t.Helper()
	for _, o := range objects {
		if err := w.hub.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
}

// change an object, whoever else does so too.
func (w *world) change(t *testing.T, o client.Object, change func()) {
	t.Helper()
	w.until(t, "the object can be changed", func() error {
		if err := w.get(o); err != nil {
			return err
		}
		change()
		return w.hub.Update(t.Context(), o)
	})
}

// until something is as it should be.
func (w *world) until(t *testing.T, what string, is func() error) {
	t.Helper()
	var last error
	if err := wait.PollUntilContextTimeout(t.Context(), 200*time.Millisecond, patience, true, func(context.Context) (bool, error) {
		last = is()
		return last == nil, nil
	}); err != nil {
		t.Fatalf("waited in vain until %s: %v", what, last)
	}
}

func (w *world) get(o client.Object) error {
	return w.hub.Get(context.Background(), client.ObjectKeyFromObject(o), o)
}

func (w *world) gone(o client.Object) error {
	err := w.get(o)
	if kerrors.IsNotFound(err) {
		return nil
	}
	return fmt.Errorf("%s is still there: %w", o.GetName(), err)
}

// has a condition, with a message that contains a text.
func (w *world) has(o interface {
	client.Object
	GetCondition(xpv2.ConditionType) xpv2.Condition
}, ct xpv2.ConditionType, s corev1.ConditionStatus, text string) error {
	if err := w.get(o); err != nil {
		return err
	}
	if c := o.GetCondition(ct); c.Status != s || !strings.Contains(c.Message, text) {
		return fmt.Errorf("%s has %s=%s: %s, Synced: %s", o.GetName(), ct, c.Status, c.Message, o.GetCondition(xpv2.TypeSynced).Message)
	}
	return nil
}

// count the writes of Clusters from now on.
func (w *world) count(t *testing.T) func(name string) int {
	t.Helper()
	events, err := w.hub.Watch(t.Context(), &v1alpha1.ClusterList{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(events.Stop)
	var mu sync.Mutex
	counts := map[string]int{}
	go func() {
		for e := range events.ResultChan() {
			if cr, ok := e.Object.(*v1alpha1.Cluster); ok {
				mu.Lock()
				counts[cr.GetName()]++
				mu.Unlock()
			}
		}
	}()
	return func(name string) int {
		mu.Lock()
		defer mu.Unlock()
		return counts[name]
	}
}

func (w *world) tenant(t *testing.T, cr *v1alpha1.Cluster, namespace string) client.Client {
	t.Helper()
	to, err := w.targets.Tenant(t.Context(), cr, namespace)
	if err != nil {
		t.Fatal(err)
	}
	return to.Client()
}

func (w *world) admin(t *testing.T, cr *v1alpha1.Cluster) client.Client {
	t.Helper()
	to, err := w.targets.Admin(t.Context(), cr)
	if err != nil {
		t.Fatal(err)
	}
	return to.Client()
}

func configMap(namespace string) client.Object {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "test"}}
}

func without(in []string, s string) []string {
	var out []string
	for _, v := range in {
		if v != s {
			out = append(out, v)
		}
	}
	return out
}

func equal(want, got any) error {
	if diff := cmp.Diff(want, got); diff != "" {
		return fmt.Errorf("-want, +got:\n%s", diff)
	}
	return nil
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
