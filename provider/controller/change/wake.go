package change

import (
	"context"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	xr "github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/change/lock"
)

// gathering is how long a Change waits for more news of its claims before it looks at them.
const gathering = 200 * time.Millisecond

type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

func claimKey(kind, namespace, name string) string { return kind + "/" + namespace + "/" + name }

// claimKeys of a Change that is not over: of all claims that it touches.
func claimKeys(o client.Object) []string {
	c, ok := o.(*v1alpha1.Change)
	if !ok {
		return nil
	}
	at := c.Status.AtProvider
	if ended(at.Phase) {
		return nil
	}
	out := make([]string, 0, len(at.Claims))
	for i := range at.Claims {
		out = append(out, claimKey(at.Claims[i].Kind, at.Claims[i].Namespace, at.Claims[i].Name))
	}
	return out
}

func repositoryKeys(o client.Object) []string {
	c, ok := o.(*v1alpha1.Change)
	if !ok || ended(c.Status.AtProvider.Phase) {
		return nil
	}
	return []string{c.Spec.ForProvider.RepositoryRef.Name}
}

func ownerKeys(o client.Object) []string {
	if owner := metav1.GetControllerOf(o); owner != nil && owner.Kind == v1alpha1.RolloutGVK.Kind {
		return []string{string(owner.UID)}
	}
	return nil
}

func ended(p v1alpha1.ChangePhase) bool {
	return p == v1alpha1.ChangeCompleted || p == v1alpha1.ChangeAbandoned
}

// claimOfRollout is whose Rollout it is.
func claimOfRollout(o client.Object) string {
	ro, ok := o.(*v1alpha1.Rollout)
	switch {
	case !ok:
		return ""
	case ro.Spec.ForProvider.Fleet != "":
		return claimKey(xr.ClusterFleetKind, ro.GetNamespace(), ro.Spec.ForProvider.Fleet)
	}
	return claimKey(xr.ProductApplicationKind, ro.GetNamespace(), ro.Spec.ForProvider.Application)
}

func claimOfClaim(o client.Object) string {
	return claimKey(o.GetObjectKind().GroupVersionKind().Kind, o.GetNamespace(), o.GetName())
}

// gathered has the Changes of a claim looked at, once for all that happens to it within a moment.
func gathered(c client.Reader, of func(client.Object) string) handler.EventHandler {
	add := func(ctx context.Context, o client.Object, q queue) {
		l := &v1alpha1.ChangeList{}
		// Where this fails the next poll makes up for it.
		if err := c.List(ctx, l, client.MatchingFields{indexClaim: of(o)}, client.UnsafeDisableDeepCopy); err != nil {
			return
		}
		for i := range l.Items {
			q.AddAfter(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&l.Items[i])}, gathering)
		}
	}
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, q queue) { add(ctx, e.Object, q) },
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q queue) {
			if e.ObjectOld.GetResourceVersion() != e.ObjectNew.GetResourceVersion() {
				add(ctx, e.ObjectNew, q)
			}
		},
		DeleteFunc:  func(ctx context.Context, e event.DeleteEvent, q queue) { add(ctx, e.Object, q) },
		GenericFunc: func(ctx context.Context, e event.GenericEvent, q queue) { add(ctx, e.Object, q) },
	}
}

// moved lets through what makes a difference to a Change of a Rollout's claim.
func moved() predicate.Predicate {
	seen := func(o client.Object) any {
		ro, ok := o.(*v1alpha1.Rollout)
		if !ok {
			return nil
		}
		at := ro.Status.AtProvider
		var looked int64
		for _, c := range ro.Status.Conditions {
			looked = max(looked, c.ObservedGeneration)
		}
		return []any{ro.GetGeneration(), looked, at.Phase, at.Message, at.Digest, at.Began, at.Retried, at.Clusters}
	}
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return !equality.Semantic.DeepEqual(seen(e.ObjectOld), seen(e.ObjectNew))
	}}
}

// changesOfRepository that are not over.
func changesOfRepository(c client.Reader) handler.MapFunc {
	return func(ctx context.Context, o client.Object) []reconcile.Request {
		l := &v1alpha1.ChangeList{}
		if err := c.List(ctx, l, client.InNamespace(o.GetNamespace()), client.MatchingFields{indexRepository: o.GetName()}, client.UnsafeDisableDeepCopy); err != nil {
			return nil
		}
		out := make([]reconcile.Request, 0, len(l.Items))
		for i := range l.Items {
			out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&l.Items[i])})
		}
		return out
	}
}

// queued has those Changes looked at whose place in the queue changed.
func queued() handler.EventHandler {
	add := func(before, after v1alpha1.ChangeQueueSpec, q queue) {
		for _, key := range woken(before, after) {
			q.Add(reconcile.Request{NamespacedName: key})
		}
	}
	spec := func(o client.Object) v1alpha1.ChangeQueueSpec {
		if c, ok := o.(*v1alpha1.ChangeQueue); ok {
			return c.Spec
		}
		return v1alpha1.ChangeQueueSpec{}
	}
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q queue) {
			add(v1alpha1.ChangeQueueSpec{}, spec(e.Object), q)
		},
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q queue) {
			add(spec(e.ObjectOld), spec(e.ObjectNew), q)
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q queue) {
			add(spec(e.Object), v1alpha1.ChangeQueueSpec{}, q)
		},
	}
}

// woken are the changes whose entry is another one than before, and those that wait for one that is:
// they come closer.
func woken(before, after v1alpha1.ChangeQueueSpec) []types.NamespacedName {
	was := map[string]*v1alpha1.QueuedChange{}
	for i := range before.Changes {
		was[before.Changes[i].UID] = &before.Changes[i]
	}
	var out []types.NamespacedName
	var freed []v1alpha1.LockKey
	for i := range after.Changes {
		c := &after.Changes[i]
		old := was[c.UID]
		delete(was, c.UID)
		if old == nil || !equality.Semantic.DeepEqual(old, c) {
			out = append(out, keyOf(c))
		}
		if old != nil && (len(old.Has) > len(c.Has) || len(old.Wants) > len(c.Wants)) {
			freed = append(freed, slices.Concat(old.Has, old.Wants)...)
		}
	}
	for _, gone := range was {
		out = append(out, keyOf(gone))
		freed = append(freed, slices.Concat(gone.Has, gone.Wants)...)
	}
	for i := range after.Changes {
		if c := &after.Changes[i]; c.Epoch == 0 && len(c.Wants) > 0 && lock.Overlap(c.Wants, freed) && !slices.Contains(out, keyOf(c)) {
			out = append(out, keyOf(c))
		}
	}
	return out
}

func keyOf(c *v1alpha1.QueuedChange) types.NamespacedName {
	namespace, name, _ := strings.Cut(c.Change, "/")
	return types.NamespacedName{Namespace: namespace, Name: name}
}
