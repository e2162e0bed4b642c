package throughput

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

const (
	// Of a hundred merge requests so many touch what one of the last few touches, and so many fail.
	overlapping, failing = 20, 5
	// lately is how many merge requests before are likely to be open still.
	lately = 4
)

// An app is a claim that merge requests change.
type app struct {
	name string
	// clusters that it runs on, from first on.
	first, clusters int
	// label that selects them. Empty where it is one cluster.
	label, value string
}

// appsOf so many clusters: for each cluster of the first few dozen one that runs there only, for groups of ten
// and of a hundred, and one that runs everywhere.
func appsOf(clusters int) map[int][]app {
	out := map[int][]app{}
	for _, size := range []int{1, 10, 100} {
		if size > 1 && size >= clusters {
			continue
		}
		most := map[int]int{1: 40, 10: 20, 100: 10}[size]
		for i := range min(most, clusters/size) {
			a := app{name: fmt.Sprintf("on%d-%d", size, i), first: i * size, clusters: size}
			if size > 1 {
				a.label, a.value = fmt.Sprintf("by%d", size), fmt.Sprintf("g%d", i)
			}
			out[size] = append(out[size], a)
		}
	}
	out[clusters] = []app{{name: "everywhere", clusters: clusters, label: "all", value: "yes"}}
	return out
}

// A wish is what one merge request is to be.
type wish struct {
	app
	tag string
	// fails is how the simulated clusters have it fail. Empty where it is good.
	fails string
	// overlaps is true where it was chosen because another one is likely to be open.
	overlaps bool
}

// A fault is what a tag ends with for the clusters to play it.
const crash, pull = "-crash", "-pull"

// mix of merge requests: two thirds touch one cluster, one in a hundred all.
func mix(r *rand.Rand, n, clusters int) []wish {
	apps := appsOf(clusters)
	next := map[int]int{}
	fresh := func() app {
		size := clusters
		switch d := r.IntN(100); {
		case d < 63:
			size = 1
		case d < 91 && clusters > 10:
			size = 10
		case d < 99 && clusters > 100:
			size = 100
		case d < 99:
			size = 1
		}
		all := apps[size]
		next[size]++
		return all[next[size]%len(all)]
	}
	out := make([]wish, 0, n)
	for i := range n {
		w := wish{app: fresh(), tag: fmt.Sprintf("1.1.%d", i)}
		if i > 0 && r.IntN(100) < overlapping {
			w.app, w.overlaps = out[max(0, i-1-r.IntN(lately))].app, true
		}
		if r.IntN(100) < failing {
			w.fails = []string{crash, pull}[r.IntN(2)]
			w.tag += w.fails
		}
		out = append(out, w)
	}
	// A small mix has at least one of each.
	if n >= 4 {
		for _, f := range []func(w *wish){
			func(w *wish) { w.app, w.overlaps = apps[clusters][0], false },
			func(w *wish) {
				if w.fails == "" {
					w.fails = crash
					w.tag += crash
				}
			},
		} {
			f(&out[r.IntN(n)])
		}
	}
	return out
}

// file of the repository that an application is in.
func (a app) file() string { return "shop/" + a.name + ".yaml" }

// manifest of an application with a tag.
func (a app) manifest(tag string) string {
	where := fmt.Sprintf("clusters: [c%d]", a.first)
	if a.label != "" {
		where = fmt.Sprintf("clusterLabelSelector: {%s: %q}", a.label, a.value)
	}
	waves := ""
	if a.clusters > 10 {
		waves = "\n        waves:\n          - {name: canary, canary: 1, soak: 1s}\n          - {name: rest}"
	}
	return fmt.Sprintf(`apiVersion: mainstay.dev/v1alpha1
kind: ProductApplication
metadata:
  name: %[1]s
  namespace: shop
spec:
  components:
    - name: %[1]s
      type: worker
      properties:
        image: registry.example.org/shop/%[1]s:%[2]s
        cpu: 10m
        memory: 16Mi
  policies:
    - name: there
      type: topology
      properties:
        %[3]s
    - name: carefully
      type: rollout
      properties:
        maxConcurrent: 50%%
        failureBudget: 0
        onFailure: Halt
        progressDeadline: 10m%[4]s
`, a.name, tag, where, waves)
}

// A mix is what the numbers are about, so that it has to be what it says.
func TestMix(t *testing.T) {
	const n = 5000
	all := mix(rand.New(rand.NewPCG(1, 0)), n, 1000)
	counts := map[string]int{}
	tags := map[string]bool{}
	for _, w := range all {
		counts[fmt.Sprintf("of %d", w.clusters)]++
		if w.overlaps {
			counts["overlapping"]++
		}
		if w.fails != "" {
			counts["failing"]++
		}
		tags[w.tag] = true
	}
	for what, want := range map[string][2]int{
		"of 1": {58, 68}, "of 10": {23, 33}, "of 100": {6, 10}, "of 1000": {0, 2}, "overlapping": {18, 22}, "failing": {4, 6},
	} {
		if got := counts[what] * 100 / n; counts[what] == 0 || got < want[0] || got > want[1] {
			t.Errorf("%d of %d are %s, want %d to %d %%", counts[what], n, what, want[0], want[1])
		}
	}
	if len(tags) != n {
		t.Errorf("%d tags of %d merge requests: each has one of its own", len(tags), n)
	}
}
