package turn

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var start = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func TestAsk(t *testing.T) {
	type step struct {
		after time.Duration
		who   string
		// leaves instead of asking.
		leaves bool
		want   int
	}
	cases := map[string]struct {
		reason string
		steps  []step
	}{
		"Alone": {"Who is alone never waits.", []step{{0, "!1", false, 0}, {time.Hour, "!1", false, 0}}},
		"Order": {"One after the other, as they asked.", []step{
			{0, "!1", false, 0},
			{time.Second, "!2", false, 1},
			{2 * time.Second, "!3", false, 2},
			{3 * time.Second, "!1", true, 0},
			{4 * time.Second, "!3", false, 1},
			{4 * time.Second, "!2", false, 0},
		}},
		"InVain": {"Who cannot merge goes to the end.", []step{
			{0, "!1", false, 0},
			{time.Second, "!2", false, 1},
			{29 * time.Second, "!2", false, 1},
			{30 * time.Second, "!1", false, 1},
			{31 * time.Second, "!2", false, 0},
		}},
		"InVainAgain": {"And has the next turn for half as long.", []step{
			{0, "!1", false, 0},
			{time.Second, "!2", false, 1},
			{30 * time.Second, "!2", false, 0},
			{31 * time.Second, "!2", true, 0},
			{31 * time.Second, "!1", false, 0},
			{40 * time.Second, "!3", false, 1},
			{46 * time.Second, "!3", false, 0},
		}},
		"Lost": {"Who does not ask any more is gone.", []step{
			{0, "!1", false, 0},
			{time.Second, "!2", false, 1},
			{time.Minute, "!2", false, 0},
		}},
		"ClockBack": {"A clock that goes back holds nobody up for long.", []step{
			{time.Hour, "!1", false, 0},
			{0, "!2", false, 0},
		}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var turns Turns
			for i, s := range tc.steps {
				if s.leaves {
					turns.Leave(s.who)
					continue
				}
				if diff := cmp.Diff(s.want, turns.Ask(s.who, start.Add(s.after))); diff != "" {
					t.Fatalf("%s\nstep %d: -want, +got:\n%s", tc.reason, i, diff)
				}
			}
		})
	}
}

// Whoever can merge has merged before long, however many there are that cannot.
func TestEverybodyHasATurn(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 7))
		var turns Turns
		stuck, good, now := 1+r.IntN(6), 1+r.IntN(10), start
		left := map[string]bool{}
		for i := range good {
			left[fmt.Sprintf("good%d", i)] = true
		}
		for len(left) > 0 {
			now = now.Add(time.Duration(r.IntN(1000)) * time.Millisecond)
			if now.Sub(start) > 30*time.Minute {
				t.Fatalf("seed %d: %d of %d wait after half an hour beside %d that cannot merge", seed, len(left), good, stuck)
			}
			had := 0
			for i := range stuck + good {
				id := fmt.Sprintf("good%d", i)
				if i >= good {
					id = fmt.Sprintf("stuck%d", i)
				}
				if i < good && !left[id] {
					continue
				}
				if turns.Ask(id, now) > 0 {
					continue
				}
				if had++; left[id] {
					turns.Leave(id)
					delete(left, id)
					had--
				}
			}
			if had > 1 {
				t.Fatalf("seed %d: %d have a turn at once", seed, had)
			}
		}
	}
}
