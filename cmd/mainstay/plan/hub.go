package plan

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/bundle"
	"github.com/mainstay-dev/mainstay/internal/plan"
	"github.com/mainstay-dev/mainstay/internal/plan/claims"
	"github.com/mainstay-dev/mainstay/internal/plan/render"
)

// Look at what a hub says of its clusters, and of the claims of both sides.
func Look(ctx context.Context, hub client.Client, sides ...claims.Set) (plan.Observed, map[v1alpha1.ClaimReference]map[string]any, error) {
	o := plan.Observed{Known: true, Contents: map[string]bundle.Content{}}
	releases, clusters, pools := &v1alpha1.ReleaseList{}, &v1alpha1.ClusterList{}, &v1alpha1.NodePoolList{}
	for _, l := range []client.ObjectList{releases, clusters, pools} {
		if err := hub.List(ctx, l); err != nil {
			return o, nil, fmt.Errorf("cannot look at the hub: %w", err)
		}
	}
	o.Releases, o.Clusters, o.Pools = releases.Items, clusters.Items, pools.Items
	if err := contents(ctx, hub, &o); err != nil {
		return o, nil, err
	}
	statuses := map[v1alpha1.ClaimReference]map[string]any{}
	for _, side := range sides {
		for _, c := range side.Claims {
			if _, known := statuses[c.ClaimReference]; known {
				continue
			}
			u, err := get(ctx, hub, render.Selector{APIVersion: c.APIVersion, Kind: c.Kind, Namespace: c.Namespace, Name: c.Name})
			if err != nil {
				return o, nil, err
			}
			if u != nil {
				statuses[c.ClaimReference], _, _ = unstructured.NestedMap(u.Object, "status")
			}
		}
	}
	return o, statuses, nil
}

// contents of the Bundles that Releases have. One that is gone, or is not what its name
// says, is not known.
func contents(ctx context.Context, hub client.Client, o *plan.Observed) error {
	open := map[client.ObjectKey]bool{}
	for i := range o.Releases {
		r := &o.Releases[i]
		for _, name := range []string{r.Status.AtProvider.Bundle, r.Spec.ForProvider.Bundle} {
			key := client.ObjectKey{Namespace: r.GetNamespace(), Name: name}
			if name == "" || open[key] {
				continue
			}
			open[key] = true
			b := &v1alpha1.Bundle{}
			if err := hub.Get(ctx, key, b); apierrors.IsNotFound(err) {
				continue
			} else if err != nil {
				return fmt.Errorf("cannot get Bundle %s: %w", key, err)
			}
			c, err := bundle.Open(b, func(part string) (*v1alpha1.Bundle, error) {
				p := &v1alpha1.Bundle{}
				return p, hub.Get(ctx, client.ObjectKey{Namespace: key.Namespace, Name: part}, p)
			})
			if err == nil {
				o.Contents[key.Namespace+"/"+key.Name] = c
			}
		}
	}
	return nil
}

// get an object. It is nil where there is none, or none of its kind.
func get(ctx context.Context, hub client.Client, s render.Selector) (*unstructured.Unstructured, error) {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(schema.FromAPIVersionAndKind(s.APIVersion, s.Kind))
	err := hub.Get(ctx, client.ObjectKey{Namespace: s.Namespace, Name: s.Name}, u)
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		return nil, nil //nolint:nilnil // That there is none is an answer.
	}
	if err != nil {
		return nil, fmt.Errorf("cannot get %s %s/%s: %w", s.Kind, s.Namespace, s.Name, err)
	}
	return u, nil
}
