// Package hub looks at what a hub says of its clusters, for a plan. It is what the provider and
// the command have in common.
//
// Invariants: a hub that does not answer is an error, and never one on which there is nothing.
// Nothing is written. What is returned may be shared with a cache: it is not changed.
package hub

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	apisv1alpha1 "github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/bundle"
	"github.com/mainstay-dev/mainstay/internal/plan"
	"github.com/mainstay-dev/mainstay/internal/plan/claims"
	"github.com/mainstay-dev/mainstay/internal/plan/render"
)

// listFrom is from how many claims of a kind on they are listed, and not read one by one.
const listFrom = 20

// Look at what a hub says of its clusters, and of the applications among the claims of all
// sides: what they have on clusters, and the statuses of their claims.
func Look(ctx context.Context, hub client.Reader, sides ...claims.Set) (plan.Observed, map[v1alpha1.ClaimReference]map[string]any, error) {
	o := plan.Observed{Known: true, Contents: map[string]bundle.Content{}}
	releases, clusters, pools := &v1alpha1.ReleaseList{}, &v1alpha1.ClusterList{}, &v1alpha1.NodePoolList{}
	for _, l := range []client.ObjectList{releases, clusters, pools} {
		if err := hub.List(ctx, l, client.UnsafeDisableDeepCopy); err != nil {
			return o, nil, fmt.Errorf("cannot look at the hub: %w", err)
		}
	}
	applications := map[client.ObjectKey]v1alpha1.ClaimReference{}
	for _, side := range sides {
		for _, c := range side.Claims {
			if c.Kind == apisv1alpha1.ProductApplicationKind {
				applications[client.ObjectKey{Namespace: c.Namespace, Name: c.Name}] = c.ClaimReference
			}
		}
	}
	o.Clusters, o.Pools = clusters.Items, pools.Items
	// Those of other applications are not asked for, and are most of what there is.
	for i := range releases.Items {
		r := &releases.Items[i]
		if _, ok := applications[client.ObjectKey{Namespace: r.GetNamespace(), Name: r.Spec.ForProvider.Application}]; ok {
			o.Releases = append(o.Releases, *r)
		}
	}
	if err := contents(ctx, hub, &o); err != nil {
		return o, nil, err
	}
	statuses, err := statusesOf(ctx, hub, applications)
	return o, statuses, err
}

// contents of the Bundles that Releases have. One that is gone, or is not what its name
// says, is not known.
func contents(ctx context.Context, hub client.Reader, o *plan.Observed) error {
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

// statusesOf claims: they say which versions of definitions are pinned.
func statusesOf(ctx context.Context, hub client.Reader, of map[client.ObjectKey]v1alpha1.ClaimReference) (map[v1alpha1.ClaimReference]map[string]any, error) {
	out := map[v1alpha1.ClaimReference]map[string]any{}
	take := func(u *unstructured.Unstructured) {
		if ref, ok := of[client.ObjectKeyFromObject(u)]; ok {
			out[ref], _, _ = unstructured.NestedMap(u.Object, "status")
		}
	}
	if len(of) < listFrom {
		for key, ref := range of {
			u, err := get(ctx, hub, render.Selector{APIVersion: ref.APIVersion, Kind: ref.Kind, Namespace: key.Namespace, Name: key.Name})
			if err != nil {
				return nil, err
			}
			if u != nil {
				take(u)
			}
		}
		return out, nil
	}
	found, err := list(ctx, hub, render.Selector{APIVersion: apisv1alpha1.GroupVersion.String(), Kind: apisv1alpha1.ProductApplicationKind})
	for i := range found {
		take(&found[i])
	}
	return out, err
}

// Find resources on a hub, for functions that require them. None is found where the hub does
// not know their kind.
func Find(ctx context.Context, hub client.Reader) render.Find {
	return func(s render.Selector) ([]map[string]any, error) {
		if s.Name != "" {
			u, err := get(ctx, hub, s)
			if err != nil || u == nil {
				return nil, err
			}
			return []map[string]any{u.Object}, nil
		}
		found, err := list(ctx, hub, s)
		out := make([]map[string]any, 0, len(found))
		for i := range found {
			out = append(out, found[i].Object)
		}
		return out, err
	}
}

// get an object. It is nil where there is none, or none of its kind.
func get(ctx context.Context, hub client.Reader, s render.Selector) (*unstructured.Unstructured, error) {
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

// list objects, sorted by namespace and name.
func list(ctx context.Context, hub client.Reader, s render.Selector) ([]unstructured.Unstructured, error) {
	sel, err := labels.Parse(s.Labels)
	if err != nil {
		return nil, fmt.Errorf("cannot list %s: labels %q: %w", s.Kind, s.Labels, err)
	}
	l := &unstructured.UnstructuredList{}
	l.SetGroupVersionKind(schema.FromAPIVersionAndKind(s.APIVersion, s.Kind))
	err = hub.List(ctx, l, client.InNamespace(s.Namespace), client.MatchingLabelsSelector{Selector: sel})
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot list %s: %w", s.Kind, err)
	}
	slices.SortFunc(l.Items, func(a, b unstructured.Unstructured) int { return compare(&a, &b) })
	return l.Items, nil
}

func compare(a, b *unstructured.Unstructured) int {
	return cmp.Or(cmp.Compare(a.GetNamespace(), b.GetNamespace()), cmp.Compare(a.GetName(), b.GetName()))
}
