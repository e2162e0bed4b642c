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
	// waves and steps have slots of their own, where they are limited.
	waves map[*wave]int
	steps map[*step]int
	// spare clusters that may become unavailable. Below zero there is no limit.
	spare int
	// maxUnavailable that was asked for, where it was.
	maxUnavailable *int
}

const unlimited = -1

// newBudget of what is in motion, and unavailable, already.
func newBudget(s v1alpha1.RolloutStrategy, members []*member, leaving []Release, goesBack bool) budget {
	moving, unavailable := 0, 0
	b := budget{spare: unlimited, waves: map[*wave]int{}, steps: map[*step]int{}}
	for _, m := range members {
		if !goesBack {
			b.limit(m)
		}
		if m.release == nil {
			continue
		}
		if m.release.inMotion() {
			moving++
		}
		if !m.release.healthy() {
			unavailable++
		}
	}
	for _, r := range leaving {
		if r.inMotion() {
			moving++
		}
	}

	limit := s.MaxConcurrent
	if goesBack && s.Rollback != nil && s.Rollback.MaxConcurrent != nil {
		limit = s.Rollback.MaxConcurrent
	}
	// A percentage is of the placed clusters, but what leaves should not come to a
	// crawl because nothing is placed any more.
	of := max(len(members), len(leaving))
	b.slots = max(0, max(1, resolve(limit, of, defaultMaxConcurrent))-moving)
	if s.MaxUnavailable != nil {
		limit := resolve(s.MaxUnavailable, len(members), 0)
		b.maxUnavailable = &limit
		b.spare = max(0, max(1, limit)-unavailable)
	}
	return b
}

// limit what a member's wave and step may have in motion, where they say so.
func (b *budget) limit(m *member) {
	if w := m.wave; w != nil && w.spec.MaxConcurrent != nil {
		if _, known := b.waves[w]; !known {
			b.waves[w] = max(1, resolve(w.spec.MaxConcurrent, len(w.members), 1)) - w.moving()
		}
	}
	if s := m.step; s != nil && s.spec.MaxConcurrent != nil {
		if _, known := b.steps[s]; !known {
			b.steps[s] = max(1, int(*s.spec.MaxConcurrent)) - s.moving()
		}
	}
}

// has returns whether a member's wave and step have a slot left.
func (b *budget) has(m *member) bool {
	if left, limited := b.waves[m.wave]; limited && left <= 0 {
		return false
	}
	if left, limited := b.steps[m.step]; limited && left <= 0 {
		return false
	}
	return b.slots > 0
}

// starts a placed cluster, if the budget allows it, and takes it off the budget.
func (b *budget) starts(m *member) bool {
	moving, unavailable := m.inMotion(), m.ailing()
	if !moving && !b.has(m) {
		return false
	}
	if !unavailable && b.spare == 0 {
		return false
	}
	if !moving {
		b.slots--
		b.take(m)
	}
	if !unavailable && b.spare != unlimited {
		b.spare--
	}
	return true
}

// take a slot of a member's wave and step.
func (b *budget) take(m *member) {
	if _, limited := b.waves[m.wave]; limited {
		b.waves[m.wave]--
	}
	if _, limited := b.steps[m.step]; limited {
		b.steps[m.step]--
	}
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

// resolve a number or a percentage, rounded up, of so many.
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
