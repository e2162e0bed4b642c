package observe

import (
	"context"
	"fmt"

	kerrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	xr "github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/change"
	"github.com/mainstay-dev/mainstay/internal/change/grant"
	"github.com/mainstay-dev/mainstay/internal/names"
	"github.com/mainstay-dev/mainstay/internal/placement"
	"github.com/mainstay-dev/mainstay/internal/plan"
)

// IndexOwner finds the Releases of a Rollout, by its uid.
const IndexOwner = "change.owner"

// claims of a change, as they are on the hub. Before one may be written nothing is asked.
func (o *Observer) claims(ctx context.Context, in Input, m *memory) map[v1alpha1.ClaimReference]change.Claim {
	s := in.Change.Status.AtProvider
	out := map[v1alpha1.ClaimReference]change.Claim{}
	for _, c := range s.Claims {
		if !c.Began && s.Phase != v1alpha1.ChangeExecuting && s.Phase != v1alpha1.ChangeQueued && s.Phase != v1alpha1.ChangeApproved {
			continue
		}
		if got, err := o.claim(ctx, in, m, c.ClaimReference); err == nil {
			out[c.ClaimReference] = troubled(got, m.trouble[c.ClaimReference], s)
		}
	}
	return out
}

// troubled is a claim that could not be written, in this epoch. Where that is because somebody else edited it, it
// is as one that was edited after it was written: it takes a word to write over it.
func troubled(c change.Claim, t trouble, s v1alpha1.ChangeObservation) change.Claim {
	if t.message == "" || t.epoch != s.Epoch || c.Digest == t.digest {
		return c
	}
	switch {
	case t.edited && c.Exists:
		c.Ours, c.Epoch = true, t.epoch
	case t.refused:
		c.Refused, c.RefusedAt = t.message, t.retried
	}
	if c.Message == "" || !c.TakenIn {
		c.Message = t.message
	}
	return c
}

func (o *Observer) claim(ctx context.Context, in Input, m *memory, ref v1alpha1.ClaimReference) (change.Claim, error) {
	name := in.Change.GetNamespace() + "/" + in.Change.GetName()
	s := seen{}
	var err error
	if s.claim, err = o.object(ctx, ref.APIVersion, ref.Kind, ref.Namespace, ref.Name); err != nil {
		return change.Claim{}, err
	}
	g := &v1alpha1.ClaimGrant{}
	switch err := o.Hub.Get(ctx, types.NamespacedName{Namespace: ref.Namespace, Name: grant.Name(ref.Kind, ref.Name)}, g); {
	case err == nil:
		s.grant = g
	case !kerrors.IsNotFound(err):
		return change.Claim{}, fmt.Errorf("cannot get grant of %s: %w", ref, err)
	}
	if s.rollout, err = o.rollout(ctx, ref); err != nil {
		return change.Claim{}, err
	}
	if s.composite, err = o.composite(ctx, ref, s.claim); err != nil {
		return change.Claim{}, err
	}
	var p *plannedClaim
	switch {
	case ref.Kind == xr.ClusterFleetKind:
		if p = o.planned(ctx, in, m)[ref]; p != nil {
			err = o.ofFleet(ctx, ref, &s)
		}
	case on(s.rollout):
		p = o.planned(ctx, in, m)[ref]
		err = o.moves(ctx, &s)
	}
	if err != nil {
		return change.Claim{}, err
	}
	out, err := claimOf(ref, name, in.Repository.Spec.ForProvider.Delivery.Mode, s, p)
	if err != nil {
		return out, err
	}
	out.Other, err = o.other(ctx, in.Repository.Spec.ForProvider.Delivery, ref, s.grant, out)
	return out, err
}

// ofFleet are its clusters, and how many of them go.
func (o *Observer) ofFleet(ctx context.Context, ref v1alpha1.ClaimReference, s *seen) error {
	l := &v1alpha1.ClusterList{}
	if err := o.Hub.List(ctx, l, client.InNamespace(ref.Namespace), client.MatchingLabels{v1alpha1.LabelFleet: ref.Name}, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("cannot list Clusters of %s: %w", ref, err)
	}
	s.clusters = l.Items
	for i := range s.clusters {
		if s.clusters[i].GetDeletionTimestamp() != nil {
			s.removes++
		}
	}
	return nil
}

// on is true where an application's Rollout is on its way, and may move what it should not.
func on(ro *v1alpha1.Rollout) bool {
	return ro != nil && ro.Spec.ForProvider.Fleet == "" && ro.Status.AtProvider.Phase != v1alpha1.RolloutCompleted
}

// object that has no type here, as the cache has it.
func (o *Observer) object(ctx context.Context, apiVersion, kind, namespace, name string) (*unstructured.Unstructured, error) {
	return objectFrom(ctx, o.Hub, apiVersion, kind, namespace, name)
}

// objectFrom a reader. It is nil where there is none, or none of its kind.
func objectFrom(ctx context.Context, from client.Reader, apiVersion, kind, namespace, name string) (*unstructured.Unstructured, error) {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(schema.FromAPIVersionAndKind(apiVersion, kind))
	err := from.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, u)
	if kerrors.IsNotFound(err) || apimeta.IsNoMatchError(err) {
		return nil, nil //nolint:nilnil // That there is none is an answer.
	}
	if err != nil {
		return nil, fmt.Errorf("cannot get %s %s/%s: %w", kind, namespace, name, err)
	}
	return u, nil
}

// rollout of a claim. It is nil where there is none.
func (o *Observer) rollout(ctx context.Context, ref v1alpha1.ClaimReference) (*v1alpha1.Rollout, error) {
	name := names.ClaimRollout(ref.Kind, ref.Name)
	if name == "" {
		return nil, nil //nolint:nilnil // That there is none is an answer.
	}
	ro := &v1alpha1.Rollout{}
	err := o.Hub.Get(ctx, types.NamespacedName{Namespace: ref.Namespace, Name: name}, ro)
	switch {
	case kerrors.IsNotFound(err):
		return nil, nil //nolint:nilnil // That there is none is an answer.
	case err != nil:
		return nil, fmt.Errorf("cannot get Rollout of %s: %w", ref, err)
	case ro.Spec.ForProvider.Application != ref.Name && ro.Spec.ForProvider.Fleet != ref.Name:
		return nil, nil //nolint:nilnil // It has its name, and is somebody else's.
	}
	return ro, nil
}

// composite of a claim. It is nil where there is none yet.
func (o *Observer) composite(ctx context.Context, ref v1alpha1.ClaimReference, claim *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	if claim == nil {
		return nil, nil //nolint:nilnil // That there is none is an answer.
	}
	at, _, _ := unstructured.NestedStringMap(claim.Object, "spec", "resourceRef")
	if at["name"] == "" || schema.FromAPIVersionAndKind(at["apiVersion"], at["kind"]).Group != xr.GroupVersion.Group {
		return nil, nil //nolint:nilnil // That there is none is an answer.
	}
	u, err := o.object(ctx, at["apiVersion"], at["kind"], "", at["name"])
	if err != nil || u == nil {
		return nil, err
	}
	of, _, _ := unstructured.NestedStringMap(u.Object, "spec", "claimRef")
	if of["namespace"] != ref.Namespace || of["name"] != ref.Name {
		return nil, nil //nolint:nilnil // It is another claim's.
	}
	return u, nil
}

// moves of a Rollout that is on its way: its Releases, and how many of them its placement
// leaves out. Where that cannot be resolved the Rollout removes nothing, either.
func (o *Observer) moves(ctx context.Context, s *seen) error {
	ro := s.rollout
	l := &v1alpha1.ReleaseList{}
	if err := o.Hub.List(ctx, l, client.InNamespace(ro.GetNamespace()), client.MatchingFields{IndexOwner: string(ro.GetUID())}, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("cannot list Releases: %w", err)
	}
	s.releases = l.Items
	clusters := &v1alpha1.ClusterList{}
	if err := o.Hub.List(ctx, clusters, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("cannot list Clusters: %w", err)
	}
	targets, err := placement.Resolve(ro.GetNamespace(), ro.Spec.ForProvider.Placement, clusters.Items)
	if err != nil {
		return nil
	}
	stays := map[v1alpha1.ClusterReference]bool{}
	for i := range clusters.Items {
		// From one that goes itself nothing is taken away.
		c := &clusters.Items[i]
		stays[v1alpha1.ClusterReference{Namespace: c.GetNamespace(), Name: c.GetName()}] = c.GetDeletionTimestamp() == nil
	}
	for _, t := range targets {
		delete(stays, t.Cluster)
	}
	for i := range s.releases {
		if stays[s.releases[i].Spec.ForProvider.ClusterRef] {
			s.removes++
		}
	}
	return nil
}

// planned is what is remembered of a plan, which never changes.
type planned struct {
	name   string
	claims map[v1alpha1.ClaimReference]*plannedClaim
}

// planned clusters of the claims, of those that the plan names all clusters of. Of a claim that was written
// before it was made it names the rest only, so nothing is concluded from that.
func (o *Observer) planned(ctx context.Context, in Input, m *memory) map[v1alpha1.ClaimReference]*plannedClaim {
	at := in.Change.Status.AtProvider.Plan
	if at == nil {
		return nil
	}
	if m.plan != nil && m.plan.name == at.Name {
		return m.plan.claims
	}
	obj := &v1alpha1.Plan{}
	if err := o.Hub.Get(ctx, types.NamespacedName{Namespace: in.Change.GetNamespace(), Name: at.Name}, obj); err != nil {
		return nil
	}
	p, err := plan.Open(obj)
	if err != nil {
		return nil
	}
	m.plan = &planned{name: at.Name, claims: map[v1alpha1.ClaimReference]*plannedClaim{}}
	for i := range p.Claims {
		if c := &p.Claims[i]; !c.Carried && !c.Unknown {
			if clusters := clustersOf(p, c.Set); clusters != nil {
				m.plan.claims[c.ClaimReference] = &plannedClaim{clusters: clusters, made: at.Made.Time}
			}
		}
	}
	return m.plan.claims
}

// clustersOf groups. It is nil where not all are named.
func clustersOf(p plan.Plan, set []int) map[string]bool {
	out := map[string]bool{}
	for _, i := range set {
		if i < 0 || i >= len(p.Groups) || len(p.Groups[i].Clusters) < p.Groups[i].Count {
			return nil
		}
		for _, c := range p.Groups[i].Clusters {
			out[c] = true
		}
	}
	return out
}
