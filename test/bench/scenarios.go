package main

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/dynamic"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	corev1 "k8s.io/api/core/v1"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/provider/backend/simulated/simulator"
	"github.com/mainstay-dev/mainstay/test/fleet"
)

// A scenario is something that happens to a fleet.
type scenario struct {
	name, title string
	run         func(context.Context, *bench) error
}

// scenarios in the order they are run in: those that leave thousands of Releases behind
// come late, as looking after them costs something, too.
func scenarios() []scenario {
	return []scenario{
		{"s1", "ten objects are created on every cluster", func(ctx context.Context, b *bench) error { return b.s1(ctx) }},
		{"s2", "ten objects, or one of ten, change on every cluster", func(ctx context.Context, b *bench) error { return b.s2(ctx) }},
		{"s3", "a staged rollout, 20/30/50", func(ctx context.Context, b *bench) error { return b.s3(ctx) }},
		{"s6", "one cluster does not answer, others answer late or with errors", func(ctx context.Context, b *bench) error { return b.s6(ctx) }},
		{"s7", "somebody changes objects on a few clusters", func(ctx context.Context, b *bench) error { return b.s7(ctx) }},
		{"s8", "an application is removed", func(ctx context.Context, b *bench) error { return b.s8(ctx) }},
		{"s4", "many rollouts at once", func(ctx context.Context, b *bench) error { return b.s4(ctx) }},
		{"s5", "a restart, and nothing to do", func(ctx context.Context, b *bench) error { return b.s5(ctx) }},
		{"peer", "provider-kubernetes does what of this it can", func(ctx context.Context, b *bench) error { return b.peer(ctx) }},
	}
}

// measured runs something until it is true and the clusters have come to rest, and reads
// the meters before and after.
func (b *bench) measured(ctx context.Context, begin func() error, what string, so func(context.Context) (bool, error)) (use, error) {
	u, err := b.metered(ctx, func() error {
		if err := begin(); err != nil {
			return err
		}
		return b.Await(ctx, what, so)
	})
	delete(u.cpu, procFloor) // It only waited.
	return u, err
}

// metered reads the meters before something, and once the clusters have come to rest after it.
func (b *bench) metered(ctx context.Context, do func() error) (use, error) {
	return b.between(ctx, do, b.settle)
}

// watched reads the meters before something and right after it.
func (b *bench) watched(ctx context.Context, do func() error) (use, error) {
	return b.between(ctx, do, func(context.Context) error { return nil })
}

// between reads the meters before something, and once its consequences are over.
func (b *bench) between(ctx context.Context, do func() error, over func(context.Context) error) (use, error) {
	before, err := b.read(ctx, false)
	if err != nil {
		return use{}, err
	}
	if err := do(); err != nil {
		return use{}, err
	}
	wall := time.Since(before.at)
	if err := over(ctx); err != nil {
		return use{}, err
	}
	after, err := b.read(ctx, true)
	if err != nil {
		return use{}, err
	}
	u := after.since(before)
	u.wall = wall
	return u, nil
}

// change an application.
func (b *bench) change(ctx context.Context, app string, objects []unstructured.Unstructured, s v1alpha1.RolloutStrategy) (use, error) {
	name, err := b.Seal(ctx, app, objects)
	if err != nil {
		return use{}, err
	}
	return b.measured(ctx, func() error { return b.Roll(ctx, app, name, s) }, app+" to be everywhere",
		func(ctx context.Context) (bool, error) { return b.Reached(ctx, app, name) })
}

// turns of the floor and of a rollout, on objects of different names.
func (b *bench) turns(ctx context.Context, title string, objects int, fn func(round int) (floor, rollout use, err error)) error {
	r := row{title: title, objects: objects}
	for i := range b.Rounds {
		if err := b.rest(ctx); err != nil {
			return err
		}
		f, u, err := fn(i)
		if err != nil {
			return err
		}
		r.floor, r.rollout = append(r.floor, b.net(f)), append(r.rollout, b.net(u))
	}
	b.rows = append(b.rows, r)
	return nil
}

func (b *bench) s1(ctx context.Context) error {
	return b.turns(ctx, "S1 create 10 objects", 10, func(i int) (f, u use, err error) {
		if f, err = b.floor(ctx, fleet.WithoutPods(fleet.Payload("floor"+strconv.Itoa(i), 0, 0))); err != nil {
			return
		}
		app := "app" + strconv.Itoa(i)
		u, err = b.change(ctx, app, fleet.WithoutPods(fleet.Payload(app, 0, 0)), v1alpha1.RolloutStrategy{})
		return
	})
}

func (b *bench) s2(ctx context.Context) error {
	for _, of := range []int{10, 1} {
		// What does not change is the same from here on.
		if _, err := b.floor(ctx, fleet.WithoutPods(fleet.Payload("floor0", 10*of, of))); err != nil {
			return err
		}
		if _, err := b.change(ctx, "app0", fleet.WithoutPods(fleet.Payload("app0", 10*of, of)), v1alpha1.RolloutStrategy{}); err != nil {
			return err
		}
		err := b.turns(ctx, fmt.Sprintf("S2 change %d of 10", of), of, func(i int) (f, u use, err error) {
			version := 10*of + i + 1
			if i%2 == 1 { // In turn, so that neither is always first.
				if u, err = b.change(ctx, "app0", fleet.WithoutPods(fleet.Payload("app0", version, of)), v1alpha1.RolloutStrategy{}); err != nil {
					return
				}
			}
			// The floor knows what has changed, and sends nothing else.
			if f, err = b.floor(ctx, fleet.WithoutPods(fleet.Payload("floor0", version, of)[:of])); err != nil || i%2 == 1 {
				return
			}
			u, err = b.change(ctx, "app0", fleet.WithoutPods(fleet.Payload("app0", version, of)), v1alpha1.RolloutStrategy{})
			return
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// staged is 20/30/50 of the clusters, half of each at once.
func staged() v1alpha1.RolloutStrategy {
	s := v1alpha1.RolloutStrategy{MaxConcurrent: ptr.To(intstr.FromString("50%"))}
	for _, w := range []string{"first", "second", "third"} {
		s.Waves = append(s.Waves, v1alpha1.Wave{
			Name: w, ClusterLabelSelector: map[string]string{"wave": w}, MaxConcurrent: ptr.To(intstr.FromString("50%")),
		})
	}
	return s
}

func (b *bench) s3(ctx context.Context) error {
	r := row{title: "S3 staged 20/30/50", objects: 10}
	for i := range b.Rounds {
		stop, most := b.watchUnavailable(ctx, "app0")
		u, err := b.change(ctx, "app0", fleet.Payload("app0", 500+i, 10), staged())
		stop()
		if err != nil {
			return err
		}
		r.rollout, r.unavailable = append(r.rollout, u), max(r.unavailable, int(most.Load()))
	}
	b.rows = append(b.rows, r)
	return b.stopTime(ctx)
}

// watchUnavailable counts the clusters that have no healthy version of an application.
func (b *bench) watchUnavailable(ctx context.Context, app string) (stop func(), most *atomic.Int32) {
	ctx, cancel := context.WithCancel(ctx)
	most = &atomic.Int32{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			l := &v1alpha1.ReleaseList{}
			if b.Seen.List(ctx, l, client.InNamespace(fleet.Tenant)) == nil {
				n := int32(0)
				for i := range l.Items {
					if l.Items[i].Spec.ForProvider.Application == app && l.Items[i].Status.AtProvider.Health != v1alpha1.Healthy {
						n++
					}
				}
				most.Store(max(most.Load(), n))
			}
			select {
			case <-ctx.Done():
			case <-time.After(200 * time.Millisecond):
			}
		}
	}()
	return func() { cancel(); <-done }, most
}

// stopTime from pausing a rollout to the last cluster that is begun after that.
func (b *bench) stopTime(ctx context.Context) error {
	const app = "app0"
	name, err := b.Seal(ctx, app, fleet.Payload(app, 900, 10))
	if err != nil {
		return err
	}
	slow := v1alpha1.RolloutStrategy{MaxConcurrent: ptr.To(intstr.FromInt32(5))}
	if err := b.Roll(ctx, app, name, slow); err != nil {
		return err
	}
	wants := func(ctx context.Context) (n int, err error) {
		l := &v1alpha1.ReleaseList{}
		if err := b.Seen.List(ctx, l, client.InNamespace(fleet.Tenant)); err != nil {
			return 0, err
		}
		for i := range l.Items {
			if l.Items[i].Spec.ForProvider.Application == app && l.Items[i].Spec.ForProvider.Bundle == name {
				n++
			}
		}
		return n, nil
	}
	if err := b.Await(ctx, "the rollout to be on its way", func(ctx context.Context) (bool, error) {
		n, err := wants(ctx)
		return n >= b.Clusters/5, err
	}); err != nil {
		return err
	}
	paused := slow
	paused.Paused = true
	if err := b.Roll(ctx, app, name, paused); err != nil {
		return err
	}
	at, last := time.Now(), time.Now()
	before, err := wants(ctx)
	if err != nil {
		return err
	}
	n := before
	for time.Since(last) < 3*time.Second {
		now, err := wants(ctx)
		if err != nil {
			return err
		}
		if now != n {
			n, last = now, time.Now()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	b.notes = append(b.notes, fmt.Sprintf("Time to stop: after a pause was written %d more clusters were begun, the last of them after %d ms; 5 were allowed in motion.", n-before, last.Sub(at).Milliseconds()))
	if err := b.Roll(ctx, app, name, v1alpha1.RolloutStrategy{}); err != nil {
		return err
	}
	return b.Await(ctx, "the rollout to end", func(ctx context.Context) (bool, error) { return b.Reached(ctx, app, name) })
}

// s4 brings many applications everywhere, all at once, and then changes them all, in
// waves. Each is a Deployment without pods, a Service and a ConfigMap.
func (b *bench) s4(ctx context.Context) error {
	for version, title := range []string{"S4 %d rollouts at once create 3 objects each", "S4 %d staged rollouts at once change 3 objects each"} {
		names := map[string]string{}
		for i := range b.Rollouts {
			app := "many" + strconv.Itoa(i)
			all := fleet.Payload(app, version, 10)
			name, err := b.Seal(ctx, app, fleet.WithoutPods([]unstructured.Unstructured{all[0], all[3], all[5]}))
			if err != nil {
				return err
			}
			names[app] = name
		}
		strategy := staged()
		if version == 0 {
			strategy = v1alpha1.RolloutStrategy{}
		}
		u, err := b.measured(ctx, func() error {
			for app, name := range names {
				if err := b.Roll(ctx, app, name, strategy); err != nil {
					return err
				}
			}
			return nil
		}, "all rollouts", func(ctx context.Context) (bool, error) { return b.AllReached(ctx, names) })
		if err != nil {
			return err
		}
		b.rows = append(b.rows, row{title: fmt.Sprintf(title, b.Rollouts), objects: 3, changes: b.Rollouts, rollout: []use{u}})
	}
	return nil
}

// s5 restarts the provider, and waits until it has been through everything there is.
func (b *bench) s5(ctx context.Context) error {
	b.notes = append(b.notes, fmt.Sprintf("Peak memory before the restart of S5: provider %d MiB, simulator %d MiB, kube-apiserver of the hub %d MiB.",
		b.peak(fleet.Provider), b.peak(fleet.Targets), b.peak(fleet.APIServer)))
	if err := b.StopProvider(ctx); err != nil {
		return fmt.Errorf("cannot stop provider: %w", err)
	}
	l := &v1alpha1.ReleaseList{}
	if err := b.Seen.List(ctx, l); err != nil {
		return err
	}
	u, err := b.watched(ctx, func() error {
		if err := b.StartProvider(ctx); err != nil {
			return err
		}
		return b.Await(ctx, "every Release to be reconciled", func(ctx context.Context) (bool, error) {
			n, err := b.Reconciled(ctx)
			return n >= len(l.Items), err
		})
	})
	delete(u.cpu, procFloor) // It only waited.
	if err != nil {
		return err
	}
	b.rows = append(b.rows, row{title: fmt.Sprintf("S5 restart, %d Releases, nothing to do", len(l.Items)), idle: true, rollout: []use{u}})
	idle, err := b.watched(ctx, func() error { return b.Await(ctx, "a minute to pass", passed(time.Minute)) })
	delete(idle.cpu, procFloor)
	if err != nil {
		return err
	}
	b.rows = append(b.rows, row{title: fmt.Sprintf("S5 one minute, %d Releases, nothing to do", len(l.Items)), idle: true, rollout: []use{idle}})
	return nil
}

func passed(d time.Duration) func(context.Context) (bool, error) {
	at := time.Now()
	return func(context.Context) (bool, error) { return time.Since(at) > d, nil }
}

// s6 breaks one cluster, and makes a tenth of them slow or angry.
func (b *bench) s6(ctx context.Context) error {
	trouble := func(i int, f simulator.Faults) error {
		_, err := b.Simulator.SetFaults(ctx, fleet.Platform, fleet.ClusterName(i), f)
		return err
	}
	if err := trouble(0, simulator.Faults{BlackHole: true}); err != nil {
		return err
	}
	for i := 1; i <= b.Clusters/10; i++ {
		f := simulator.Faults{Latency: 5 * time.Second}
		if i%2 == 0 {
			f = simulator.Faults{ThrottleRate: 0.3, ErrorRate: 0.1}
		}
		if err := trouble(i, f); err != nil {
			return err
		}
	}
	defer func() {
		for i := 0; i <= b.Clusters/10; i++ {
			_ = trouble(i, simulator.Faults{})
		}
	}()
	const app = "app0"
	name, err := b.Seal(ctx, app, fleet.Payload(app, 950, 10))
	if err != nil {
		return err
	}
	healthy := b.Clusters - 1 - b.Clusters/10
	u, err := b.measured(ctx, func() error { return b.Roll(ctx, app, name, v1alpha1.RolloutStrategy{}) }, "the healthy clusters", func(ctx context.Context) (bool, error) {
		l := &v1alpha1.ReleaseList{}
		if err := b.Seen.List(ctx, l, client.InNamespace(fleet.Tenant)); err != nil {
			return false, err
		}
		n := 0
		for i := range l.Items {
			if l.Items[i].Status.AtProvider.Bundle == name && l.Items[i].Status.AtProvider.Health == v1alpha1.Healthy {
				n++
			}
		}
		return n >= healthy, nil
	})
	if err != nil {
		return err
	}
	b.rows = append(b.rows, row{title: "S6 faults on 1 + 10 % of the clusters, until the others are done", objects: 10, rollout: []use{u}})
	for i := 0; i <= b.Clusters/10; i++ {
		if err := trouble(i, simulator.Faults{}); err != nil {
			return err
		}
	}
	at := time.Now()
	if err := b.Await(ctx, "the broken clusters to catch up", func(ctx context.Context) (bool, error) { return b.Reached(ctx, app, name) }); err != nil {
		return err
	}
	b.notes = append(b.notes, fmt.Sprintf("S6: the broken clusters had caught up %.0f s after they were mended.", time.Since(at).Seconds()))
	return nil
}

// s7 changes an object of a hundredth of the clusters behind the provider's back.
func (b *bench) s7(ctx context.Context) error {
	n := max(1, b.Clusters/100)
	ifaces := make([]dynamic.ResourceInterface, 0, n)
	for i := range n {
		cl, err := b.Simulator.Get(ctx, fleet.Platform, fleet.ClusterName(i))
		if err != nil {
			return err
		}
		d, err := dynamic.NewForConfig(b.Simulator.Config(cl))
		if err != nil {
			return fmt.Errorf("cannot make client: %w", err)
		}
		ifaces = append(ifaces, d.Resource(corev1.SchemeGroupVersion.WithResource("configmaps")).Namespace(fleet.Tenant))
	}
	u, err := b.measured(ctx, func() error {
		for _, i := range ifaces {
			if _, err := i.Patch(ctx, "app0-9", types.MergePatchType, []byte(`{"data":{"version":"drifted"}}`), metav1.PatchOptions{FieldManager: "somebody"}); err != nil {
				return fmt.Errorf("cannot change object: %w", err)
			}
		}
		return nil
	}, "the changes to be taken back", func(ctx context.Context) (bool, error) {
		for _, i := range ifaces {
			cm, err := i.Get(ctx, "app0-9", metav1.GetOptions{})
			if err != nil {
				return false, err
			}
			if v, _, _ := unstructured.NestedString(cm.Object, "data", "version"); v == "drifted" {
				return false, nil
			}
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	b.rows = append(b.rows, row{title: fmt.Sprintf("S7 drift on %d clusters, found and mended", n), idle: true, rollout: []use{u}})
	return nil
}

// s8 removes an application from all clusters.
func (b *bench) s8(ctx context.Context) error {
	const app = "app0"
	u, err := b.measured(ctx, func() error {
		return b.Hub.Delete(ctx, &v1alpha1.Rollout{ObjectMeta: metav1.ObjectMeta{Namespace: fleet.Tenant, Name: app}})
	}, "the application to be gone", func(ctx context.Context) (bool, error) {
		l := &v1alpha1.ReleaseList{}
		if err := b.Seen.List(ctx, l, client.InNamespace(fleet.Tenant)); err != nil {
			return false, err
		}
		for i := range l.Items {
			if l.Items[i].Spec.ForProvider.Application == app {
				return false, nil
			}
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	b.rows = append(b.rows, row{title: "S8 remove 10 objects", objects: 10, rollout: []use{u}})
	return nil
}
