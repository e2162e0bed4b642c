package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mainstay-dev/mainstay/test/fleet"
)

// appLabel is on the Objects of an application.
const appLabel = "bench.mainstay.dev/app"

// coreOwner is who Crossplane core applies what it composes as.
const coreOwner = "apiextensions.crossplane.io/composed/bench"

// object that has the peer deliver a manifest to a cluster.
func (p *peer) object(app string, cluster, i int, manifest *unstructured.Unstructured) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": peerGroup + "/v1alpha1", "kind": "Object",
		"metadata": map[string]any{
			"namespace": fleet.Tenant, "name": fmt.Sprintf("%s-c%d-%d", app, cluster, i),
			"labels":      map[string]any{appLabel: app},
			"annotations": map[string]any{"crossplane.io/composition-resource-name": strconv.Itoa(i)},
		},
		"spec": map[string]any{
			"forProvider":       map[string]any{"manifest": manifest.Object},
			"providerConfigRef": map[string]any{"kind": "ClusterProviderConfig", "name": peerConfig(cluster)},
		},
	}}
}

// change an application to a version in which so many of its ten objects are new, and
// write so many of them.
func (p *peer) change(ctx context.Context, app string, version, of, written int) (use, error) {
	var wants map[string]int64
	return p.measured(ctx, func() (err error) {
		wants, err = p.compose(ctx, app, fleet.Payload(app, version, of)[:written])
		return
	}, app+" to be everywhere", func(ctx context.Context) (bool, error) { return p.reached(ctx, app, wants) })
}

// compose the Objects of an application for all clusters. It returns their generations
// by name.
func (p *peer) compose(ctx context.Context, app string, manifests []unstructured.Unstructured) (map[string]int64, error) {
	wants := map[string]int64{}
	var mu sync.Mutex
	var failed error
	queue := make(chan int)
	var wg sync.WaitGroup
	for range floorWorkers {
		wg.Go(func() {
			for cluster := range queue {
				for i := range manifests {
					o := p.object(app, cluster, i, &manifests[i])
					err := p.Hub.Apply(ctx, client.ApplyConfigurationFromUnstructured(o), client.FieldOwner(coreOwner), client.ForceOwnership)
					mu.Lock()
					failed = errors.Join(failed, err)
					wants[o.GetName()] = o.GetGeneration()
					mu.Unlock()
				}
			}
		})
	}
	for cluster := range p.clusters {
		queue <- cluster
	}
	close(queue)
	wg.Wait()
	if failed != nil {
		return nil, fmt.Errorf("cannot apply Objects: %w", failed)
	}
	return wants, nil
}

// reached is true where the peer has said of each Object, as it is wanted now, that it
// has been applied and is ready.
func (p *peer) reached(ctx context.Context, app string, wants map[string]int64) (bool, error) {
	l, err := p.list(ctx, client.MatchingLabels{appLabel: app})
	if err != nil {
		return false, err
	}
	n := 0
	for i := range l.Items {
		o := &l.Items[i]
		g, ok := wants[o.GetName()]
		ready, _ := condition(o, "Ready")
		// Only this condition says of which generation it is.
		synced, of := condition(o, "Synced")
		if ok && ready && synced && o.GetGeneration() >= g && of == o.GetGeneration() {
			n++
		}
	}
	return n == len(wants), nil
}

// condition of an Object, and the generation that it is of.
func condition(o *unstructured.Unstructured, kind string) (so bool, of int64) {
	l, _, _ := unstructured.NestedFieldNoCopy(o.Object, "status", "conditions")
	conditions, _ := l.([]any)
	for _, c := range conditions {
		m, _ := c.(map[string]any)
		if m["type"] == kind {
			of, _ = m["observedGeneration"].(int64)
			return m["status"] == "True", of
		}
	}
	return false, 0
}

func (p *peer) delete(ctx context.Context, opts ...client.DeleteAllOfOption) error {
	o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": peerGroup + "/v1alpha1", "kind": "Object"}}
	if err := p.Hub.DeleteAllOf(ctx, o, append(opts, client.InNamespace(fleet.Tenant))...); err != nil {
		return fmt.Errorf("cannot delete Objects: %w", err)
	}
	return nil
}

func (p *peer) gone(opts ...client.ListOption) func(context.Context) (bool, error) {
	return func(ctx context.Context) (bool, error) {
		l, err := p.list(ctx, opts...)
		return err == nil && len(l.Items) == 0, err
	}
}

func (p *peer) list(ctx context.Context, opts ...client.ListOption) (*unstructured.UnstructuredList, error) {
	l := objectList()
	opts = append(opts, client.InNamespace(fleet.Tenant), &client.ListOptions{UnsafeDisableDeepCopy: ptr.To(true)})
	if err := p.seen.List(ctx, l, opts...); err != nil {
		return nil, fmt.Errorf("cannot list Objects: %w", err)
	}
	return l, nil
}

func objectList() *unstructured.UnstructuredList {
	return &unstructured.UnstructuredList{Object: map[string]any{"apiVersion": peerGroup + "/v1alpha1", "kind": "ObjectList"}}
}

// look at Objects from now on, as a controller that composes them does.
func (p *peer) look(ctx context.Context) error {
	c, err := cache.New(p.HubConfig, cache.Options{Scheme: p.Hub.Scheme()})
	if err != nil {
		return fmt.Errorf("cannot watch hub: %w", err)
	}
	if _, err := c.GetInformer(ctx, p.object("", 0, 0, &unstructured.Unstructured{})); err != nil {
		return fmt.Errorf("cannot watch hub: %w", err)
	}
	go func() { _ = c.Start(ctx) }()
	if !c.WaitForCacheSync(ctx) {
		return errors.New("cannot watch hub")
	}
	p.seen = c
	return nil
}
