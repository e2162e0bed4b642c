package throughput

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mainstay-dev/mainstay/provider/metrics"
)

// sections of a change that is merged, in order.
var sections = []string{metrics.SectionPlan, metrics.SectionApproval, metrics.SectionQueue, metrics.SectionApply, metrics.SectionSoak, metrics.SectionMerge, metrics.SectionHalt, metrics.SectionBack}

// quantile of seconds.
func quantile(of []float64, q float64) float64 {
	if len(of) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(of))
	return s[min(len(s)-1, int(q*float64(len(s))))]
}

// tell where changes spent their time, and how many an hour there are.
func tell(done []*request, took time.Duration, executing int) string {
	var b strings.Builder
	merged, abandoned, overlapped, rebased := 0, 0, 0, 0
	bySize := map[int][]float64{}
	spent, total := map[string][]float64{}, []float64{}
	for _, r := range done {
		switch {
		case !r.ended:
			continue
		case r.merged:
			merged++
			bySize[r.clusters] = append(bySize[r.clusters], r.lead.Seconds())
			total = append(total, r.lead.Seconds())
		default:
			abandoned++
		}
		if r.met {
			overlapped++
		}
		rebased += r.rebased
		sums := map[string]float64{}
		for _, s := range metrics.Spent(nil, r.timeline) {
			sums[s.Section] += s.Seconds
		}
		for _, s := range sections {
			if v, ok := sums[s]; ok || r.merged && s != metrics.SectionHalt && s != metrics.SectionBack {
				spent[s] = append(spent[s], v)
			}
		}
	}
	fmt.Fprintf(&b, "%d changes in %s: %.0f an hour; %d merged, %d given up; %d met another one at the same claim, %d were rebased by their authors; at most %d had locks at once\n",
		merged+abandoned, took.Round(time.Second), float64(merged+abandoned)/took.Hours(), merged, abandoned, overlapped, rebased, executing)
	fmt.Fprintf(&b, "  %-9s %6s %7s %7s\n", "seconds", "count", "p50", "p95")
	row := func(what string, of []float64) {
		fmt.Fprintf(&b, "  %-9s %6d %7.1f %7.1f\n", what, len(of), quantile(of, 0.5), quantile(of, 0.95))
	}
	for _, s := range sections {
		row(s, spent[s])
	}
	row("lead time", total)
	sizes := []int{}
	for s := range bySize {
		sizes = append(sizes, s)
	}
	slices.Sort(sizes)
	for _, s := range sizes {
		row(fmt.Sprintf("of %d", s), bySize[s])
	}
	return b.String()
}

func TestQuantile(t *testing.T) {
	of := []float64{5, 1, 4, 2, 3}
	for q, want := range map[float64]float64{0: 1, 0.5: 3, 0.95: 5, 1: 5} {
		if got := quantile(of, q); got != want {
			t.Errorf("quantile(%v, %v): got %v, want %v", of, q, got, want)
		}
	}
	if got := quantile(nil, 0.5); got != 0 {
		t.Errorf("of nothing: got %v", got)
	}
}
