package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/provider/backend/kubeconfig"
	"github.com/mainstay-dev/mainstay/provider/backend/local"
	"github.com/mainstay-dev/mainstay/provider/backend/simulated"
	"github.com/mainstay-dev/mainstay/provider/backend/simulated/simulator"
	"github.com/mainstay-dev/mainstay/provider/controller/providerconfig"
)

// backends that the flags enable. Those that need no other program always are.
func backends(f flags) (providerconfig.Backends, error) {
	b := providerconfig.Backends{
		v1alpha1.BackendKubeconfig: kubeconfig.New(),
		v1alpha1.BackendSimulated:  simulatedBackend(f),
	}
	if f.LocalState == "" {
		return b, nil
	}
	l, err := local.New(local.Config{Binaries: f.LocalBinaries, State: f.LocalState})
	if err != nil {
		return nil, fmt.Errorf("cannot use backend %q: %w", v1alpha1.BackendLocal, err)
	}
	b[v1alpha1.BackendLocal] = l
	return b, nil
}

// startAfter is how long the pods of simulated clusters take to start.
const startAfter = 2 * time.Second

// simulatedBackend on a simulator that runs already, or on one of the provider's own.
func simulatedBackend(f flags) *simulated.Backend {
	if f.Simulator != "" {
		return simulated.At(f.Simulator)
	}
	return simulated.New(simulator.Config{State: f.SimulatedState, StartAfter: startAfter, Pods: 1})
}

// closeBackends that keep something open.
func closeBackends(b providerconfig.Backends) error {
	var errs []error
	for _, name := range b.Names() {
		if c, ok := b[name].(io.Closer); ok {
			errs = append(errs, c.Close())
		}
	}
	return errors.Join(errs...)
}
