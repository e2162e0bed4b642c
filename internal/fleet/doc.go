// Package fleet decides what a ClusterFleet consists of: which clusters it has, which
// cell each of them is in, which resources a cell composes, and how what is observed
// of them adds up to the one line that the claim shows.
//
// Invariants: the same input gives the same output, in the same order; a cluster never
// moves between cells, because a move would destroy it; no composite has more than
// MaxChildren children; a fleet with anything wrong in it is refused as a whole, with
// each problem named by its field. Statuses are coarse, bounded and carry no times, so
// that a parent is not woken by what it would not show.
//
// Deliberately absent: requests, responses, clients and clocks.
package fleet
