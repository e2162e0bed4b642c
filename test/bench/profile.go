package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"

	"k8s.io/client-go/rest"
)

// profileSeconds is how long each profile is taken at most. A scenario that ends before
// has the rest of it filled by what follows.
const profileSeconds = "20"

// profile the hub and the provider during a scenario, where that is asked for.
func (b *bench) profile(ctx context.Context, scenario string) (wait func()) {
	if b.Profiles == "" {
		return func() {}
	}
	var wg sync.WaitGroup
	take := func(name string, read func() ([]byte, error)) {
		wg.Go(func() {
			raw, err := read()
			if err == nil {
				err = os.WriteFile(filepath.Join(b.Profiles, scenario+"-"+name+".pprof"), raw, 0o600)
			}
			if err != nil {
				b.say("cannot profile %s: %v", name, err)
			}
		})
	}
	take(procAPIServer, func() ([]byte, error) {
		c, err := rest.UnversionedRESTClientFor(withCodec(b.cfg))
		if err != nil {
			return nil, fmt.Errorf("cannot reach hub: %w", err)
		}
		return c.Get().AbsPath("/debug/pprof/profile").Param("seconds", profileSeconds).DoRaw(ctx)
	})
	take(procProvider, func() ([]byte, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/debug/pprof/profile?seconds=%s", b.ports.profiles, profileSeconds), nil)
		if err != nil {
			return nil, fmt.Errorf("cannot make request: %w", err)
		}
		rsp, err := http.DefaultClient.Do(r)
		if err != nil {
			return nil, fmt.Errorf("cannot reach provider: %w", err)
		}
		defer rsp.Body.Close() //nolint:errcheck // It was only read.
		return io.ReadAll(rsp.Body)
	})
	return wg.Wait
}
