package hub

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"github.com/mainstay-dev/mainstay/provider/backend/local/process"
	"github.com/mainstay-dev/mainstay/provider/backend/local/statedir"
)

const loopback = "127.0.0.1"

// ports that the hub listens on, by what for.
type ports map[string]int

// Names of ports, apart from the functions', which are their names.
const (
	portRegistry        = "registry"
	portCoreMetrics     = "crossplane-metrics"
	portCoreHealth      = "crossplane-health"
	portCoreWebhook     = "crossplane-webhook"
	portProviderHealth  = "provider-health"
	portProviderMetrics = "provider-metrics"
)

// portDraws is how often a port is drawn before there is none.
const portDraws = 20

// port returns the port for a purpose. It is drawn once and then kept, so that what
// refers to it holds when a process is started again.
func (h *Hub) port(ctx context.Context, name string) (int, error) {
	file := h.path("ports.json")
	all := ports{}
	if b, err := os.ReadFile(file); err == nil {
		// What cannot be read is drawn anew.
		if json.Unmarshal(b, &all) != nil {
			all = ports{}
		}
	}
	if p := all[name]; p > 0 && p < 1<<16 {
		return p, nil
	}
	p, err := freePort(ctx, all)
	if err != nil {
		return 0, err
	}
	all[name] = p
	b, err := json.Marshal(all)
	if err != nil {
		return 0, fmt.Errorf("cannot encode ports: %w", err)
	}
	return p, statedir.WriteFile(file, b)
}

// dropTaken forgets the ports that a stranger listens on. A port of a process that
// runs is its own.
func (h *Hub) dropTaken(ctx context.Context) error {
	file := h.path("ports.json")
	all := ports{}
	b, err := os.ReadFile(file)
	if err != nil || json.Unmarshal(b, &all) != nil {
		return nil
	}
	running := map[string]bool{}
	for _, p := range process.List(h.cfg.State) {
		running[filepath.Base(p.Name)] = true
	}
	for name, port := range all {
		if running[listener(name)] {
			continue
		}
		if l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address(port)); err != nil || l.Close() != nil {
			delete(all, name)
		}
	}
	if b, err = json.Marshal(all); err != nil {
		return fmt.Errorf("cannot encode ports: %w", err)
	}
	return statedir.WriteFile(file, b)
}

// listener is the process that listens on a port.
func listener(port string) string {
	switch port {
	case portRegistry:
		return "registry"
	case portCoreHealth, portCoreMetrics, portCoreWebhook:
		return "crossplane"
	case portProviderHealth, portProviderMetrics:
		return "provider"
	}
	return "function-" + port
}

// freePort asks the system for a port that is none of those drawn before.
func freePort(ctx context.Context, drawn ports) (int, error) {
	for range portDraws {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(loopback, "0"))
		if err != nil {
			return 0, fmt.Errorf("cannot find a free port: %w", err)
		}
		_, s, err := net.SplitHostPort(l.Addr().String())
		if cerr := l.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			return 0, fmt.Errorf("cannot find a free port: %w", err)
		}
		p, err := strconv.Atoi(s)
		if err != nil {
			return 0, fmt.Errorf("cannot find a free port: %w", err)
		}
		if !drawn.has(p) {
			return p, nil
		}
	}
	return 0, fmt.Errorf("cannot find a free port on %s", loopback)
}

func (p ports) has(port int) bool {
	for _, used := range p {
		if used == port {
			return true
		}
	}
	return false
}

func address(port int) string { return net.JoinHostPort(loopback, strconv.Itoa(port)) }
