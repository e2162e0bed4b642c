package hub

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"github.com/mainstay-dev/mainstay/provider/backend/local/process"
	"github.com/mainstay-dev/mainstay/provider/backend/local/statedir"
)

const (
	loopback  = "127.0.0.1"
	portsFile = "ports.json"
)

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
	portProviderHooks   = "provider-webhooks"
	portSimulator       = "simulator"
)

// Ports are drawn from below the range that Linux gives to outgoing connections,
// so that a port is still free when its process is started again.
const (
	firstPort = 20000
	lastPort  = 31999
	// portDraws is how often a port is drawn before there is none.
	portDraws = 200
)

// port returns the port for a purpose. It is drawn once and then kept, so that what
// refers to it holds when a process is started again.
func (h *Hub) port(ctx context.Context, name string) (int, error) {
	all := h.readPorts()
	if p, ok := all[name]; ok {
		return p, nil
	}
	p, err := freePort(ctx, all)
	if err != nil {
		return 0, err
	}
	all[name] = p
	return p, h.writePorts(all)
}

// readPorts returns the ports that were drawn. What cannot be read, or is no port
// that can have been drawn, is drawn anew.
func (h *Hub) readPorts() ports {
	all := ports{}
	b, err := os.ReadFile(h.path(portsFile))
	if err != nil || json.Unmarshal(b, &all) != nil || all == nil {
		return ports{}
	}
	for name, p := range all {
		if p < firstPort || p > lastPort {
			delete(all, name)
		}
	}
	return all
}

func (h *Hub) writePorts(all ports) error {
	b, err := json.Marshal(all)
	if err != nil {
		return fmt.Errorf("cannot encode ports: %w", err)
	}
	return statedir.WriteFile(h.path(portsFile), b)
}

// dropTaken forgets the ports that a stranger listens on. A port of a process that
// runs is its own.
func (h *Hub) dropTaken(ctx context.Context) error {
	all := h.readPorts()
	running := map[string]bool{}
	for _, p := range process.List(h.cfg.State) {
		running[filepath.Base(p.Name)] = true
	}
	for name, port := range all {
		if running[listener(name)] {
			continue
		}
		if !free(ctx, port) {
			delete(all, name)
		}
	}
	return h.writePorts(all)
}

// listener is the process that listens on a port.
func listener(port string) string {
	switch port {
	case portRegistry:
		return "registry"
	case portCoreHealth, portCoreMetrics, portCoreWebhook:
		return "crossplane"
	case portProviderHealth, portProviderMetrics, portProviderHooks:
		return "provider"
	}
	return "function-" + port
}

// freePort draws a port that is none of those drawn before, and that nobody listens
// on, on any interface: Crossplane listens on all of them.
func freePort(ctx context.Context, drawn ports) (int, error) {
	for range portDraws {
		p := firstPort + rand.IntN(lastPort-firstPort+1) //nolint:gosec // Not a secret.
		if !drawn.has(p) && free(ctx, p) {
			return p, nil
		}
	}
	return 0, fmt.Errorf("cannot find a free port between %d and %d", firstPort, lastPort)
}

func free(ctx context.Context, port int) bool {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", fmt.Sprintf(":%d", port))
	return err == nil && l.Close() == nil
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
