package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/client-go/rest"

	"github.com/mainstay-dev/mainstay/provider/backend/local/process"
	"github.com/mainstay-dev/mainstay/test/fleet"
)

// hertz is the unit in which Linux counts processor time.
const hertz = 100

// A reading of the meters.
type reading struct {
	at time.Time
	// cpu time that each process used since it started.
	cpu map[string]time.Duration
	// hubWrites of the provider's kinds on the hub, by resource, and all requests to it
	// by verb and resource; and targetWrites on all clusters.
	hubWrites                 map[string]uint64
	targetWrites, targetCalls uint64
}

// A use is the difference of two readings.
type use struct {
	// wall is how long it took, and metered how long the meters ran: until the clusters
	// had come to rest.
	wall, metered             time.Duration
	cpu                       map[string]time.Duration
	hubWrites                 map[string]uint64
	targetWrites, targetCalls uint64
}

// writes on the hub, of the provider's own kinds.
func (u use) writes() uint64 { return u.hubWrites[ours] }

// requests that the hub got most of, as text.
func (u use) requests() string {
	var names []string
	for name, n := range u.hubWrites {
		if strings.Contains(name, " ") && n > 0 {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Compare(u.hubWrites[b], u.hubWrites[a]) })
	var out []string
	for _, name := range names[:min(len(names), 10)] {
		out = append(out, fmt.Sprintf("%s %d", name, u.hubWrites[name]))
	}
	return strings.Join(out, ", ")
}

func (u use) total() time.Duration {
	var sum time.Duration
	for _, d := range u.cpu {
		sum += d
	}
	return sum
}

// procFloor is the part of this program itself.
const procFloor = "floor"

// read the meters. Counts are read before processor times where something begins, and
// after them where it has ended, so that reading is no part of it.
func (b *bench) read(ctx context.Context, ended bool) (r reading, err error) {
	steps := []func() error{func() error { return b.readCounts(ctx, &r) }, func() error { return b.readTimes(&r) }}
	if ended {
		slices.Reverse(steps)
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return r, err
		}
	}
	return r, nil
}

// readTimes of all processes.
func (b *bench) readTimes(r *reading) error {
	r.at, r.cpu = time.Now(), map[string]time.Duration{}
	for _, p := range process.List(b.State) {
		d, err := cpuOf(p.PID)
		if err != nil {
			continue // It has gone.
		}
		r.cpu[b.Role(p.Name)] += d
	}
	own, err := cpuOf(os.Getpid())
	r.cpu[procFloor] = own
	return err
}

// readCounts of requests.
func (b *bench) readCounts(ctx context.Context, r *reading) error {
	writes, err := b.hubWrites(ctx)
	if err != nil {
		return err
	}
	s, err := b.Simulator.Statistics(ctx)
	r.hubWrites, r.targetWrites, r.targetCalls = writes, s.Writes, s.Calls
	return err
}

func (r reading) since(was reading) use {
	u := use{wall: r.at.Sub(was.at), metered: r.at.Sub(was.at), cpu: map[string]time.Duration{}, hubWrites: map[string]uint64{}, targetWrites: r.targetWrites - was.targetWrites, targetCalls: r.targetCalls - was.targetCalls}
	for name, d := range r.cpu {
		u.cpu[name] = d - was.cpu[name]
	}
	for name, n := range r.hubWrites {
		u.hubWrites[name] = n - was.hubWrites[name]
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
	for _, p := range process.List(b.State) {
		if b.Role(p.Name) != name {
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

// hubWrites are the requests that wrote one of the provider's own kinds, by resource,
// and all requests, by verb and resource.
func (b *bench) hubWrites(ctx context.Context) (map[string]uint64, error) {
	c, err := rest.UnversionedRESTClientFor(rest.AddUserAgent(fleet.WithoutCodec(b.HubConfig), "bench"))
	if err != nil {
		return nil, fmt.Errorf("cannot read metrics: %w", err)
	}
	raw, err := c.Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		return nil, fmt.Errorf("cannot read metrics: %w", err)
	}
	out := map[string]uint64{}
	for line := range strings.Lines(string(raw)) {
		if !strings.HasPrefix(line, "apiserver_request_total{") || !strings.Contains(line, `code="20`) {
			continue
		}
		group, verb, resource := label(line, "group"), label(line, "verb"), label(line, "resource")
		_, v, _ := strings.Cut(strings.TrimSpace(line), "} ")
		n, err := strconv.ParseFloat(v, 64)
		if err != nil {
			return nil, fmt.Errorf("cannot read metrics: %w", err)
		}
		out[verb+" "+resource] += uint64(n)
		switch verb {
		case "GET", "LIST", "WATCH":
		default:
			switch group {
			case "m.mainstay.dev":
				out[resource] += uint64(n)
				out[ours] += uint64(n)
			case peerGroup:
				out[peerGroup] += uint64(n)
			}
		}
	}
	return out, nil
}

// ours are the writes of the provider's own kinds.
const ours = ""

// label of a line of metrics.
func label(line, name string) string {
	_, v, _ := strings.Cut(line, name+`="`)
	v, _, _ = strings.Cut(v, `"`)
	return v
}
