package controlplane

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mainstay-dev/mainstay/provider/backend/local/process"
	"github.com/mainstay-dev/mainstay/provider/backend/probe"
)

const (
	// readyPoll is how often WaitReady looks.
	readyPoll = 200 * time.Millisecond
	// maxStarts is how often WaitReady starts processes that end again.
	maxStarts = 10
)

// A Status says what is observed of a control plane.
type Status struct {
	// Exists is true where there is something to Destroy.
	Exists bool
	// Current is false where EnsureRunning has something to do.
	Current bool
	// Ready is true where the API server can be used and all processes run.
	Ready bool
	// Endpoint is the URL of the API server, where it has one.
	Endpoint string
	// Version the API server says it is, where it is ready.
	Version string
	// Message says what is waited for where the control plane is not ready.
	Message string
}

// Status observes. That nothing answers is a status, not an error.
func (c *ControlPlane) Status(ctx context.Context) (Status, error) {
	exists, err := c.Exists()
	if err != nil || !exists {
		return Status{Message: "the control plane does not exist"}, err
	}
	s := Status{Exists: true}
	if port := c.ports().get(portAPIServer); port != 0 {
		s.Endpoint = endpoint(port)
	}
	if s.Message = missing(c.cfg.Etcd.spec(), c.apiServer()); s.Message != "" {
		return s, nil
	}
	cfg, err := c.RESTConfig()
	if err != nil {
		return Status{}, err
	}
	v, err := probe.Version(ctx, cfg)
	if err != nil {
		// All that EnsureRunning could do for now is done.
		s.Current, s.Message = true, err.Error()
		return s, nil
	}
	if s.Message = missing(c.clients()...); s.Message != "" {
		return s, nil
	}
	s.Current, s.Ready, s.Version = true, true, v
	return s, nil
}

// WaitReady ensures and observes until the control plane is ready, or the context
// ends. An error of processes that keep ending names the log of the first.
func (c *ControlPlane) WaitReady(ctx context.Context) error {
	t := time.NewTicker(readyPoll)
	defer t.Stop()
	for starts := 0; ; {
		s, err := c.Status(ctx)
		if err != nil {
			return err
		}
		if s.Ready {
			return nil
		}
		if !s.Current {
			if starts++; starts > maxStarts {
				return fmt.Errorf("cannot keep control plane running: %s: see the logs in %s", s.Message, c.cfg.Dir)
			}
			if err := c.EnsureRunning(ctx); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("cannot wait for control plane: %s: %w", s.Message, ctx.Err())
		case <-t.C:
		}
	}
}

// missing says which process does not run, or runs something else.
func missing(specs ...process.Spec) string {
	for _, s := range specs {
		switch o := process.Observe(s); {
		case !o.Running:
			return s.Name + " does not run"
		case !o.Current:
			return s.Name + " runs with other settings than it should"
		}
	}
	return ""
}

// probe returns why the API server cannot be used.
func (c *ControlPlane) probe(ctx context.Context) error {
	cfg, err := c.RESTConfig()
	if err != nil {
		return errors.New("the API server has no address yet")
	}
	return probe.Ready(ctx, cfg)
}
