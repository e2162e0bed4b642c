package chart

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// push a chart, and return its reference.
func push(t *testing.T, host, content string, kind types.MediaType) string {
	t.Helper()
	image, err := mutate.AppendLayers(empty.Image, static.NewLayer([]byte(content), kind))
	if err != nil {
		t.Fatal(err)
	}
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.NewTag(host + "/charts/greeter:1.0.0")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, image); err != nil {
		t.Fatal(err)
	}
	return host + "/charts/greeter@" + digest.String()
}

func TestPull(t *testing.T) {
	s := httptest.NewServer(registry.New())
	host := strings.TrimPrefix(s.URL, "http://")
	good := push(t, host, "chart", ContentType)
	cases := map[string]struct{ reason, reference, want, err string }{
		"Good":   {"A chart is fetched by its digest.", good, "chart", ""},
		"Scheme": {"Helm writes a scheme before it.", "oci://" + strings.Replace(good, "@", ":1.0.0@", 1), "chart", ""},
		"Tag":    {"A tag may be another chart tomorrow.", host + "/charts/greeter:1.0.0", "", "pinned by digest"},
		"Image":  {"What is no chart is refused.", push(t, host, "image", types.DockerLayer), "", "no Helm chart"},
		"Large":  {"So is what is too large.", push(t, host, strings.Repeat("x", 101), ContentType), "", "at most 100"},
		"Absent": {"What is not there cannot be fetched.", host + "/charts/greeter@sha256:" + strings.Repeat("0", 64), "", "cannot fetch"},
	}
	p := NewPuller(100)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := p.Pull(t.Context(), tc.reference)
			if (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
				t.Fatalf("%s: want error %q, got %v", tc.reason, tc.err, err)
			}
			if string(got) != tc.want {
				t.Errorf("%s: want %q, got %q", tc.reason, tc.want, got)
			}
		})
	}
	s.Close()
	if got, err := p.Pull(t.Context(), good); err != nil || string(got) != "chart" {
		t.Errorf("what was fetched is kept: got %q, %v", got, err)
	}
}
