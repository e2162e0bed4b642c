// Package images tells Rollouts which images a Bundle comes to on a cluster, and what
// their tags mean today.
//
// It binds a Bundle the way its Release does, and keeps what came of it: a Bundle never
// changes, and what it is bound to changes rarely. Where a Bundle cannot be read or bound
// nothing is known of its images, which the Release will say in more words.
//
// Deliberately absent: a memory of digests. It is the Rollout's status, because what a
// tag meant must outlive whoever asked.
package images

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/lru"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/bind"
	"github.com/mainstay-dev/mainstay/internal/bundle"
	"github.com/mainstay-dev/mainstay/internal/images"
	"github.com/mainstay-dev/mainstay/internal/rollout"
)

const (
	// maxBundles that are kept open, and maxBound that are kept bound to one cluster.
	maxBundles, maxBound = 64, 16384
)

// A Registry says what tags of images mean.
type Registry interface {
	// Resolve images. Those for which there was no time are left out.
	Resolve(ctx context.Context, names []string) map[string]rollout.Resolution
}

// Images of Bundles.
type Images struct {
	hub      client.Reader
	registry Registry

	opened *lru.Cache // of *opened, by UID
	bound  *lru.Cache // of *rollout.ImageNames, by boundTo
}

// An opened Bundle. It has names where they are the same on all clusters, and otherwise
// the content that they follow from.
type opened struct {
	uid     types.UID
	names   *rollout.ImageNames
	content *bind.Content
}

// boundTo is all that the names of a Bundle's images depend on.
type boundTo struct {
	bundle, cluster types.UID
	generation      int64
	version         string
	namespace       string
}

// New returns Images. The hub may be cached. Without a registry none can be asked.
func New(hub client.Reader, r Registry) *Images {
	return &Images{hub: hub, registry: r, opened: lru.New(maxBundles), bound: lru.New(maxBound)}
}

// Asks is true where registries can be asked.
func (i *Images) Asks() bool { return i.registry != nil }

// Resolve images. Those for which there was no time are left out.
func (i *Images) Resolve(ctx context.Context, names []string) map[string]rollout.Resolution {
	if i.registry != nil {
		return i.registry.Resolve(ctx, names)
	}
	out := make(map[string]rollout.Resolution, len(names))
	for _, n := range names {
		out[n] = rollout.Resolution{Message: "this provider asks no registries: start it with --registry-checks"}
	}
	return out
}

// Names returns what tells the images that a Bundle names by their tags, on a cluster and
// in a namespace there. It answers nil where that is not known.
func (i *Images) Names(ctx context.Context, namespace, name string) (func(*v1alpha1.Cluster, string) *rollout.ImageNames, error) {
	o, err := i.open(ctx, namespace, name)
	if err != nil {
		return nil, err
	}
	return func(c *v1alpha1.Cluster, namespace string) *rollout.ImageNames {
		if o.names != nil {
			return o.names
		}
		key := boundTo{bundle: o.uid, cluster: c.GetUID(), generation: c.GetGeneration(), version: c.Status.AtProvider.Version, namespace: namespace}
		if v, ok := i.bound.Get(key); ok {
			return v.(*rollout.ImageNames) //nolint:forcetypeassert // Holds nothing else.
		}
		r, err := o.content.Bind(bind.Facts(c, namespace), bind.Outputs{})
		if err != nil {
			return nil
		}
		names := &rollout.ImageNames{Names: images.Names(r.Content)}
		i.bound.Add(key, names)
		return names
	}, nil
}

func (i *Images) open(ctx context.Context, namespace, name string) (*opened, error) {
	b, err := i.get(ctx, namespace, name)
	if err != nil {
		return nil, err
	}
	if v, ok := i.opened.Get(b.GetUID()); ok && b.GetUID() != "" {
		return v.(*opened), nil //nolint:forcetypeassert // Holds nothing else.
	}
	c, err := bundle.Open(b, func(part string) (*v1alpha1.Bundle, error) { return i.get(ctx, namespace, part) })
	if err != nil {
		return nil, err
	}
	content, err := bind.Compile(c)
	if err != nil {
		return nil, fmt.Errorf("cannot use bundle %q: %w", name, err)
	}
	o := &opened{uid: b.GetUID(), content: content}
	if content.Constant() {
		o.names, o.content = &rollout.ImageNames{Names: images.Names(c)}, nil
	}
	i.opened.Add(b.GetUID(), o)
	return o, nil
}

func (i *Images) get(ctx context.Context, namespace, name string) (*v1alpha1.Bundle, error) {
	b := &v1alpha1.Bundle{}
	if err := i.hub.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, b); err != nil {
		return nil, fmt.Errorf("cannot get bundle %q: %w", name, err)
	}
	return b, nil
}
