package release

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/apply"
)

const (
	// tries to write an object that others write at the same time.
	tries = 4
	// lease is how long a reconcile relies on what it read of its Release. It is less
	// than the time that a provider must be silent for before another takes over.
	lease = 5 * time.Second
)

// errSuperseded says that a newer decision is being carried out.
var errSuperseded = errors.New("a newer decision about this Release is being carried out: nothing is written for this one")

func isSuperseded(err error) bool { return errors.Is(err, errSuperseded) }

// fence off what was decided in an earlier epoch than what was written last.
func (a *applier) fence(mg *v1alpha1.Release) error {
	epoch := mg.Spec.ForProvider.Epoch
	if a.before.AtProvider.Epoch > epoch {
		return errSuperseded
	}
	for _, live := range a.live {
		if live != nil && owns(mg, live) && apply.WrittenIn(live, mg.GetUID()) > epoch {
			return errSuperseded
		}
	}
	return nil
}

// stillWanted makes sure that the Release is what it was, where it is a while ago that it
// was made sure, or was read. What is read from a cache makes nothing sure.
func (a *applier) stillWanted(ctx context.Context, mg *v1alpha1.Release, read time.Time) error {
	if a.clock.Since(a.checked) < lease || a.clock.Since(read) < lease {
		return nil
	}
	now := &v1alpha1.Release{}
	err := a.connector.live.Get(ctx, client.ObjectKeyFromObject(mg), now)
	if Absent(err) {
		return errSuperseded
	}
	if err != nil {
		return fmt.Errorf("cannot make sure of Release %q: %w", mg.GetName(), err)
	}
	if now.GetUID() != mg.GetUID() || now.GetDeletionTimestamp() != nil || !equality.Semantic.DeepEqual(now.Spec.ForProvider, mg.Spec.ForProvider) {
		return errSuperseded
	}
	a.checked = a.clock.Now()
	return nil
}

// A written object is what came of writing it.
type written struct {
	live *unstructured.Unstructured
	// skipped is true where it was not written, because it has to go first.
	skipped bool
	err     error
}

// write an object onto what was read of it, and nothing else: where it has changed since,
// it is looked at again whether it may be written.
func (a *applier) write(ctx context.Context, mg *v1alpha1.Release, o apply.Object) written {
	live := a.live[a.key(o.Ref())]
	for try := 1; ; try++ {
		u := o.Onto(live)
		if epoch := mg.Spec.ForProvider.Epoch; epoch > 0 {
			annotate(u, v1alpha1.AnnotationEpoch, apply.Written(mg.GetUID(), epoch))
		}
		if live != nil {
			u.SetResourceVersion(live.GetResourceVersion())
		}
		err := a.remote.apply(ctx, u)
		if err == nil {
			return written{live: u}
		}
		if !kerrors.IsConflict(err) || try == tries {
			return written{err: err}
		}
		if live, err = a.remote.get(ctx, o.Ref()); err != nil {
			return written{err: err}
		}
		switch {
		case live == nil:
		case live.GetDeletionTimestamp() != nil:
			return written{live: live, skipped: true}
		case owns(mg, live) && apply.WrittenIn(live, mg.GetUID()) > mg.Spec.ForProvider.Epoch:
			return written{err: errSuperseded}
		default:
			if why := a.foreign(mg, o, live); why != "" {
				return written{err: errors.New(why)}
			}
		}
	}
}

// foreign says why an object that is there must not be written. It is empty where it may.
// One that has lost its mark since it was applied is still the Release's.
func (a *applier) foreign(mg *v1alpha1.Release, o apply.Object, live *unstructured.Unstructured) string {
	at := fmt.Sprintf("%s %q in namespace %q of cluster %q", o.GetKind(), o.GetName(), o.GetNamespace(), a.cluster.GetName())
	if o.GetNamespace() == "" {
		at = fmt.Sprintf("%s %q of cluster %q", o.GetKind(), o.GetName(), a.cluster.GetName())
	}
	key := a.key(o.Ref())
	switch {
	case owns(mg, live):
		return ""
	case apply.Owner(live) != "":
		return fmt.Sprintf("%s belongs to Release %s: give it another name, or remove it there", at, apply.Owner(live))
	case o.TakeOver || a.memory.trace(mg.GetUID(), key, a.traces[key]) != "":
		return ""
	}
	return at + " is there already and is no application's: give it another name, remove it there, or select it with a take-over policy to make it this application's"
}

func annotate(u *unstructured.Unstructured, key, value string) {
	annotations := u.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[key] = value
	u.SetAnnotations(annotations)
}
