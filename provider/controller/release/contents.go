package release

import (
	"context"
	"fmt"

	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/lru"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/apply"
	"github.com/mainstay-dev/mainstay/internal/bind"
	"github.com/mainstay-dev/mainstay/internal/bundle"
	"github.com/mainstay-dev/mainstay/internal/health"
)

const (
	// maxBundles and maxLarge are how many opened Bundles are kept, of those that are
	// small and of those that are not. Most Releases share a few.
	maxBundles, maxLarge = 256, 8
	// largeBytes is the compressed size from which a Bundle is large.
	largeBytes = 64 << 10
)

// bundles opens Bundles, and keeps those that were opened lately. They never change.
type bundles struct {
	hub          client.Reader
	small, large *lru.Cache // of *opened, by UID
}

// An opened Bundle, with everything compiled that its content has of expressions. It is
// shared and must not be changed.
type opened struct {
	digest     string
	content    *bind.Content
	keepLegacy bool
	// Of components, by name.
	rules      map[string]*health.Rule
	outputs    map[string]*bind.Reader
	procedures map[string]*apply.Procedure
}

func newBundles(hub client.Reader) *bundles {
	return &bundles{hub: hub, small: lru.New(maxBundles), large: lru.New(maxLarge)}
}

// open the Bundle that a Release wants.
func (b *bundles) open(ctx context.Context, mg *v1alpha1.Release) (*opened, error) {
	p := mg.Spec.ForProvider
	bd, err := b.get(ctx, mg.GetNamespace(), p.Bundle)
	if err != nil {
		return nil, err
	}
	if bd.Spec.Application != p.Application {
		return nil, fmt.Errorf("bundle %q is of application %q and not of %q", p.Bundle, bd.Spec.Application, p.Application)
	}
	cache := b.small
	if len(bd.Spec.Parts) > 0 || len(bd.Spec.Data) > largeBytes {
		cache = b.large
	}
	if v, ok := cache.Get(bd.GetUID()); ok && bd.GetUID() != "" {
		return v.(*opened), nil //nolint:forcetypeassert // Holds nothing else.
	}
	c, err := bundle.Open(bd, func(name string) (*v1alpha1.Bundle, error) { return b.get(ctx, mg.GetNamespace(), name) })
	if err != nil {
		return nil, err
	}
	o, err := compile(c)
	if err != nil {
		return nil, fmt.Errorf("cannot use bundle %q: %w", p.Bundle, err)
	}
	o.digest = bd.Spec.Digest
	cache.Add(bd.GetUID(), o)
	return o, nil
}

func (b *bundles) get(ctx context.Context, namespace, name string) (*v1alpha1.Bundle, error) {
	bd := &v1alpha1.Bundle{}
	err := b.hub.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, bd)
	if kerrors.IsNotFound(err) {
		return nil, fmt.Errorf("waits for bundle %q to be there", name)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot get bundle %q: %w", name, err)
	}
	return bd, nil
}

func compile(c bundle.Content) (*opened, error) {
	content, err := bind.Compile(c)
	if err != nil {
		return nil, err
	}
	o := &opened{
		content: content,
		rules:   map[string]*health.Rule{}, outputs: map[string]*bind.Reader{}, procedures: map[string]*apply.Procedure{},
	}
	o.keepLegacy = c.Policies != nil && c.Policies.GarbageCollect != nil && c.Policies.GarbageCollect.KeepLegacy
	for i := range c.Components {
		bc := &c.Components[i]
		if err := o.compile(bc); err != nil {
			return nil, fmt.Errorf("component %q: %w", bc.Name, err)
		}
	}
	return o, nil
}

func (o *opened) compile(bc *bundle.Component) (err error) {
	if bc.Health != nil {
		if o.rules[bc.Name], err = health.CompileRule(*bc.Health); err != nil {
			return err
		}
	}
	if len(bc.Outputs) > 0 {
		if o.outputs[bc.Name], err = bind.CompileOutputs(bc.Outputs); err != nil {
			return err
		}
	}
	if len(bc.Procedure) > 0 {
		if o.procedures[bc.Name], err = apply.CompileProcedure(bc.Procedure); err != nil {
			return err
		}
	}
	return nil
}
