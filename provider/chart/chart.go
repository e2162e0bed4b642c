// Package chart fetches Helm charts from registries, by digest. What a digest names does
// not change, so what was fetched is kept.
//
// Deliberately absent: tags, Helm's own repositories, and credentials other than those
// that the process finds where container tools keep them.
package chart

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// ContentType is what the layer that holds a chart says of itself.
const ContentType types.MediaType = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"

// mostKept is how many charts are kept.
const mostKept = 32

// A Puller fetches charts.
type Puller struct {
	// limit of a chart in bytes.
	limit int64

	mu   sync.Mutex
	kept map[string][]byte
}

// NewPuller returns a Puller of charts that have at most so many bytes.
func NewPuller(limit int64) *Puller { return &Puller{limit: limit, kept: map[string][]byte{}} }

// Pull a chart. The reference is registry/path@sha256:…, with or without oci://.
func (p *Puller) Pull(ctx context.Context, reference string) ([]byte, error) {
	ref, err := name.NewDigest(pinned(reference))
	if err != nil {
		return nil, fmt.Errorf("%q is no reference that is pinned by digest: write registry/path@sha256:…", reference)
	}
	if chart, ok := p.known(ref.DigestStr()); ok {
		return chart, nil
	}
	image, err := remote.Image(ref, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain))
	if err != nil {
		return nil, fmt.Errorf("cannot fetch chart %q: %w", reference, err)
	}
	chart, err := p.content(image)
	if err != nil {
		return nil, fmt.Errorf("cannot fetch chart %q: %w", reference, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.kept) >= mostKept {
		clear(p.kept)
	}
	p.kept[ref.DigestStr()] = chart
	return chart, nil
}

// pinned leaves out the scheme, and a tag before the digest, which counts for nothing.
func pinned(reference string) string {
	path, digest, _ := strings.Cut(strings.TrimPrefix(reference, "oci://"), "@")
	if i := strings.LastIndex(path, ":"); i > strings.LastIndex(path, "/") {
		path = path[:i]
	}
	return path + "@" + digest
}

func (p *Puller) known(digest string) ([]byte, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	chart, ok := p.kept[digest]
	return chart, ok
}

// content of the layer that holds the chart.
func (p *Puller) content(image v1.Image) ([]byte, error) {
	layers, err := image.Layers()
	if err != nil {
		return nil, err
	}
	for _, l := range layers {
		if kind, err := l.MediaType(); err != nil || kind != ContentType {
			continue
		}
		if size, err := l.Size(); err != nil || size > p.limit {
			return nil, fmt.Errorf("it has %d bytes and at most %d are possible", size, p.limit)
		}
		r, err := l.Compressed()
		if err != nil {
			return nil, err
		}
		defer r.Close() //nolint:errcheck // Opened for reading.
		// To read to the end is what checks the digest.
		chart, err := io.ReadAll(io.LimitReader(r, p.limit+1))
		if err != nil {
			return nil, err
		}
		if int64(len(chart)) > p.limit {
			return nil, fmt.Errorf("it has more than %d bytes", p.limit)
		}
		return chart, nil
	}
	return nil, fmt.Errorf("it has no layer of type %s: it is no Helm chart", ContentType)
}
