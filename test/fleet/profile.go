package fleet

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
)

// profileSeconds is how long a profile is taken.
const profileSeconds = "20"

// ProfileHub says what the hub's API server uses its processor time for, in the 20
// seconds from now. Only where the world is made for profiling.
func (w *World) ProfileHub(ctx context.Context) ([]byte, error) {
	c, err := rest.UnversionedRESTClientFor(WithoutCodec(w.HubConfig))
	if err != nil {
		return nil, fmt.Errorf("cannot reach hub: %w", err)
	}
	return c.Get().AbsPath("/debug/pprof/profile").Param("seconds", profileSeconds).DoRaw(ctx)
}

// ProfileProvider says the same of the provider.
func (w *World) ProfileProvider(ctx context.Context) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+w.profiles[Provider]+"/debug/pprof/profile?seconds="+profileSeconds, nil)
	if err != nil {
		return nil, fmt.Errorf("cannot make request: %w", err)
	}
	rsp, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, fmt.Errorf("cannot reach provider: %w", err)
	}
	defer rsp.Body.Close() //nolint:errcheck // It was only read.
	return io.ReadAll(rsp.Body)
}

// WithoutCodec lets a client ask for what is no object.
func WithoutCodec(cfg *rest.Config) *rest.Config {
	out := rest.CopyConfig(cfg)
	out.NegotiatedSerializer = plain{}
	return out
}

type plain struct{}

// SupportedMediaTypes of answers that nobody decodes.
func (plain) SupportedMediaTypes() []runtime.SerializerInfo {
	return []runtime.SerializerInfo{{MediaType: "application/json"}}
}

// EncoderForVersion is never called.
func (plain) EncoderForVersion(e runtime.Encoder, _ runtime.GroupVersioner) runtime.Encoder { return e }

// DecoderToVersion is never called.
func (plain) DecoderToVersion(d runtime.Decoder, _ runtime.GroupVersioner) runtime.Decoder { return d }
