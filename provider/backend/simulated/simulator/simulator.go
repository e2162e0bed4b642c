// Package simulator serves many simulated clusters on one address of this machine, each
// under a path of its own, with a token of its own and with faults that can be switched
// on and off. Beside them it serves an API for whoever makes clusters (see Client), so
// that a simulator can be part of the provider or a process of its own.
//
// Where it has a folder, what is on the clusters is saved there now and then, and when
// the simulator is closed: one that is killed forgets the last few seconds. That a
// cluster exists, and its token, is never forgotten.
//
// Deliberately absent: other addresses than loopback. A simulated cluster is nothing
// that anybody should rely on from elsewhere.
package simulator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/utils/clock"

	"github.com/mainstay-dev/mainstay/provider/backend/simulated/apiserver"
	"github.com/mainstay-dev/mainstay/provider/backend/simulated/workload"
)

const (
	// MaxClusters is how many clusters a simulator has at most.
	MaxClusters = 5000
	// DefaultVersion of Kubernetes that a cluster is of where none is asked for.
	DefaultVersion = "v1.35.3"
	saveEvery      = 10 * time.Second
)

// A Config of a simulator.
type Config struct {
	// State is the folder it keeps its clusters in. Without it they are gone with it.
	State string
	// Address it listens on, on loopback. Empty is the one it had, or any.
	Address string
	// StartAfter is how long pods take to start. 0 is at once.
	StartAfter time.Duration
	// Pods is how many pods of a workload are made. The others are only counted.
	Pods int
	// Clock of the clusters. Nil is the real one.
	Clock clock.Clock
	// Audit keeps a record of what clients change (see Client.Audit).
	Audit bool
	// Seed of what is left to chance.
	Seed uint64
}

// A Simulator of clusters.
type Simulator struct {
	cfg       Config
	identity  identity
	machinery *apiserver.Machinery
	engine    *workload.Engine
	listener  net.Listener
	server    *http.Server
	stop      context.CancelFunc
	running   sync.WaitGroup
	calls     atomic.Uint64

	mu       sync.RWMutex
	clusters map[string]*cluster
	random   *rand.Rand
}

// Start a simulator. What its folder holds is there again.
func Start(cfg Config) (*Simulator, error) {
	if cfg.Clock == nil {
		cfg.Clock = clock.RealClock{}
	}
	s := &Simulator{
		cfg:       cfg,
		machinery: apiserver.NewMachinery(),
		engine:    workload.NewEngine(workload.Config{Clock: cfg.Clock, StartAfter: cfg.StartAfter, Pods: cfg.Pods}),
		clusters:  map[string]*cluster{},
		random:    rand.New(rand.NewPCG(cfg.Seed, 1)), //nolint:gosec // Faults need not be secret.
	}
	if err := s.open(); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.server = &http.Server{
		Handler: s, ReadHeaderTimeout: 10 * time.Second,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError), // Clients come and go.
	}
	s.running.Go(func() { s.engine.Run(ctx) })
	s.running.Go(func() { _ = s.server.Serve(s.listener) })
	s.running.Go(func() { s.saveNowAndThen(ctx) })
	return s, nil
}

// open the folder and the address.
func (s *Simulator) open() error {
	known, err := s.loadIdentity()
	if err != nil {
		return err
	}
	s.identity = known
	if err := s.listen(); err != nil {
		return err
	}
	if err := s.loadClusters(); err != nil {
		return errors.Join(err, s.listener.Close())
	}
	if err := s.publish(); err != nil {
		return errors.Join(err, s.listener.Close())
	}
	return nil
}

// listen on the address that is asked for, the one that clients know, or any.
func (s *Simulator) listen() error {
	cert, err := s.identity.certificate()
	if err != nil {
		return err
	}
	address := s.cfg.Address
	if address == "" {
		address = s.identity.Address
	}
	if address == "" {
		address = "127.0.0.1:0"
	}
	host, _, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("cannot listen on %q: it must be an address of this machine alone, such as 127.0.0.1:0", address)
	}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", address)
	if err != nil {
		return fmt.Errorf("cannot listen: %w", err)
	}
	s.identity.Address = l.Addr().String()
	s.listener = newTLSListener(l, cert)
	return nil
}

// Access to the simulator for its clients. It holds a secret.
func (s *Simulator) Access() Access { return s.identity.Access }

// Close the simulator, and save all that is on its clusters.
func (s *Simulator) Close() error {
	s.stop()
	err := s.server.Close()
	s.running.Wait()
	return errors.Join(err, s.Save())
}

func (s *Simulator) chance() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.random.Float64()
}
