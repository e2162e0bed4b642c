package rollout

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	"github.com/crossplane/crossplane-runtime/v2/pkg/reconciler/managed"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/rollout"
)

// act on a decision, as far as management policies let it.
func (r *Reconciler) act(ctx context.Context, ro *v1alpha1.Rollout, policy managed.ManagementPoliciesChecker, d rollout.Decision) error {
	if policy.ShouldDelete() {
		if err := together(d.Delete, func(name string) error { return r.remove(ctx, ro, name) }); err != nil {
			return err
		}
	}
	if policy.ShouldUpdate() {
		if err := together(d.Update, func(p rollout.Placed) error { return r.update(ctx, ro, p, d.Epoch) }); err != nil {
			return err
		}
	}
	if policy.ShouldCreate() {
		return together(d.Create, func(p rollout.Placed) error { return r.create(ctx, ro, p, d.Epoch) })
	}
	return nil
}

// writesAtOnce is how many Releases of one Rollout are written at the same time.
const writesAtOnce = 8

// together does something for each of some items, several at a time. The first error ends
// it: what has begun goes on, and nothing more begins.
func together[T any](items []T, do func(T) error) error {
	g := errgroup.Group{}
	g.SetLimit(writesAtOnce)
	var failed atomic.Bool
	for _, it := range items {
		if failed.Load() {
			break
		}
		g.Go(func() error {
			err := do(it)
			if err != nil {
				failed.Store(true)
			}
			return err
		})
	}
	return g.Wait()
}

func (r *Reconciler) create(ctx context.Context, ro *v1alpha1.Rollout, p rollout.Placed, epoch int64) error {
	rel := newRelease(ro, p, epoch)
	if err := r.client.Create(ctx, rel); err != nil {
		// Where it exists the cache is behind, or it is somebody else's: the next
		// look will tell.
		if kerrors.IsAlreadyExists(err) {
			return nil
		}
		return fmt.Errorf("cannot create Release %q: %w", p.Name, err)
	}
	r.began("create", ro, start{release: seen(rel)})
	return nil
}

func (r *Reconciler) update(ctx context.Context, ro *v1alpha1.Rollout, p rollout.Placed, epoch int64) error {
	rel, err := r.own(ctx, ro, p.Name)
	if err != nil || rel == nil {
		return err
	}
	if rel.Spec.ForProvider.Epoch > epoch {
		return nil // Somebody decided from a later state. The next look will tell.
	}
	rel.Spec.ForProvider.Bundle, rel.Spec.ForProvider.Namespace = p.Payload.Bundle, p.Payload.Namespace
	rel.Spec.ForProvider.Images, rel.Spec.ForProvider.Epoch = p.Images, epoch
	inWave(rel, p.Wave)
	if err := r.client.Update(ctx, rel); err != nil {
		if kerrors.IsConflict(err) {
			return err
		}
		return fmt.Errorf("cannot update Release %q: %w", p.Name, err)
	}
	r.began("update", ro, start{release: seen(rel)})
	return nil
}

func (r *Reconciler) remove(ctx context.Context, ro *v1alpha1.Rollout, name string) error {
	rel, err := r.own(ctx, ro, name)
	if err != nil || rel == nil {
		return err
	}
	err = r.client.Delete(ctx, rel, client.Preconditions{UID: ptr.To(rel.GetUID())})
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("cannot delete Release %q: %w", name, err)
	}
	gone := seen(rel)
	gone.Deleting, gone.Failed, gone.Failure, gone.Unreachable = true, false, "", false
	r.began("delete", ro, start{release: gone})
	return nil
}

// own returns a Release that may be changed. It is nil where there is none any more, or
// where it is not the Rollout's own.
func (r *Reconciler) own(ctx context.Context, ro *v1alpha1.Rollout, name string) (*v1alpha1.Release, error) {
	rel := &v1alpha1.Release{}
	if err := r.client.Get(ctx, types.NamespacedName{Namespace: ro.GetNamespace(), Name: name}, rel); err != nil {
		if kerrors.IsNotFound(err) {
			return nil, nil //nolint:nilnil // That there is none is an answer.
		}
		return nil, fmt.Errorf("cannot get Release %q: %w", name, err)
	}
	if !metav1.IsControlledBy(rel, ro) {
		return nil, nil //nolint:nilnil // It is none of ours.
	}
	return rel, nil
}

func (r *Reconciler) began(action string, ro *v1alpha1.Rollout, s start) {
	s.at = r.clock.Now()
	r.started.note(ro.GetUID(), s)
	if r.moves != nil {
		r.moves.WithLabelValues(action).Inc()
	}
	r.log.Debug("Started", "action", action, "rollout", client.ObjectKeyFromObject(ro).String(), "release", s.release.Name)
}

// newRelease for a placed cluster. Its finalizer is there from the beginning, which
// saves its own controller a write.
func newRelease(ro *v1alpha1.Rollout, p rollout.Placed, epoch int64) *v1alpha1.Release {
	rel := &v1alpha1.Release{}
	rel.SetNamespace(ro.GetNamespace())
	rel.SetName(p.Name)
	rel.SetLabels(map[string]string{
		v1alpha1.LabelRollout:     ro.GetName(),
		v1alpha1.LabelApplication: ro.Spec.ForProvider.Application,
		v1alpha1.LabelFleet:       p.Target.Fleet,
		v1alpha1.LabelCluster:     p.Target.Name,
	})
	rel.SetOwnerReferences([]metav1.OwnerReference{*metav1.NewControllerRef(ro, v1alpha1.RolloutGVK)})
	rel.SetFinalizers([]string{managed.FinalizerName})
	rel.Spec.ManagementPolicies = xpv2.ManagementPolicies{xpv2.ManagementActionAll}
	rel.Spec.ForProvider = v1alpha1.ReleaseParameters{
		ClusterRef:  p.Target.Cluster,
		Application: ro.Spec.ForProvider.Application,
		Bundle:      p.Payload.Bundle,
		Namespace:   p.Payload.Namespace,
		Images:      p.Images,
		Epoch:       epoch,
	}
	inWave(rel, p.Wave)
	return rel
}

// inWave notes the wave that a Release is moved in.
func inWave(rel *v1alpha1.Release, wave string) {
	if wave == "" {
		meta.RemoveAnnotations(rel, v1alpha1.AnnotationWave)
		return
	}
	meta.AddAnnotations(rel, map[string]string{v1alpha1.AnnotationWave: wave})
}

// believeFor is how long what was started is taken to be so although the cache does
// not show it. Caches are seconds behind at most.
const believeFor = time.Minute

// started remembers what was started, until the cache shows it.
type started struct {
	clock clock.PassiveClock

	mu       sync.Mutex
	rollouts map[types.UID]map[string]start
}

// A start is a Release as it was left.
type start struct {
	release rollout.Release
	at      time.Time
}

func newStarted(c clock.PassiveClock) *started {
	return &started{clock: c, rollouts: map[types.UID]map[string]start{}}
}

func (s *started) note(uid types.UID, st start) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rollouts[uid] == nil {
		s.rollouts[uid] = map[string]start{}
	}
	s.rollouts[uid][st.release.Name] = st
}

func (s *started) forget(uid types.UID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.rollouts, uid)
}

// overlay what the cache shows with what was started since.
func (s *started) overlay(uid types.UID, cached []rollout.Release) []rollout.Release {
	s.mu.Lock()
	defer s.mu.Unlock()
	index := map[string]int{}
	for i, c := range cached {
		index[c.Name] = i
	}
	for name, st := range s.rollouts[uid] {
		i, there := index[name]
		shown := there && cached[i].Wanted == st.release.Wanted && cached[i].Epoch >= st.release.Epoch && (cached[i].Deleting || !st.release.Deleting)
		if shown || (!there && st.release.Deleting) || s.clock.Since(st.at) > believeFor {
			delete(s.rollouts[uid], name)
			continue
		}
		if there {
			cached[i] = st.release
			continue
		}
		cached = append(cached, st.release)
	}
	return cached
}
