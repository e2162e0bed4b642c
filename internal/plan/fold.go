package plan

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// A set of clusters.
type set map[v1alpha1.ClusterReference]bool

func (s set) add(ref v1alpha1.ClusterReference) { s[ref] = true }

func (s set) join(o set) {
	for ref := range o {
		s[ref] = true
	}
}

// clusters and how people name them.
type clusters struct {
	labels map[v1alpha1.ClusterReference]string
}

func newClusters() *clusters { return &clusters{labels: map[v1alpha1.ClusterReference]string{}} }

func (c *clusters) label(ref v1alpha1.ClusterReference, name string) {
	if _, known := c.labels[ref]; !known {
		c.labels[ref] = name
	}
}

func compareReferences(a, b v1alpha1.ClusterReference) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Namespace, b.Namespace))
}

// fold claims, waves and actions into a plan: every cluster is named once, in the group of
// those that are in the same sets.
func (b *builder) fold(p *Plan) {
	var sets []set
	for _, d := range b.claims {
		sets = append(sets, d.clusters)
		sets = append(sets, d.waves...)
		for _, w := range d.actions {
			sets = append(sets, w.clusters)
		}
	}
	in := b.group(p, sets)
	next := 0
	take := func() ([]int, int) {
		s := sets[next]
		next++
		return in(s), len(s)
	}
	for i, d := range b.claims {
		d.Set, d.Clusters = take()
		d.Removes = len(d.removes)
		for j := range d.Waves {
			d.Waves[j].Set, d.Waves[j].Clusters = take()
		}
		for _, w := range d.actions {
			w.Claim = i
			w.Set, w.Clusters = take()
			w.ID = "a" + strconv.Itoa(len(p.Actions)+1)
			d.Reverse = worse(d.Reverse, w.Reverse)
			p.Actions = append(p.Actions, w.Action)
		}
		p.Claims = append(p.Claims, d.Claim)
	}
}

// group clusters by the sets that they are in. The function says of which groups a set is.
func (b *builder) group(p *Plan, sets []set) func(set) []int {
	signs := map[v1alpha1.ClusterReference]*strings.Builder{}
	for i, s := range sets {
		for ref := range s {
			if signs[ref] == nil {
				signs[ref] = &strings.Builder{}
			}
			_, _ = signs[ref].WriteString(strconv.Itoa(i) + ",")
		}
	}
	groups, of := map[string]int{}, map[v1alpha1.ClusterReference]int{}
	for _, ref := range slices.SortedFunc(maps.Keys(signs), compareReferences) {
		sign := signs[ref].String()
		i, known := groups[sign]
		if !known {
			i = len(p.Groups)
			groups[sign] = i
			p.Groups = append(p.Groups, Group{})
		}
		of[ref] = i
		p.Groups[i].Clusters = append(p.Groups[i].Clusters, b.clusters.labels[ref])
	}
	for i := range p.Groups {
		g := &p.Groups[i]
		slices.Sort(g.Clusters)
		g.Count, g.Digest = len(g.Clusters), hash([]byte(strings.Join(g.Clusters, "\n")))[:16]
	}
	return func(s set) []int {
		var out []int
		for ref := range s {
			out = append(out, of[ref])
		}
		slices.Sort(out)
		return slices.Compact(out)
	}
}

// sum what a plan does, over all clusters.
func (b *builder) sum(p *Plan) {
	all, regions, tenants := set{}, map[string]bool{}, map[string]bool{}
	for _, d := range b.claims {
		all.join(d.clusters)
		tenants[d.Namespace] = true
		for _, w := range d.waves {
			p.Blast.PerWave = max(p.Blast.PerWave, len(w))
		}
		if len(d.waves) == 0 {
			p.Blast.PerWave = max(p.Blast.PerWave, len(d.clusters))
		}
	}
	for ref := range all {
		if c := b.inventory[ref]; c != nil && c.Spec.ForProvider.Region != "" {
			regions[c.Spec.ForProvider.Region] = true
		}
	}
	p.Blast.Clusters, p.Blast.Of = len(all), max(len(b.inventory), len(all))
	p.Blast.Regions, p.Blast.Tenants, p.Blast.Unknown = len(regions), len(tenants), b.unknown
	p.Reverse = Reverse{Class: Auto}
	for i := range p.Actions {
		a := &p.Actions[i]
		times := a.Clusters
		if p.Claims[a.Claim].Unknown {
			times = 1
		}
		p.Count.add(a.Verb, times)
		p.Effects.add(a.Effects, times)
		p.Reverse = worse(p.Reverse, Reverse{Class: a.Reverse.Class, Why: a.Reverse.Why})
	}
	for _, d := range b.claims {
		// That of a claim may be worse than that of all that is done for it.
		p.Reverse = worse(p.Reverse, Reverse{Class: d.Reverse.Class, Why: d.Reverse.Why})
	}
}

func (c *Count) add(v Verb, times int) {
	switch v {
	case Create:
		c.Create += times
	case Update:
		c.Update += times
	case Replace:
		c.Replace += times
	case Delete:
		c.Delete += times
	case Restart:
		c.Restart += times
	case Scale:
		c.Scale += times
	case Noop:
	}
}
