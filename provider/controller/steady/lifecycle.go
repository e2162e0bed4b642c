package steady

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crossplane/crossplane-runtime/v2/pkg/event"
	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	"github.com/crossplane/crossplane-runtime/v2/pkg/reconciler/managed"
	"github.com/crossplane/crossplane-runtime/v2/pkg/resource"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
)

// EnsureByUpdate returns true where a resource may be made by Update. Its name being
// given, making it again is making sure of it, and the create protocol would protect
// from nothing at the price of three writes. A resource that may be created but not
// updated has to take that path all the same.
func EnsureByUpdate(mg resource.Managed) bool {
	p := mg.GetManagementPolicies()
	return len(p) == 0 || slices.Contains(p, xpv2.ManagementActionAll) || slices.Contains(p, xpv2.ManagementActionUpdate)
}

// DeletedInForeground returns true where the garbage collector is removing what a
// deleted resource owns. What is written then and owned by it would be removed again.
func DeletedInForeground(o metav1.Object) bool {
	return o.GetDeletionTimestamp() != nil && slices.Contains(o.GetFinalizers(), metav1.FinalizerDeleteDependents)
}

// NewInitializer returns an Initializer that writes a resource's finalizer, its
// external name and whatever else a function sets, in one update.
func NewInitializer(c client.Client, set func(mg resource.Managed)) managed.Initializer {
	return managed.InitializerFn(func(ctx context.Context, mg resource.Managed) error {
		if meta.WasDeleted(mg) {
			return nil
		}
		before := mg.DeepCopyObject()
		meta.AddFinalizer(mg, managed.FinalizerName)
		if meta.GetExternalName(mg) == "" {
			meta.SetExternalName(mg, mg.GetName())
		}
		set(mg)
		if equality.Semantic.DeepEqual(before, mg) {
			return nil
		}
		if err := c.Update(ctx, mg); err != nil {
			return fmt.Errorf("cannot update managed resource: %w", err)
		}
		return nil
	})
}

// A Recorder records events except those that a function drops. The runtime's own
// recorder has such filters too, but forgets them when it is given annotations.
type Recorder struct {
	event.Recorder

	// Drop returns true for events that should not be recorded.
	Drop func(o runtime.Object, e event.Event) bool
}

// Event records an event, unless it is dropped.
func (r Recorder) Event(o runtime.Object, e event.Event) {
	if !r.Drop(o, e) {
		r.Recorder.Event(o, e)
	}
}

// WithAnnotations returns a Recorder that adds annotations to events.
func (r Recorder) WithAnnotations(keysAndValues ...string) event.Recorder {
	return Recorder{Recorder: r.Recorder.WithAnnotations(keysAndValues...), Drop: r.Drop}
}
