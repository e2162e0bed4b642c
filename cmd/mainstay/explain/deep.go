package explain

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/explain"
	"github.com/mainstay-dev/mainstay/internal/health"
	"github.com/mainstay-dev/mainstay/provider/target"
)

const (
	// deepClusters is how many clusters are looked at themselves, and patience how long
	// each of them is waited for.
	deepClusters = 5
	patience     = 10 * time.Second
	// maxPods and maxObjects are how many of each are read.
	maxPods    = 200
	maxObjects = 20
)

// Looker looks into clusters by their kubeconfigs on the hub, where the user may read
// them, as the tenant.
func Looker(hub client.Reader) func(context.Context, *v1alpha1.Cluster, string) (client.Reader, error) {
	clients := target.NewClients(hub, clock.RealClock{})
	return func(ctx context.Context, c *v1alpha1.Cluster, tenant string) (client.Reader, error) {
		t, err := clients.Tenant(ctx, c, tenant)
		if err != nil {
			return nil, err
		}
		return t.Client(), nil
	}
}

// evidence from clusters where an application is not healthy.
func (g *Gatherer) evidence(ctx context.Context) error {
	if g.Look == nil {
		return nil
	}
	chosen, skipped := g.suspects()
	found := make([]explain.Evidence, len(chosen))
	errs := make([]error, len(chosen))
	wg := sync.WaitGroup{}
	for i := range chosen {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, patience)
			defer cancel()
			found[i], errs[i] = g.look(ctx, chosen[i])
		})
	}
	wg.Wait()

	g.in.Evidence = map[string]explain.Evidence{}
	for i, s := range chosen {
		if errs[i] == nil {
			g.in.Evidence[s.release.GetName()] = found[i]
			continue
		}
		g.note("Pods on %s were not looked at: %s.", s.cluster.GetName(), reason(errs[i]))
	}
	if skipped > 0 {
		g.note("Pods were looked at on %d clusters only, and not on %d more that are not as wanted.", len(chosen), skipped)
	}
	return ctx.Err()
}

// A suspect is a Release that is not as wanted, on a cluster that can be asked.
type suspect struct {
	release *v1alpha1.Release
	cluster *v1alpha1.Cluster
}

// suspects, the worst first, and how many are left out.
func (g *Gatherer) suspects() (chosen []suspect, skipped int) {
	for i := range g.in.Releases {
		rel := &g.in.Releases[i]
		if !ill(rel) || rel.Status.AtProvider.Health == v1alpha1.Unknown || len(rel.Status.AtProvider.Components) == 0 {
			continue
		}
		j := slices.IndexFunc(g.in.Clusters, func(c v1alpha1.Cluster) bool {
			return c.GetNamespace() == rel.Spec.ForProvider.ClusterRef.Namespace && c.GetName() == rel.Spec.ForProvider.ClusterRef.Name
		})
		if j >= 0 {
			chosen = append(chosen, suspect{rel, &g.in.Clusters[j]})
		}
	}
	slices.SortStableFunc(chosen, func(a, b suspect) int {
		bad := func(s suspect) int {
			if s.release.Status.AtProvider.Health == v1alpha1.Degraded {
				return 0
			}
			return 1
		}
		return cmp.Or(bad(a)-bad(b), cmp.Compare(a.cluster.GetName(), b.cluster.GetName()))
	})
	n := min(len(chosen), deepClusters)
	return chosen[:n], len(chosen) - n
}

// look at what is on a cluster of a Release.
func (g *Gatherer) look(ctx context.Context, s suspect) (explain.Evidence, error) {
	c, err := g.Look(ctx, s.cluster, s.release.GetNamespace())
	if err != nil {
		return explain.Evidence{}, err
	}
	e := explain.Evidence{}
	if e.Pods, err = podsOf(ctx, c, s.release); err != nil {
		return e, err
	}
	unhealthy := map[string]bool{}
	for _, comp := range s.release.Status.AtProvider.Components {
		unhealthy[comp.Name] = comp.Health != v1alpha1.Healthy
	}
	read := 0
	for _, ref := range s.release.Status.AtProvider.Inventory {
		if !unhealthy[ref.Component] || read == maxObjects {
			continue
		}
		read++
		o, err := object(ctx, c, ref)
		if err != nil {
			return e, err
		}
		if o != nil {
			e.Objects = append(e.Objects, *o)
		}
	}
	return e, nil
}

// object that is not healthy, or nothing where it is.
func object(ctx context.Context, c client.Reader, ref v1alpha1.ObjectReference) (*explain.Object, error) {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind))
	err := c.Get(ctx, types.NamespacedName{Namespace: ref.Namespace, Name: ref.Name}, u)
	if err != nil && !kerrors.IsNotFound(err) {
		return nil, err
	}
	r := health.Missing(ref)
	if err == nil {
		r = health.Of(u)
	}
	if r.Health == v1alpha1.Healthy {
		return nil, nil //nolint:nilnil // That there is nothing to say is an answer.
	}
	return &explain.Object{Component: ref.Component, Kind: ref.Kind, Name: ref.Name, Message: r.Message}, nil
}

// reason for which a cluster could not be looked at.
func reason(err error) string {
	switch {
	case kerrors.IsForbidden(err):
		return "you may not read its kubeconfig, or the tenant may not read pods there"
	case target.IsUnreachable(err):
		return "it does not answer from here"
	}
	return fmt.Sprint(err)
}
