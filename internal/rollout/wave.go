package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

const (
	// allWave is the wave of a step where the strategy has none.
	allWave = "all"
	// maxNames is how many clusters a message names.
	maxNames = 5
)

// A wave is a set of clusters that are moved together, within one step.
type wave struct {
	// name in full: <step>/<wave>, or just <wave> without steps.
	name    string
	spec    v1alpha1.Wave
	members []*member
	// open is true where its members may be moved.
	open bool
	// status as it is going to be.
	status v1alpha1.WaveStatus
}

func (w *wave) moving() int {
	count := 0
	for _, m := range w.members {
		count += int(one(m.inMotion()))
	}
	return count
}

// waveName of a member. Empty where there are no waves.
func (m *member) waveName() string {
	if m.wave == nil {
		return ""
	}
	return m.wave.name
}

// position of a member's wave among all.
func (n *plan) position(m *member) int { return slices.Index(n.waves, m.wave) }

// underway is true once this revision has moved a cluster, or has been reached.
func (n *plan) underway() bool {
	return n.reached() || slices.ContainsFunc(n.members, func(m *member) bool { return m.begun })
}

// arrange the members in steps and waves. What is wrong with that is a flaw only
// before anything has begun: later it would be a cluster's label that stops a fleet.
func (n *plan) arrange() {
	n.compose()
	flaws := n.checkStatic()
	flaws = append(flaws, n.divide()...)
	used := map[string]bool{}
	for _, s := range n.steps {
		if s.spec.Type == v1alpha1.StepDeploy {
			flaws = append(flaws, n.spread(s)...)
		}
		for _, w := range s.waves {
			used[w.spec.Name] = used[w.spec.Name] || len(w.members) > 0 || w.spec.AllowEmpty
			n.waves = append(n.waves, w)
		}
	}
	for _, w := range n.spec.Strategy.Waves {
		if !used[w.Name] && len(n.members) > 0 {
			flaws = append(flaws, fmt.Sprintf("wave %q has no cluster: correct it, or set allowEmpty", w.Name))
		}
	}
	if len(flaws) > 0 && !n.underway() {
		n.flaw = listed(flaws)
	}
}

// wavesOf a step, without members yet.
func (n *plan) wavesOf(s *step) []*wave {
	specs := n.spec.Strategy.Waves
	switch {
	case len(specs) == 0 && s.spec.Name == "":
		// One wave that nobody asked for needs no name.
		specs = []v1alpha1.Wave{{}}
	case len(specs) == 0:
		specs = []v1alpha1.Wave{{Name: allWave}}
	}
	out := make([]*wave, 0, len(specs))
	for _, spec := range specs {
		name := spec.Name
		if s.spec.Name != "" {
			name = s.spec.Name + "/" + name
		}
		out = append(out, &wave{name: name, spec: spec})
	}
	return out
}

// spread the members of a step over its waves.
func (n *plan) spread(s *step) []string {
	var flaws []string
	left := make([]*member, 0, len(s.members))
	for _, m := range s.members {
		// Who has been moved stays where it was.
		i := slices.IndexFunc(s.waves, func(w *wave) bool { return m.begun && m.release.Wave == w.name })
		if i >= 0 {
			s.waves[i].add(m)
			continue
		}
		left = append(left, m)
		if clash := s.matching(m); len(clash) > 1 {
			flaws = append(flaws, fmt.Sprintf("cluster %q is in the waves %s: let only one of them select it", m.label(), quoted(clash)))
		}
	}
	for _, w := range s.waves {
		for _, m := range n.pick(w, left, len(s.members)) {
			w.add(m)
		}
		left = slices.DeleteFunc(left, func(m *member) bool { return m.wave != nil })
	}
	if len(left) == 0 {
		return flaws
	}
	out := make([]string, 0, len(left))
	for _, m := range left {
		out = append(out, m.label())
		s.waves[len(s.waves)-1].add(m)
	}
	return append(flaws, fmt.Sprintf("%s in no wave: %s: end with a wave that has no selector, canary or size", are(len(left)), named(out)))
}

func (w *wave) add(m *member) {
	m.wave, m.Wave = w, w.name
	w.members = append(w.members, m)
}

// matching returns the waves that select a member by nothing but its labels.
func (s *step) matching(m *member) []string {
	var out []string
	for _, w := range s.waves {
		if len(w.spec.ClusterLabelSelector) > 0 && w.spec.Canary == nil && w.spec.Size == nil && w.selects(m) {
			out = append(out, w.spec.Name)
		}
	}
	return out
}

func (w *wave) selects(m *member) bool {
	for k, v := range w.spec.ClusterLabelSelector {
		if got, ok := m.Target.Labels[k]; !ok || string(got) != v {
			return false
		}
	}
	return true
}

// pick the members of a wave out of those that are left. Those that it has already
// count.
func (n *plan) pick(w *wave, left []*member, of int) []*member {
	var eligible []*member
	for _, m := range left {
		if w.selects(m) {
			eligible = append(eligible, m)
		}
	}
	// What has to be moved says more about a revision than what has not.
	slices.SortStableFunc(eligible, func(a, b *member) int {
		return cmp.Or(int(one(!a.outdated()))-int(one(!b.outdated())), cmp.Compare(a.Name, b.Name))
	})
	switch {
	case w.spec.Canary != nil:
		return n.canaries(w, eligible, int(*w.spec.Canary))
	case w.spec.Size != nil:
		size := max(1, resolve(w.spec.Size, of, 1)) - len(w.members)
		return n.evenly(eligible, size)
	}
	return eligible
}

// canaries takes so many of each stratum, less those that the wave has already.
func (n *plan) canaries(w *wave, eligible []*member, each int) []*member {
	has := map[string]int{}
	for _, m := range w.members {
		has[n.stratum(m)]++
	}
	var out []*member
	for _, m := range eligible {
		if s := n.stratum(m); has[s] < each {
			has[s]++
			out = append(out, m)
		}
	}
	return out
}

// evenly takes so many, going round the strata.
func (n *plan) evenly(eligible []*member, size int) []*member {
	strata := map[string][]*member{}
	var order []string
	for _, m := range eligible {
		s := n.stratum(m)
		if _, known := strata[s]; !known {
			order = append(order, s)
		}
		strata[s] = append(strata[s], m)
	}
	slices.Sort(order)
	var out []*member
	for round := 0; len(out) < min(size, len(eligible)); round++ {
		for _, s := range order {
			if round < len(strata[s]) && len(out) < size {
				out = append(out, strata[s][round])
			}
		}
	}
	return out
}

// stratum of a member: the values of the labels by which clusters differ.
func (n *plan) stratum(m *member) string {
	labels := n.spec.Strategy.Strata
	if len(labels) == 0 {
		labels = []string{v1alpha1.ClusterLabelRegion}
	}
	values := make([]string, 0, len(labels))
	for _, l := range labels {
		values = append(values, string(m.Target.Labels[l]))
	}
	return strings.Join(values, "\x00")
}

// named lists some names, and counts the others.
func named(names []string) string {
	if n := len(names); n > maxNames {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:maxNames], ", "), n-maxNames)
	}
	return strings.Join(names, ", ")
}

// listed lists some sentences, and counts the others.
func listed(sentences []string) string {
	if n := len(sentences); n > maxNames {
		return fmt.Sprintf("%s; and %d more", strings.Join(sentences[:maxNames], "; "), n-maxNames)
	}
	return strings.Join(sentences, "; ")
}

func quoted(names []string) string {
	out := make([]string, 0, len(names))
	for _, n := range names {
		out = append(out, fmt.Sprintf("%q", n))
	}
	return strings.Join(out, " and ")
}

func are(n int) string {
	if n == 1 {
		return "1 cluster is"
	}
	return fmt.Sprintf("%d clusters are", n)
}
