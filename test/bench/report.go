package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mainstay-dev/mainstay/test/fleet"
)

// A row of the table.
type row struct {
	title string
	// objects that change on each cluster, and changes that each cluster gets.
	objects, changes int
	floor, rollout   []use
	unavailable      int
	idle             bool
	// peer is true where not Mainstay delivered, but the peer, and to so many clusters.
	peer     bool
	clusters int
}

// median of what was measured, by processor time.
func median(us []use) use {
	s := slices.Clone(us)
	slices.SortFunc(s, func(a, b use) int { return cmp.Compare(a.total(), b.total()) })
	return s[len(s)/2]
}

// report is the page.
func (b *bench) report() string {
	var t strings.Builder
	fmt.Fprintf(&t, "| scenario | wall | provider | hub apiserver | etcd | targets | floor: driver + targets | R_cpu | hub writes per (cluster, change) | target writes |\n")
	fmt.Fprintf(&t, "|---|---|---|---|---|---|---|---|---|---|\n")
	for _, r := range b.rows {
		u := median(r.rollout)
		floor, ratio := "", ""
		if len(r.floor) > 0 {
			f := median(r.floor)
			base := f.cpu[procFloor] + f.cpu[fleet.Targets]
			floor = fmt.Sprintf("%s + %s", seconds(f.cpu[procFloor]), seconds(f.cpu[fleet.Targets]))
			ratio = fmt.Sprintf("%.1f", float64(u.total())/float64(max(base, 10*time.Millisecond)))
		}
		each := float64(b.Clusters * max(1, r.changes))
		writes := fmt.Sprintf("%.2f (Releases %.2f, Rollouts %.2f)", float64(u.writes())/each, float64(u.hubWrites["releases"])/each, float64(u.hubWrites["rollouts"])/each)
		if r.peer {
			writes = r.peerWrites(u)
		}
		if r.idle && !r.peer {
			writes = fmt.Sprintf("%d in all", u.writes())
		}
		fmt.Fprintf(&t, "| %s | %.1f s | %s | %s | %s | %s | %s | %s | %s | %d |\n", r.title, u.wall.Seconds(),
			seconds(u.cpu[fleet.Provider]+u.cpu[procPeer]), seconds(u.cpu[fleet.APIServer]), seconds(u.cpu[fleet.Etcd]), seconds(u.cpu[fleet.Targets]), floor, ratio, writes, u.targetWrites)
		b.notes = append(b.notes, fmt.Sprintf("%s: requests to the hub: %s.", r.title, u.requests()))
		if r.unavailable > 0 {
			b.notes = append(b.notes, fmt.Sprintf("%s: at most %d of %d clusters were seen without a healthy version at once.", r.title, r.unavailable, b.Clusters))
		}
	}
	fmt.Fprintf(&t, "\n%d clusters (%s), ten objects an application, %d rounds (medians). Processor times are of the process, in seconds.\n", b.Clusters, b.Backend, b.Rounds)
	if b.peak(fleet.Provider) > 0 { // Unless it was stopped for the peer.
		b.notes = append(b.notes, b.memory())
	}
	for _, n := range b.notes {
		fmt.Fprintf(&t, "- %s\n", n)
	}
	return t.String()
}

// memory that was needed so far.
func (b *bench) memory() string {
	return fmt.Sprintf("Peak memory: provider %d MiB, simulator %d MiB, kube-apiserver of the hub %d MiB, etcd %d MiB.",
		b.peak(fleet.Provider), b.peak(fleet.Targets), b.peak(fleet.APIServer), b.peak(fleet.Etcd))
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f", d.Seconds()) }
