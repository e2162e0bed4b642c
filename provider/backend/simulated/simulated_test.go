package simulated_test

import (
	"strconv"
	"testing"

	"github.com/mainstay-dev/mainstay/provider/backend"
	"github.com/mainstay-dev/mainstay/provider/backend/backendtest"
	"github.com/mainstay-dev/mainstay/provider/backend/simulated"
	"github.com/mainstay-dev/mainstay/provider/backend/simulated/simulator"
)

func cluster(i int) backend.Cluster {
	return backend.Cluster{Namespace: "team", Name: "fleet.eu-" + strconv.Itoa(i)}
}

// TestConformance runs the suite on a simulator that is part of the provider, and goes
// and comes back with it, and on one that is a process of its own.
func TestConformance(t *testing.T) {
	cfg := simulator.Config{State: t.TempDir(), Pods: 2}

	t.Run("Own", func(t *testing.T) {
		var b *simulated.Backend
		backendtest.Run(t, harness(func(t *testing.T) *simulated.Backend {
			t.Helper()
			if b != nil {
				if err := b.Close(); err != nil {
					t.Fatalf("Close(): %v", err)
				}
			}
			b = simulated.New(cfg)
			return b
		}))
		if err := b.Close(); err != nil {
			t.Errorf("Close(): %v", err)
		}
	})

	t.Run("Another", func(t *testing.T) {
		s, err := simulator.Start(cfg)
		if err != nil {
			t.Fatalf("Start(...): %v", err)
		}
		backendtest.Run(t, harness(func(*testing.T) *simulated.Backend { return simulated.At(cfg.State) }))
		if err := s.Close(); err != nil {
			t.Errorf("Close(): %v", err)
		}
	})
}

func harness(open func(*testing.T) *simulated.Backend) backendtest.Harness {
	var b *simulated.Backend
	faults := func(t *testing.T, i int, f simulator.Faults) {
		t.Helper()
		sim, err := b.Simulator()
		if err != nil {
			t.Fatalf("Simulator(): %v", err)
		}
		c := cluster(i)
		if _, err := sim.SetFaults(t.Context(), c.Namespace, c.Name, f); err != nil {
			t.Fatalf("SetFaults(...): %v", err)
		}
	}
	return backendtest.Harness{
		New:          func(t *testing.T) backend.Backend { t.Helper(); b = open(t); return b },
		Cluster:      func(_ *testing.T, i int) backend.Cluster { return cluster(i) },
		Kill:         func(t *testing.T, i int) { t.Helper(); faults(t, i, simulator.Faults{Refuse: true}) },
		Revive:       func(t *testing.T, i int) { t.Helper(); faults(t, i, simulator.Faults{}) },
		Makes:        true,
		OtherVersion: "v1.99.0",
	}
}
