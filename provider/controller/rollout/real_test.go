package rollout_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/yaml"

	"github.com/crossplane/crossplane-runtime/v2/pkg/controller"
	"github.com/crossplane/crossplane-runtime/v2/pkg/feature"
	"github.com/crossplane/crossplane-runtime/v2/pkg/ratelimiter"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/bundle"
	"github.com/mainstay-dev/mainstay/internal/names"
	"github.com/mainstay-dev/mainstay/internal/tenancy"
	"github.com/mainstay-dev/mainstay/provider/backend/backendtest"
	"github.com/mainstay-dev/mainstay/provider/backend/local/controlplane"
	"github.com/mainstay-dev/mainstay/provider/controller/release"
	"github.com/mainstay-dev/mainstay/provider/controller/rollout"
	"github.com/mainstay-dev/mainstay/provider/target"
)

const (
	tenant = "team-a"
	fleet  = 3
)

// A world is a real hub with the controllers of Rollouts and Releases, and a real
// cluster that goes by several names.
type world struct {
	t            *testing.T
	hub, cluster client.Client
	// writes to Releases on the hub.
	writes *atomic.Int32
}

func newWorld(t *testing.T) *world {
	t.Helper()
	ctrllog.SetLogger(logr.Discard())
	bin, dir := backendtest.Binaries(t), t.TempDir()
	etcd := controlplane.NewEtcd(filepath.Join(dir, "etcd"), bin)
	hub := controlplane.New(controlplane.Config{Name: "hub", Dir: filepath.Join(dir, "hub"), Binaries: bin, Etcd: etcd, Prefix: "/hub", Controllers: []string{"namespace-controller"}})
	far := controlplane.New(controlplane.Config{Name: "far", Dir: filepath.Join(dir, "far"), Binaries: bin, Etcd: etcd, Prefix: "/far", Controllers: []string{"clusterrole-aggregation-controller", "namespace-controller"}})
	t.Cleanup(func() {
		if err := errors.Join(hub.Destroy(context.Background()), far.Destroy(context.Background()), etcd.Destroy(context.Background())); err != nil {
			t.Errorf("cannot clean up: %v", err)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	w := &world{t: t, writes: &atomic.Int32{}}
	w.must(errors.Join(hub.WaitReady(ctx), far.WaitReady(ctx)))

	s := runtime.NewScheme()
	w.must(errors.Join(scheme.AddToScheme(s), apiextensionsv1.AddToScheme(s), v1alpha1.AddToScheme(s)))
	cfg, err := hub.RESTConfig()
	w.must(err)
	w.hub, err = client.New(cfg, client.Options{Scheme: s})
	w.must(err)
	w.define(ctx)

	farCfg, err := far.RESTConfig()
	w.must(err)
	w.cluster, err = client.New(farCfg, client.Options{Scheme: scheme.Scheme})
	w.must(err)
	for _, o := range tenancy.Reconcile(tenancy.Grants([]v1alpha1.Tenant{{Namespace: tenant}}), tenancy.State{}).Apply {
		w.must(w.cluster.Create(ctx, o.(client.Object)))
	}

	w.count(cfg, s)
	fast := rest.CopyConfig(cfg)
	fast.QPS, fast.Burst = 200, 400
	mgr, err := ctrl.NewManager(fast, ctrl.Options{Scheme: s, Metrics: metricsserver.Options{BindAddress: "0"}})
	w.must(err)
	o := controller.DefaultOptions()
	o.PollInterval, o.MaxConcurrentReconciles, o.GlobalRateLimiter = 2*time.Second, 5, ratelimiter.NewGlobal(100)
	o.Features.Enable(feature.EnableBetaManagementPolicies)
	w.must(errors.Join(
		release.Setup(mgr, o, release.Deps{Targets: target.NewClients(mgr.GetAPIReader(), clock.RealClock{})}),
		rollout.Setup(mgr, o, rollout.Deps{}),
	))
	running, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(running) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("mgr.Start(...): %v", err)
		}
	})
	kubeconfig, err := far.Kubeconfig()
	w.must(err)
	w.populate(ctx, kubeconfig)
	return w
}

// count the writes to Releases that change something.
func (w *world) count(cfg *rest.Config, s *runtime.Scheme) {
	w.t.Helper()
	c, err := client.NewWithWatch(cfg, client.Options{Scheme: s})
	w.must(err)
	changes, err := c.Watch(context.Background(), &v1alpha1.ReleaseList{})
	w.must(err)
	w.t.Cleanup(changes.Stop)
	go func() {
		for range changes.ResultChan() {
			w.writes.Add(1)
		}
	}()
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// define the kinds of the provider.
func (w *world) define(ctx context.Context) {
	w.t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", "..", "package", "provider", "crds", "*.yaml"))
	w.must(err)
	for _, f := range files {
		raw, err := os.ReadFile(f)
		w.must(err)
		crd := &apiextensionsv1.CustomResourceDefinition{}
		w.must(yaml.Unmarshal(raw, crd))
		w.must(w.hub.Create(ctx, crd))
	}
	w.eventually("the kinds are served", func(ctx context.Context) (bool, error) {
		err := w.hub.List(ctx, &v1alpha1.ReleaseList{})
		err = errors.Join(err, w.hub.List(ctx, &v1alpha1.ClusterList{}), w.hub.List(ctx, &v1alpha1.RolloutList{}), w.hub.List(ctx, &v1alpha1.BundleList{}))
		if meta.IsNoMatchError(err) || kerrors.IsNotFound(err) {
			return false, nil
		}
		return err == nil, err
	})
}

// populate the hub with clusters.
func (w *world) populate(ctx context.Context, kubeconfig []byte) {
	w.t.Helper()
	for _, ns := range []string{tenant, "platform"} {
		w.must(w.hub.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}))
	}
	for _, name := range []string{"eu-1", "eu-2", "us-1"}[:fleet] {
		s := &corev1.Secret{Data: map[string][]byte{target.KubeconfigKey: kubeconfig}}
		s.SetNamespace("platform")
		s.SetName(names.Kubeconfig("prod." + name))
		w.must(w.hub.Create(ctx, s))
		c := &v1alpha1.Cluster{}
		c.SetNamespace("platform")
		c.SetName("prod." + name)
		c.SetFinalizers([]string{"test.mainstay.dev/keep"})
		c.Spec.ForProvider = v1alpha1.ClusterParameters{Fleet: "prod", Name: name, Tenants: []v1alpha1.Tenant{{Namespace: tenant}}}
		w.must(w.hub.Create(ctx, c))
		c.Status.AtProvider.Tenants = []string{tenant}
		c.SetConditions(xpv2.Available())
		w.must(w.hub.Status().Update(ctx, c))
	}
}

func (w *world) eventually(what string, so func(ctx context.Context) (bool, error)) {
	w.t.Helper()
	if err := wait.PollUntilContextTimeout(w.t.Context(), 100*time.Millisecond, 90*time.Second, true, so); err != nil {
		ro, rel := &v1alpha1.RolloutList{}, &v1alpha1.ReleaseList{}
		_ = w.hub.List(context.Background(), ro)
		_ = w.hub.List(context.Background(), rel)
		for _, r := range ro.Items {
			w.t.Logf("Rollout %s: %+v", r.GetName(), r.Status)
		}
		for _, r := range rel.Items {
			w.t.Logf("Release %s: %+v", r.GetName(), r.Status)
		}
		w.t.Fatalf("want that %s: %v", what, err)
	}
}

// bundle with one ConfigMap that no other cluster's Release has.
func (w *world) bundle(application, value string) string {
	w.t.Helper()
	return w.bundleOf(application, application, value)
}

// bundleOf an application with one ConfigMap of a name.
func (w *world) bundleOf(application, name, value string) string {
	w.t.Helper()
	cm := unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": name}, "data": map[string]any{"key": value}}}
	sealed, err := bundle.New(application, bundle.Content{Components: []bundle.Component{{Name: "web", Type: "k8s-objects", Objects: []unstructured.Unstructured{cm}}}})
	w.must(err)
	b := sealed[0]
	b.SetNamespace(tenant)
	w.must(client.IgnoreAlreadyExists(w.hub.Create(w.t.Context(), b)))
	return b.GetName()
}

func (w *world) rollout() *v1alpha1.Rollout {
	w.t.Helper()
	ro := &v1alpha1.Rollout{}
	w.must(w.hub.Get(w.t.Context(), types.NamespacedName{Namespace: tenant, Name: "shop"}, ro))
	return ro
}

func (w *world) ready(total int32, of string) func(context.Context) (bool, error) {
	return func(context.Context) (bool, error) {
		ro := w.rollout()
		c := ro.Status.AtProvider.Clusters
		return ro.GetCondition(xpv2.TypeReady).Status == corev1.ConditionTrue && c.Total == total && c.Ready == total &&
			ro.Status.AtProvider.Phase == v1alpha1.RolloutCompleted && ro.Status.AtProvider.Reached.Variants[0].Bundle == of, nil
	}
}

func (w *world) value() string {
	w.t.Helper()
	cm := &corev1.ConfigMap{}
	if err := w.cluster.Get(w.t.Context(), types.NamespacedName{Namespace: tenant, Name: "shop"}, cm); err != nil {
		return err.Error()
	}
	return cm.Data["key"]
}

// fenced: the API server itself refuses whoever decides from an older state.
func (w *world) fenced(t *testing.T) {
	t.Helper()
	rel := &v1alpha1.Release{}
	w.must(w.hub.Get(t.Context(), types.NamespacedName{Namespace: tenant, Name: "shop.platform.prod.eu-1"}, rel))
	if rel.Spec.ForProvider.Epoch != 2 {
		t.Errorf("the second revision is the second epoch, got %d", rel.Spec.ForProvider.Epoch)
	}
	rel.Spec.ForProvider.Epoch = 1
	if err := w.hub.Update(t.Context(), rel); !kerrors.IsInvalid(err) {
		t.Errorf("want an older epoch to be refused, got %v", err)
	}
}

// inWaves: a canary, an approval, the rest. Both clusters are one, so that each needs
// objects of its own.
func (w *world) inWaves(t *testing.T) {
	t.Helper()
	key := types.NamespacedName{Namespace: tenant, Name: "pay"}
	pay := &v1alpha1.Rollout{}
	pay.SetNamespace(key.Namespace)
	pay.SetName(key.Name)
	pay.Spec.ForProvider = v1alpha1.RolloutParameters{
		Application: "pay",
		Placement: v1alpha1.Placement{
			Topologies: []v1alpha1.Topology{{Name: "two", Clusters: []string{"eu-2", "us-1"}}},
			Overrides:  []v1alpha1.OverrideScope{{Name: "us", Clusters: []string{"us-1"}}},
		},
		Variants: []v1alpha1.Variant{{Bundle: w.bundle("pay", "one")}, {Overrides: []string{"us"}, Bundle: w.bundleOf("pay", "pay-us", "one")}},
		Strategy: v1alpha1.RolloutStrategy{Waves: []v1alpha1.Wave{
			{Name: "canary", Size: ptr.To(intstr.FromInt32(1)), Soak: &metav1.Duration{Duration: time.Second}},
			{Name: "rest", Gates: []v1alpha1.Gate{{Name: "go", When: v1alpha1.GateBefore, Approval: &v1alpha1.ApprovalGate{}}}},
		}},
	}
	w.writes.Store(0)
	w.must(w.hub.Create(t.Context(), pay))
	w.eventually("the canary is there, and the rest waits for an approval", func(ctx context.Context) (bool, error) {
		err := w.hub.Get(ctx, key, pay)
		return pay.Status.AtProvider.Clusters.Ready == 1 && pay.Status.AtProvider.Phase == v1alpha1.RolloutWaiting, err
	})
	patch := client.MergeFrom(pay.DeepCopy())
	pay.Spec.ForProvider.Control = &v1alpha1.RolloutControl{Approvals: []v1alpha1.Approval{{Gate: "rest/go", Digest: pay.Status.AtProvider.Digest, By: "ann"}}}
	w.must(w.hub.Patch(t.Context(), pay, patch))
	w.eventually("both are there", func(ctx context.Context) (bool, error) {
		err := w.hub.Get(ctx, key, pay)
		return pay.Status.AtProvider.Clusters.Ready == 2 && pay.Status.AtProvider.Phase == v1alpha1.RolloutCompleted, err
	})
	if got := w.writes.Load(); got > 6 {
		t.Errorf("a cluster costs at most three writes, also in waves, got %d for two", got)
	}
	w.must(w.hub.Delete(t.Context(), pay))
	w.eventually("it is gone again", func(ctx context.Context) (bool, error) {
		err := w.hub.Get(ctx, key, pay)
		return kerrors.IsNotFound(err), client.IgnoreNotFound(err)
	})
}

// TestOnRealHub runs both controllers the way the provider does, on an API server that
// validates, defaults and conflicts, with caches that are behind.
func TestOnRealHub(t *testing.T) {
	w := newWorld(t)
	first := w.bundle("shop", "one")
	ro := &v1alpha1.Rollout{}
	ro.SetNamespace(tenant)
	ro.SetName("shop")
	// All clusters are one: only one Release can own the object there.
	ro.Spec.ForProvider = v1alpha1.RolloutParameters{
		Application: "shop",
		Placement:   v1alpha1.Placement{Topologies: []v1alpha1.Topology{{Name: "one", Clusters: []string{"eu-1"}}}},
		Variants:    []v1alpha1.Variant{{Bundle: first}},
	}
	w.must(w.hub.Create(t.Context(), ro))
	w.eventually("the application is there", w.ready(1, first))
	if got := w.value(); got != "one" {
		t.Errorf("want it to be applied, got %q", got)
	}
	if got := w.writes.Load(); got > 3 {
		t.Errorf("a cluster costs at most three writes, got %d", got)
	}

	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: tenant, Name: "shop"}}
	w.must(w.cluster.Delete(t.Context(), cm))
	before := w.writes.Load()
	w.eventually("what is deleted comes back", func(context.Context) (bool, error) { return w.value() == "one", nil })
	if got := w.writes.Load() - before; got != 0 {
		t.Errorf("to repair costs no write, got %d", got)
	}

	w.writes.Store(0)
	second := w.bundle("shop", "two")
	ro = w.rollout()
	ro.Spec.ForProvider.Variants[0].Bundle = second
	w.must(w.hub.Update(t.Context(), ro))
	w.eventually("the new revision is there", w.ready(1, second))
	if got := w.value(); got != "two" {
		t.Errorf("want it to be applied, got %q", got)
	}
	if got := w.writes.Load(); got > 3 {
		t.Errorf("a change costs at most three writes, got %d", got)
	}

	w.fenced(t)
	w.inWaves(t)

	ro = w.rollout()
	ro.Spec.ForProvider.Placement.Topologies[0].Clusters = []string{"eu-1", "us-1"}
	w.must(w.hub.Update(t.Context(), ro))
	w.eventually("a second owner is refused", func(context.Context) (bool, error) {
		p := w.rollout().Status.AtProvider.Problems
		return len(p) == 1 && p[0].Cluster == "prod.us-1" && strings.Contains(p[0].Message, "belongs to Release team-a/shop.platform.prod.eu-1"), nil
	})

	eu := &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: "platform", Name: "prod.eu-1"}}
	w.must(w.hub.Delete(t.Context(), eu))
	w.eventually("a cluster that is being deleted is drained, and the other takes over", w.ready(1, second))

	w.must(w.hub.Delete(t.Context(), ro))
	w.eventually("the Rollout is gone", func(ctx context.Context) (bool, error) {
		err := w.hub.Get(ctx, client.ObjectKeyFromObject(ro), ro)
		return kerrors.IsNotFound(err), client.IgnoreNotFound(err)
	})
	if got := w.value(); !strings.Contains(got, "not found") {
		t.Errorf("and nothing is left: got %q", got)
	}
}
