// Command mainstay shows and steers rollouts and changes, plans changes, explains claims, converts applications, builds
// Mainstay's packages and runs its demo.
package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/go-logr/logr"

	"github.com/mainstay-dev/mainstay/cmd/mainstay/registry"
	"github.com/mainstay-dev/mainstay/internal/version"
)

// A command line, as a tree of nouns.
type command struct {
	Version kong.VersionFlag `help:"Print the version and exit."`

	Rollout   rolloutCmd   `cmd:"" help:"Show the rollout of an application, and tell it what to do."`
	Change    changeCmd    `cmd:"" help:"Show merge requests on their way to the clusters, and tell them what to do."`
	Plan      planCmd      `cmd:"" help:"Say what a change of claims is going to do, before it does."`
	Explain   explainCmd   `cmd:"" help:"Say why something is as it is, down to the pod, and what to do."`
	Convert   convertCmd   `cmd:"" help:"Turn Applications of core.oam.dev into ProductApplications, and back."`
	Demo      demoCmd      `cmd:"" help:"Run Mainstay on this machine: a hub, real clusters, applications."`
	Package   packageCmd   `cmd:"" help:"Build and push Mainstay's Crossplane packages."`
	Registry  registryCmd  `cmd:"" help:"Serve a package registry from a folder." hidden:""`
	Simulator simulatorCmd `cmd:"" help:"Run simulated clusters in a process of their own."`
}

type registryCmd struct {
	Dir     string `help:"Folder to keep packages in." required:"" type:"path"`
	Address string `help:"Loopback address to listen on." required:""`
}

// Run the registry until it is stopped.
func (c *registryCmd) Run(ctx context.Context) error { return registry.Serve(ctx, c.Dir, c.Address) }

func main() {
	os.Exit(run())
}

// run a command line and return the status to exit with.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// Libraries have nothing to say to the reader of a demo.
	log.SetLogger(logr.Discard())

	k := kong.Parse(&command{},
		kong.Name(name(os.Args[0])),
		kong.Description("Fleets of Kubernetes clusters, and the products on them, as claims."),
		kong.Exit(func(status int) {
			if status = exit(status); status == 2 && len(os.Args) > 1 && os.Args[1] == "plan" {
				status = 1 // There 2 says that something is to be done.
			}
			os.Exit(status)
		}),
		kong.Vars{"version": version.String()},
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.UsageOnError())
	err := k.Run()
	if errors.Is(err, context.Canceled) {
		k.Errorf("interrupted: run the same command again to go on from here")
		return 130
	}
	if errors.Is(err, failed{}) {
		return 1
	}
	if errors.Is(err, changes{}) {
		return 2
	}
	if err != nil {
		k.Errorf("%s", err)
		return 1
	}
	return 0
}

// name that the command was called by. kubectl finds it as a plugin where a file
// kubectl-mainstay is in the PATH.
func name(file string) string {
	if strings.HasPrefix(filepath.Base(file), "kubectl-") {
		return "kubectl mainstay"
	}
	return "mainstay"
}

// exit status: 1 says that something failed, 2 that the command line is wrong.
func exit(status int) int {
	if status > 1 {
		return 2
	}
	return status
}
