package scale

import (
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/provider/backend/simulated/apiserver"
	"github.com/mainstay-dev/mainstay/provider/backend/simulated/simulator"
	"github.com/mainstay-dev/mainstay/test/fleet"
)

const (
	// clusters there are. MAINSTAY_SCALE_CLUSTERS is for a quick try.
	clusters = 1000
	// kills of each of the first three releases.
	kills = 2
	// patience with one wait.
	patience = 10 * time.Minute
)

// A drill is a fleet, and all that happens to it.
type drill struct {
	*testing.T
	*fleet.World

	random   *rand.Rand
	observer *observer
	bundles  []string
	killed   int
}

// The provider is killed at random points of rollouts to a thousand clusters, some of
// which cannot be reached or answer with errors for a while. Then one that stood still
// comes back when another has long taken its place. Each cluster ends with what is
// wanted, and every object was changed exactly once for each release that changes it.
func TestNothingIsLostOrDoneTwice(t *testing.T) {
	d := newDrill(t)
	budget := max(2, d.Clusters/8)
	d.observer = observe(t.Context(), t, d.World, budget)
	for _, r := range releases {
		name, err := d.Seal(t.Context(), app, r.objects())
		if err != nil {
			t.Fatal(err)
		}
		d.bundles = append(d.bundles, name)
	}

	d.timed("release 1, to be created everywhere", func() {
		d.roll(1)
		d.kill(1, d.Clusters)
		d.reached(1)
	})
	d.timed("release 2, while some clusters are in trouble", func() {
		dark := d.trouble()
		d.roll(2)
		d.kill(2, d.Clusters)
		d.park(2, dark)
		d.mend()
		d.reached(2)
	})
	d.timed("release 3, and release 4 from a provider that has taken over", func() {
		d.roll(3)
		d.kill(3, d.Clusters/3)
		d.comesBackLate(3, 4)
		d.reached(4)
	})
	d.timed("the records", d.judge)
	if d.killed < 3*kills {
		t.Errorf("the provider was killed %d times, want at least %d", d.killed, 3*kills)
	}
}

func newDrill(t *testing.T) *drill {
	t.Helper()
	log.SetLogger(logr.Discard())
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	n := clusters
	if s := os.Getenv("MAINSTAY_SCALE_CLUSTERS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil || n < 10 {
			t.Fatalf("MAINSTAY_SCALE_CLUSTERS is %q: want a number, at least 10", s)
		}
	}
	t.Logf("SEED=%d, %d clusters", seed, n)

	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(root, "_output")
	binaries := os.Getenv("MAINSTAY_BINARIES")
	if binaries == "" {
		binaries = filepath.Join(out, "bin")
	}
	for _, b := range []string{"mainstay", "provider", "kube-apiserver", "etcd"} {
		if _, err := os.Stat(filepath.Join(binaries, b)); err != nil {
			t.Fatalf("cannot find %s: build it with: make binaries build", b)
		}
	}
	state, err := os.MkdirTemp(out, "scale-")
	if err != nil {
		t.Fatal(err)
	}
	d := &drill{T: t, random: rand.New(rand.NewPCG(seed, 0)), World: &fleet.World{Config: fleet.Config{
		State: state, Binaries: binaries, CRDs: filepath.Join(root, "package/provider/crds"),
		Backend: v1alpha1.BackendSimulated, Clusters: n, Patience: patience, Audit: true,
		// What is looked for here is no drift.
		ProviderArgs: []string{"--poll=5m"},
	}}}
	t.Cleanup(func() {
		if t.Failed() {
			keepLogs(t, state, filepath.Join(out, "scale-logs"))
		}
		if err := d.Down(context.Background()); err != nil {
			t.Errorf("cannot stop: %v", err)
		}
		t.Logf("all together took %s of processor time", spent().Round(time.Second))
	})
	d.timed("a hub with its clusters", func() { d.must(d.Up(t.Context())) })
	return d
}

// staged are the waves of the fleet, with a budget.
func (d *drill) staged() v1alpha1.RolloutStrategy {
	s := v1alpha1.RolloutStrategy{MaxConcurrent: ptr.To(intstr.FromInt(d.observer.budget))}
	for _, w := range []string{"first", "second", "third"} {
		s.Waves = append(s.Waves, v1alpha1.Wave{Name: w, ClusterLabelSelector: map[string]string{"wave": w}})
	}
	return s
}

func (d *drill) roll(release int) { d.must(d.Roll(d.Context(), app, d.bundles[release-1], d.staged())) }

// kill the provider at random points of a release: when so and so many clusters have begun
// with it, at most a number, or before any has.
func (d *drill) kill(release, most int) {
	d.Helper()
	points := make([]int, kills)
	for i := range points {
		points[i] = d.random.IntN(most)
	}
	slices.Sort(points)
	for _, p := range points {
		d.begun(release, p)
		d.must(d.Kill(d.Context(), fleet.Provider))
		d.killed++
		d.Logf("killed when %d clusters had begun with release %d", d.observer.wanting(d.bundles[release-1]), release)
		d.must(d.StartProvider(d.Context()))
	}
}

// begun waits until so many clusters have begun with a release.
func (d *drill) begun(release, n int) {
	d.Helper()
	what := fmt.Sprintf("%d clusters to begin with release %d", n, release)
	d.await(what, time.Millisecond, func(context.Context) (bool, error) { return d.observer.wanting(d.bundles[release-1]) >= n, nil })
}

// reached waits until all clusters have a release.
func (d *drill) reached(release int) {
	d.Helper()
	d.await(fmt.Sprintf("release %d to be everywhere", release), 50*time.Millisecond, func(ctx context.Context) (bool, error) {
		return d.Reached(ctx, app, d.bundles[release-1])
	})
}

// trouble a hundredth of the clusters, which do not answer any more, and as many that
// answer with errors. It returns how many do not answer.
func (d *drill) trouble() int {
	n := max(2, d.Clusters/100)
	for i, c := range d.random.Perm(d.Clusters)[:2*n] {
		f := simulator.Faults{BlackHole: true}
		if i >= n {
			f = simulator.Faults{ThrottleRate: 0.3, ErrorRate: 0.1}
		}
		d.fault(c, f)
	}
	return n
}

func (d *drill) mend() {
	for i := range d.Clusters {
		d.fault(i, simulator.Faults{})
	}
}

func (d *drill) fault(i int, f simulator.Faults) {
	d.Helper()
	known, err := d.Simulator.SetFaults(d.Context(), fleet.Platform, fleet.ClusterName(i), f)
	if err != nil || !known {
		d.Fatalf("cannot trouble cluster %d: known %t, %v", i, known, err)
	}
}

// park waits until a release is everywhere but on so many clusters, and the Rollout says
// that it does not wait for those.
func (d *drill) park(release, dark int) {
	d.Helper()
	d.await(fmt.Sprintf("%d clusters to be parked", dark), 50*time.Millisecond, func(ctx context.Context) (bool, error) {
		ro := &v1alpha1.Rollout{}
		if err := d.Seen.Get(ctx, client.ObjectKey{Namespace: fleet.Tenant, Name: app}, ro); err != nil {
			return false, err
		}
		at := ro.Status.AtProvider
		return int(at.Clusters.Parked) == dark && int(at.Clusters.Ready) == d.Clusters-dark && at.Phase == v1alpha1.RolloutCompleted, nil
	})
	if n := d.observer.wanting(d.bundles[release-1]); n < d.Clusters-dark {
		d.Errorf("%d clusters want release %d, and no more than %d are parked", n, release, dark)
	}
}

// comesBackLate stops a provider in the midst of a release, lets another take over and
// roll the next one out, and then has the first go on as if nothing had happened. It is
// only now that they elect a leader: to wait for one after every kill would be kinder.
func (d *drill) comesBackLate(first, second int) {
	d.Helper()
	const early, late, elect = "early", "late", "--leader-election"
	d.must(d.Kill(d.Context(), fleet.Provider))
	d.must(d.StartProviderAs(d.Context(), early, elect))
	d.begun(first, d.Clusters/2)
	d.must(d.Signal(early, syscall.SIGSTOP))
	d.Logf("stopped when %d clusters had begun with release %d", d.observer.wanting(d.bundles[first-1]), first)
	d.roll(second)
	d.must(d.StartProviderAs(d.Context(), late, elect))
	d.begun(second, d.random.IntN(d.Clusters))
	d.must(d.Signal(early, syscall.SIGCONT))
	d.Logf("went on when %d clusters had begun with release %d", d.observer.wanting(d.bundles[second-1]), second)
	d.await("the provider that lost its lead to end", 50*time.Millisecond, func(context.Context) (bool, error) { return !d.Running(early), nil })
	if !d.Running(late) {
		d.Errorf("the provider that took over has ended too")
	}
}

// judge by the records.
func (d *drill) judge() {
	want := stagesOf(releases, d.stored())
	changes, wrong := 0, 0
	for i := range d.Clusters {
		audit, err := d.Simulator.Audit(d.Context(), fleet.Platform, fleet.ClusterName(i))
		d.must(err)
		changes += len(audit)
		for _, p := range judge(audit, want) {
			if wrong++; wrong <= maxProblems {
				d.Errorf("%s: %s", fleet.ClusterName(i), p)
			}
		}
	}
	if wrong > maxProblems {
		d.Errorf("and %d more like these", wrong-maxProblems)
	}
	most, epoch, problems := d.observer.report()
	for _, p := range problems {
		d.Error(p)
	}
	if want := int64(len(releases)); epoch != want {
		d.Errorf("the epoch is %d, want %d: one for each release", epoch, want)
	}
	d.Logf("%d changes on clusters; at most %d clusters in motion, %d were allowed", changes, most, d.observer.budget)
}

// stored returns what the content of an object is once a cluster has stored it, with
// what it has added. A cluster is asked, and changes nothing.
func (d *drill) stored() func(*unstructured.Unstructured) string {
	cl, err := d.Simulator.Get(d.Context(), fleet.Platform, fleet.ClusterName(0))
	d.must(err)
	c, err := client.New(d.Simulator.Config(cl), client.Options{})
	d.must(err)
	return func(o *unstructured.Unstructured) string {
		u := o.DeepCopy()
		u.SetName("dry-" + u.GetName())
		d.must(c.Apply(d.Context(), client.ApplyConfigurationFromUnstructured(u), client.DryRunAll, client.FieldOwner("witness")))
		return apiserver.ContentOf(u)
	}
}

// await polls: nothing here takes a certain time.
func (d *drill) await(what string, every time.Duration, so func(context.Context) (bool, error)) {
	d.Helper()
	if err := wait.PollUntilContextTimeout(d.Context(), every, patience, true, so); err != nil {
		ro := &v1alpha1.Rollout{}
		_ = d.Seen.Get(d.Context(), client.ObjectKey{Namespace: fleet.Tenant, Name: app}, ro)
		d.Fatalf("waited for %s, in vain: %v; the Rollout says %s: %q, %+v", what, err, ro.Status.AtProvider.Phase, ro.Status.AtProvider.Message, ro.Status.AtProvider.Clusters)
	}
}

func (d *drill) timed(what string, do func()) {
	d.Helper()
	at := time.Now()
	do()
	d.Logf("%s: %s", what, time.Since(at).Round(100*time.Millisecond))
}

func (d *drill) must(err error) {
	d.Helper()
	if err != nil {
		d.Fatal(err)
	}
}

// spent is the processor time of all processes that were started here and have ended.
func spent() time.Duration {
	u := syscall.Rusage{}
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// keepLogs of a failed run where the next run does not remove them.
func keepLogs(t *testing.T, from, to string) {
	_ = os.RemoveAll(to)
	_ = filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || filepath.Ext(path) != ".log" && filepath.Ext(path) != ".1" {
			return nil //nolint:nilerr // What cannot be read is not kept.
		}
		if data, err := os.ReadFile(path); err == nil {
			_ = os.MkdirAll(to, 0o700)
			_ = os.WriteFile(filepath.Join(to, filepath.Base(path)), data, 0o600)
		}
		return nil
	})
	t.Logf("logs are kept in %s", to)
}
