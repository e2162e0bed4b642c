package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/mainstay-dev/mainstay/provider/backend/simulated/simulator"
)

// simulatorCmd runs the clusters of the backend simulated in a process of their own, so
// that they survive the provider and do not share its processors.
type simulatorCmd struct {
	State      string        `help:"Folder for all that the simulator keeps, which the provider finds it by." required:"" type:"path"`
	Address    string        `help:"Address to listen on, on loopback. Defaults to the one it had, or any."`
	StartAfter time.Duration `default:"2s" help:"How long pods take to start."`
	Pods       int           `default:"1"  help:"How many pods of a workload are made. The others are only counted."`
	Audit      bool          `help:"Keep a record of what clients change, for tests."`
}

// Run until the context ends.
func (c *simulatorCmd) Run(ctx context.Context) error {
	if c.StartAfter < 0 || c.Pods < 0 {
		return fmt.Errorf("--start-after and --pods must not be negative")
	}
	s, err := simulator.Start(simulator.Config{State: c.State, Address: c.Address, StartAfter: c.StartAfter, Pods: c.Pods, Audit: c.Audit})
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(os.Stdout, "Simulated clusters are served on %s. Start the provider with --simulator=%s\n", s.Access().Address, c.State); err != nil {
		return err
	}
	<-ctx.Done()
	return s.Close()
}
