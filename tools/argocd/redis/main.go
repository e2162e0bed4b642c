// Command redis is the cache that Argo CD keeps between its programs, in memory and
// gone when it stops: for tests and for the demo of changes. It is written in Go, so
// that a machine needs no Redis to run them.
//
// Deliberately absent: passwords, files, replicas. A real Argo CD wants a real Redis.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// beat is how often keys grow older. The library has no clock of its own.
const beat = time.Second

func main() {
	address := flag.String("address", "127.0.0.1:6379", "Address to listen on.")
	flag.Parse()
	if err := serve(*address); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// serve until the process is told to end.
func serve(address string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	m := miniredis.NewMiniRedis()
	if err := m.StartAddr(address); err != nil {
		return fmt.Errorf("cannot listen on %s: %w", address, err)
	}
	defer m.Close()
	tick := time.NewTicker(beat)
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			m.FastForward(now.Sub(last))
			m.SetTime(now)
			last = now
		}
	}
}
