package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/bundle"
)

// payload of an application: ten objects, of which none, one or all differ from one
// version to the next.
func payload(app string, version, of int) []unstructured.Unstructured {
	var out []unstructured.Unstructured
	v := func(i int) string {
		if i < of {
			return strconv.Itoa(version)
		}
		return "0"
	}
	add := func(apiVersion, kind string, body map[string]any) {
		u := unstructured.Unstructured{Object: map[string]any{"apiVersion": apiVersion, "kind": kind}}
		for k, b := range body {
			u.Object[k] = b
		}
		u.SetName(fmt.Sprintf("%s-%d", app, len(out)))
		u.SetNamespace(tenant)
		out = append(out, u)
	}
	for range 3 {
		i := len(out)
		labels := map[string]any{"app": app, "part": strconv.Itoa(i)}
		add("apps/v1", "Deployment", map[string]any{"spec": map[string]any{
			"replicas": int64(2), "selector": map[string]any{"matchLabels": labels},
			"template": map[string]any{"metadata": map[string]any{"labels": labels}, "spec": map[string]any{"containers": []any{map[string]any{
				"name": "main", "image": "registry.example.org/" + app + ":1." + v(i),
				"ports":     []any{map[string]any{"name": "http", "containerPort": int64(8080), "protocol": "TCP"}},
				"env":       []any{map[string]any{"name": "LEVEL", "value": "info"}, map[string]any{"name": "REGION", "value": "any"}},
				"resources": map[string]any{"requests": map[string]any{"cpu": "100m", "memory": "128Mi"}},
			}}}},
		}})
	}
	for range 2 {
		i := len(out)
		add("v1", "Service", map[string]any{"spec": map[string]any{
			"selector": map[string]any{"app": app, "version": "v" + v(i)},
			"ports":    []any{map[string]any{"name": "http", "port": int64(80), "targetPort": int64(8080), "protocol": "TCP"}},
		}})
	}
	for len(out) < 10 {
		i := len(out)
		add("v1", "ConfigMap", map[string]any{"data": map[string]any{"version": v(i), "text": strings.Repeat("0123456789abcdef", 64)}})
	}
	return out
}

// seal objects in a Bundle on the hub.
func (b *bench) seal(ctx context.Context, app string, objects []unstructured.Unstructured) (string, error) {
	var bare []unstructured.Unstructured
	for _, o := range objects {
		u := *o.DeepCopy()
		u.SetNamespace("")
		bare = append(bare, u)
	}
	sealed, err := bundle.New(app, bundle.Content{Components: []bundle.Component{{Name: app, Type: "k8s-objects", Objects: bare}}})
	if err != nil {
		return "", fmt.Errorf("cannot seal bundle: %w", err)
	}
	for _, s := range sealed {
		s.SetNamespace(tenant)
		if err := client.IgnoreAlreadyExists(b.hub.Create(ctx, s)); err != nil {
			return "", fmt.Errorf("cannot create bundle: %w", err)
		}
	}
	return sealed[0].GetName(), nil
}

// roll an application out: create its Rollout, or give it another Bundle.
func (b *bench) roll(ctx context.Context, app, bundle string, strategy v1alpha1.RolloutStrategy) error {
	if strategy.MaxConcurrent == nil {
		strategy.MaxConcurrent = ptr.To(intstr.FromString("50%"))
	}
	strategy.Preflight = v1alpha1.PreflightOff
	ro := &v1alpha1.Rollout{}
	err := b.hub.Get(ctx, client.ObjectKey{Namespace: tenant, Name: app}, ro)
	ro.Spec.ForProvider.Application = app
	ro.Spec.ForProvider.Variants = []v1alpha1.Variant{{Bundle: bundle}}
	ro.Spec.ForProvider.Strategy = strategy
	if err == nil {
		return b.hub.Update(ctx, ro)
	}
	if ignoreGone(err) != nil {
		return fmt.Errorf("cannot get rollout: %w", err)
	}
	ro.ObjectMeta = metav1.ObjectMeta{Namespace: tenant, Name: app}
	return b.hub.Create(ctx, ro)
}

// reached is true where all clusters have a Bundle and are healthy.
func (b *bench) reached(ctx context.Context, app, bundle string) (bool, error) {
	l := &v1alpha1.ReleaseList{}
	if err := b.seen.List(ctx, l, client.InNamespace(tenant)); err != nil {
		return false, fmt.Errorf("cannot list releases: %w", err)
	}
	n := 0
	for i := range l.Items {
		r := &l.Items[i]
		if r.Spec.ForProvider.Application == app && r.Status.AtProvider.Bundle == bundle && r.Status.AtProvider.Health == v1alpha1.Healthy {
			n++
		}
	}
	if n != b.Clusters {
		return false, nil
	}
	ro := &v1alpha1.Rollout{}
	if err := b.seen.Get(ctx, client.ObjectKey{Namespace: tenant, Name: app}, ro); err != nil {
		return false, fmt.Errorf("cannot get rollout: %w", err)
	}
	return ro.Status.AtProvider.Phase == v1alpha1.RolloutCompleted, nil
}

// withCodec lets a client ask for what is no object.
func withCodec(cfg *rest.Config) *rest.Config {
	out := rest.CopyConfig(cfg)
	out.NegotiatedSerializer = plain{}
	return out
}

type plain struct{}

// SupportedMediaTypes of answers that nobody decodes.
func (plain) SupportedMediaTypes() []runtime.SerializerInfo {
	return []runtime.SerializerInfo{{MediaType: "application/json"}}
}

// EncoderForVersion is never called.
func (plain) EncoderForVersion(e runtime.Encoder, _ runtime.GroupVersioner) runtime.Encoder { return e }

// DecoderToVersion is never called.
func (plain) DecoderToVersion(d runtime.Decoder, _ runtime.GroupVersioner) runtime.Decoder { return d }
