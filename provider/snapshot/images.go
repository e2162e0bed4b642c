package snapshot

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"k8s.io/utils/clock"
	"k8s.io/utils/lru"

	"github.com/mainstay-dev/mainstay/internal/preflight"
)

const (
	// imageTimeout of all that is asked of a registry for one image.
	imageTimeout = 5 * time.Second
	// imageTTL is how long an answer counts, and a registry that gave none is left alone.
	imageTTL = 10 * time.Minute
	// maxImages that are remembered, and that are asked for one content.
	maxImages, maxImagesOfContent = 4096, 50
)

// Images asks registries about images, without credentials. A registry that wants some,
// or does not answer, says nothing.
type Images struct {
	clock     clock.PassiveClock
	transport http.RoundTripper

	mu    sync.Mutex
	known *lru.Cache // of answer, by reference
}

type answer struct {
	// image is nil where nothing is known.
	image *preflight.Image
	until time.Time
}

// NewImages returns an Images that goes out through a transport. Without one, it goes to
// the network, but not to the host that it runs on: tenants name the hosts.
func NewImages(cl clock.PassiveClock, t http.RoundTripper) *Images {
	if t == nil {
		d := &net.Dialer{Timeout: imageTimeout, Control: notHere}
		t = &http.Transport{Proxy: http.ProxyFromEnvironment, DialContext: d.DialContext, TLSHandshakeTimeout: imageTimeout, ResponseHeaderTimeout: imageTimeout, MaxIdleConns: 32, IdleConnTimeout: time.Minute}
	}
	return &Images{clock: cl, transport: t, known: lru.New(maxImages)}
}

// notHere refuses addresses that are this host's, or its cloud's metadata.
func notHere(_, address string, _ syscall.RawConn) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if ip := a.Addr().Unmap(); ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsUnspecified() || ip.IsMulticast() {
		return fmt.Errorf("address %s is not a registry's", ip)
	}
	return nil
}

// look up images. Those of which nothing is known are left out.
func (i *Images) look(ctx context.Context, refs []string) map[string]*preflight.Image {
	out := map[string]*preflight.Image{}
	for n, ref := range refs {
		if n >= maxImagesOfContent {
			break
		}
		if image := i.get(ctx, ref); image != nil {
			out[ref] = image
		}
	}
	return out
}

func (i *Images) get(ctx context.Context, ref string) *preflight.Image {
	now := i.clock.Now()
	i.mu.Lock()
	v, ok := i.known.Get(ref)
	i.mu.Unlock()
	if ok {
		if a := v.(answer); now.Before(a.until) { //nolint:forcetypeassert // Holds nothing else.
			return a.image
		}
	}
	image := i.ask(ctx, ref)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.known.Add(ref, answer{image: image, until: now.Add(imageTTL)})
	return image
}

// ask the registry of an image.
func (i *Images) ask(ctx context.Context, text string) *preflight.Image {
	ref, err := name.ParseReference(text)
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, imageTimeout)
	defer cancel()
	d, err := remote.Get(ref, remote.WithContext(ctx), remote.WithTransport(i.transport))
	if err != nil {
		if missing(err) {
			return &preflight.Image{Missing: true}
		}
		return nil
	}
	out := &preflight.Image{}
	if !d.MediaType.IsIndex() {
		return out // What an image says of itself is in its configuration, which not all fill in.
	}
	index, err := d.ImageIndex()
	if err != nil {
		return nil
	}
	m, err := index.IndexManifest()
	if err != nil {
		return nil
	}
	for _, e := range m.Manifests {
		if p := platform(e.Platform); p != "" && !slices.Contains(out.Platforms, p) {
			out.Platforms = append(out.Platforms, p)
		}
	}
	slices.Sort(out.Platforms)
	return out
}

// platform as os/arch. Attestations have none that is known.
func platform(p *v1.Platform) string {
	if p == nil || p.OS == "" || p.OS == "unknown" {
		return ""
	}
	return p.OS + "/" + p.Architecture
}

// missing is true where the registry says that there is no such image, and does not
// just hide it.
func missing(err error) bool {
	e := &transport.Error{}
	if !errors.As(err, &e) || e.StatusCode != http.StatusNotFound {
		return false
	}
	return slices.ContainsFunc(e.Errors, func(d transport.Diagnostic) bool { return d.Code == transport.ManifestUnknownErrorCode })
}
