package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/bundle"
	"github.com/mainstay-dev/mainstay/internal/names"
	"github.com/mainstay-dev/mainstay/internal/rollout"
)

// A want is what a cluster is to have of an application, or has.
type want struct {
	Bundle, Namespace string
}

// A transition is from what a cluster has to what it is to have.
type transition struct {
	from, to want
}

// wanted on each cluster.
func wanted(r *Rendered) map[v1alpha1.ClusterReference]want {
	out := map[v1alpha1.ClusterReference]want{}
	if r == nil || r.Rollout == nil {
		return out
	}
	for _, t := range r.Targets {
		for _, v := range r.Rollout.Spec.ForProvider.Variants {
			if slices.Equal(v.Overrides, t.Overrides) {
				out[t.Cluster] = want{Bundle: v.Bundle, Namespace: t.Namespace}
			}
		}
	}
	return out
}

// application of a plan.
func (b *builder) application(d *draft, was, is *Rendered) {
	has, wants := b.has(d, was), wanted(is)
	if d.Unknown {
		b.unplaced(d, was, is)
		b.check(d, is)
		return
	}
	moves := map[transition]set{}
	for ref := range keys(has, wants) {
		t := transition{from: has[ref], to: wants[ref]}
		if t.from == t.to {
			continue
		}
		if moves[t] == nil {
			moves[t] = set{}
		}
		moves[t].add(ref)
		d.clusters.add(ref)
		if t.to.Bundle == "" {
			d.removes.add(ref)
		}
	}
	for _, t := range slices.SortedFunc(maps.Keys(moves), compareTransitions) {
		b.transit(d, t, moves[t], was, is)
	}
	b.waves(d, is, has)
	b.check(d, is)
	b.deletions(d, is, len(has))
}

// has an application, on each cluster. Where the hub was looked at, it is what Releases
// have, or are being brought to.
func (b *builder) has(d *draft, was *Rendered) map[v1alpha1.ClusterReference]want {
	if !b.observed.Known {
		return wanted(was)
	}
	out := map[v1alpha1.ClusterReference]want{}
	for _, r := range b.releases[d.Namespace+"/"+d.Name] {
		w := want{Bundle: r.Status.AtProvider.Bundle, Namespace: r.Status.AtProvider.Namespace}
		if w.Bundle == "" {
			w = want{Bundle: r.Spec.ForProvider.Bundle, Namespace: r.Spec.ForProvider.Namespace}
		}
		w.Namespace = cmp.Or(w.Namespace, r.Spec.ForProvider.Namespace)
		out[r.Spec.ForProvider.ClusterRef] = w
	}
	return out
}

// unplaced applications go nobody knows where. What changes is shown for each variant.
func (b *builder) unplaced(d *draft, was, is *Rendered) {
	variants := func(r *Rendered) map[string]string {
		out := map[string]string{}
		if r != nil && r.Rollout != nil {
			for _, v := range r.Rollout.Spec.ForProvider.Variants {
				out[strings.Join(v.Overrides, ",")] = v.Bundle
			}
		}
		return out
	}
	from, to := variants(was), variants(is)
	for _, k := range slices.Sorted(keys(from, to)) {
		if from[k] != to[k] {
			b.transit(d, transition{from: want{Bundle: from[k]}, to: want{Bundle: to[k]}}, set{}, was, is)
		}
	}
	b.unknown++
}

func compareTransitions(a, b transition) int {
	return cmp.Or(cmp.Compare(a.from.Bundle, b.from.Bundle), cmp.Compare(a.to.Bundle, b.to.Bundle),
		cmp.Compare(a.from.Namespace, b.from.Namespace), cmp.Compare(a.to.Namespace, b.to.Namespace))
}

func keys[K comparable, V any](a, b map[K]V) func(func(K) bool) {
	return func(yield func(K) bool) {
		for k := range a {
			if !yield(k) {
				return
			}
		}
		for k := range b {
			if _, both := a[k]; !both && !yield(k) {
				return
			}
		}
	}
}

// transit some clusters from what they have to what they are to have.
func (b *builder) transit(d *draft, t transition, on set, was, is *Rendered) {
	key := fmt.Sprintf("%s %v", d.ClaimReference, t)
	list, done := b.details[key]
	if !done {
		from, ok := bundle.Content{}, true
		if t.from.Bundle != "" {
			from, ok = b.content(d.Namespace, t.from.Bundle, was, is)
		}
		to := bundle.Content{}
		if t.to.Bundle != "" {
			// What is wanted was rendered just now.
			to, _ = b.content(d.Namespace, t.to.Bundle, is, was)
		}
		switch {
		case !ok:
			list = []template{opaque(t)}
		default:
			list = templates(from, to, t)
		}
		b.details[key] = list
	}
	for _, tmpl := range list {
		d.work(tmpl, on)
	}
	if len(list) == 1 && list[0].unknown {
		b.unknown += len(on)
	}
}

// waves that the clusters are moved in, as the Rollout would cut them now.
func (b *builder) waves(d *draft, is *Rendered, has map[v1alpha1.ClusterReference]want) {
	if is == nil || is.Rollout == nil || len(is.Targets) == 0 {
		return
	}
	p := is.Rollout.Spec.ForProvider
	o := rollout.Observed{Targets: is.Targets}
	for ref, w := range has {
		payload := rollout.Payload{Bundle: w.Bundle, Namespace: w.Namespace}
		o.Releases = append(o.Releases, rollout.Release{Name: names.Release(p.Application, ref.Namespace, ref.Name), Cluster: ref, Wanted: payload, Applied: payload})
	}
	arranged, flaw := rollout.Arrange(rollout.Spec{RolloutParameters: p}, o)
	// What is under way goes on, whatever its waves have become.
	if flaw != "" && d.Verb != Noop {
		b.finding(d.ClaimReference, "Strategy", "cannot be rolled out: "+clean(flaw))
	}
	d.wavesAsked = len(p.Strategy.Waves) > 0
	for _, a := range arranged {
		w, members := waveOf(a.Name, a.Wave, p.Strategy), set{}
		for _, t := range a.Targets {
			if d.clusters[t.Cluster] {
				members.add(t.Cluster)
			}
		}
		if len(members) == 0 {
			continue
		}
		d.Waves, d.waves = append(d.Waves, w), append(d.waves, members)
	}
}

func waveOf(name string, w v1alpha1.Wave, s v1alpha1.RolloutStrategy) Wave {
	out := Wave{Name: cmp.Or(name, "all")}
	if c := cmp.Or(w.MaxConcurrent, s.MaxConcurrent); c != nil {
		out.Concurrent = c.String()
	}
	if w.Soak != nil {
		out.Soak = w.Soak.Duration.String()
	}
	for _, g := range w.Gates {
		out.Gates = append(out.Gates, g.Name)
	}
	return out
}
