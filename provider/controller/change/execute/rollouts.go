package execute

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/change"
	"github.com/mainstay-dev/mainstay/internal/names"
)

// tell the Rollout of a claim. One that is not there has nothing to be told.
func (e *Executor) tell(ctx context.Context, in Input, a change.Action) error {
	name := names.ClaimRollout(a.Claim.Kind, a.Claim.Name)
	if name == "" {
		return nil
	}
	return again(ctx, tries, func() error {
		ro := &v1alpha1.Rollout{}
		err := e.Live.Get(ctx, types.NamespacedName{Namespace: a.Claim.Namespace, Name: name}, ro)
		if kerrors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("cannot read Rollout %s: %w", name, err)
		}
		said, err := told(ro, a, planned(in, a.Claim))
		if err != nil || equality.Semantic.DeepEqual(said, ro.Spec.ForProvider.Control) {
			return err
		}
		if err := e.fence(ctx, in, a); err != nil {
			return err
		}
		before := ro.DeepCopy()
		ro.Spec.ForProvider.Control = said
		if err := e.Hub.Patch(ctx, ro, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}), client.FieldOwner(v1alpha1.FieldManagerChange)); err != nil {
			return fmt.Errorf("cannot write Rollout %s: %w", name, err)
		}
		return nil
	})
}

// planned digest of a claim, in the direction in which the change goes.
func planned(in Input, ref v1alpha1.ClaimReference) string {
	s := in.Change.Status.AtProvider
	i := slices.IndexFunc(s.Claims, func(c v1alpha1.ChangeClaim) bool { return c.ClaimReference == ref })
	switch {
	case i < 0:
		return ""
	case s.Back != nil:
		return s.Claims[i].Before
	}
	return s.Claims[i].Digest
}

// told is the control of a Rollout once it was told. What else was said to it stays.
func told(ro *v1alpha1.Rollout, a change.Action, planned string) (*v1alpha1.RolloutControl, error) {
	at := ro.Status.AtProvider
	if ro.Spec.ForProvider.Control == nil && a.Verb == change.DoUnpause {
		return nil, nil //nolint:nilnil // Nothing was ever said to it, and nothing has to be.
	}
	c := &v1alpha1.RolloutControl{}
	if ro.Spec.ForProvider.Control != nil {
		c = ro.Spec.ForProvider.Control.DeepCopy()
	}
	switch a.Verb {
	case change.DoPause:
		c.Paused = true
	case change.DoUnpause:
		c.Paused = false
	case change.DoRetry:
		if c.Retry >= a.Count {
			break
		}
		c.Retry = a.Count
		// It tries nothing again that it is still told to leave or to take back.
		if c.Abort == at.Digest {
			c.Abort = ""
		}
		if c.Rollback == at.Digest {
			c.Rollback = ""
		}
	case change.DoAllow:
		switch d := ro.Spec.ForProvider.ClaimDigest; {
		case planned != "" && d != "" && d != planned:
			return nil, fmt.Errorf("its Rollout is not of what was planned: nothing is allowed to it")
		case at.Digest == "":
			return nil, fmt.Errorf("its Rollout has no revision yet that this could be said of")
		}
		c.AllowDeletions = at.Digest
	}
	return c, nil
}
