package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"k8s.io/utils/clock"

	"github.com/mainstay-dev/mainstay/cmd/mainstay/demo"
	"github.com/mainstay-dev/mainstay/cmd/mainstay/hub"
	"github.com/mainstay-dev/mainstay/cmd/mainstay/step"
)

type demoCmd struct {
	Up     demoUpCmd     `cmd:"" help:"Start the demo, or bring it back to where it should be."`
	Down   demoDownCmd   `cmd:"" help:"Stop everything that the demo started and remove its state."`
	Status demoStatusCmd `cmd:"" help:"Say what of the demo runs."`
	Change demoChangeCmd `cmd:"" help:"Show how merge requests become true, or do not, on a real Gitea. Starts the demo where there is none."`
}

// demoFlags say where the demo is.
type demoFlags struct {
	Source   string `default:"."             help:"Root of the source tree." type:"path"`
	State    string `default:"_output/demo"  help:"Folder for all that the demo keeps." type:"path"`
	Binaries string `env:"MAINSTAY_BINARIES" help:"Folder of the programs. Defaults to _output/bin below the source tree." type:"path"`

	NoReleases bool `help:"Leave out the releases that the demo shows: good ones, and bad ones."`

	DefaultCircuitBreaker bool `help:"Leave Crossplane's circuit breaker at Crossplane's defaults."`
}

// demo of some examples, or of so many simulated clusters.
func (f *demoFlags) demo(simulated int) (*demo.Demo, error) {
	for _, p := range []*string{&f.Source, &f.State, &f.Binaries} {
		if *p == "" {
			*p = filepath.Join(f.Source, "_output", "bin")
		}
		abs, err := filepath.Abs(*p)
		if err != nil {
			return nil, fmt.Errorf("cannot find folder %q: %w", *p, err)
		}
		*p = abs
	}
	log := step.New(os.Stdout, clock.RealClock{})
	examples := filepath.Join(f.Source, "examples", "demo")
	if simulated > 0 {
		examples = filepath.Join(f.State, "examples", "simulated")
		if err := demo.WriteSimulated(examples, simulated); err != nil {
			return nil, err
		}
	}
	return demo.New(demo.Config{
		Hub: hub.New(hub.Config{
			State: f.State, Binaries: f.Binaries, Source: f.Source, Log: log,
			DefaultCircuitBreaker: f.DefaultCircuitBreaker, Simulator: simulated > 0,
		}),
		Examples: examples,
		Clusters: simulated,
		Binaries: f.Binaries,
		Releases: !f.NoReleases,
		Out:      os.Stdout,
		Log:      log,
	}), nil
}

type demoUpCmd struct {
	demoFlags
	Backend  string `default:"local" enum:"local,simulated" help:"Make real clusters (local), or play many (simulated)."`
	Clusters int    `default:"100"   help:"How many clusters to simulate."`

	HubOnly        bool `help:"Start the hub with Mainstay installed, and apply nothing."`
	CrossplaneOnly bool `help:"Start the hub with Crossplane, and install nothing."`
	AdoptPackages  bool `help:"Start the hub with Crossplane, and run the packages that somebody else installs."`
}

// Run brings the demo up.
func (c *demoUpCmd) Run(ctx context.Context) error {
	simulated := 0
	if c.Backend == "simulated" {
		simulated = c.Clusters
	}
	d, err := c.demo(simulated)
	if err != nil {
		return err
	}
	switch {
	case c.CrossplaneOnly:
		return d.Hub().UpCrossplane(ctx)
	case c.AdoptPackages:
		if err := d.Hub().UpCrossplane(ctx); err != nil {
			return err
		}
		return d.Hub().Adopt(ctx)
	case c.HubOnly:
		return d.Hub().Up(ctx)
	}
	return d.Up(ctx)
}

type demoChangeCmd struct{ demoFlags }

// Run three merge requests, and fail where one goes another way than it should.
func (c *demoChangeCmd) Run(ctx context.Context) error {
	d, err := c.demo(0)
	if err != nil {
		return err
	}
	return d.Change(ctx)
}

type demoDownCmd struct{ demoFlags }

// Run takes the demo down.
func (c *demoDownCmd) Run(ctx context.Context) error {
	d, err := c.demo(0)
	if err != nil {
		return err
	}
	return d.Down(ctx)
}

type demoStatusCmd struct{ demoFlags }

// Run says what of the demo runs.
func (c *demoStatusCmd) Run(ctx context.Context) error {
	d, err := c.demo(0)
	if err != nil {
		return err
	}
	return d.Status(ctx)
}
