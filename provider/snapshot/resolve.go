package snapshot

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/mainstay-dev/mainstay/internal/rollout"
)

const (
	// atOnce is how many images are asked for at a time.
	atOnce = 8
	// resolvePatience of one call: what has no answer by then is asked for in the next.
	resolvePatience = 15 * time.Second
	// resolvedFor is how long what an image was resolved to counts for others, and how
	// long a host that gave no answer is left alone.
	resolvedFor = 10 * time.Second
	// maxSilent hosts that are remembered.
	maxSilent = 256
	// maxAnswer is the size of what is read of a registry's answer.
	maxAnswer = 4 << 20
)

// Resolve images to digests. What their tags meant a while ago does not count. Those for
// which there was no time are left out.
func (i *Images) Resolve(ctx context.Context, refs []string) map[string]rollout.Resolution {
	ctx, cancel := context.WithTimeout(ctx, resolvePatience)
	defer cancel()
	out, mu, wg := map[string]rollout.Resolution{}, sync.Mutex{}, sync.WaitGroup{}
	for _, ref := range refs {
		wg.Go(func() {
			if a, ok := i.resolve(ctx, ref); ok {
				mu.Lock()
				defer mu.Unlock()
				out[ref] = rollout.Resolution{Digest: a.digest, Message: a.why}
			}
		})
	}
	wg.Wait()
	return out
}

// resolve one image. It returns false where there was no time for it.
func (i *Images) resolve(ctx context.Context, ref string) (answer, bool) {
	select {
	case i.slots <- struct{}{}:
		defer func() { <-i.slots }()
	case <-ctx.Done():
		return answer{}, false
	}
	if a, ok := i.recall(ref, resolvedFor); ok {
		return a, true
	}
	host := hostOf(ref)
	if i.isSilent(host) {
		return answer{why: noAnswer}, true
	}
	if ctx.Err() != nil {
		return answer{}, false
	}
	a := i.learn(ctx, ref)
	if ctx.Err() != nil && a.why == noAnswer {
		return a, false
	}
	if a.why == noAnswer {
		i.noteSilent(host)
	}
	return a, true
}

func (i *Images) isSilent(host string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	v, ok := i.silent.Get(host)
	if !ok {
		return false
	}
	since, ok := v.(time.Time)
	return ok && i.clock.Since(since) < resolvedFor
}

func (i *Images) noteSilent(host string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.silent.Add(host, i.clock.Now())
}

// hostOf an image's registry.
func hostOf(ref string) string {
	r, err := name.ParseReference(ref)
	if err != nil {
		return ""
	}
	return r.Context().RegistryStr()
}

var errTooMuch = errors.New("the answer is too large")

// A bounded transport reads no more than so much of any answer.
type bounded struct{ http.RoundTripper }

// RoundTrip carries out a request.
func (b bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := b.RoundTripper.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	resp.Body = &boundedBody{ReadCloser: resp.Body, left: maxAnswer}
	return resp, nil
}

type boundedBody struct {
	io.ReadCloser

	left int
}

// Read as long as something is left.
func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooMuch
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}
