package fleet

import (
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strconv"

	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
)

// An Assignment says which clusters are in which cell, by the cell's number. The
// clusters of a cell are sorted.
type Assignment map[int][]string

// Cells returns the numbers of the cells, sorted.
func (a Assignment) Cells() []int { return slices.Sorted(maps.Keys(a)) }

// Capacity returns how many clusters a cell can hold, where each has so many node
// pools: every cluster and every pool is a child of the cell.
func Capacity(nodePools int) int {
	return min(v1alpha1.MaxCellClusters, v1alpha1.MaxChildren/(1+nodePools))
}

// Assign clusters to cells, given the cells that there are. A cluster that is in a
// cell stays there. A new one goes to the cell that its name prefers among those with
// room, and to a new cell where there is none. A fleet that has no cell yet is cut into
// cells that are four fifths full, so that it can grow a little without further ones.
//
// Cells that end up without clusters are in the assignment, with none. The error is an
// InvalidError: the clusters do not fit.
func Assign(clusters []string, have Assignment, nodePools int) (Assignment, error) {
	capacity := Capacity(nodePools)
	if most := capacity * v1alpha1.MaxFleetCells; len(clusters) > most {
		return nil, problems{fmt.Sprintf("spec.nodePools: with %d node pools a fleet can have %d clusters, and this one asks for %d: remove node pools, or split the clusters over several fleets",
			nodePools, most, len(clusters))}.err()
	}
	out, left := keep(clusters, have)
	for _, cell := range out.Cells() {
		if n := len(out[cell]); n > capacity {
			return nil, problems{fmt.Sprintf("spec.nodePools: with %d node pools a cell can hold %d clusters, but cell %d has %d, and clusters cannot move: remove node pools, or put clusters with more node pools into another fleet",
				nodePools, capacity, cell, n)}.err()
		}
	}
	if len(out) == 0 {
		fill := max(1, capacity*4/5)
		for cell := range min(v1alpha1.MaxFleetCells, (len(left)+fill-1)/fill) {
			out[cell] = nil
		}
	}
	for _, c := range left {
		cell, ok := prefer(c, out, capacity)
		if !ok {
			cell = next(out)
		}
		out[cell] = append(out[cell], c)
	}
	for _, cs := range out {
		slices.Sort(cs)
	}
	return out, nil
}

// keep the clusters that are wanted still where they are. It returns those that are
// nowhere yet, sorted. A cluster that is in two cells, which nobody should have
// written, is kept in the first.
func keep(clusters []string, have Assignment) (Assignment, []string) {
	left := map[string]bool{}
	for _, c := range clusters {
		left[c] = true
	}
	out := Assignment{}
	for _, cell := range have.Cells() {
		out[cell] = nil
		for _, c := range have[cell] {
			if left[c] {
				out[cell] = append(out[cell], c)
				delete(left, c)
			}
		}
	}
	return out, slices.Sorted(maps.Keys(left))
}

// prefer returns the cell with room that a cluster prefers: the one for which the
// hash of both is highest, so that each cluster has an order of its own.
func prefer(cluster string, a Assignment, capacity int) (int, bool) {
	best, found := 0, false
	var highest uint64
	for _, cell := range a.Cells() {
		if len(a[cell]) >= capacity {
			continue
		}
		if s := score(cluster, cell); !found || s > highest {
			best, found, highest = cell, true, s
		}
	}
	return best, found
}

// next returns the lowest number that no cell has. It is below MaxFleetCells: a cell is
// only opened where all others are full, and all clusters fit into that many.
func next(a Assignment) int {
	for cell := 0; ; cell++ {
		if _, ok := a[cell]; !ok {
			return cell
		}
	}
}

// score hashes a cluster and a cell. FNV alone would hardly differ between cells that
// differ in their last digit, so its bits are mixed once more.
func score(cluster string, cell int) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(cluster + "/" + strconv.Itoa(cell)))
	x := h.Sum64()
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}
