package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/provider/backend/local/controlplane"
	"github.com/mainstay-dev/mainstay/provider/backend/local/process"
	"github.com/mainstay-dev/mainstay/provider/backend/simulated/simulator"
)

const (
	tenant   = "shop"
	platform = "platform"
	fleet    = "bench"
)

// A bench is one run.
type bench struct {
	flags

	state string
	hub   client.Client
	seen  client.Reader // What is on the hub, as it is told: to look costs the hub nothing.
	cfg   *rest.Config
	sim   *simulator.Client
	ports struct{ health, metrics, profiles int }
	rows  []row
	notes []string
	// connections of the floor, once it has them.
	connections []connection
}

// up starts a hub, the simulator and the provider, and makes the clusters.
func (b *bench) up(ctx context.Context) error {
	cp := b.controlPlane()
	if err := cp.WaitReady(ctx); err != nil {
		return fmt.Errorf("cannot start hub: %w", err)
	}
	var err error
	if b.cfg, err = cp.RESTConfig(); err != nil {
		return fmt.Errorf("cannot reach hub: %w", err)
	}
	b.cfg.QPS = -1
	s := runtime.NewScheme()
	if err := errors.Join(scheme.AddToScheme(s), apiextensionsv1.AddToScheme(s), v1alpha1.AddToScheme(s)); err != nil {
		return fmt.Errorf("cannot add kinds: %w", err)
	}
	if b.hub, err = client.New(b.cfg, client.Options{Scheme: s}); err != nil {
		return fmt.Errorf("cannot reach hub: %w", err)
	}
	if err := b.define(ctx); err != nil {
		return err
	}
	kubeconfig, err := cp.Kubeconfig()
	if err != nil {
		return fmt.Errorf("cannot reach hub: %w", err)
	}
	if err := os.WriteFile(filepath.Join(b.state, "kubeconfig"), kubeconfig, 0o600); err != nil {
		return fmt.Errorf("cannot write kubeconfig: %w", err)
	}
	if err := b.startSimulator(ctx); err != nil {
		return err
	}
	if err := b.startProvider(ctx); err != nil {
		return err
	}
	if err := b.look(ctx, s); err != nil {
		return err
	}
	return b.makeClusters(ctx)
}

// look at the hub from now on.
func (b *bench) look(ctx context.Context, s *runtime.Scheme) error {
	c, err := cache.New(b.cfg, cache.Options{Scheme: s})
	if err != nil {
		return fmt.Errorf("cannot watch hub: %w", err)
	}
	for _, o := range []client.Object{&v1alpha1.Cluster{}, &v1alpha1.Release{}, &v1alpha1.Rollout{}} {
		if _, err := c.GetInformer(ctx, o); err != nil {
			return fmt.Errorf("cannot watch hub: %w", err)
		}
	}
	go func() { _ = c.Start(ctx) }()
	if !c.WaitForCacheSync(ctx) {
		return fmt.Errorf("cannot watch hub")
	}
	b.seen = c
	return nil
}

func (b *bench) down(ctx context.Context) error {
	_, err := process.StopAll(ctx, b.state)
	return errors.Join(err, os.RemoveAll(b.state))
}

func (b *bench) controlPlane() *controlplane.ControlPlane {
	return controlplane.New(controlplane.Config{
		Name: "hub", Dir: filepath.Join(b.state, "hub"), Binaries: b.Binaries,
		Etcd: controlplane.NewEtcd(filepath.Join(b.state, "etcd"), b.Binaries), Prefix: "/hub",
		Controllers:   []string{"namespace-controller", "garbage-collector-controller"},
		APIServerArgs: []string{"--profiling=" + strconv.FormatBool(b.Profiles != "")},
	})
}

// define the kinds of the provider.
func (b *bench) define(ctx context.Context) error {
	files, err := filepath.Glob(filepath.Join(b.CRDs, "*.yaml"))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("cannot find definitions in %s", b.CRDs)
	}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			return fmt.Errorf("cannot read definition: %w", err)
		}
		crd := &apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.Unmarshal(raw, crd); err != nil {
			return fmt.Errorf("cannot read definition: %w", err)
		}
		if err := b.hub.Create(ctx, crd); err != nil {
			return fmt.Errorf("cannot create definition: %w", err)
		}
	}
	for _, ns := range []string{tenant, platform} {
		if err := b.hub.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}); err != nil {
			return fmt.Errorf("cannot create namespace: %w", err)
		}
	}
	return b.await(ctx, "the kinds to be served", func(ctx context.Context) (bool, error) {
		return b.hub.List(ctx, &v1alpha1.ReleaseList{}) == nil && b.hub.List(ctx, &v1alpha1.RolloutList{}) == nil && b.hub.List(ctx, &v1alpha1.ClusterProviderConfigList{}) == nil, nil
	})
}

func (b *bench) startSimulator(ctx context.Context) error {
	dir := filepath.Join(b.state, "simulator")
	err := b.start(ctx, "simulator", dir, process.Spec{
		Path: filepath.Join(b.Binaries, "mainstay"),
		Args: []string{"simulator", "--state", dir, "--start-after", "0s", "--pods", "0"},
	})
	if err != nil {
		return err
	}
	return b.await(ctx, "the simulator", func(ctx context.Context) (bool, error) {
		a, err := simulator.ReadAccess(dir)
		if err != nil {
			return false, nil //nolint:nilerr // It has not started yet.
		}
		if b.sim, err = simulator.NewClient(a); err != nil {
			return false, err
		}
		_, err = b.sim.Statistics(ctx)
		return err == nil, nil
	})
}

func (b *bench) startProvider(ctx context.Context) error {
	for _, p := range []*int{&b.ports.health, &b.ports.metrics, &b.ports.profiles} {
		if *p != 0 {
			continue
		}
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return fmt.Errorf("cannot find port: %w", err)
		}
		*p = l.Addr().(*net.TCPAddr).Port //nolint:forcetypeassert // It listens on TCP.
		_ = l.Close()
	}
	err := b.start(ctx, "provider", filepath.Join(b.state, "provider"), process.Spec{
		Path: filepath.Join(b.Binaries, "provider"),
		Args: []string{
			"--simulator=" + filepath.Join(b.state, "simulator"),
			"--local-binaries=" + b.Binaries, "--local-state=" + filepath.Join(b.state, "local"),
			"--health-address=127.0.0.1:" + strconv.Itoa(b.ports.health), "--metrics-address=127.0.0.1:" + strconv.Itoa(b.ports.metrics),
			"--profiling-address=127.0.0.1:" + strconv.Itoa(b.ports.profiles),
			"--max-reconcile-rate=1000",
		},
		Env: []string{"KUBECONFIG=" + filepath.Join(b.state, "kubeconfig"), "POD_NAMESPACE=" + platform, "HOME=" + b.state},
	})
	if err != nil {
		return err
	}
	return b.await(ctx, "the provider", func(ctx context.Context) (bool, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:"+strconv.Itoa(b.ports.health)+"/healthz", nil)
		if err != nil {
			return false, err
		}
		rsp, err := http.DefaultClient.Do(r)
		if err != nil {
			return false, nil //nolint:nilerr // It has not started yet.
		}
		return rsp.StatusCode == http.StatusOK, rsp.Body.Close()
	})
}

func (b *bench) start(ctx context.Context, name, dir string, s process.Spec) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("cannot make folder: %w", err)
	}
	s.Name, s.Dir = name, dir
	if err := process.Ensure(ctx, s); err != nil {
		return fmt.Errorf("cannot start %s: %w", name, err)
	}
	return nil
}

// makeClusters as a fleet would, and wait until the tenant can use them.
func (b *bench) makeClusters(ctx context.Context) error {
	pc := &v1alpha1.ClusterProviderConfig{ObjectMeta: metav1.ObjectMeta{Name: "bench"}}
	pc.Spec.Backend = v1alpha1.BackendName(b.Backend)
	if err := b.hub.Create(ctx, pc); err != nil {
		return fmt.Errorf("cannot create provider configuration: %w", err)
	}
	regions := []string{"eu", "us", "ap"}
	for i := range b.Clusters {
		c := &v1alpha1.Cluster{}
		c.SetNamespace(platform)
		c.SetName(clusterName(i))
		c.Spec.ManagedResourceSpec = xpv2.ManagedResourceSpec{
			ProviderConfigReference:          &xpv2.ProviderConfigReference{Kind: v1alpha1.ClusterProviderConfigGVK.Kind, Name: pc.Name},
			WriteConnectionSecretToReference: &xpv2.LocalSecretReference{Name: clusterName(i) + ".kubeconfig"},
		}
		c.Spec.ForProvider = v1alpha1.ClusterParameters{
			Fleet: fleet, Name: "c" + strconv.Itoa(i), Region: regions[i%len(regions)], Tenants: []v1alpha1.Tenant{{Namespace: tenant}},
			Labels: map[string]v1alpha1.LabelValue{"wave": wave(i, b.Clusters)},
		}
		if err := b.hub.Create(ctx, c); err != nil {
			return fmt.Errorf("cannot create cluster: %w", err)
		}
		if err := b.makeNodes(ctx, i, pc.Name); err != nil {
			return err
		}
	}
	return b.await(ctx, "all clusters to be ready", func(ctx context.Context) (bool, error) {
		l := &v1alpha1.ClusterList{}
		if err := b.seen.List(ctx, l); err != nil {
			return false, err
		}
		ready := 0
		for i := range l.Items {
			if l.Items[i].GetCondition(xpv2.TypeReady).Status == corev1.ConditionTrue {
				ready++
			}
		}
		return ready == b.Clusters, nil
	})
}

// makeNodes of a real cluster. A simulated one without nodes has room for everything.
func (b *bench) makeNodes(ctx context.Context, i int, config string) error {
	if b.Backend != string(v1alpha1.BackendLocal) {
		return nil
	}
	p := &v1alpha1.NodePool{}
	p.SetNamespace(platform)
	p.SetName(clusterName(i) + ".general")
	p.Spec.ProviderConfigReference = &xpv2.ProviderConfigReference{Kind: v1alpha1.ClusterProviderConfigGVK.Kind, Name: config}
	p.Spec.ForProvider = v1alpha1.NodePoolParameters{Cluster: clusterName(i), Name: "general", Class: "general", Size: 2}
	if err := b.hub.Create(ctx, p); err != nil {
		return fmt.Errorf("cannot create node pool: %w", err)
	}
	return nil
}

func clusterName(i int) string { return fleet + ".c" + strconv.Itoa(i) }

// wave that a cluster is in: 20, 30 and 50 of a hundred.
func wave(i, of int) v1alpha1.LabelValue {
	switch {
	case i < of*20/100:
		return "first"
	case i < of*50/100:
		return "second"
	}
	return "third"
}

func (b *bench) await(ctx context.Context, what string, so func(context.Context) (bool, error)) error {
	err := wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, b.Patience, true, so)
	if err != nil && strings.Contains(err.Error(), "deadline") {
		return fmt.Errorf("waited for %s, in vain, for %s", what, b.Patience)
	}
	return err
}

func ignoreGone(err error) error {
	if kerrors.IsNotFound(err) {
		return nil
	}
	return err
}
