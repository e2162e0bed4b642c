// Package fleet is a hub with many clusters for programs and tests that need one: a
// real kube-apiserver with the provider's kinds, the provider, and a simulator that
// plays the clusters, each in a process of its own. Processor time of each can so be
// told apart, and each can be killed alone. A few real control planes can take the
// place of the simulated clusters.
//
// It has no Crossplane core: Bundles and Rollouts are written as core would write them.
// What core costs does not depend on the number of clusters.
//
// Deliberately absent: measuring and judging, which is for who uses it.
package fleet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/provider/backend/local/controlplane"
	"github.com/mainstay-dev/mainstay/provider/backend/local/process"
	"github.com/mainstay-dev/mainstay/provider/backend/simulated/simulator"
)

const (
	// Tenant is the namespace whose applications are rolled out.
	Tenant = "shop"
	// Platform is the namespace of the clusters.
	Platform = "platform"

	fleetName = "bench"
)

// A Config says which world is wanted.
type Config struct {
	// State is a folder for all that is kept and written. It is removed in the end.
	State string
	// Binaries is the folder of the programs.
	Binaries string
	// CRDs is the folder of the provider's definitions.
	CRDs string
	// Backend of the clusters: simulated or local.
	Backend v1alpha1.BackendName
	// Clusters is how many there are.
	Clusters int
	// Patience is how long one wait may take.
	Patience time.Duration
	// Audit has the simulator keep a record of what is changed on its clusters.
	Audit bool
	// ProviderArgs are given to each provider, besides those it needs.
	ProviderArgs []string
	// Profiling lets the hub be profiled.
	Profiling bool
}

// A World is a hub, its clusters, and what moves them.
type World struct {
	Config

	// Hub reads and writes without limit.
	Hub client.Client
	// Seen is what is on the hub, as it is told: to look costs the hub nothing.
	Seen client.Reader
	// HubConfig reaches the hub.
	HubConfig *rest.Config
	// Simulator of the clusters.
	Simulator *simulator.Client

	// profiles is where each provider serves its own.
	profiles, metrics map[string]string
}

// Up starts a hub, the simulator and the provider, and makes the clusters.
func (w *World) Up(ctx context.Context) error {
	cp := w.controlPlane()
	if err := cp.WaitReady(ctx); err != nil {
		return fmt.Errorf("cannot start hub: %w", err)
	}
	var err error
	if w.HubConfig, err = cp.RESTConfig(); err != nil {
		return fmt.Errorf("cannot reach hub: %w", err)
	}
	w.HubConfig.QPS = -1
	s := runtime.NewScheme()
	if err := errors.Join(scheme.AddToScheme(s), apiextensionsv1.AddToScheme(s), v1alpha1.AddToScheme(s)); err != nil {
		return fmt.Errorf("cannot add kinds: %w", err)
	}
	if w.Hub, err = client.New(w.HubConfig, client.Options{Scheme: s}); err != nil {
		return fmt.Errorf("cannot reach hub: %w", err)
	}
	if err := w.define(ctx); err != nil {
		return err
	}
	kubeconfig, err := cp.Kubeconfig()
	if err != nil {
		return fmt.Errorf("cannot reach hub: %w", err)
	}
	if err := os.WriteFile(filepath.Join(w.State, "kubeconfig"), kubeconfig, 0o600); err != nil {
		return fmt.Errorf("cannot write kubeconfig: %w", err)
	}
	if err := w.startSimulator(ctx); err != nil {
		return err
	}
	if err := w.StartProvider(ctx); err != nil {
		return err
	}
	if err := w.look(ctx, s); err != nil {
		return err
	}
	return w.makeClusters(ctx)
}

// look at the hub from now on.
func (w *World) look(ctx context.Context, s *runtime.Scheme) error {
	c, err := cache.New(w.HubConfig, cache.Options{Scheme: s})
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
	w.Seen = c
	return nil
}

// Down ends all processes of the world, and removes its folder.
func (w *World) Down(ctx context.Context) error {
	_, err := process.StopAll(ctx, w.State)
	return errors.Join(err, os.RemoveAll(w.State))
}

func (w *World) controlPlane() *controlplane.ControlPlane {
	return controlplane.New(controlplane.Config{
		Name: "hub", Dir: filepath.Join(w.State, "hub"), Binaries: w.Binaries,
		Etcd: controlplane.NewEtcd(filepath.Join(w.State, "etcd"), w.Binaries), Prefix: "/hub",
		Controllers:   []string{"namespace-controller", "garbage-collector-controller"},
		APIServerArgs: []string{"--profiling=" + strconv.FormatBool(w.Profiling)},
		// As a hub has it that nobody has tuned.
		APIServerEnv: []string{"GOGC=100"},
	})
}

// define the kinds of the provider.
func (w *World) define(ctx context.Context) error {
	files, err := filepath.Glob(filepath.Join(w.CRDs, "*.yaml"))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("cannot find definitions in %s", w.CRDs)
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
		if err := w.Hub.Create(ctx, crd); err != nil {
			return fmt.Errorf("cannot create definition: %w", err)
		}
	}
	for _, ns := range []string{Tenant, Platform} {
		if err := w.Hub.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}); err != nil {
			return fmt.Errorf("cannot create namespace: %w", err)
		}
	}
	return w.Await(ctx, "the kinds to be served", func(ctx context.Context) (bool, error) {
		return w.Hub.List(ctx, &v1alpha1.ReleaseList{}) == nil && w.Hub.List(ctx, &v1alpha1.RolloutList{}) == nil && w.Hub.List(ctx, &v1alpha1.ClusterProviderConfigList{}) == nil, nil
	})
}

// Await something that becomes true. What is what is waited for, for the error that
// says that it was in vain.
func (w *World) Await(ctx context.Context, what string, so func(context.Context) (bool, error)) error {
	err := wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, w.Patience, true, so)
	if err != nil && strings.Contains(err.Error(), "deadline") {
		return fmt.Errorf("waited for %s, in vain, for %s", what, w.Patience)
	}
	return err
}
