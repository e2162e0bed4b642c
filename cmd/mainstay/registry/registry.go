// Package registry serves a container registry from a folder. It exists because a
// hub on one machine must hand packages to Crossplane's package manager, which
// takes them from registries only.
//
// Blobs lie in the folder as the library keeps them. Manifests are kept by the
// library in memory, so each one that is pushed is also written down, and pushed
// again when the registry starts: what was pushed survives a restart.
//
// Deliberately absent: authentication, deletion, and listening on anything but
// loopback.
package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// shutdownGrace is how long requests in flight may take once a registry stops.
const shutdownGrace = 3 * time.Second

// Serve serves the registry in a folder at an address of the loopback interface
// until the context is done.
func Serve(ctx context.Context, dir, address string) error {
	host, _, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("cannot serve registry at %q: give a loopback address with a port, such as 127.0.0.1:5000", address)
	}
	h, err := New(dir)
	if err != nil {
		return err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("cannot serve registry: %w", err)
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
		defer cancel()
		stopped <- server.Shutdown(grace)
	}()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("cannot serve registry: %w", err)
	}
	return <-stopped
}

// New returns the registry in a folder, which is made where there is none.
func New(dir string) (http.Handler, error) {
	blobs := filepath.Join(dir, "blobs")
	r := &persistent{manifests: filepath.Join(dir, "manifests")}
	for _, d := range []string{blobs, r.manifests} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, fmt.Errorf("cannot make folder of registry: %w", err)
		}
	}
	r.inner = registry.New(
		registry.WithBlobHandler(registry.NewDiskBlobHandler(blobs)),
		registry.Logger(log.New(io.Discard, "", 0)),
	)
	if err := r.load(); err != nil {
		return nil, err
	}
	return r, nil
}

// A persistent registry writes down the manifests that are pushed to it.
type persistent struct {
	inner     http.Handler
	manifests string
}

// A manifest is one that was pushed.
type manifest struct {
	Path        string `json:"path"`
	ContentType string `json:"contentType"`
	Body        []byte `json:"body"`
}

// ServeHTTP serves the registry protocol.
func (p *persistent) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.Method != http.MethodPut || !strings.Contains(req.URL.Path, "/manifests/") {
		p.inner.ServeHTTP(w, req)
		return
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		http.Error(w, "cannot read manifest", http.StatusBadRequest)
		return
	}
	m := manifest{Path: req.URL.Path, ContentType: req.Header.Get("Content-Type"), Body: body}
	a := p.push(req.Context(), m)
	if a.code < http.StatusMultipleChoices {
		if err := p.save(m); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
	}
	maps.Copy(w.Header(), a.header)
	w.WriteHeader(a.code)
	_, _ = a.body.WriteTo(w)
}

// An answer is a response that is held back until the manifest is written down.
type answer struct {
	code   int
	header http.Header
	body   bytes.Buffer
}

// Header, Write and WriteHeader make an answer an http.ResponseWriter.
func (a *answer) Header() http.Header         { return a.header }
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }
func (a *answer) WriteHeader(code int)        { a.code = code }

// push hands a manifest to the registry in memory.
func (p *persistent) push(ctx context.Context, m manifest) *answer {
	req := &http.Request{
		Method: http.MethodPut,
		URL:    &url.URL{Path: m.Path},
		Header: http.Header{"Content-Type": {m.ContentType}},
		Body:   io.NopCloser(bytes.NewReader(m.Body)),
	}
	a := &answer{code: http.StatusOK, header: http.Header{}}
	p.inner.ServeHTTP(a, req.WithContext(ctx))
	return a
}

// save writes a manifest down, all of it or nothing.
func (p *persistent) save(m manifest) error {
	content, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("cannot encode manifest: %w", err)
	}
	path := filepath.Join(p.manifests, strings.NewReplacer("/", "_", ":", "_").Replace(strings.TrimPrefix(m.Path, "/v2/"))+".json")
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		return fmt.Errorf("cannot write manifest: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("cannot write manifest: %w", err)
	}
	return nil
}

// load pushes every manifest that was written down, images before the indexes
// that name them. One that cannot be read, or whose blobs are gone, is forgotten:
// it can be pushed again.
func (p *persistent) load() error {
	paths, err := filepath.Glob(filepath.Join(p.manifests, "*.json"))
	if err != nil {
		return fmt.Errorf("cannot list manifests: %w", err)
	}
	all := []manifest{}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("cannot read manifest: %w", err)
		}
		m := manifest{}
		if err := json.Unmarshal(content, &m); err != nil {
			_ = os.Remove(path)
			continue
		}
		all = append(all, m)
	}
	slices.SortStableFunc(all, func(a, b manifest) int { return isIndex(a) - isIndex(b) })
	for _, m := range all {
		_ = p.push(context.Background(), m)
	}
	return nil
}

func isIndex(m manifest) int {
	if types.MediaType(m.ContentType).IsIndex() {
		return 1
	}
	return 0
}
