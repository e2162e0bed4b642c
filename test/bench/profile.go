package main

import (
	"context"
	"os"
	"path/filepath"
	"sync"

	"github.com/mainstay-dev/mainstay/test/fleet"
)

// profile the hub and the provider during a scenario, where that is asked for. A
// scenario that ends before its profiles has the rest of them filled by what follows.
func (b *bench) profile(ctx context.Context, scenario string) (wait func()) {
	if b.Profiles == "" {
		return func() {}
	}
	var wg sync.WaitGroup
	take := func(name string, read func(context.Context) ([]byte, error)) {
		wg.Go(func() {
			raw, err := read(ctx)
			if err == nil {
				err = os.WriteFile(filepath.Join(b.Profiles, scenario+"-"+name+".pprof"), raw, 0o600)
			}
			if err != nil {
				b.say("cannot profile %s: %v", name, err)
			}
		})
	}
	take(fleet.APIServer, b.ProfileHub)
	take(fleet.Provider, b.ProfileProvider)
	return wg.Wait
}
