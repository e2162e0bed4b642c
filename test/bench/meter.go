package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"k8s.io/client-go/rest"

	"github.com/mainstay-dev/mainstay/provider/backend/local/process"
)

// hertz is the unit in which Linux counts processor time.
const hertz = 100

// A reading of the meters.
type reading struct {
	at time.Time
	// cpu time that each process used since it started.
	cpu map[string]time.Duration
	// hubWrites that changed something on the hub, but for leases and events, and
	// targetWrites on all clusters.
	hubWrites, targetWrites uint64
	targetCalls             uint64
}

// A use is the difference of two readings.
type use struct {
	wall                      time.Duration
	cpu                       map[string]time.Duration
	hubWrites                 uint64
	targetWrites, targetCalls uint64
}

func (u use) total() time.Duration {
	var sum time.Duration
	for _, d := range u.cpu {
		sum += d
	}
	return sum
}

// Names of processes.
const (
	procProvider  = "provider"
	procSimulator = "simulator"
	procAPIServer = "kube-apiserver"
	procEtcd      = "etcd"
	procFloor     = "floor"
)

func (b *bench) read(ctx context.Context) (reading, error) {
	r := reading{at: time.Now(), cpu: map[string]time.Duration{}}
	for _, p := range process.List(b.state) {
		d, err := cpuOf(p.PID)
		if err != nil {
			continue // It has gone.
		}
		r.cpu[filepath.Base(p.Name)] += d
	}
	own, err := cpuOf(os.Getpid())
	if err != nil {
		return r, err
	}
	r.cpu[procFloor] = own
	if r.hubWrites, err = b.hubWrites(ctx); err != nil {
		return r, err
	}
	s, err := b.sim.Statistics(ctx)
	if err != nil {
		return r, err
	}
	r.targetWrites, r.targetCalls = s.Writes, s.Calls
	return r, nil
}

func (r reading) since(was reading) use {
	u := use{wall: r.at.Sub(was.at), cpu: map[string]time.Duration{}, hubWrites: r.hubWrites - was.hubWrites, targetWrites: r.targetWrites - was.targetWrites, targetCalls: r.targetCalls - was.targetCalls}
	for name, d := range r.cpu {
		u.cpu[name] = d - was.cpu[name]
	}
	return u
}

func cpuOf(pid int) (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("cannot read processor time: %w", err)
	}
	// The name of the program is in brackets and may hold anything.
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	user, err1 := strconv.ParseInt(f[11], 10, 64)
	system, err2 := strconv.ParseInt(f[12], 10, 64)
	if err1 != nil || err2 != nil {
		return 0, fmt.Errorf("cannot read processor time of process %d", pid)
	}
	return time.Duration(user+system) * time.Second / hertz, nil
}

// peak memory of a process so far, in MiB.
func (b *bench) peak(name string) int {
	for _, p := range process.List(b.state) {
		if filepath.Base(p.Name) != name {
			continue
		}
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID))
		if err != nil {
			return 0
		}
		for line := range strings.Lines(string(raw)) {
			if v, ok := strings.CutPrefix(line, "VmHWM:"); ok {
				n, _ := strconv.Atoi(strings.Fields(v)[0])
				return n / 1024
			}
		}
	}
	return 0
}

// hubWrites are the requests that wrote one of the provider's own kinds.
func (b *bench) hubWrites(ctx context.Context) (uint64, error) {
	c, err := rest.UnversionedRESTClientFor(rest.AddUserAgent(withCodec(b.cfg), "bench"))
	if err != nil {
		return 0, fmt.Errorf("cannot read metrics: %w", err)
	}
	raw, err := c.Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		return 0, fmt.Errorf("cannot read metrics: %w", err)
	}
	var sum float64
	for line := range strings.Lines(string(raw)) {
		if !strings.HasPrefix(line, "apiserver_request_total{") || !strings.Contains(line, `group="m.mainstay.dev"`) {
			continue
		}
		if !strings.Contains(line, `code="20`) || strings.Contains(line, `verb="GET"`) || strings.Contains(line, `verb="LIST"`) || strings.Contains(line, `verb="WATCH"`) {
			continue
		}
		_, v, _ := strings.Cut(strings.TrimSpace(line), "} ")
		n, err := strconv.ParseFloat(v, 64)
		if err != nil {
			return 0, fmt.Errorf("cannot read metrics: %w", err)
		}
		sum += n
	}
	return uint64(sum), nil
}
