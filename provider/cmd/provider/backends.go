package main

import (
	"fmt"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/provider/backend/kubeconfig"
	"github.com/mainstay-dev/mainstay/provider/backend/local"
	"github.com/mainstay-dev/mainstay/provider/controller/providerconfig"
)

// backends that the flags enable. Those that need no other program always are.
func backends(f flags) (providerconfig.Backends, error) {
	b := providerconfig.Backends{v1alpha1.BackendKubeconfig: kubeconfig.New()}
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
