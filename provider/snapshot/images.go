package snapshot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"
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
	// schemaVersion of manifests. Those of the first pin nothing: they are signed over
	// something else.
	schemaVersion = 2
)

// Images asks registries about images, without credentials. A registry that wants some,
// or does not answer, says nothing.
type Images struct {
	clock     clock.PassiveClock
	transport http.RoundTripper
	// slots bounds how many registries are asked at once, for whomever.
	slots chan struct{}

	mu     sync.Mutex
	known  *lru.Cache // of answer, by reference
	silent *lru.Cache // of time.Time, by host
}

type answer struct {
	// image is nil where nothing is known, and then why says why.
	image *preflight.Image
	why   string
	// digest of the manifest, or of the index.
	digest string
	at     time.Time
}

// NewImages returns an Images that goes out through a transport. Without one, it goes to
// the network, but not to the host that it runs on: tenants name the hosts.
func NewImages(cl clock.PassiveClock, t http.RoundTripper) *Images {
	if t == nil {
		d := &net.Dialer{Timeout: imageTimeout, Control: notHere}
		t = &http.Transport{Proxy: http.ProxyFromEnvironment, DialContext: d.DialContext, TLSHandshakeTimeout: imageTimeout, ResponseHeaderTimeout: imageTimeout, MaxIdleConns: 32, IdleConnTimeout: time.Minute}
	}
	return &Images{clock: cl, transport: bounded{t}, slots: make(chan struct{}, atOnce), known: lru.New(maxImages), silent: lru.New(maxSilent)}
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
	if a, ok := i.recall(ref, imageTTL); ok {
		return a.image
	}
	return i.learn(ctx, ref).image
}

// recall an answer that is not too old.
func (i *Images) recall(ref string, ttl time.Duration) (answer, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	v, ok := i.known.Get(ref)
	if !ok {
		return answer{}, false
	}
	a := v.(answer) //nolint:forcetypeassert // Holds nothing else.
	return a, i.clock.Since(a.at) < ttl
}

// learn about an image, and remember it. What its digest is, is known then as well.
func (i *Images) learn(ctx context.Context, ref string) answer {
	a := i.ask(ctx, ref)
	if ctx.Err() != nil && a.why == noAnswer {
		return a // There was no time, which says nothing about the registry.
	}
	a.at = i.clock.Now()
	i.mu.Lock()
	defer i.mu.Unlock()
	i.known.Add(ref, a)
	if a.digest != "" && !strings.Contains(ref, "@") {
		i.known.Add(ref+"@"+a.digest, a)
	}
	return a
}

// Why there is no answer. None of them quotes what a registry says.
const (
	noName      = "that is not the name of an image"
	noImage     = "the registry has no such image"
	noAnswer    = "the registry does not answer"
	noEntry     = "the registry wants credentials, and is asked without"
	noManifest  = "what the registry has is no image"
	noAnswerNow = "the registry cannot be asked now"
)

// ask the registry of an image.
func (i *Images) ask(ctx context.Context, text string) answer {
	ref, err := name.ParseReference(text)
	if err != nil {
		return answer{why: noName}
	}
	ctx, cancel := context.WithTimeout(ctx, imageTimeout)
	defer cancel()
	d, err := remote.Get(ref, remote.WithContext(ctx), remote.WithTransport(i.transport))
	if err != nil {
		if missing(err) {
			return answer{image: &preflight.Image{Missing: true}, why: noImage}
		}
		return answer{why: reason(err)}
	}
	out := answer{image: &preflight.Image{}, digest: d.Digest.String()}
	kind, _, _ := strings.Cut(string(d.MediaType), ";")
	if !types.MediaType(kind).IsIndex() {
		// What an image says of its platform is in its configuration, which not all fill in.
		m, err := v1.ParseManifest(bytes.NewReader(d.Manifest))
		if err != nil || !types.MediaType(kind).IsImage() || m.SchemaVersion != schemaVersion || m.Config.Digest.Hex == "" {
			return answer{why: noManifest}
		}
		return out
	}
	m, err := v1.ParseIndexManifest(bytes.NewReader(d.Manifest))
	if err != nil || m.SchemaVersion != schemaVersion || len(m.Manifests) == 0 {
		return answer{why: noManifest}
	}
	for _, e := range m.Manifests {
		if p := platform(e.Platform); p != "" && !slices.Contains(out.image.Platforms, p) {
			out.image.Platforms = append(out.image.Platforms, p)
		}
	}
	slices.Sort(out.image.Platforms)
	return out
}

// reason for which a registry gave no answer.
func reason(err error) string {
	e := &transport.Error{}
	switch {
	case errors.As(err, &e) && (e.StatusCode == http.StatusUnauthorized || e.StatusCode == http.StatusForbidden):
		return noEntry
	case errors.As(err, &e), errors.Is(err, errTooMuch):
		return noAnswerNow
	}
	return noAnswer
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
