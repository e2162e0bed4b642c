package simulator

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/mainstay-dev/mainstay/provider/backend/local/statedir"
	"github.com/mainstay-dev/mainstay/provider/backend/simulated/apiserver"
	"github.com/mainstay-dev/mainstay/provider/backend/simulated/workload"
)

const (
	clusterFile = "cluster.json"
	objectsFile = "objects.json.gz"
)

// A cluster is one simulated cluster. What is written down of it at once is in known.
type cluster struct {
	api    *apiserver.Cluster
	player *workload.Player
	dir    string // Empty where nothing is kept.

	mu     sync.Mutex
	known  known
	faults Faults
}

// known of a cluster, as long as it exists.
type known struct {
	Version string          `json:"version"`
	Token   string          `json:"token"`
	Script  []workload.Rule `json:"script,omitempty"`
}

func (s *Simulator) find(name string) *cluster {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.clusters[name]
}

// ensure that a cluster exists, of a version.
func (s *Simulator) ensure(name, version string) (*cluster, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if version == "" {
		version = DefaultVersion
	}
	c := s.clusters[name]
	if c == nil {
		if len(s.clusters) >= MaxClusters {
			return nil, fmt.Errorf("cannot make cluster: there are %d already, and there can be no more", MaxClusters)
		}
		c = &cluster{dir: s.dirOf(name), known: known{Version: version, Token: newToken()}}
		if err := c.write(); err != nil {
			return nil, err
		}
		s.raise(name, c, nil)
		return c, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known.Version != version {
		c.known.Version = version
		c.api.SetVersion(version)
		return c, c.write()
	}
	return c, nil
}

// raise a cluster from what is known of it, and what was on it.
func (s *Simulator) raise(name string, c *cluster, snapshot []byte) {
	c.player = s.engine.Player(name)
	cfg := apiserver.Config{Machinery: s.machinery, Version: c.known.Version, Token: c.known.Token, Clock: s.cfg.Clock, Changed: c.player.Changed, Audit: s.cfg.Audit}
	if snapshot != nil {
		// What cannot be read is lost, and the cluster begins anew.
		c.api, _ = apiserver.Restore(cfg, snapshot)
	}
	if c.api == nil {
		c.api = apiserver.New(cfg)
	}
	c.player.Attach(c.api)
	if len(c.known.Script) > 0 {
		c.player.SetScript(c.known.Script)
	}
	s.clusters[name] = c
}

func (s *Simulator) remove(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.clusters[name]
	if c == nil {
		return nil
	}
	delete(s.clusters, name)
	c.player.Leave()
	if c.dir == "" {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := os.RemoveAll(c.dir); err != nil {
		return fmt.Errorf("cannot remove cluster: %w", err)
	}
	c.dir = ""
	return nil
}

func (s *Simulator) dirOf(name string) string {
	if s.cfg.State == "" {
		return ""
	}
	return filepath.Join(s.cfg.State, "clusters", filepath.FromSlash(name))
}

// write down what is known of a cluster.
func (c *cluster) write() error {
	if c.dir == "" {
		return nil
	}
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return fmt.Errorf("cannot make folder of cluster: %w", err)
	}
	b, err := json.Marshal(c.known)
	if err != nil {
		return fmt.Errorf("cannot encode cluster: %w", err)
	}
	return statedir.WriteFile(filepath.Join(c.dir, clusterFile), b)
}

// save what is on a cluster, if it changed.
func (c *cluster) save() error {
	b, changed := c.api.Snapshot()
	if !changed {
		return nil
	}
	var z bytes.Buffer
	w, err := gzip.NewWriterLevel(&z, gzip.BestSpeed)
	if err != nil {
		return fmt.Errorf("cannot compress cluster: %w", err)
	}
	if _, err := w.Write(b); err != nil {
		return fmt.Errorf("cannot compress cluster: %w", err)
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("cannot compress cluster: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dir == "" {
		return nil // It was removed meanwhile.
	}
	return statedir.WriteFile(filepath.Join(c.dir, objectsFile), z.Bytes())
}

// Save what is on the clusters.
func (s *Simulator) Save() error {
	if s.cfg.State == "" {
		return nil
	}
	var errs []error
	for _, c := range s.all() {
		errs = append(errs, c.save())
	}
	return errors.Join(errs...)
}

func (s *Simulator) all() []*cluster {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make([]*cluster, 0, len(s.clusters))
	for _, c := range s.clusters {
		out = append(out, c)
	}
	return out
}

func (s *Simulator) saveNowAndThen(ctx context.Context) {
	t := time.NewTicker(saveEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			// What cannot be saved now is saved later, or is lost with the simulator.
			_ = s.Save()
		}
	}
}

// loadClusters that the folder holds.
func (s *Simulator) loadClusters() error {
	if s.cfg.State == "" {
		return nil
	}
	found, err := filepath.Glob(filepath.Join(s.cfg.State, "clusters", "*", "*", clusterFile))
	if err != nil {
		return fmt.Errorf("cannot list clusters: %w", err)
	}
	for _, f := range found {
		dir := filepath.Dir(f)
		name := filepath.Base(filepath.Dir(dir)) + "/" + filepath.Base(dir)
		c := &cluster{dir: dir}
		b, err := os.ReadFile(f)
		if err != nil {
			return fmt.Errorf("cannot read cluster: %w", err)
		}
		if err := json.Unmarshal(b, &c.known); err != nil {
			return fmt.Errorf("cannot read cluster: %w", err)
		}
		snapshot, err := readObjects(dir)
		if err != nil {
			return err
		}
		s.raise(name, c, snapshot)
	}
	return nil
}

func readObjects(dir string) ([]byte, error) {
	f, err := os.Open(filepath.Join(dir, objectsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read cluster: %w", err)
	}
	defer f.Close() //nolint:errcheck // It was only read.
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("cannot read cluster: %w", err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		return nil, fmt.Errorf("cannot read cluster: %w", err)
	}
	return b, nil
}
