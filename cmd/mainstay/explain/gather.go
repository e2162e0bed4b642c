// Package explain gathers what internal/explain explains, with the rights of whoever
// asks, and shows it.
//
// What may not be read is left out, and said. Only the thing that is asked about must
// be readable. Clusters themselves are looked at as the tenant whose application it is, and
// only some of them: a thousand that fail for one reason need not all be asked.
package explain

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/change/grant"
	"github.com/mainstay-dev/mainstay/internal/explain"
	"github.com/mainstay-dev/mainstay/internal/names"
)

// maxClusters of Releases that are looked up.
const maxClusters = 50

var (
	claims   = schema.GroupVersion{Group: "mainstay.dev", Version: "v1alpha1"}
	packages = schema.GroupVersion{Group: "pkg.crossplane.io", Version: "v1"}
)

// kinds by what people call them.
var kinds = map[string]explain.Kind{
	"app": explain.Application, "productapplication": explain.Application, "productapplications": explain.Application,
	"fleet": explain.Fleet, "clusterfleet": explain.Fleet, "clusterfleets": explain.Fleet,
	"rollout": explain.Rollout, "rollouts": explain.Rollout,
	"release": explain.Release, "releases": explain.Release,
	"cluster": explain.Cluster, "clusters": explain.Cluster,
}

// Parse what is to be explained: <kind>/<name>, or kind and name.
func Parse(args []string) (explain.Kind, string, error) {
	kind, name, _ := strings.Cut(strings.Join(args, "/"), "/")
	k, ok := kinds[strings.ToLower(strings.SplitN(kind, ".", 2)[0])]
	if !ok || name == "" || strings.Contains(name, "/") {
		return "", "", fmt.Errorf("%q is nothing that can be explained: say app/<name>, fleet/<name>, rollout/<name>, release/<name> or cluster/<name>", strings.Join(args, " "))
	}
	return k, name, nil
}

// A Gatherer reads what an explanation is made from.
type Gatherer struct {
	Hub       client.Reader
	Namespace string
	Now       time.Time
	// Look into a cluster as a tenant. Without it no cluster is looked at.
	Look func(ctx context.Context, c *v1alpha1.Cluster, tenant string) (client.Reader, error)

	in explain.Input
}

// Gather all about one thing.
func (g *Gatherer) Gather(ctx context.Context, kind explain.Kind, name string) (explain.Input, error) {
	g.in = explain.Input{Kind: kind, Namespace: g.Namespace, Name: name, Now: g.Now}
	steps := map[explain.Kind][]func(context.Context) error{
		explain.Application: {g.claim, g.packages, g.rollout, g.releases, g.clustersOfReleases, g.evidence},
		explain.Fleet:       {g.claim, g.packages, g.rollout, g.cells, g.clustersOfFleet},
		explain.Rollout:     {g.rollout, g.releases, g.clustersOfReleases, g.evidence},
		explain.Release:     {g.release, g.clustersOfReleases, g.evidence},
		explain.Cluster:     {g.cluster, g.releasesOnCluster, g.evidence},
	}
	for _, step := range steps[kind] {
		if err := step(ctx); err != nil {
			return g.in, err
		}
	}
	return g.in, nil
}

// optional turns an error that is no reason to give up into a note.
func (g *Gatherer) optional(what string, err error) error {
	switch {
	case err == nil, kerrors.IsNotFound(err), meta.IsNoMatchError(err):
		return nil
	case kerrors.IsForbidden(err):
		g.note("%s were not looked at: you may not read them.", what)
		return nil
	}
	return fmt.Errorf("cannot read %s: %w", strings.ToLower(what), err)
}

func (g *Gatherer) note(format string, args ...any) {
	g.in.Notes = append(g.in.Notes, fmt.Sprintf(format, args...))
}

// claim and its composite.
func (g *Gatherer) claim(ctx context.Context) error {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(claims.WithKind(string(g.in.Kind)))
	err := g.Hub.Get(ctx, types.NamespacedName{Namespace: g.Namespace, Name: g.in.Name}, u)
	switch {
	case kerrors.IsNotFound(err):
		return nil
	case meta.IsNoMatchError(err):
		return fmt.Errorf("the hub knows no %s: is this the hub, and is Mainstay installed there?", g.in.Kind) //nolint:err113 // Only printed.
	case err != nil:
		return fmt.Errorf("cannot get %s %q: %w", g.in.Kind, g.in.Name, err)
	}
	g.in.Claim = resource(u)
	if err := g.hold(ctx, u); err != nil {
		return err
	}
	name, _, _ := unstructured.NestedString(u.Object, "spec", "resourceRef", "name")
	if name == "" {
		return nil
	}
	x := &unstructured.Unstructured{}
	x.SetGroupVersionKind(claims.WithKind("X" + string(g.in.Kind)))
	err = g.Hub.Get(ctx, types.NamespacedName{Name: name}, x)
	if kerrors.IsForbidden(err) {
		// It is Crossplane's business. What is below it is not.
		g.note("Composites were not looked at: you may not read them.")
		g.in.Composite = &explain.Resource{Kind: "X" + string(g.in.Kind), Name: name}
		return nil
	}
	if err == nil {
		g.in.Composite = resource(x)
	}
	return g.optional("Composites", err)
}

// hold of a fleet, which is held back as a whole: what it says, and what a change carried.
func (g *Gatherer) hold(ctx context.Context, claim *unstructured.Unstructured) error {
	if g.in.Kind != explain.Fleet || !slices.ContainsFunc(g.in.Claim.Conditions, func(c explain.Condition) bool { return grant.IsHeld(c.Message) }) {
		return nil
	}
	is := &v1alpha1.ClaimGrant{}
	err := g.Hub.Get(ctx, types.NamespacedName{Namespace: g.Namespace, Name: grant.Name(string(g.in.Kind), g.in.Name)}, is)
	spec := &is.Spec
	switch {
	case kerrors.IsNotFound(err):
		spec = nil
	case err != nil:
		return g.optional("ClaimGrants", err)
	}
	said, _, _ := unstructured.NestedMap(claim.Object, "spec")
	digest, err := grant.Digest(string(g.in.Kind), g.Namespace, g.in.Name, said)
	if err != nil {
		return err
	}
	// What the function saw is held back; that it is required was its to find out.
	g.in.Held = grant.Hold(map[string]string{v1alpha1.LabelRequireChange: "true"}, spec, digest)
	return nil
}

// packages that are not healthy, where that is why nothing is composed.
func (g *Gatherer) packages(ctx context.Context) error {
	if g.in.Claim == nil || g.in.Composite != nil && !slices.ContainsFunc(g.in.Composite.Conditions, func(c explain.Condition) bool {
		return c.Type == "Synced" && c.Status == "False"
	}) {
		return nil
	}
	for _, kind := range []string{"Configuration", "Function", "Provider"} {
		l := &unstructured.UnstructuredList{}
		l.SetGroupVersionKind(packages.WithKind(kind + "List"))
		if err := g.optional(kind+"s", g.Hub.List(ctx, l)); err != nil {
			return err
		}
		for i := range l.Items {
			r := resource(&l.Items[i])
			if slices.ContainsFunc(r.Conditions, func(c explain.Condition) bool {
				return (c.Type == "Healthy" || c.Type == "Installed") && c.Status != "True"
			}) {
				g.in.Packages = append(g.in.Packages, *r)
			}
		}
	}
	return nil
}

func (g *Gatherer) rollout(ctx context.Context) error {
	name := g.in.Name
	if g.in.Kind == explain.Fleet {
		name = names.FleetRollout(name)
	}
	ro := &v1alpha1.Rollout{}
	err := g.Hub.Get(ctx, types.NamespacedName{Namespace: g.Namespace, Name: name}, ro)
	if err == nil {
		g.in.Rollout = ro
	}
	return g.optional("Rollouts", err)
}

// releases of the Rollout.
func (g *Gatherer) releases(ctx context.Context) error {
	if g.in.Rollout == nil || g.in.Rollout.Spec.ForProvider.Application == "" {
		return nil
	}
	l := &v1alpha1.ReleaseList{}
	err := g.Hub.List(ctx, l, client.InNamespace(g.Namespace), client.MatchingLabels{v1alpha1.LabelRollout: g.in.Rollout.GetName()})
	g.in.Releases = l.Items
	return g.optional("Releases", err)
}

func (g *Gatherer) release(ctx context.Context) error {
	rel := &v1alpha1.Release{}
	err := g.Hub.Get(ctx, types.NamespacedName{Namespace: g.Namespace, Name: g.in.Name}, rel)
	if err == nil {
		g.in.Releases = []v1alpha1.Release{*rel}
	}
	return g.optional("Releases", err)
}

// clustersOfReleases that are not as wanted.
func (g *Gatherer) clustersOfReleases(ctx context.Context) error {
	seen := map[types.NamespacedName]bool{}
	for i := range g.in.Releases {
		rel := &g.in.Releases[i]
		key := types.NamespacedName(rel.Spec.ForProvider.ClusterRef)
		if !ill(rel) || seen[key] || len(seen) >= maxClusters {
			continue
		}
		seen[key] = true
		c := &v1alpha1.Cluster{}
		err := g.Hub.Get(ctx, key, c)
		if kerrors.IsForbidden(err) {
			g.note("Clusters were not looked at: you may not read them in namespace %s.", key.Namespace)
			return nil
		}
		if err == nil {
			g.in.Clusters = append(g.in.Clusters, *c)
		}
		if err := g.optional("Clusters", err); err != nil {
			return err
		}
	}
	return nil
}

// ill is a Release that is not known to be as wanted.
func ill(rel *v1alpha1.Release) bool {
	return rel.Status.AtProvider.Health != v1alpha1.Healthy || rel.Status.AtProvider.Bundle != rel.Spec.ForProvider.Bundle
}

// cells of the fleet.
func (g *Gatherer) cells(ctx context.Context) error {
	l := &unstructured.UnstructuredList{}
	l.SetGroupVersionKind(claims.WithKind("FleetCellList"))
	err := g.Hub.List(ctx, l, client.InNamespace(g.Namespace))
	for i := range l.Items {
		if fleet, _, _ := unstructured.NestedString(l.Items[i].Object, "spec", "fleet"); fleet == g.in.Name {
			g.in.Cells = append(g.in.Cells, *resource(&l.Items[i]))
		}
	}
	return g.optional("FleetCells", err)
}

func (g *Gatherer) clustersOfFleet(ctx context.Context) error {
	of := []client.ListOption{client.InNamespace(g.Namespace), client.MatchingLabels{v1alpha1.LabelFleet: g.in.Name}}
	clusters, pools := &v1alpha1.ClusterList{}, &v1alpha1.NodePoolList{}
	if err := g.optional("Clusters", g.Hub.List(ctx, clusters, of...)); err != nil {
		return err
	}
	g.in.Clusters = clusters.Items
	slices.SortFunc(g.in.Clusters, func(a, b v1alpha1.Cluster) int { return cmp.Compare(a.GetName(), b.GetName()) })
	err := g.optional("NodePools", g.Hub.List(ctx, pools, of...))
	g.in.NodePools = pools.Items
	return err
}

func (g *Gatherer) cluster(ctx context.Context) error {
	c := &v1alpha1.Cluster{}
	err := g.Hub.Get(ctx, types.NamespacedName{Namespace: g.Namespace, Name: g.in.Name}, c)
	if err != nil {
		return g.optional("Clusters", err)
	}
	g.in.Clusters = []v1alpha1.Cluster{*c}
	pools := &v1alpha1.NodePoolList{}
	err = g.optional("NodePools", g.Hub.List(ctx, pools, client.InNamespace(g.Namespace)))
	g.in.NodePools = slices.DeleteFunc(pools.Items, func(p v1alpha1.NodePool) bool { return p.Spec.ForProvider.Cluster != g.in.Name })
	return err
}

// releasesOnCluster of all tenants, as far as they may be read.
func (g *Gatherer) releasesOnCluster(ctx context.Context) error {
	if len(g.in.Clusters) == 0 {
		return nil
	}
	namespaces := map[string]bool{}
	for _, t := range g.in.Clusters[0].Spec.ForProvider.Tenants {
		namespaces[t.Namespace] = true
	}
	ref := v1alpha1.ClusterReference{Namespace: g.Namespace, Name: g.in.Name}
	for ns := range namespaces {
		l := &v1alpha1.ReleaseList{}
		if err := g.optional("Releases in namespace "+ns, g.Hub.List(ctx, l, client.InNamespace(ns), client.MatchingLabels{
			v1alpha1.LabelCluster: g.in.Clusters[0].Spec.ForProvider.Name,
		})); err != nil {
			return err
		}
		for i := range l.Items {
			if l.Items[i].Spec.ForProvider.ClusterRef == ref {
				g.in.Releases = append(g.in.Releases, l.Items[i])
			}
		}
	}
	slices.SortFunc(g.in.Releases, func(a, b v1alpha1.Release) int {
		return cmp.Or(cmp.Compare(a.GetNamespace(), b.GetNamespace()), cmp.Compare(a.GetName(), b.GetName()))
	})
	return nil
}

// resource as Crossplane writes it.
func resource(u *unstructured.Unstructured) *explain.Resource {
	r := &explain.Resource{Kind: u.GetKind(), Name: u.GetName(), Deleting: u.GetDeletionTimestamp() != nil}
	list, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
	for _, item := range list {
		m, ok := item.(map[string]any)
		if !ok {
			continue
		}
		field := func(name string) string { s, _ := m[name].(string); return s }
		r.Conditions = append(r.Conditions, explain.Condition{Type: field("type"), Status: field("status"), Reason: field("reason"), Message: field("message")})
	}
	return r
}

// podsOf an application, as a tenant deployed it.
func podsOf(ctx context.Context, c client.Reader, rel *v1alpha1.Release) ([]corev1.Pod, error) {
	l := &corev1.PodList{}
	err := c.List(ctx, l, client.InNamespace(cmp.Or(rel.Status.AtProvider.Namespace, rel.Spec.ForProvider.Namespace)), client.Limit(maxPods), client.MatchingLabels{
		v1alpha1.LabelApplication: rel.Spec.ForProvider.Application,
	})
	return l.Items, err
}
