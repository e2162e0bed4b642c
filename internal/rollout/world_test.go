package rollout

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/placement"
)

// A world plays everybody whom a Rollout depends on: clusters, Releases'
// controllers, the function that renders Bundles, whoever answers gates, and people who
// change their minds.
type world struct {
	spec Spec
	now  time.Time
	// status that was persisted last.
	status   v1alpha1.RolloutObservation
	targets  map[string]placement.Target
	clusters map[v1alpha1.ClusterReference]ClusterState
	releases map[string]*Release
	bundles  map[string]bool
	blocked  string
	// hold says why nothing may begin, where no approved change carries what is wanted.
	hold *v1alpha1.RolloutHold
	// broken clusters fail whatever is put on them, bad Bundles fail everywhere.
	broken map[v1alpha1.ClusterReference]bool
	bad    map[string]bool
	// answers to questions, and checks of the preflight.
	answers map[string]Answer
	checks  *Checks
	// registry that images come from. Without one they stay as they are written.
	registry *registry
	// written is the highest epoch that anything was written with.
	written int64
}

func newWorld(strategy v1alpha1.RolloutStrategy) *world {
	return &world{
		spec: Spec{RolloutParameters: v1alpha1.RolloutParameters{
			Application: "shop",
			Strategy:    strategy,
			Variants:    []v1alpha1.Variant{{Bundle: "shop.1"}},
		}},
		now:      time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		targets:  map[string]placement.Target{},
		clusters: map[v1alpha1.ClusterReference]ClusterState{},
		releases: map[string]*Release{},
		bundles:  map[string]bool{"shop.1": true},
		broken:   map[v1alpha1.ClusterReference]bool{},
		bad:      map[string]bool{},
		answers:  map[string]Answer{},
	}
}

func reference(name string) v1alpha1.ClusterReference {
	return v1alpha1.ClusterReference{Namespace: "platform", Name: "prod." + name}
}

func (w *world) join(names ...string) {
	for _, n := range names {
		w.targets[n] = placement.Target{
			Cluster: reference(n), Fleet: "prod", Name: n, Namespace: "team-a", Topologies: []string{region(n)},
			Labels: map[string]v1alpha1.LabelValue{"region": v1alpha1.LabelValue(region(n))},
		}
		w.clusters[reference(n)] = ClusterReady
	}
}

// region of a cluster, by what its name begins with.
func region(name string) string {
	r, _, _ := strings.Cut(name, "-")
	return r
}

func (w *world) want(bundle string, exists bool) {
	w.spec.Variants = []v1alpha1.Variant{{Bundle: bundle}}
	w.bundles[bundle] = exists
}

// observe the world, in any order.
func (w *world) observe(rnd *rand.Rand) Observed {
	o := Observed{Status: w.status, Clusters: w.clusters, Bundles: w.bundles, Blocked: w.blocked, Hold: w.hold, Taken: map[string]bool{}, Answers: w.answers, Checks: w.checks}
	if w.registry != nil {
		o.Images, o.Registries = w.registry.names, !w.registry.none
	}
	for _, t := range w.targets {
		if s := w.clusters[t.Cluster]; w.blocked == "" && (s == ClusterReady || s == ClusterNotReady) {
			o.Targets = append(o.Targets, t)
		}
	}
	for _, r := range w.releases {
		o.Releases = append(o.Releases, *r)
	}
	slices.SortFunc(o.Targets, func(a, b placement.Target) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(o.Releases, func(a, b Release) int { return cmp.Compare(a.Name, b.Name) })
	if rnd != nil {
		rnd.Shuffle(len(o.Targets), func(i, j int) { o.Targets[i], o.Targets[j] = o.Targets[j], o.Targets[i] })
		rnd.Shuffle(len(o.Releases), func(i, j int) { o.Releases[i], o.Releases[j] = o.Releases[j], o.Releases[i] })
	}
	return o
}

// next decision, and what it was made from.
func (w *world) next() (Observed, Decision) {
	o := w.observe(nil)
	return w.decide(o)
}

// decide from what is observed, and from what the registry says.
func (w *world) decide(o Observed) (Observed, Decision) {
	d := Next(w.spec, o, w.now)
	if len(d.Resolve) == 0 {
		return o, d
	}
	o.Resolved = w.registry.resolve(d.Resolve)
	return o, Next(w.spec, o, w.now)
}

// obey a decision: persist first, then act.
func (w *world) obey(d Decision) {
	w.persist(d)
	w.act(d, 0)
}

// persist the status of a decision, the way the API server does.
func (w *world) persist(d Decision) {
	raw, err := json.Marshal(d.Status)
	if err != nil {
		panic(err)
	}
	w.status = v1alpha1.RolloutObservation{}
	if err := json.Unmarshal(raw, &w.status); err != nil {
		panic(err)
	}
}

// act on a decision, leaving out the last so many writes. Whoever decided from an older
// epoch than the one that is persisted is refused.
func (w *world) act(d Decision, omit int) bool {
	if d.Epoch < w.status.Epoch {
		return false
	}
	left := len(d.Create) + len(d.Update) + len(d.Delete) - omit
	may := func() bool { left--; return left >= 0 }
	for _, name := range d.Delete {
		if r := w.releases[name]; r != nil && may() {
			r.Deleting, r.Failed, r.Failure, r.Unreachable = true, false, "", false
		}
	}
	for _, p := range d.Update {
		if r := w.releases[p.Name]; r != nil && r.Epoch <= d.Epoch && may() {
			r.Untouched = false
			r.Images = p.Images
			r.Wanted, r.Epoch, r.Wave, r.Since = p.Payload, d.Epoch, p.Wave, metav1.NewTime(w.now)
			r.Failed, r.Failure, r.Unreachable, r.Health = false, "", false, v1alpha1.Unknown
			w.written = max(w.written, d.Epoch)
		}
	}
	for _, p := range d.Create {
		if w.releases[p.Name] == nil && may() {
			w.releases[p.Name] = &Release{
				Name: p.Name, Cluster: p.Target.Cluster, Wanted: p.Payload, Images: p.Images, Health: v1alpha1.Unknown, Epoch: d.Epoch, Wave: p.Wave, Untouched: true, Since: metav1.NewTime(w.now),
			}
			w.written = max(w.written, d.Epoch)
		}
	}
	return true
}

// turn one Release: its controller gets to it.
func (w *world) turn(r *Release) {
	state := w.clusters[r.Cluster]
	r.Unreachable = false
	switch {
	case r.Deleting && (state == ClusterReady || state == ClusterDeleting || state == ClusterGone || state == ClusterUnknown):
		delete(w.releases, r.Name)
	case state != ClusterReady:
		r.Failed, r.Failure, r.Unreachable = true, "cluster is unreachable", true
	case w.broken[r.Cluster] || w.bad[r.Wanted.Bundle]:
		r.Applied, r.Failed, r.Health, r.Message = r.Wanted, false, v1alpha1.Degraded, "Deployment web: 0 of 1 replicas available"
		r.Components = []v1alpha1.ComponentHealth{{Name: "web", Health: v1alpha1.Degraded, Message: r.Message}}
	case r.Applied != r.Wanted:
		r.Applied, r.Failed, r.Failure, r.Health, r.Message = r.Wanted, false, "", v1alpha1.Progressing, "Deployment web: 0 of 1 replicas available"
		r.Components = []v1alpha1.ComponentHealth{{Name: "web", Health: v1alpha1.Progressing, Message: r.Message}}
	default:
		r.Failed, r.Failure, r.Health, r.Message = false, "", v1alpha1.Healthy, ""
		r.Components = []v1alpha1.ComponentHealth{{Name: "web", Health: v1alpha1.Healthy}}
	}
}

// turnAll Releases once.
func (w *world) turnAll() {
	for _, name := range w.releaseNames() {
		w.turn(w.releases[name])
	}
}

func (w *world) releaseNames() []string {
	out := make([]string, 0, len(w.releases))
	for n := range w.releases {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

// transcript of a decision, in prose.
func transcript(d Decision) string {
	var lines []string
	list := func(verb string, placed []Placed) {
		for _, p := range placed {
			at := p.Target.Label()
			if len(p.Target.Overrides) > 0 {
				at += " (" + strings.Join(p.Target.Overrides, ", ") + ")"
			}
			line := fmt.Sprintf("  %s %s: %s in namespace %s", verb, at, p.Payload.Bundle, p.Payload.Namespace)
			for _, i := range p.Images {
				line += fmt.Sprintf(", %s is %s", i.Image, i.Digest)
			}
			lines = append(lines, line)
		}
	}
	for _, name := range d.Delete {
		lines = append(lines, "  remove "+name)
	}
	list("create", d.Create)
	list("update", d.Update)
	for _, q := range d.Ask {
		lines = append(lines, "  asks "+q.Key)
	}
	for _, p := range d.Check {
		lines = append(lines, "  checks "+p.Target.Label())
	}
	for _, v := range d.Status.Variants {
		if len(v.Overrides) > 0 {
			lines = append(lines, fmt.Sprintf("  needs a variant with %s for %d", strings.Join(v.Overrides, "+"), v.Clusters))
		}
	}
	return strings.Join(append(lines, "  says: "+d.Status.Message), "\n") + "\n"
}

func number(n int) *intstr.IntOrString { v := intstr.FromInt32(int32(n)); return &v }

func percent(s string) *intstr.IntOrString { v := intstr.FromString(s); return &v }
