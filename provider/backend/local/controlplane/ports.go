package controlplane

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/mainstay-dev/mainstay/provider/backend/local/statedir"
)

// loopback is the only address that anything listens on.
const loopback = "127.0.0.1"

// Ports are drawn from below the range that Linux gives to outgoing connections,
// so that a port is still free when its process is started again.
const (
	firstPort = 20000
	lastPort  = 31999
)

const (
	// portDraws is how many ports are tried before there is taken to be none.
	portDraws = 200
	// portPatience is how long a port may be held by a process that was just
	// killed, before a stranger is taken to have it.
	portPatience = time.Second
	portPoll     = 20 * time.Millisecond
)

// Names of ports.
const (
	portAPIServer  = "kube-apiserver"
	portEtcdClient = "etcd-client"
	portEtcdPeer   = "etcd-peer"
)

// ports are kept in a file, so that a process that is started again has its old
// one. Between drawing a port and listening on it somebody else may take it: then
// the process ends, and the next one that is started gets another.
type ports struct{ file string }

// get returns 0 where a port was never drawn.
func (p ports) get(name string) int { return p.read()[name] }

// ensure draws the ports of a process where there are none, or, for one that does
// not run, where they are taken.
func (p ports) ensure(ctx context.Context, running bool, names ...string) error {
	for _, name := range names {
		if running && p.get(name) != 0 {
			continue
		}
		if err := p.ensureFree(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func (p ports) ensureFree(ctx context.Context, name string) error {
	all := p.read()
	if port := all[name]; port != 0 && becomesFree(ctx, port) {
		return nil
	}
	for range portDraws {
		port := firstPort + rand.IntN(lastPort-firstPort+1) //nolint:gosec // Not a secret.
		if !free(ctx, port) {
			continue
		}
		all[name] = port
		b, err := json.Marshal(all)
		if err != nil {
			return fmt.Errorf("cannot encode ports: %w", err)
		}
		return statedir.WriteFile(p.file, b)
	}
	return fmt.Errorf("cannot find a free port between %d and %d on %s", firstPort, lastPort, loopback)
}

// read returns no ports where the file cannot be read.
func (p ports) read() map[string]int {
	b, err := os.ReadFile(p.file)
	if err != nil {
		return map[string]int{}
	}
	out := map[string]int{}
	if err := json.Unmarshal(b, &out); err != nil || out == nil {
		return map[string]int{}
	}
	for name, port := range out {
		if port < firstPort || port > lastPort {
			delete(out, name)
		}
	}
	return out
}

func becomesFree(ctx context.Context, port int) bool {
	ctx, cancel := context.WithTimeout(ctx, portPatience)
	defer cancel()
	t := time.NewTicker(portPoll)
	defer t.Stop()
	for !free(ctx, port) {
		select {
		case <-ctx.Done():
			return false
		case <-t.C:
		}
	}
	return true
}

func free(ctx context.Context, port int) bool {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(loopback, strconv.Itoa(port)))
	if err != nil {
		return false
	}
	return l.Close() == nil
}

func endpoint(port int) string {
	return "https://" + net.JoinHostPort(loopback, strconv.Itoa(port))
}
