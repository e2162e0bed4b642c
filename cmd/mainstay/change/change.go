// Package change shows Changes, and tells them what people want.
//
// What is said goes to spec.forProvider.control, with the name that the hub knows the
// user by, and is about the head and the plan that were shown: where another has been made
// meanwhile, nothing is written. Approvals are given on the forge.
//
// What can be said, and what there is to see, is for package internal/control/changes.
// Deliberately absent: any right of its own. The command can do what its user's
// kubeconfig can; that nobody speaks in another's name is for the hub's admission to say.
package change

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/control"
	"github.com/mainstay-dev/mainstay/internal/control/changes"
	"github.com/mainstay-dev/mainstay/internal/plan"
)

// fieldManager of what people say. The executor's is another.
const fieldManager = "mainstay-command"

// tries to write, where others write at the same time.
const tries = 5

// errGone is that there is no such Change.
var errGone = errors.New("there is no Change")

// A Client reads Changes, and writes what people tell them.
type Client struct {
	Hub       client.Client
	Namespace string
}

// Get a Change. It is named as it is, or by the number of its merge request, as 41 or !41,
// where only one repository of the namespace has it.
func (c *Client) Get(ctx context.Context, name string) (*v1alpha1.Change, error) {
	if number := strings.TrimPrefix(name, "!"); number != "" && strings.Trim(number, "0123456789") == "" {
		return c.numbered(ctx, number)
	}
	ch := &v1alpha1.Change{}
	err := c.Hub.Get(ctx, types.NamespacedName{Namespace: c.Namespace, Name: name}, ch)
	if kerrors.IsNotFound(err) {
		return nil, fmt.Errorf("%w %q in namespace %q: %s lists them", errGone, name, c.Namespace, control.Command("change list", c.Namespace))
	}
	return ch, readable(err, "Change "+name)
}

// numbered Change of a merge request.
func (c *Client) numbered(ctx context.Context, number string) (*v1alpha1.Change, error) {
	all, err := c.List(ctx, false)
	if err != nil {
		return nil, err
	}
	var found []*v1alpha1.Change
	var names []string
	for i := range all {
		if fmt.Sprint(all[i].Spec.ForProvider.Number) == number {
			found, names = append(found, &all[i]), append(names, all[i].GetName())
		}
	}
	switch len(found) {
	case 0:
		return nil, fmt.Errorf("%w of merge request %s in namespace %q: %s lists them", errGone, number, c.Namespace, control.Command("change list", c.Namespace))
	case 1:
		return found[0], nil
	}
	return nil, fmt.Errorf("several repositories have a merge request %s: say which is meant: %s", number, strings.Join(names, ", "))
}

// List Changes, those that began last first.
func (c *Client) List(ctx context.Context, everywhere bool) ([]v1alpha1.Change, error) {
	l := &v1alpha1.ChangeList{}
	var o []client.ListOption
	if !everywhere {
		o = append(o, client.InNamespace(c.Namespace))
	}
	if err := readable(c.Hub.List(ctx, l, o...), "Changes"); err != nil {
		return nil, err
	}
	slices.SortStableFunc(l.Items, func(a, b v1alpha1.Change) int {
		return b.GetCreationTimestamp().Compare(a.GetCreationTimestamp().Time)
	})
	return l.Items, nil
}

// Queue of all changes of the hub. It is empty before the first.
func (c *Client) Queue(ctx context.Context) (v1alpha1.ChangeQueueSpec, error) {
	q := &v1alpha1.ChangeQueue{}
	err := client.IgnoreNotFound(c.Hub.Get(ctx, types.NamespacedName{Name: v1alpha1.ChangeQueueName}, q))
	return q.Spec, readable(err, "ChangeQueue "+v1alpha1.ChangeQueueName)
}

// Plan of a Change, the whole of it.
func (c *Client) Plan(ctx context.Context, ch *v1alpha1.Change) (plan.Plan, error) {
	at := ch.Status.AtProvider.Plan
	if at == nil {
		return plan.Plan{}, fmt.Errorf("%s has no plan: %s", ch.GetName(), ch.Status.AtProvider.Message)
	}
	o := &v1alpha1.Plan{}
	err := c.Hub.Get(ctx, types.NamespacedName{Namespace: ch.GetNamespace(), Name: at.Name}, o)
	if err := readable(err, "Plan "+at.Name); err != nil {
		return plan.Plan{}, err
	}
	return plan.Open(o)
}

// readable says of an error what could not be read.
func readable(err error, what string) error {
	switch {
	case err == nil:
		return nil
	case meta.IsNoMatchError(err):
		return errors.New("the hub knows no Changes: is this the hub, and is Mainstay installed there?")
	}
	return fmt.Errorf("cannot get %s: %w", what, err)
}

// Tell a Change something. Where it is risky it is confirmed first. What was said is returned.
func (c *Client) Tell(ctx context.Context, name string, s changes.Saying, confirm func(risk string) error) (string, error) {
	for range tries {
		ch, err := c.Get(ctx, name)
		if err != nil {
			return "", err
		}
		o, err := changes.Say(ch, s)
		if err != nil {
			return "", fmt.Errorf("cannot %s change %q: %w", s.Verb, ch.GetName(), err)
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
		// From here on it is about the plan that was looked at.
		s.Plan = ch.Status.AtProvider.Plan.Digest
		before := ch.DeepCopy()
		ch.Spec.ForProvider.Control = o.Control
		err = c.Hub.Patch(ctx, ch, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}), client.FieldOwner(fieldManager))
		if err == nil {
			return o.Said, nil
		}
		if !kerrors.IsConflict(err) {
			return "", fmt.Errorf("cannot %s change %q: %w", s.Verb, ch.GetName(), err)
		}
	}
	return "", fmt.Errorf("cannot %s change %q: it was changed by somebody else each time: try again", s.Verb, name)
}
