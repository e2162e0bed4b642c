package planner

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	apisv1alpha1 "github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/change"
	"github.com/mainstay-dev/mainstay/internal/change/grant"
	files "github.com/mainstay-dev/mainstay/internal/claims"
	"github.com/mainstay-dev/mainstay/internal/plan/claims"
	"github.com/mainstay-dev/mainstay/internal/plan/render"
	"github.com/mainstay-dev/mainstay/provider/controller/change/trees"
	"github.com/mainstay-dev/mainstay/provider/planner/hub"
)

// Sides are what claims say before and after.
type sides struct {
	before, after claims.Set
	// touched claims: those that the merge request changes, and those that were written already.
	touched []v1alpha1.ClaimReference
	// strays were written already, and are on neither side: an earlier head had them.
	strays []v1alpha1.ClaimReference
	// broken claims are on the hub, and the base does not say validly what they are: why.
	broken map[v1alpha1.ClaimReference]string
	// found are warnings about the base.
	found []v1alpha1.ChangeFinding
	// view of the commits.
	view trees.View
}

// sides of a merge request: its base, and its base once it is merged.
func (p *Planner) sides(ctx context.Context, in Input, req change.PlanRequest) (*sides, error) {
	v, err := p.trees.At(in.Repo, in.Repository.Spec.ForProvider, in.Repository.GetNamespace(), req.Base, req.Head)
	if err != nil {
		return nil, readError(err)
	}
	switch {
	case len(v.Look.Merged.Conflicts) > 0:
		return nil, problemf("%s changed on %s as well: rebase and push", conflicts(v.Look.Merged.Conflicts), in.Repository.Spec.ForProvider.BaseBranch)
	case len(v.Problems) > 0:
		return nil, refusal(v, in.Repository.Spec.ForProvider.BaseBranch)
	case v.Tree != req.Tree || v.Content != req.Content:
		// The rules of the Repository are others since it was asked for.
		return nil, fmt.Errorf("the claims of the merge request are others than those that a plan was asked for: it is asked for again")
	}
	s := &sides{view: v, broken: map[v1alpha1.ClaimReference]string{}, touched: sorted(append(changed(v.Base, v.Merged), req.Carry...))}
	if err := p.agreed(ctx, in, s.touched); err != nil {
		return nil, err
	}
	for _, ref := range req.Carry {
		if _, was := v.Base[ref]; !was {
			if _, is := v.Merged[ref]; !is {
				s.strays = append(s.strays, ref)
			}
		}
	}
	if err := p.complete(ctx, s, v.Base, v.Merged); err != nil {
		return nil, err
	}
	if err := p.unread(ctx, s, v); err != nil {
		return nil, err
	}
	return s, p.stray(ctx, s)
}

// changed claims between two trees.
func changed(before, after files.Set) []v1alpha1.ClaimReference {
	var out []v1alpha1.ClaimReference
	for _, d := range files.Differences(before, after) {
		out = append(out, d.Ref)
	}
	return out
}

// complete claims as the API server takes them. Those that say the same on both sides and that it
// would refuse are left out of both: nothing is done to them.
func (p *Planner) complete(ctx context.Context, s *sides, before, after files.Set) error {
	fleets := slices.ContainsFunc(s.touched, func(r v1alpha1.ClaimReference) bool { return r.Kind == apisv1alpha1.ClusterFleetKind })
	var problems []string
	for _, side := range []struct {
		from files.Set
		into *claims.Set
		last bool
	}{{before, &s.before, false}, {after, &s.after, true}} {
		for _, ref := range slices.SortedFunc(maps.Keys(side.from), claims.Compare) {
			touched := slices.Contains(s.touched, ref)
			if !touched && !fleets && ref.Kind != apisv1alpha1.ClusterFleetKind {
				continue // Nothing else is made of it.
			}
			f := side.from[ref]
			c, wrong, err := claims.Complete(f.File, f.Object)
			switch {
			case err != nil:
				return err
			case len(wrong) == 0:
				side.into.Claims = append(side.into.Claims, c)
			case !touched:
			case side.last:
				for _, w := range wrong {
					problems = append(problems, fmt.Sprintf("%s: %s: %s", f.Source, ref, w))
				}
			default:
				if err := p.mends(ctx, s, f, wrong); err != nil {
					return err
				}
			}
		}
	}
	if len(problems) > 0 {
		if n := len(problems); n > files.MaxProblems {
			problems = append(problems[:files.MaxProblems], fmt.Sprintf("and %d more", n-files.MaxProblems))
		}
		return problem{strings.Join(problems, "\n")}
	}
	return nil
}

// stray claims go to what they are on the hub, to be taken away from there.
func (p *Planner) stray(ctx context.Context, s *sides) error {
	for _, ref := range s.strays {
		c, err := p.onHub(ctx, ref)
		if err != nil {
			return err
		}
		if c != nil {
			s.before.Claims = append(s.before.Claims, *c)
		}
	}
	slices.SortFunc(s.before.Claims, func(a, b claims.Claim) int { return claims.Compare(a.ClaimReference, b.ClaimReference) })
	return nil
}

// onHub is a claim as it is there, or nil.
func (p *Planner) onHub(ctx context.Context, ref v1alpha1.ClaimReference) (*claims.Claim, error) {
	found, err := hub.Find(ctx, p.live)(selector(ref))
	if err != nil || len(found) == 0 {
		return nil, err
	}
	c, wrong, err := claims.Complete("", map[string]any{
		"apiVersion": ref.APIVersion, "kind": ref.Kind,
		"metadata": map[string]any{"namespace": ref.Namespace, "name": ref.Name},
		"spec":     found[0]["spec"],
	})
	if err != nil {
		return nil, err
	}
	if len(wrong) > 0 {
		return nil, fmt.Errorf("cannot read %s as it is on the hub: %s", ref, wrong[0])
	}
	return &c, nil
}

// agreed namespaces only: one of others has to say that it takes the Repository's claims.
func (p *Planner) agreed(ctx context.Context, in Input, refs []v1alpha1.ClaimReference) error {
	asked := map[string]bool{in.Repository.GetNamespace(): true}
	own := client.ObjectKeyFromObject(in.Repository).String()
	for _, ref := range refs {
		if asked[ref.Namespace] {
			continue
		}
		asked[ref.Namespace] = true
		ns := &corev1.Namespace{}
		err := p.live.Get(ctx, client.ObjectKey{Name: ref.Namespace}, ns)
		switch {
		case apierrors.IsNotFound(err):
			return problemf("%s: there is no namespace %s on the hub: whoever runs the hub makes it", ref, ref.Namespace)
		case err != nil:
			return fmt.Errorf("cannot ask whether namespace %s takes the claims of this repository: %w", ref.Namespace, err)
		case !grant.Agreed(ns.GetAnnotations(), own):
			return problemf("%s: namespace %s has not agreed to this repository: its owner adds %s to its annotation %s", ref, ref.Namespace, own, v1alpha1.AnnotationRepositories)
		}
	}
	return nil
}

func selector(ref v1alpha1.ClaimReference) render.Selector {
	return render.Selector{APIVersion: ref.APIVersion, Kind: ref.Kind, Namespace: ref.Namespace, Name: ref.Name}
}

// conflicts in short.
func conflicts(names []string) string {
	const most = 5
	if n := len(names); n > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), n-most)
	}
	return strings.Join(names, ", ")
}
