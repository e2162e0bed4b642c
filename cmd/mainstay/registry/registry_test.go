package registry

import (
	"context"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

func TestWhatWasPushedSurvivesRestart(t *testing.T) {
	dir := t.TempDir()
	index, err := random.Index(512, 2, 2)
	if err != nil {
		t.Fatal(err)
	}
	img, err := random.Image(512, 1)
	if err != nil {
		t.Fatal(err)
	}

	first := serve(t, dir)
	if err := remote.WriteIndex(tag(t, first, "mainstay/provider:v1"), index); err != nil {
		t.Fatalf("cannot push index: %v", err)
	}
	if err := remote.Write(tag(t, first, "mainstay/configuration:v1"), img); err != nil {
		t.Fatalf("cannot push image: %v", err)
	}

	// What somebody damaged does not keep the registry from serving the rest.
	if err := os.WriteFile(filepath.Join(dir, "manifests", "damaged.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}

	second := serve(t, dir)
	gotIndex, err := remote.Index(tag(t, second, "mainstay/provider:v1"))
	if err != nil {
		t.Fatalf("cannot pull index after restart: %v", err)
	}
	if diff := cmp.Diff(digest(t, index), digest(t, gotIndex)); diff != "" {
		t.Errorf("index: -pushed, +pulled:\n%s", diff)
	}
	gotImage, err := remote.Image(tag(t, second, "mainstay/configuration:v1"))
	if err != nil {
		t.Fatalf("cannot pull image after restart: %v", err)
	}
	layers, err := gotImage.Layers()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := layers[0].Uncompressed(); err != nil {
		t.Errorf("cannot pull layer after restart: %v", err)
	}
	tags, err := remote.List(tag(t, second, "mainstay/configuration:v1").Context())
	if diff := cmp.Diff([]string{"v1"}, tags); diff != "" || err != nil {
		t.Errorf("tags after restart: -want, +got:\n%s%v", diff, err)
	}
}

func TestServeRefusesOtherInterfaces(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", ":0", "localhost:0", "nonsense"} {
		err := Serve(t.Context(), t.TempDir(), address)
		if err == nil || !strings.Contains(err.Error(), "loopback") {
			t.Errorf("Serve(%q): want a refusal, got %v", address, err)
		}
	}
}

func TestServeStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Serve(ctx, t.TempDir(), "127.0.0.1:0"); err != nil && !strings.Contains(err.Error(), "canceled") {
		t.Errorf("Serve(...): want a quiet stop, got %v", err)
	}
}

func serve(t *testing.T, dir string) string {
	t.Helper()
	h, err := New(dir)
	if err != nil {
		t.Fatalf("New(...): %v", err)
	}
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

func tag(t *testing.T, host, path string) name.Tag {
	t.Helper()
	ref, err := name.NewTag(host + "/" + path)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func digest(t *testing.T, d interface{ Digest() (v1.Hash, error) }) string {
	t.Helper()
	h, err := d.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return h.String()
}
