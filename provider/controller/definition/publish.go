package definition

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/definition"
)

// release revisions that are being deleted and that nobody has. It returns those that
// stay.
func (r *Reconciler) release(ctx context.Context, revisions []v1alpha1.DefinitionRevision, used []v1alpha1.DefinitionUser) ([]v1alpha1.DefinitionRevision, error) {
	var out []v1alpha1.DefinitionRevision
	for i := range revisions {
		rev := &revisions[i]
		if rev.GetDeletionTimestamp() == nil || len(of(used, rev.Spec.Version)) > 0 {
			out = append(out, *rev)
			continue
		}
		if controllerutil.RemoveFinalizer(rev, v1alpha1.FinalizerInUse) {
			if err := r.client.Update(ctx, rev); client.IgnoreNotFound(err) != nil {
				return nil, fmt.Errorf("cannot let go of DefinitionRevision %q: %w", rev.GetName(), err)
			}
		}
	}
	return out, nil
}

// withdraw a definition that is being deleted. It goes once nobody has any of it.
func (r *Reconciler) withdraw(ctx context.Context, d client.Object, revisions []v1alpha1.DefinitionRevision, used []v1alpha1.DefinitionUser) error {
	if len(used) == 0 {
		if controllerutil.RemoveFinalizer(d, v1alpha1.FinalizerInUse) {
			if err := r.client.Update(ctx, d); client.IgnoreNotFound(err) != nil {
				return fmt.Errorf("cannot let go of %s %q: %w", r.kind, d.GetName(), err)
			}
		}
		return nil
	}
	return r.report(ctx, d, revisions, used, nil)
}

// publish what the definition says now, unless that was done.
func (r *Reconciler) publish(ctx context.Context, d client.Object, revisions []v1alpha1.DefinitionRevision, used []v1alpha1.DefinitionUser) (reconcile.Result, error) {
	if controllerutil.AddFinalizer(d, v1alpha1.FinalizerInUse) {
		if err := r.client.Update(ctx, d); err != nil {
			return reconcile.Result{}, fmt.Errorf("cannot hold %s %q: %w", r.kind, d.GetName(), err)
		}
	}
	v := viewOf(d)
	if r.done(d, v, revisions) {
		return reconcile.Result{}, r.report(ctx, d, revisions, used, nil)
	}
	made, condition, err := r.make(ctx, d, v, revisions)
	if err != nil {
		return reconcile.Result{}, err
	}
	if made != nil {
		revisions = append(revisions, *made)
	}
	if err := r.report(ctx, d, revisions, used, &condition); err != nil {
		return reconcile.Result{}, err
	}
	if condition.Reason == v1alpha1.ReasonChartUnavailable {
		return reconcile.Result{RequeueAfter: retryCharts}, nil
	}
	return reconcile.Result{}, nil
}

// done is true where what the definition says now was looked at already. A revision that
// went since is made anew.
func (r *Reconciler) done(d client.Object, v view, revisions []v1alpha1.DefinitionRevision) bool {
	c := meta.FindStatusCondition(v.status.Conditions, v1alpha1.ConditionPublished)
	if c == nil || c.ObservedGeneration != d.GetGeneration() {
		return false
	}
	switch c.Reason {
	case v1alpha1.ReasonPublished:
		return slices.ContainsFunc(revisions, func(rev v1alpha1.DefinitionRevision) bool { return rev.Spec.Version == v.version })
	case v1alpha1.ReasonInvalid:
		return true
	}
	return false
}

// make the revision of a definition, where there is none. It returns the revision where
// it is new, and the condition Published.
func (r *Reconciler) make(ctx context.Context, d client.Object, v view, revisions []v1alpha1.DefinitionRevision) (*v1alpha1.DefinitionRevision, metav1.Condition, error) {
	refused := func(reason, format string, args ...any) (*v1alpha1.DefinitionRevision, metav1.Condition, error) {
		return nil, metav1.Condition{Type: v1alpha1.ConditionPublished, Status: metav1.ConditionFalse, Reason: reason, Message: fmt.Sprintf(format, args...)}, nil
	}
	published := metav1.Condition{Type: v1alpha1.ConditionPublished, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonPublished, Message: "version " + v.version}

	var chart []byte
	if v.chart != "" {
		var err error
		if chart, err = r.charts.Pull(ctx, v.chart); err != nil {
			return refused(v1alpha1.ReasonChartUnavailable, "spec.chart.oci: %v", err)
		}
	}
	rev, err := within(r.patience, func() (*v1alpha1.DefinitionRevision, error) { return v.seal(chart) })
	if err != nil {
		return refused(v1alpha1.ReasonInvalid, "%v", err)
	}
	i := slices.IndexFunc(revisions, func(known v1alpha1.DefinitionRevision) bool { return known.Spec.Version == v.version })
	switch {
	case i >= 0 && revisions[i].Spec.Digest == rev.Spec.Digest:
		return nil, published, nil
	case i >= 0:
		return refused(v1alpha1.ReasonVersionTaken, "spec.version: version %s was published with another content, and does not change: raise the version", v.version)
	case len(revisions) >= v1alpha1.MaxDefinitionVersions:
		return refused(v1alpha1.ReasonInvalid, "spec.version: there are %d versions already: delete DefinitionRevisions that nobody has", len(revisions))
	}
	rev.SetFinalizers([]string{v1alpha1.FinalizerInUse})
	rev.SetOwnerReferences([]metav1.OwnerReference{*metav1.NewControllerRef(d, v1alpha1.GroupVersion.WithKind(r.kind))})
	if err := r.client.Create(ctx, rev); err != nil {
		return nil, published, fmt.Errorf("cannot create DefinitionRevision %q: %w", rev.GetName(), err)
	}
	return rev, published, nil
}

// shownUsers is how many users a status names.
const shownUsers = 20

// report status, where it differs. The condition is nil where it stays as it is.
func (r *Reconciler) report(ctx context.Context, d client.Object, revisions []v1alpha1.DefinitionRevision, used []v1alpha1.DefinitionUser, published *metav1.Condition) error {
	s := viewOf(d).status
	before := s.DeepCopy()
	if published != nil {
		published.ObservedGeneration = d.GetGeneration()
		meta.SetStatusCondition(&s.Conditions, *published)
		s.ObservedGeneration = d.GetGeneration()
	}
	s.Versions = versionsOf(revisions, used, d.GetDeletionTimestamp() != nil)
	s.Users, s.UsedBy = applications(used), used[:min(len(used), shownUsers)]
	inUse := metav1.Condition{Type: v1alpha1.ConditionInUse, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonUnused, ObservedGeneration: d.GetGeneration()}
	if len(used) > 0 {
		inUse.Status, inUse.Reason, inUse.Message = metav1.ConditionTrue, v1alpha1.ReasonUsed, "used by "+named(used)
		if d.GetDeletionTimestamp() != nil {
			inUse.Message = "cannot be removed: " + inUse.Message + "; take its components out of them first"
		}
	}
	meta.SetStatusCondition(&s.Conditions, inUse)
	if equality.Semantic.DeepEqual(before, s) {
		return nil
	}
	if err := r.client.Status().Update(ctx, d); err != nil {
		return errors.Join(fmt.Errorf("cannot report about %s %q", r.kind, d.GetName()), err)
	}
	return nil
}

// versionsOf revisions, the newest first.
func versionsOf(revisions []v1alpha1.DefinitionRevision, used []v1alpha1.DefinitionUser, withdrawn bool) []v1alpha1.PublishedVersion {
	var out []v1alpha1.PublishedVersion
	for i := range revisions {
		rev := &revisions[i]
		out = append(out, v1alpha1.PublishedVersion{
			Version: rev.Spec.Version, Revision: rev.GetName(),
			Withdrawn: withdrawn || rev.GetDeletionTimestamp() != nil,
			Users:     applications(of(used, rev.Spec.Version)),
		})
	}
	slices.SortFunc(out, func(a, b v1alpha1.PublishedVersion) int {
		if definition.Newer(a.Version, b.Version) {
			return -1
		}
		return 1
	})
	return out[:min(len(out), v1alpha1.MaxDefinitionVersions)]
}
