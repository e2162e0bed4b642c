package fleet

import (
	"errors"
	"fmt"
	"maps"
	"math/rand"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
)

func TestAssign(t *testing.T) {
	type args struct {
		clusters  []string
		have      Assignment
		nodePools int
	}
	type want struct {
		sizes   map[int]int
		invalid string
	}
	cases := map[string]struct {
		reason string
		args   args
		want   want
	}{
		"None": {
			reason: "A fleet without clusters has no cell.",
			want:   want{sizes: map[int]int{}},
		},
		"One": {
			reason: "One cluster makes one cell.",
			args:   args{clusters: numbered(1)},
			want:   want{sizes: map[int]int{0: 1}},
		},
		"FullCellStays": {
			reason: "A cell takes clusters up to its capacity, and a new one is opened for the rest.",
			args:   args{clusters: numbered(26), have: Assignment{0: numbered(25)}},
			want:   want{sizes: map[int]int{0: 25, 1: 1}},
		},
		"GapIsFilled": {
			reason: "A number that is free is used again.",
			args:   args{clusters: numbered(51), have: Assignment{1: numbered(50)[:25], 2: numbered(50)[25:]}},
			want:   want{sizes: map[int]int{0: 1, 1: 25, 2: 25}},
		},
		"EmptyCellsAreKept": {
			reason: "A cell that lost its clusters is in the result, so that its end can be awaited.",
			args:   args{have: Assignment{3: {"a"}}},
			want:   want{sizes: map[int]int{3: 0}},
		},
		"TwiceIsKeptOnce": {
			reason: "A cluster that is in two cells stays in the first.",
			args:   args{clusters: []string{"a"}, have: Assignment{0: {"a"}, 1: {"a"}}},
			want:   want{sizes: map[int]int{0: 1, 1: 0}},
		},
		"ManyPoolsMakeSmallCells": {
			reason: "Eight pools and a cluster are nine children: eleven clusters fit in a cell.",
			args:   args{clusters: numbered(12), have: Assignment{0: numbered(11)}, nodePools: 8},
			want:   want{sizes: map[int]int{0: 11, 1: 1}},
		},
		"MorePoolsThanFit": {
			reason: "Clusters cannot move, so their cell cannot shrink.",
			args:   args{clusters: numbered(25), have: Assignment{0: numbered(25)}, nodePools: 4},
			want:   want{invalid: "spec.nodePools: with 4 node pools a cell can hold 20 clusters, but cell 0 has 25, and clusters cannot move: remove node pools, or put clusters with more node pools into another fleet"},
		},
		"MoreClustersThanFit": {
			reason: "With many pools not even all cells are enough.",
			args:   args{clusters: numbered(1100), nodePools: 8},
			want:   want{invalid: "spec.nodePools: with 8 node pools a fleet can have 1078 clusters, and this one asks for 1100: remove node pools, or split the clusters over several fleets"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := Assign(tc.args.clusters, tc.args.have, tc.args.nodePools)
			if diff := cmp.Diff(tc.want.invalid, message(err)); diff != "" {
				t.Fatalf("%s\nerror: -want, +got:\n%s", tc.reason, diff)
			}
			if err != nil {
				return
			}
			if diff := cmp.Diff(tc.want.sizes, sizes(got)); diff != "" {
				t.Errorf("%s\nsizes: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestAssignFreshFleets(t *testing.T) {
	for n, want := range map[int]int{1: 1, 20: 1, 21: 2, 300: 15, 1000: 50, 2000: 98} {
		got, err := Assign(numbered(n), nil, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != want {
			t.Errorf("%d clusters: want %d cells, got %d", n, want, len(got))
		}
		check(t, got, numbered(n), 2)
	}
}

// Whatever is added and removed, no cluster moves, no bound is broken, and the order in
// which clusters are named makes no difference.
func TestAssignNeverMovesAnything(t *testing.T) {
	for seed := range int64(40) {
		r := rand.New(rand.NewSource(seed))
		pools := r.Intn(9)
		most := min(400, Capacity(pools)*v1alpha1.MaxFleetCells)
		wanted := map[string]bool{}
		have := Assignment{}
		for step := range 30 {
			for range r.Intn(40) {
				wanted[fmt.Sprintf("c-%d", r.Intn(most))] = true
			}
			for _, c := range slices.Sorted(maps.Keys(wanted)) {
				if r.Intn(8) == 0 {
					delete(wanted, c)
				}
			}
			clusters := slices.Sorted(maps.Keys(wanted))
			got, err := Assign(clusters, have, pools)
			if err != nil {
				t.Fatalf("seed %d, step %d: %v", seed, step, err)
			}
			check(t, got, clusters, pools)
			moved(t, have, got)

			r.Shuffle(len(clusters), func(i, j int) { clusters[i], clusters[j] = clusters[j], clusters[i] })
			again, err := Assign(clusters, have, pools)
			if diff := cmp.Diff(got, again); diff != "" || err != nil {
				t.Fatalf("seed %d, step %d: another order makes a difference: %v\n%s", seed, step, err, diff)
			}
			have = got
			for cell, cs := range have {
				if len(cs) == 0 && r.Intn(2) == 0 {
					delete(have, cell)
				}
			}
		}
	}
}

func check(t *testing.T, a Assignment, clusters []string, pools int) {
	t.Helper()
	var all []string
	for _, cell := range a.Cells() {
		if n := len(a[cell]); n > v1alpha1.MaxCellClusters || n*(1+pools) > v1alpha1.MaxChildren {
			t.Errorf("cell %d has %d clusters with %d pools each", cell, n, pools)
		}
		if cell >= v1alpha1.MaxFleetCells {
			t.Errorf("there is a cell %d", cell)
		}
		all = append(all, a[cell]...)
	}
	slices.Sort(all)
	want := slices.Sorted(slices.Values(clusters))
	if !slices.Equal(want, all) {
		t.Errorf("clusters: -want, +got:\n%s", cmp.Diff(want, all))
	}
}

func moved(t *testing.T, before, after Assignment) {
	t.Helper()
	was := map[string]int{}
	for cell, cs := range before {
		for _, c := range cs {
			was[c] = cell
		}
	}
	for cell, cs := range after {
		for _, c := range cs {
			if old, ok := was[c]; ok && old != cell {
				t.Errorf("cluster %q moved from cell %d to cell %d", c, old, cell)
			}
		}
	}
}

func numbered(n int) []string {
	out := make([]string, 0, n)
	for i := range n {
		out = append(out, fmt.Sprintf("edge-eu-%04d", i))
	}
	return out
}

func sizes(a Assignment) map[int]int {
	out := map[int]int{}
	for cell, cs := range a {
		out[cell] = len(cs)
	}
	return out
}

// message of an error that must be an InvalidError.
func message(err error) string {
	var invalid *InvalidError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &invalid):
		return invalid.Error()
	}
	return "not an InvalidError: " + err.Error()
}
