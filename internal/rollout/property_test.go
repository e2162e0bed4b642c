package rollout

import (
	"fmt"
	"math/rand"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// TestProperties lets Rollouts run through worlds in which everything goes wrong, then
// through the calm after. After every decision the rules of the package must hold.
func TestProperties(t *testing.T) {
	for seed := range int64(200) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rnd := rand.New(rand.NewSource(seed))
			strategy := v1alpha1.RolloutStrategy{MaxConcurrent: number(1 + rnd.Intn(5))}
			if rnd.Intn(2) == 0 {
				strategy.MaxUnavailable = number(rnd.Intn(5))
			}
			w := newWorld(strategy)
			for i := range 5 + rnd.Intn(20) {
				w.join(fmt.Sprintf("c-%02d", i))
			}

			for range 150 {
				disturb(w, rnd)
				advance(t, w, rnd)
			}
			calm(w)
			for range 50 + 10*len(w.clusters) {
				if advance(t, w, rnd).Done {
					return
				}
			}
			t.Fatalf("once all is calm a Rollout must get there: %s", Next(w.spec, w.observe(nil), w.now).Status.Message)
		})
	}
}

// TestParkedHoldNobodyUp shows that clusters which never recover stop no others.
func TestParkedHoldNobodyUp(t *testing.T) {
	for seed := range int64(50) {
		rnd := rand.New(rand.NewSource(seed))
		w := newWorld(v1alpha1.RolloutStrategy{MaxConcurrent: number(2)})
		for i := range 20 {
			name := fmt.Sprintf("c-%02d", i)
			w.join(name)
			if rnd.Intn(2) == 0 {
				w.broken[reference(name)] = true
			}
		}
		var d Decision
		for range 300 {
			d = advance(t, w, rnd)
		}
		if want, got := int32(20-len(w.broken)), d.Status.Clusters.Ready; want != got {
			t.Errorf("seed %d: want %d healthy clusters, got %d: %s", seed, want, got, d.Status.Message)
		}
	}
}

// advance decides, checks, obeys, and lets some Releases have their turn.
func advance(t *testing.T, w *world, rnd *rand.Rand) Decision {
	t.Helper()
	o := w.observe(nil)
	d := Next(w.spec, o, w.now)
	if diff := cmp.Diff(d, Next(w.spec, w.observe(rnd), w.now), cmp.AllowUnexported(Decision{})); diff != "" {
		t.Fatalf("the order of what is observed must not matter: -want, +got:\n%s", diff)
	}
	check(t, w, o, d)
	w.obey(d)
	for _, name := range w.releaseNames() {
		if rnd.Intn(3) == 0 {
			w.turn(w.releases[name])
		}
	}
	return d
}

// check the rules.
func check(t *testing.T, w *world, o Observed, d Decision) {
	t.Helper()
	moving, unavailable := 0, 0
	placed := map[v1alpha1.ClusterReference]bool{}
	for _, target := range o.Targets {
		placed[target.Cluster] = true
	}
	for _, r := range w.releases {
		if r.inMotion() {
			moving++
		}
		if !r.healthy() && placed[r.Cluster] {
			unavailable++
		}
	}

	checkHold(t, o, d)
	starts, takesDown := 0, 0
	for _, p := range append(append([]Placed{}, d.Create...), d.Update...) {
		r := w.releases[p.Name]
		if r == nil || !r.inMotion() {
			starts++
		}
		if r == nil || r.healthy() {
			takesDown++
		}
		if !o.Bundles[p.Payload.Bundle] {
			t.Fatalf("%s is started with a Bundle that does not exist", p.Name)
		}
		if o.Clusters[p.Target.Cluster] != ClusterReady {
			t.Fatalf("%s is started on a cluster that is %q", p.Name, o.Clusters[p.Target.Cluster])
		}
		if w.spec.Strategy.Paused || o.Blocked != "" {
			t.Fatalf("%s is started although paused %t, blocked %q", p.Name, w.spec.Strategy.Paused, o.Blocked)
		}
	}
	for _, name := range d.Delete {
		r := w.releases[name]
		if !r.inMotion() {
			starts++
		}
		if placed[r.Cluster] {
			t.Fatalf("%s is removed although it is placed", name)
		}
		state := o.Clusters[r.Cluster]
		going := state == ClusterDeleting || state == ClusterGone
		if !going && (state == ClusterUnknown || o.Blocked != "" || w.spec.Strategy.Paused) {
			t.Fatalf("%s is removed although its cluster is %q, blocked %q, paused %t", name, state, o.Blocked, w.spec.Strategy.Paused)
		}
	}
	concurrent := w.spec.Strategy.MaxConcurrent
	if r := w.spec.Strategy.Rollback; r != nil && d.Status.Failed != nil && d.Status.Failed.To != "" {
		concurrent = r.MaxConcurrent
	}
	if limit := concurrent.IntValue(); starts > 0 && moving+starts > limit {
		t.Fatalf("%d are in motion and %d more are started, but at most %d may be", moving, starts, limit)
	}
	if v := w.spec.Strategy.MaxUnavailable; v != nil && takesDown > 0 && unavailable+takesDown > max(1, v.IntValue()) {
		t.Fatalf("%d are unavailable and %d more are taken down, but at most %d may be", unavailable, takesDown, v.IntValue())
	}
	if s := d.Status.Clusters; s.Ready > s.Updated || s.Updated > s.Total || s.InMotion < 0 || s.Failed < 0 || len(d.Status.Problems) > maxProblems {
		t.Fatalf("the counts make no sense: %+v", s)
	}
}

// checkHold: what is held back begins nowhere, takes nothing away, and is nobody's
// revision. Only a rollback goes on.
func checkHold(t *testing.T, o Observed, d Decision) {
	t.Helper()
	if o.Hold == nil {
		if d.Status.Held != nil {
			t.Fatalf("it is said to be held back, and is not: %s", d.Status.Held.Message)
		}
		return
	}
	back := d.Status.Failed != nil && d.Status.Failed.To != ""
	if n := len(d.Create) + len(d.Update); n > 0 && !back {
		t.Fatalf("%d begin although they are held back", n)
	}
	if len(d.Create)+len(d.Ask)+len(d.Check)+len(d.Resolve) > 0 {
		t.Fatalf("for what is held back nothing is made and nobody is asked: %+v", d)
	}
	if d.Status.Digest != o.Status.Digest || d.Status.Began != o.Status.Began {
		t.Fatalf("what is held back became revision %s after %s", d.Status.Digest, o.Status.Digest)
	}
	for _, name := range d.Delete {
		for _, r := range o.Releases {
			if s := o.Clusters[r.Cluster]; r.Name == name && s != ClusterDeleting && s != ClusterGone {
				t.Fatalf("%s is removed although it is held back", name)
			}
		}
	}
	if d.Done || d.Status.Phase == v1alpha1.RolloutCompleted || d.Status.Held == nil {
		t.Fatalf("it is held back, and says %q", d.Status.Message)
	}
}

// disturb the world at random.
func disturb(w *world, rnd *rand.Rand) {
	name := fmt.Sprintf("c-%02d", rnd.Intn(30))
	ref := reference(name)
	switch rnd.Intn(24) {
	case 0:
		w.want(fmt.Sprintf("shop.%d", rnd.Intn(4)), rnd.Intn(4) > 0)
	case 1:
		w.bundles[w.spec.Variants[0].Bundle] = true
	case 2:
		w.spec.Strategy.Paused = rnd.Intn(3) == 0
	case 3:
		w.blocked = []string{"", "", "no such cluster"}[rnd.Intn(3)]
	case 4:
		w.join(name)
	case 5:
		delete(w.targets, name)
	case 6:
		delete(w.targets, name)
		w.clusters[ref] = ClusterDeleting
	case 7:
		if w.clusters[ref] == ClusterDeleting {
			w.clusters[ref] = ClusterGone
		}
	case 8, 9:
		if w.clusters[ref] == ClusterReady {
			w.clusters[ref] = ClusterNotReady
		}
	case 10, 11:
		if w.clusters[ref] == ClusterNotReady {
			w.clusters[ref] = ClusterReady
		}
	case 12:
		w.broken[ref] = true
	case 13:
		delete(w.broken, ref)
		w.bad[fmt.Sprintf("shop.%d", rnd.Intn(4))] = rnd.Intn(2) == 0
	case 14:
		if w.clusters[ref] == ClusterNotReady {
			delete(w.clusters, ref)
		}
	case 16:
		w.hold = &v1alpha1.RolloutHold{Message: "held back: the claim was edited"}
	case 17, 18:
		w.hold = nil
	case 15:
		if t, ok := w.targets[name]; ok {
			t.Namespace = []string{"team-a", "shop"}[rnd.Intn(2)]
			w.targets[name] = t
		}
	}
}

// calm the world: nobody changes their mind any more, and what was broken is mended.
func calm(w *world) {
	w.blocked, w.hold, w.spec.Strategy.Paused = "", nil, false
	w.bundles[w.spec.Variants[0].Bundle] = true
	clear(w.broken)
	clear(w.bad)
	for _, r := range w.releases {
		if _, known := w.clusters[r.Cluster]; !known {
			w.clusters[r.Cluster] = ClusterGone
		}
	}
	for ref, s := range w.clusters {
		if s == ClusterNotReady {
			w.clusters[ref] = ClusterReady
		}
	}
}
