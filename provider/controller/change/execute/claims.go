package execute

import (
	"context"
	"fmt"

	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/change"
	"github.com/mainstay-dev/mainstay/internal/change/grant"
	"github.com/mainstay-dev/mainstay/internal/claims"
)

// apply a claim behind its grant, or delete it.
func (e *Executor) apply(ctx context.Context, in Input, a change.Action) error {
	if err := e.allowed(ctx, in, a.Claim.Namespace); err != nil {
		return err
	}
	var want map[string]any
	if a.Digest != "" {
		c, err := e.manifest(ctx, in, a)
		if err != nil {
			return err
		}
		want = c.Object
	}
	return again(ctx, tries, func() error { return e.applyOnce(ctx, in, a, want) })
}

// applyOnce reads the claim, asks the queue, grants, and writes onto what it read.
func (e *Executor) applyOnce(ctx context.Context, in Input, a change.Action, want map[string]any) error {
	live, err := e.claim(ctx, a.Claim)
	if err != nil {
		return err
	}
	if live != nil && live.GetDeletionTimestamp() != nil && want != nil {
		return fmt.Errorf("it is being deleted: it is made anew once it is gone")
	}
	says, err := digestOf(live)
	if err != nil {
		return err
	}
	g, err := e.grantOf(ctx, a.Claim)
	if err != nil {
		return err
	}
	known := isKnown(in, a, specOf(g), says)
	if !known && !mayOverwrite(in, a, live) {
		return &EditedError{Claim: a.Claim, By: writerOf(live)}
	}
	if err := e.fence(ctx, in, a); err != nil {
		return err
	}
	if err := e.give(ctx, g, granting(in, a, specOf(g), says, known)); err != nil {
		return err
	}
	if want == nil {
		return e.remove(ctx, live)
	}
	return e.put(ctx, in, a, want, live)
}

// claim as it is now, or nil where it is not there.
func (e *Executor) claim(ctx context.Context, ref v1alpha1.ClaimReference) (*unstructured.Unstructured, error) {
	u := &unstructured.Unstructured{}
	u.SetAPIVersion(ref.APIVersion)
	u.SetKind(ref.Kind)
	err := e.Live.Get(ctx, types.NamespacedName{Namespace: ref.Namespace, Name: ref.Name}, u)
	switch {
	case kerrors.IsNotFound(err):
		return nil, nil //nolint:nilnil // That it is not there is no error, and what callers go by.
	case err != nil:
		return nil, fmt.Errorf("cannot read it: %w", err)
	}
	return u, nil
}

// digestOf what a claim says. Empty where it is not there.
func digestOf(u *unstructured.Unstructured) (string, error) {
	if u == nil {
		return "", nil
	}
	spec, _, err := unstructured.NestedMap(u.Object, "spec")
	if err != nil {
		return "", err
	}
	return grant.Digest(u.GetKind(), u.GetNamespace(), u.GetName(), spec)
}

// isKnown is true where what a claim says is what it is to say, what it may say as well, or what this
// change wrote before. That it is not there is known, too: nothing is lost with it.
func isKnown(in Input, a change.Action, have *v1alpha1.ClaimGrantSpec, says string) bool {
	if says == "" || says == a.Digest || says == a.Before {
		return true
	}
	return have != nil && have.Change == in.name() && (says == have.Digest || says == have.Before)
}

// mayOverwrite an edit: because somebody said so, or because the change goes back with what it wrote last.
func mayOverwrite(in Input, a change.Action, live *unstructured.Unstructured) bool {
	if a.Back {
		return writerOf(live) == in.name()
	}
	return change.Overwrites(in.Change.Status.AtProvider, a.Claim)
}

// writerOf a claim is the change that wrote it last. Empty where none did.
func writerOf(live *unstructured.Unstructured) string {
	if live == nil {
		return ""
	}
	return change.Writer(live.GetAnnotations()[v1alpha1.AnnotationChange])
}

// manifest of a claim: what it says once the merge request is merged or, going back, on the base.
func (e *Executor) manifest(ctx context.Context, in Input, a change.Action) (claims.Claim, error) {
	var set claims.Set
	err := e.fetched(ctx, in, func() (err error) {
		set, err = e.wanted(in, a)
		return err
	})
	if err != nil {
		return claims.Claim{}, err
	}
	c, ok := set[a.Claim]
	if !ok {
		return claims.Claim{}, fmt.Errorf("it is not in the commits that were planned: push again to have them planned anew")
	}
	return c, nil
}

// wanted are the claims as they are to be.
func (e *Executor) wanted(in Input, a change.Action) (claims.Set, error) {
	if a.Back {
		// What is wrong with others on the base is not in the way of going back.
		set, err := e.Trees.Commit(in.Repo, in.spec(), in.Repository.Namespace, a.Base)
		if set != nil {
			return set, nil
		}
		return nil, err
	}
	v, err := e.Trees.At(in.Repo, in.spec(), in.Repository.Namespace, a.Base, a.Head)
	switch {
	case err != nil:
		return nil, err
	case len(v.Look.Merged.Conflicts) > 0:
		return nil, fmt.Errorf("%s changed on both sides: rebase and push", v.Look.Merged.Conflicts[0])
	case len(v.Problems) > 0:
		return nil, v.Problems
	}
	return v.Merged, nil
}

// remove a claim as it was read. Its finalizers see to what it stands for.
func (e *Executor) remove(ctx context.Context, live *unstructured.Unstructured) error {
	if live == nil || live.GetDeletionTimestamp() != nil {
		return nil
	}
	uid, version := live.GetUID(), live.GetResourceVersion()
	err := e.Hub.Delete(ctx, live, client.Preconditions{UID: &uid, ResourceVersion: &version})
	if kerrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot delete it: %w", err)
	}
	e.Log.Info("Deleted claim", "claim", live.GetKind()+" "+live.GetNamespace()+"/"+live.GetName())
	return nil
}
