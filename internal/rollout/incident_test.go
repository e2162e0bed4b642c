package rollout

import (
	"strings"
	"testing"
	"time"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// TestLargeClusterFailsLate is what took a company down: a change that was fine on small
// clusters, broke large ones only after a while, and was everywhere by then. A canary of each
// class that soaks has touched no more than the first wave when it shows.
func TestLargeClusterFailsLate(t *testing.T) {
	w := newWorld(canaryThenRest(func(s *v1alpha1.RolloutStrategy) {
		s.Waves[0].Soak = minutes(20)
		s.FailureBudget = number(0)
	}))
	w.join("small-1", "small-2", "small-3", "small-4", "large-1", "large-2")
	for range 200 {
		_, d := w.next()
		w.obey(d)
		w.turnAll()
		w.now = w.now.Add(time.Minute)
	}
	w.want("shop.2", true)
	for i := range 60 {
		_, d := w.next()
		w.obey(d)
		w.turnAll()
		if i == 15 {
			w.broken[reference("large-1")] = true
		}
		w.now = w.now.Add(time.Minute)
	}
	touched := 0
	for _, r := range w.releases {
		if r.Wanted.Bundle == "shop.2" {
			touched++
		}
	}
	if _, d := w.next(); touched != 2 || d.Status.Phase != v1alpha1.RolloutHalted || !strings.Contains(d.Status.Message, "large-1") {
		t.Errorf("only the canary of each class may be touched, got %d clusters, %s: %s", touched, d.Status.Phase, d.Status.Message)
	}
}
