package release

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	k8sruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/crossplane/crossplane-runtime/v2/pkg/reconciler/managed"
	rfake "github.com/crossplane/crossplane-runtime/v2/pkg/resource/fake"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/bundle"
	"github.com/mainstay-dev/mainstay/internal/names"
	"github.com/mainstay-dev/mainstay/internal/tenancy"
	"github.com/mainstay-dev/mainstay/provider/backend/simulated/simulator"
	"github.com/mainstay-dev/mainstay/provider/target"
)

// simulatorState tells a process of the test binary to be the simulator.
const simulatorState = "MAINSTAY_BENCH_SIMULATOR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(simulatorState); dir != "" {
		if _, err := simulator.Start(simulator.Config{State: dir, Pods: 0}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		_, _ = os.Stdin.Read(make([]byte, 1)) // Until the parent is gone.
		return
	}
	os.Exit(m.Run())
}

// A quickHub keeps Releases, Bundles, Clusters and Secrets in maps: what is measured is
// what the controller costs, and not its hub.
type quickHub struct {
	client.Client

	mu      sync.RWMutex
	objects map[string]client.Object
	writes  atomic.Int64
}

func hubKey(o client.Object, key client.ObjectKey) string { return fmt.Sprintf("%T/%s", o, key) }

func (q *quickHub) Get(_ context.Context, key client.ObjectKey, o client.Object, _ ...client.GetOption) error {
	q.mu.RLock()
	defer q.mu.RUnlock()
	switch stored := q.objects[hubKey(o, key)].(type) {
	case *v1alpha1.Release:
		stored.DeepCopyInto(o.(*v1alpha1.Release))
	case *v1alpha1.Bundle:
		stored.DeepCopyInto(o.(*v1alpha1.Bundle))
	case *v1alpha1.Cluster:
		stored.DeepCopyInto(o.(*v1alpha1.Cluster))
	case *corev1.Secret:
		stored.DeepCopyInto(o.(*corev1.Secret))
	default:
		return kerrors.NewNotFound(schema.GroupResource{}, key.Name)
	}
	return nil
}

func (q *quickHub) put(o client.Object) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.objects[hubKey(o, client.ObjectKeyFromObject(o))] = o.DeepCopyObject().(client.Object)
}

func (q *quickHub) Update(_ context.Context, o client.Object, _ ...client.UpdateOption) error {
	q.writes.Add(1)
	q.put(o)
	return nil
}

func (q *quickHub) Status() client.SubResourceWriter { return &quickStatus{hub: q} }

type quickStatus struct {
	client.SubResourceWriter

	hub *quickHub
}

func (s *quickStatus) Update(_ context.Context, o client.Object, _ ...client.SubResourceUpdateOption) error {
	before := &v1alpha1.Release{}
	if err := s.hub.Get(context.Background(), client.ObjectKeyFromObject(o), before); err != nil {
		return err
	}
	if !sameStatus(before, o.(*v1alpha1.Release)) {
		s.hub.writes.Add(1)
		s.hub.put(o)
	}
	return nil
}

func sameStatus(a, b *v1alpha1.Release) bool {
	return fmt.Sprintf("%+v", a.Status) == fmt.Sprintf("%+v", b.Status)
}

// BenchmarkFleet takes applications of ten objects to many clusters, and looks after them.
// MAINSTAY_BENCH_CLUSTERS and MAINSTAY_BENCH_APPLICATIONS say how many.
func BenchmarkFleet(b *testing.B) {
	if testing.Short() {
		b.Skip("takes a while")
	}
	clusters, apps := number("MAINSTAY_BENCH_CLUSTERS", 50), number("MAINSTAY_BENCH_APPLICATIONS", 4)
	f := newBenchFleet(b, clusters, apps)
	f.wants("v1")
	f.measure("create", f.settle)
	f.measure("idle", f.once)
	f.wants("v2")
	f.measure("change one of ten", f.settle)
	f.restart()
	f.measure("after a restart", f.once)
	f.measure("floor: apply ten", f.floor)
	runtime.GC()
	m := runtime.MemStats{}
	runtime.ReadMemStats(&m)
	b.Logf("heap %d MiB with %d releases", m.HeapAlloc>>20, len(f.releases))
}

func number(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

type benchFleet struct {
	b          *testing.B
	hub        *quickHub
	targets    *target.Clients
	releases   []types.NamespacedName
	clusters   int
	apps       int
	scheme     *k8sruntime.Scheme
	reconciler *managed.Reconciler
	sim        *simulator.Client
}

func newBenchFleet(b *testing.B, clusters, apps int) *benchFleet {
	b.Helper()
	must := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	dir := b.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env, cmd.Stderr = append(os.Environ(), simulatorState+"="+dir), os.Stderr
	stdin, err := cmd.StdinPipe()
	must(err)
	must(cmd.Start())
	b.Cleanup(func() { _ = stdin.Close(); _ = cmd.Wait() })

	f := &benchFleet{b: b, clusters: clusters, apps: apps, scheme: k8sruntime.NewScheme(), hub: &quickHub{objects: map[string]client.Object{}}}
	must(errors.Join(scheme.AddToScheme(f.scheme), v1alpha1.AddToScheme(f.scheme)))
	must(wait.PollUntilContextTimeout(context.Background(), 50*time.Millisecond, 5*time.Second, true, func(context.Context) (bool, error) {
		access, err := simulator.ReadAccess(dir)
		if err == nil {
			f.sim, err = simulator.NewClient(access)
		}
		return err == nil, nil
	}))
	f.targets = target.NewClients(f.hub, clock.RealClock{})
	for i := range clusters {
		cr := newCluster()
		cr.SetName(fmt.Sprintf("prod.c-%d", i))
		cr.SetUID(types.UID(cr.GetName()))
		cr.Spec.ForProvider.Name = fmt.Sprintf("c-%d", i)
		must(f.sim.Ensure(b.Context(), "platform", cr.GetName(), "v1.35.3"))
		made, err := f.sim.Get(b.Context(), "platform", cr.GetName())
		must(err)
		kubeconfig, err := f.sim.Kubeconfig(cr.GetName(), made)
		must(err)
		secret := &corev1.Secret{Data: map[string][]byte{target.KubeconfigKey: kubeconfig}}
		secret.SetNamespace("platform")
		secret.SetName(names.Kubeconfig(cr.GetName()))
		f.hub.put(secret)
		f.hub.put(cr)
		admin, err := f.targets.Admin(b.Context(), cr)
		must(err)
		for _, o := range tenancy.Reconcile(tenancy.Grants(cr.Spec.ForProvider.Tenants), tenancy.State{}).Apply {
			must(admin.Client().Create(b.Context(), o.(client.Object)))
		}
		for a := range apps {
			r := newRelease("")
			app := fmt.Sprintf("app-%d", a)
			r.SetName(names.Release(app, "platform", cr.GetName()))
			r.SetUID(types.UID(r.GetName()))
			r.Spec.ForProvider.ClusterRef.Name = cr.GetName()
			r.Spec.ForProvider.Application = app
			f.hub.put(r)
			f.releases = append(f.releases, client.ObjectKeyFromObject(r))
		}
	}
	f.restart()
	return f
}

func (f *benchFleet) restart() {
	f.reconciler = newReconciler(&rfake.Manager{Client: f.hub, Scheme: f.scheme}, newConnector(f.hub, f.hub, f.targets, clock.RealClock{}), managed.WithManagementPolicies())
}

func benchComponent(b *testing.B, app, value string) bundle.Component {
	b.Helper()
	c := bundle.Component{Name: "web", Type: "webservice"}
	for i := range 7 {
		v := "same"
		if i == 0 {
			v = value
		}
		u := parse(b, configMap(fmt.Sprintf("%s-%d", app, i), v))
		c.Objects = append(c.Objects, u)
	}
	c.Objects = append(c.Objects, parse(b, deployment(app, "nginx")), parse(b, `{apiVersion: v1, kind: ServiceAccount, metadata: {name: `+app+`}}`),
		parse(b, `{apiVersion: v1, kind: Service, metadata: {name: `+app+`}, spec: {selector: {app: `+app+`}, ports: [{port: 80}]}}`))
	return c
}

// wants every Release a Bundle with a value.
func (f *benchFleet) wants(value string) {
	byApp := map[string]string{}
	for a := range f.apps {
		app := fmt.Sprintf("app-%d", a)
		sealed, err := bundle.New(app, bundle.Content{Components: []bundle.Component{benchComponent(f.b, app, value)}})
		if err != nil {
			f.b.Fatal(err)
		}
		sealed[0].SetNamespace(tenant)
		sealed[0].SetUID(types.UID(sealed[0].Spec.Digest))
		f.hub.put(sealed[0])
		byApp[app] = sealed[0].GetName()
	}
	for _, key := range f.releases {
		r := &v1alpha1.Release{}
		if err := f.hub.Get(f.b.Context(), key, r); err != nil {
			f.b.Fatal(err)
		}
		r.Spec.ForProvider.Bundle = byApp[r.Spec.ForProvider.Application]
		r.Spec.ForProvider.Epoch++
		r.SetGeneration(r.GetGeneration() + 1)
		f.hub.put(r)
	}
}

// each Release, ten at a time.
func (f *benchFleet) each(keys []types.NamespacedName, do func(key types.NamespacedName)) {
	work, wg := make(chan types.NamespacedName), sync.WaitGroup{}
	for range 10 {
		wg.Go(func() {
			for key := range work {
				do(key)
			}
		})
	}
	for _, key := range keys {
		work <- key
	}
	close(work)
	wg.Wait()
}

func (f *benchFleet) reconcile(key types.NamespacedName) {
	if _, err := f.reconciler.Reconcile(f.b.Context(), reconcile.Request{NamespacedName: key}); err != nil {
		f.b.Error(err)
	}
}

// once reconciles every Release.
func (f *benchFleet) once() { f.each(f.releases, f.reconcile) }

// settle until every Release has what it wants and is healthy.
func (f *benchFleet) settle() {
	left := slices.Clone(f.releases)
	if wait.PollUntilContextTimeout(context.Background(), time.Second, 40*time.Second, true, func(context.Context) (bool, error) {
		f.each(left, f.reconcile)
		left = slices.DeleteFunc(left, func(key types.NamespacedName) bool {
			r := &v1alpha1.Release{}
			return f.hub.Get(context.Background(), key, r) == nil && r.Status.AtProvider.Bundle == r.Spec.ForProvider.Bundle && r.Status.AtProvider.Health == v1alpha1.Healthy
		})
		return len(left) == 0, nil
	}) == nil {
		return
	}
	r := &v1alpha1.Release{}
	_ = f.hub.Get(context.Background(), left[0], r)
	f.b.Fatalf("%d of %d Releases do not get there: %s: %+v", len(left), len(f.releases), left[0], r.Status)
}

// floor applies the objects of every Release, and does nothing else.
func (f *benchFleet) floor() {
	f.each(f.releases, func(key types.NamespacedName) {
		r, cr := &v1alpha1.Release{}, &v1alpha1.Cluster{}
		if err := errors.Join(f.hub.Get(f.b.Context(), key, r), f.hub.Get(f.b.Context(), types.NamespacedName(r.Spec.ForProvider.ClusterRef), cr)); err != nil {
			f.b.Error(err)
			return
		}
		t, err := f.targets.Tenant(f.b.Context(), cr, tenant)
		if err != nil {
			f.b.Error(err)
			return
		}
		c := benchComponent(f.b, "floor-"+r.Spec.ForProvider.Application, "x")
		for i := range c.Objects {
			u := &c.Objects[i]
			u.SetNamespace(tenant)
			if err := t.Client().Apply(f.b.Context(), client.ApplyConfigurationFromUnstructured(u), client.FieldOwner("floor"), client.ForceOwnership); err != nil {
				f.b.Error(err)
			}
		}
	})
}

func (f *benchFleet) measure(name string, do func()) {
	f.b.Helper()
	stats, _ := f.sim.Statistics(f.b.Context())
	writes, cpu, start := f.hub.writes.Load(), cpuTime(), time.Now()
	do()
	after, _ := f.sim.Statistics(f.b.Context())
	n := len(f.releases)
	f.b.Logf("%-20s %8s, %8s of CPU, %6.2f ms of CPU a release, %.2f hub writes a release; %+v -> %+v", name,
		time.Since(start).Round(time.Millisecond), (cpuTime() - cpu).Round(time.Millisecond), float64((cpuTime()-cpu).Microseconds())/1000/float64(n),
		float64(f.hub.writes.Load()-writes)/float64(n), stats, after)
}

func cpuTime() time.Duration {
	u := syscall.Rusage{}
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
