package throughput

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/cmd/mainstay/hub"
	"github.com/mainstay-dev/mainstay/cmd/mainstay/step"
	"github.com/mainstay-dev/mainstay/provider/backend/simulated/simulator"
	"github.com/mainstay-dev/mainstay/provider/backend/simulated/workload"
	"github.com/mainstay-dev/mainstay/test/gitea"
)

const (
	platform, shop     = "platform", "shop"
	organization, name = "shop", "claims"

	author, reviewer, robot = "ada", "bob", "mainstay"

	// patience with what the world needs to come up.
	patience = 15 * time.Minute
)

// A world is a hub with simulated clusters, a Gitea, and all that is watched.
type world struct {
	t        *testing.T
	clusters int

	hub       *hub.Hub
	client    client.Client
	cache     cache.Cache
	simulator *simulator.Client
	gitea     *gitea.Server
	tokens    map[string]string
	meter     *meter

	mu sync.Mutex
	// writes of Changes that were seen, and the most changes that had locks at once.
	writes, executing int
	// shared are the times at which two changes had locks of the same.
	shared []string
}

func newWorld(t *testing.T, clusters int, binaries, root string) *world {
	t.Helper()
	out := filepath.Join(root, "_output")
	if err := os.MkdirAll(out, 0o700); err != nil {
		t.Fatal(err)
	}
	state, err := os.MkdirTemp(out, "throughput-")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, clusters: clusters, tokens: map[string]string{}, hub: hub.New(hub.Config{
		State: state, Binaries: binaries, Source: root, Simulator: true, Log: step.New(os.Stdout, clock.RealClock{}),
		SimulatorArgs: []string{"--audit", "--start-after", "500ms"},
		// What is looked for here is no drift.
		ProviderArgs: append([]string{"--poll=5m"}, strings.Fields(os.Getenv("MAINSTAY_THROUGHPUT_PROVIDER_ARGS"))...),
	})}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		if t.Failed() {
			keepLogs(t, state, filepath.Join(out, "throughput-logs"))
		}
		if err := errors.Join(gitea.Stop(ctx, filepath.Join(state, "gitea")), w.hub.Down(ctx)); err != nil {
			t.Errorf("cannot stop: %v", err)
		}
	})
	w.timed("a hub with Crossplane", func() { w.must(w.hub.Up(t.Context())) })
	w.connect(state)
	w.timed(fmt.Sprintf("%d clusters", clusters), w.makeClusters)
	w.timed("a Gitea with the repository of claims", func() { w.makeForge(state, binaries) })
	w.timed("the applications", w.makeApplications)
	w.timed("the Repository", w.makeRepository)
	return w
}

func (w *world) connect(state string) {
	w.t.Helper()
	cfg, err := clientcmd.BuildConfigFromFlags("", w.hub.Kubeconfig())
	w.must(err)
	cfg.QPS = -1
	s := runtime.NewScheme()
	w.must(errors.Join(corev1.AddToScheme(s), v1alpha1.AddToScheme(s)))
	w.client, err = client.New(cfg, client.Options{Scheme: s})
	w.must(err)
	access, err := simulator.ReadAccess(filepath.Join(state, "simulator"))
	w.must(err)
	w.simulator, err = simulator.NewClient(access)
	w.must(err)
	w.cache, err = cache.New(cfg, cache.Options{Scheme: s})
	w.must(err)
	w.watch(&v1alpha1.Change{}, func(any) { w.writes++ })
	w.watch(&v1alpha1.ChangeQueue{}, func(o any) {
		q, ok := o.(*v1alpha1.ChangeQueue)
		if !ok {
			return
		}
		n := 0
		for i := range q.Spec.Changes {
			if len(q.Spec.Changes[i].Has) > 0 {
				n++
			}
		}
		w.executing = max(w.executing, n)
		w.shared = append(w.shared, sharing(q.Spec)...)
	})
	w.watch(&v1alpha1.Cluster{}, func(any) {})
	go func() { _ = w.cache.Start(w.t.Context()) }()
	if !w.cache.WaitForCacheSync(w.t.Context()) {
		w.t.Fatal("cannot watch the hub")
	}
}

// watch all there is of a kind: each version of it is seen.
func (w *world) watch(o client.Object, see func(any)) {
	w.t.Helper()
	i, err := w.cache.GetInformer(w.t.Context(), o)
	w.must(err)
	seen := func(o any) {
		w.mu.Lock()
		defer w.mu.Unlock()
		see(o)
	}
	_, err = i.AddEventHandler(toolscache.ResourceEventHandlerFuncs{AddFunc: seen, UpdateFunc: func(_, o any) { seen(o) }})
	w.must(err)
}

func clusterName(i int) string { return fmt.Sprintf("bench.c%d", i) }

// makeClusters as a fleet would, labelled by the groups that applications are on, and tell
// them which images fail.
func (w *world) makeClusters() {
	w.t.Helper()
	ctx := w.t.Context()
	for _, ns := range []string{platform, shop} {
		w.must(client.IgnoreAlreadyExists(w.client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}})))
	}
	pc := &v1alpha1.ClusterProviderConfig{ObjectMeta: metav1.ObjectMeta{Name: "simulated"}}
	pc.Spec.Backend = v1alpha1.BackendSimulated
	w.must(w.client.Create(ctx, pc))
	for i := range w.clusters {
		c := &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: platform, Name: clusterName(i)}}
		c.Spec.ManagedResourceSpec = xpv2.ManagedResourceSpec{
			ProviderConfigReference:          &xpv2.ProviderConfigReference{Kind: v1alpha1.ClusterProviderConfigGVK.Kind, Name: pc.Name},
			WriteConnectionSecretToReference: &xpv2.LocalSecretReference{Name: clusterName(i) + ".kubeconfig"},
		}
		c.Spec.ForProvider = v1alpha1.ClusterParameters{
			Fleet: "bench", Name: fmt.Sprintf("c%d", i), Region: []string{"eu", "us"}[i%2], Tenants: []v1alpha1.Tenant{{Namespace: shop}},
			Labels: map[string]v1alpha1.LabelValue{
				"all": "yes", "by10": v1alpha1.LabelValue(fmt.Sprintf("g%d", i/10)), "by100": v1alpha1.LabelValue(fmt.Sprintf("g%d", i/100)),
			},
		}
		w.must(w.client.Create(ctx, c))
	}
	w.await("all clusters to be ready", func(ctx context.Context) error {
		l := &v1alpha1.ClusterList{}
		if err := w.cache.List(ctx, l, client.UnsafeDisableDeepCopy); err != nil {
			return err
		}
		ready := 0
		for i := range l.Items {
			if l.Items[i].GetCondition(xpv2.TypeReady).Status == corev1.ConditionTrue {
				ready++
			}
		}
		if ready < w.clusters {
			return fmt.Errorf("%d are", ready)
		}
		return nil
	})
}

// script how images fail. A rule names one by its end, which is its tag.
func (w *world) script(wishes []wish) {
	w.t.Helper()
	rules := map[int][]workload.Rule{}
	for _, f := range wishes {
		fault := map[string]workload.Fault{crash: workload.CrashLoop, pull: workload.ImagePullError}[f.fails]
		for i := f.first; f.fails != "" && i < f.first+f.clusters; i++ {
			rules[i] = append(rules[i], workload.Rule{Namespace: shop, Image: ":" + f.tag, Behaviour: workload.Behaviour{Fault: fault}})
		}
	}
	for i, r := range rules {
		known, err := w.simulator.SetScript(w.t.Context(), platform, clusterName(i), r)
		w.must(err)
		if !known {
			w.t.Fatalf("the simulator does not know cluster %d", i)
		}
	}
}

func (w *world) all() []app {
	var out []app
	for _, apps := range appsOf(w.clusters) {
		out = append(out, apps...)
	}
	return out
}

const firstTag = "1.0.0"

func (w *world) makeForge(state, binaries string) {
	w.t.Helper()
	ctx := w.t.Context()
	var err error
	w.gitea, err = gitea.Start(ctx, filepath.Join(state, "gitea"), binaries)
	w.must(err)
	for _, who := range []string{author, reviewer, robot} {
		w.tokens[who], err = w.gitea.User(ctx, who, who+"-of-the-shop")
		w.must(err)
	}
	w.must(w.gitea.Organization(ctx, organization))
	files := map[string]string{}
	for _, a := range w.all() {
		files[a.file()] = a.manifest(firstTag)
	}
	_, err = w.gitea.Repository(ctx, organization, name, files, map[string]string{author: "write", reviewer: "write", robot: "admin"})
	w.must(err)
}

// makeApplications as main has them, and wait until they are everywhere.
func (w *world) makeApplications() {
	w.t.Helper()
	apps := w.all()
	for _, a := range apps {
		u := &unstructured.Unstructured{}
		w.must(yaml.Unmarshal([]byte(a.manifest(firstTag)), &u.Object))
		w.must(w.client.Apply(w.t.Context(), client.ApplyConfigurationFromUnstructured(u), client.FieldOwner("seed")))
	}
	w.await("the applications to be everywhere", func(ctx context.Context) error {
		l := &unstructured.UnstructuredList{}
		l.SetAPIVersion("mainstay.dev/v1alpha1")
		l.SetKind("ProductApplicationList")
		if err := w.client.List(ctx, l, client.InNamespace(shop)); err != nil {
			return err
		}
		reached := 0
		for i := range l.Items {
			if hasReached(&l.Items[i]) {
				reached++
			}
		}
		if reached < len(apps) {
			return fmt.Errorf("%d of %d are", reached, len(apps))
		}
		return nil
	})
}

func hasReached(u *unstructured.Unstructured) bool {
	conditions, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
	for _, c := range conditions {
		if m, ok := c.(map[string]any); ok && m["type"] == "Reached" {
			return m["status"] == "True"
		}
	}
	return false
}

func (w *world) makeRepository() {
	w.t.Helper()
	ctx := w.t.Context()
	var url string
	w.meter, url = meterOf(w.t, w.gitea.URL)
	hooks, err := w.hub.Webhooks(ctx)
	w.must(err)
	w.must(w.client.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: shop, Name: "forge"},
		StringData: map[string]string{"token": w.tokens[robot], "webhook": "signed-with-this"},
	}))
	r := &v1alpha1.Repository{ObjectMeta: metav1.ObjectMeta{Namespace: shop, Name: name}}
	r.Spec.ForProvider = v1alpha1.RepositoryParameters{
		Forge: v1alpha1.ForgeGitea, URL: url + "/" + organization + "/" + name,
		CredentialsSecretRef: v1alpha1.SecretKeyReference{Name: "forge", Key: "token"},
		Webhook:              &v1alpha1.ForgeWebhook{SecretRef: v1alpha1.SecretKeyReference{Name: "forge", Key: "webhook"}, URL: hooks + "/" + shop + "/" + name},
		Approval: v1alpha1.ApprovalPolicy{Rules: []v1alpha1.ApprovalRule{
			{Risk: v1alpha1.RiskCritical, Count: 1, From: &v1alpha1.People{Users: []string{reviewer}}},
		}},
		Soak:         &metav1.Duration{Duration: 2 * time.Second},
		PollInterval: &metav1.Duration{Duration: 30 * time.Second},
	}
	w.must(w.client.Create(ctx, r))
	w.await("the Repository to be ready", func(ctx context.Context) error {
		if err := w.client.Get(ctx, client.ObjectKeyFromObject(r), r); err != nil {
			return err
		}
		if r.Status.GetCondition(xpv2.TypeReady).Status != corev1.ConditionTrue {
			return errors.New(r.Status.AtProvider.Message + " " + r.Status.GetCondition(xpv2.TypeSynced).Message)
		}
		return nil
	})
}

// await something that becomes nil.
func (w *world) await(what string, so func(context.Context) error) {
	w.t.Helper()
	last, began, said := error(nil), time.Now(), time.Now()
	err := wait.PollUntilContextTimeout(w.t.Context(), 500*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		if last = so(ctx); last != nil && time.Since(said) > 30*time.Second {
			said = time.Now()
			fmt.Printf("after %s still waiting for %s: %v\n", time.Since(began).Round(time.Second), what, last)
		}
		return last == nil, nil
	})
	if err != nil {
		w.t.Fatalf("waited for %s, in vain: %v", what, last)
	}
}

func (w *world) timed(what string, do func()) {
	w.t.Helper()
	at := time.Now()
	do()
	fmt.Printf("%s %s: %s\n", time.Now().UTC().Format(time.TimeOnly), what, time.Since(at).Round(100*time.Millisecond))
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// keepLogs of a failed run where the next run does not remove them.
func keepLogs(t *testing.T, from, to string) {
	_ = os.RemoveAll(to)
	for _, pattern := range []string{"provider/*.log*", "crossplane/*.log", "gitea/*.log"} {
		files, _ := filepath.Glob(filepath.Join(from, pattern))
		for _, f := range files {
			if data, err := os.ReadFile(f); err == nil {
				_ = os.MkdirAll(to, 0o700)
				_ = os.WriteFile(filepath.Join(to, filepath.Base(f)), data, 0o600)
			}
		}
	}
	t.Logf("logs are kept in %s", to)
}
