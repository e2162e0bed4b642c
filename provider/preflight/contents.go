package preflight

import (
	"context"
	"fmt"
	"strings"
	"sync"

	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/lru"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/bind"
	"github.com/mainstay-dev/mainstay/internal/bundle"
	"github.com/mainstay-dev/mainstay/internal/images"
	"github.com/mainstay-dev/mainstay/internal/preflight"
	"github.com/mainstay-dev/mainstay/internal/rollout"
)

// maxContents that are kept open. Clusters share them.
const maxContents = 64

// contents of Bundles, which never change.
type contents struct {
	hub   client.Reader
	known *lru.Cache // of *content, by UID
}

// A content of a Bundle.
type content struct {
	source *bind.Content

	mu sync.Mutex
	// prepared once for all clusters, by namespaces, where nothing is bound.
	prepared map[string]*preflight.Subject
}

func newContents(hub client.Reader) *contents {
	return &contents{hub: hub, known: lru.New(maxContents)}
}

// open a Bundle.
func (c *contents) open(ctx context.Context, namespace, name string) (*content, error) {
	b, err := c.get(ctx, namespace, name)
	if err != nil {
		return nil, err
	}
	if v, ok := c.known.Get(b.GetUID()); ok && b.GetUID() != "" {
		return v.(*content), nil //nolint:forcetypeassert // Holds nothing else.
	}
	opened, err := bundle.Open(b, func(part string) (*v1alpha1.Bundle, error) { return c.get(ctx, namespace, part) })
	if err != nil {
		return nil, err
	}
	source, err := bind.Compile(opened)
	if err != nil {
		return nil, fmt.Errorf("cannot use bundle %q: %w", name, err)
	}
	out := &content{source: source, prepared: map[string]*preflight.Subject{}}
	c.known.Add(b.GetUID(), out)
	return out, nil
}

func (c *contents) get(ctx context.Context, namespace, name string) (*v1alpha1.Bundle, error) {
	b := &v1alpha1.Bundle{}
	err := c.hub.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, b)
	if kerrors.IsNotFound(err) {
		err = errNoBundle
	}
	if err != nil {
		return nil, fmt.Errorf("cannot get bundle %q: %w", name, err)
	}
	return b, nil
}

// subject to check on a cluster, and the content that it was made of, both with the images
// that are going to run. Components that
// wait for outputs keep their expressions.
func (c *content) subject(cr *v1alpha1.Cluster, p rollout.Placed, allowed []string) (*preflight.Subject, bundle.Content, error) {
	namespace := p.Payload.Namespace
	if !c.source.Constant() {
		bound, err := c.source.Bind(bind.Facts(cr, namespace), bind.Outputs{})
		if err != nil {
			return nil, bundle.Content{}, err
		}
		pinned := images.Pin(bound.Content, p.Images)
		return preflight.Prepare(pinned, namespace, allowed), pinned, nil
	}
	pinned := images.Pin(c.source.Source(), p.Images)
	c.mu.Lock()
	defer c.mu.Unlock()
	key := namespace + " " + p.Payload.Images + " " + strings.Join(allowed, " ")
	s := c.prepared[key]
	if s == nil {
		s = preflight.Prepare(pinned, namespace, allowed)
		c.prepared[key] = s
	}
	return s, pinned, nil
}
