// Package rollout shows Rollouts, and tells them what people want.
//
// What is said goes to spec.forProvider.control, which nothing that is composed ever
// sets: neither Crossplane nor a GitOps engine takes it back. It is written with a
// lock on what was read, and is about the revision that was shown: where another has
// begun meanwhile, nothing is written.
//
// What can be said, and what there is to see, is for package internal/control. Deliberately
// absent: any right of its own. The command can do what its user's kubeconfig can; who may
// approve is for the hub's RBAC to say.
package rollout

import (
	"context"
	"errors"
	"fmt"

	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/control"
)

// fieldManager of what people say.
const fieldManager = "mainstay-rollout"

// tries to write, where others write at the same time.
const tries = 5

// A Client reads Rollouts, and writes what people tell them.
type Client struct {
	Hub       client.Client
	Namespace string
}

// Get the Rollout of an application.
func (c *Client) Get(ctx context.Context, application string) (*v1alpha1.Rollout, error) {
	ro := &v1alpha1.Rollout{}
	err := c.Hub.Get(ctx, types.NamespacedName{Namespace: c.Namespace, Name: application}, ro)
	switch {
	case kerrors.IsNotFound(err):
		return nil, fmt.Errorf("application %q has no Rollout in namespace %q: %s says why", application, c.Namespace, control.Command("explain app/"+application, c.Namespace))
	case meta.IsNoMatchError(err):
		return nil, errors.New("the hub knows no Rollouts: is this the hub, and is Mainstay installed there?")
	case err != nil:
		return nil, fmt.Errorf("cannot get Rollout %q: %w", application, err)
	}
	return ro, nil
}

// Tell a Rollout something. Where it is risky it is confirmed first. What was said is returned.
func (c *Client) Tell(ctx context.Context, application string, s control.Saying, confirm func(risk string) error) (string, error) {
	for range tries {
		ro, err := c.Get(ctx, application)
		if err != nil {
			return "", err
		}
		o, err := control.Say(ro, s)
		if err != nil {
			return "", fmt.Errorf("cannot %s rollout of %q: %w", s.Word, application, err)
		}
		if o.Control == nil {
			return o.Said, nil
		}
		if o.Risk != "" && confirm != nil {
			if err := confirm(o.Risk); err != nil {
				return "", err
			}
			confirm = nil
		}
		if s.Word != control.Pause && s.Word != control.Resume {
			// From here on it is about the revision that was looked at.
			s.Revision = ro.Status.AtProvider.Digest
		}
		before := ro.DeepCopy()
		ro.Spec.ForProvider.Control = o.Control
		err = c.Hub.Patch(ctx, ro, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}), client.FieldOwner(fieldManager))
		if err == nil {
			return o.Said, nil
		}
		if !kerrors.IsConflict(err) {
			return "", fmt.Errorf("cannot %s rollout of %q: %w", s.Word, application, err)
		}
	}
	return "", fmt.Errorf("cannot %s rollout of %q: it was changed by somebody else each time: try again", s.Word, application)
}
