package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/mainstay-dev/mainstay/provider/backend/local/process"
	"github.com/mainstay-dev/mainstay/test/fleet"
)

const (
	// restFor is how long it is measured what everything uses while nothing happens.
	restFor = 10 * time.Second
	// glance is how often it is looked whether clusters have come to rest, and glances
	// how often in a row they have to have.
	glance, glances = 250 * time.Millisecond, 3
	// settleFor is how long they are given for it.
	settleFor = 30 * time.Second
)

// rest measures what each process uses in a second while nothing happens: its polls,
// leases and the like. That is taken off what is measured afterwards, of the floor as of
// the rollout. What it is worth by itself is measured in S5.
func (b *bench) rest(ctx context.Context) error {
	if err := b.settle(ctx); err != nil {
		return err
	}
	before := reading{}
	if err := b.readTimes(&before); err != nil {
		return err
	}
	if err := b.Await(ctx, "a while to pass", passed(restFor)); err != nil {
		return err
	}
	after := reading{}
	if err := b.readTimes(&after); err != nil {
		return err
	}
	u := after.since(before)
	b.idle = map[string]float64{}
	for name, d := range u.cpu {
		b.idle[name] = d.Seconds() / u.wall.Seconds()
	}
	delete(b.idle, procFloor) // It is idle while nothing is sent.
	var text []string
	for _, name := range slices.Sorted(maps.Keys(b.idle)) {
		text = append(text, fmt.Sprintf("%s %.1f %%", name, 100*b.idle[name]))
	}
	b.say("at rest, of a processor: %v", text)
	return nil
}

// settle waits until the clusters make nothing more of what they were sent: controllers
// that follow up on it are part of what it costs, whoever sent it.
func (b *bench) settle(ctx context.Context) error {
	calm, last, at := 0, b.targetsTime(), time.Now()
	until := at.Add(settleFor)
	return b.Await(ctx, "the clusters to come to rest", func(context.Context) (bool, error) {
		if time.Since(at) < glance {
			return false, nil
		}
		now, took := b.targetsTime(), time.Since(at)
		busy := (now - last).Seconds() / took.Seconds()
		last, at = now, time.Now()
		calm++
		if busy > 1.3*b.idle[fleet.Targets]+0.05 {
			calm = 0
		}
		return calm >= glances || at.After(until), nil
	})
}

func (b *bench) targetsTime() (sum time.Duration) {
	for _, p := range process.List(b.State) {
		if b.Role(p.Name) != fleet.Targets {
			continue
		}
		if d, err := cpuOf(p.PID); err == nil {
			sum += d
		}
	}
	return sum
}

// net of a use is what it is without what everything uses anyway.
func (b *bench) net(u use) use {
	out := u
	out.cpu = map[string]time.Duration{}
	for name, d := range u.cpu {
		out.cpu[name] = max(0, d-time.Duration(b.idle[name]*float64(u.metered)))
	}
	return out
}
