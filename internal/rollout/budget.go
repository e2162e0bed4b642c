package rollout

import (
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// defaultMaxConcurrent is how many clusters are in motion where nothing is said.
const defaultMaxConcurrent = 10

// A budget is how much more may be started.
type budget struct {
	// slots for clusters that are not in motion yet.
	slots int
	// spare clusters that may become unavailable. Below zero there is no limit.
	spare int
	// maxUnavailable that was asked for, where it was.
	maxUnavailable *int
}

const unlimited = -1

func newBudget(s v1alpha1.RolloutStrategy, steps []*step, leaving []Release) budget {
	moving, unavailable := 0, 0
	for _, st := range steps {
		if st.release == nil {
			continue
		}
		if st.release.inMotion() {
			moving++
		}
		if !st.release.healthy() {
			unavailable++
		}
	}
	for _, r := range leaving {
		if r.inMotion() {
			moving++
		}
	}

	// A percentage is of the placed clusters, but what leaves should not come to a
	// crawl because nothing is placed any more.
	of := max(len(steps), len(leaving))
	b := budget{slots: max(0, max(1, resolve(s.MaxConcurrent, of, defaultMaxConcurrent))-moving), spare: unlimited}
	if s.MaxUnavailable != nil {
		limit := resolve(s.MaxUnavailable, len(steps), 0)
		b.maxUnavailable = &limit
		b.spare = max(0, max(1, limit)-unavailable)
	}
	return b
}

// starts a placed cluster, if the budget allows it, and takes it off the budget.
func (b *budget) starts(s *step) bool {
	moving, unavailable := s.release != nil && s.release.inMotion(), s.ailing()
	if !moving && b.slots == 0 {
		return false
	}
	if !unavailable && b.spare == 0 {
		return false
	}
	if !moving {
		b.slots--
	}
	if !unavailable && b.spare != unlimited {
		b.spare--
	}
	return true
}

// removes a Release, if the budget allows it, and takes it off the budget. What is
// removed is not placed, so nobody counts on it to be available.
func (b *budget) removes(r Release) bool {
	if r.inMotion() {
		return true
	}
	if b.slots == 0 {
		return false
	}
	b.slots--
	return true
}

// resolve a number or a percentage, rounded up, of the placed clusters.
func resolve(v *intstr.IntOrString, of, fallback int) int {
	if v == nil {
		return fallback
	}
	n, err := intstr.GetScaledValueFromIntOrPercent(v, of, true)
	if err != nil || n < 0 {
		return fallback
	}
	return n
}
