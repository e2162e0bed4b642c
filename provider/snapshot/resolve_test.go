package snapshot

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	testingclock "k8s.io/utils/clock/testing"

	"github.com/mainstay-dev/mainstay/internal/preflight"
	"github.com/mainstay-dev/mainstay/internal/rollout"
)

const manifestType = "application/vnd.oci.image.manifest.v1+json"

// host of a server, the way an image has it.
func host(s *httptest.Server) string { return strings.TrimPrefix(s.URL, "http://") }

func newImages(t *testing.T) (*Images, *testingclock.FakePassiveClock) {
	t.Helper()
	clock := testingclock.NewFakePassiveClock(time.Unix(1000, 0))
	return NewImages(clock, http.DefaultTransport), clock
}

func push(t *testing.T, ref string, author string) string {
	t.Helper()
	r, err := name.ParseReference(ref)
	if err != nil {
		t.Fatal(err)
	}
	image, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{Author: author, OS: "linux", Architecture: "amd64"})
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(r, image); err != nil {
		t.Fatal(err)
	}
	d, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return d.String()
}

func TestResolve(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	images, clock := newImages(t)
	one := host(server) + "/app:1.0"
	before := push(t, one, "ann")
	multi, err := name.ParseReference(host(server) + "/multi:1.0")
	if err != nil {
		t.Fatal(err)
	}
	index := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: empty.Image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "arm64"}}})
	if err := remote.WriteIndex(multi, index); err != nil {
		t.Fatal(err)
	}
	whole, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}

	want := map[string]rollout.Resolution{
		one: {Digest: before}, multi.String(): {Digest: whole.String()},
		host(server) + "/app:9": {Message: noImage}, "NOT A NAME": {Message: noName},
	}
	got := images.Resolve(t.Context(), []string{one, multi.String(), host(server) + "/app:9", "NOT A NAME"})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Resolve(...): of several platforms the index counts: -want, +got:\n%s", diff)
	}

	// The tag is moved.
	after := push(t, one, "bob")
	clock.SetTime(clock.Now().Add(resolvedFor))
	if got := images.Resolve(t.Context(), []string{one})[one].Digest; got != after || got == before {
		t.Errorf("Resolve(...): what a tag meant a while ago does not count: got %s", got)
	}
	server.Close()
	pinned := multi.String() + "@" + whole.String()
	known := images.look(t.Context(), []string{pinned})
	if diff := cmp.Diff(map[string]*preflight.Image{pinned: {Platforms: []string{"linux/arm64"}}}, known); diff != "" {
		t.Errorf("look(...): the preflight asks nobody about what was resolved: -want, +got:\n%s", diff)
	}
}

// TestResolveOddRegistries asks registries that are none, or not for everybody.
func TestResolveOddRegistries(t *testing.T) {
	answer := func(kind, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/v2/" {
				return
			}
			w.Header().Set("Content-Type", kind)
			_, _ = io.WriteString(w, body)
		}
	}
	valid := fmt.Sprintf(`{"schemaVersion":2,"config":{"mediaType":"x","size":2,"digest":"sha256:%064d"},"layers":[]}`, 1)
	cases := map[string]struct {
		reason string
		server http.HandlerFunc
		want   string
	}{
		"Page":        {reason: "A page for people is no manifest.", server: answer("text/html", "<html>Welcome</html>"), want: noManifest},
		"Lie":         {reason: "Nor is a page that says it is one.", server: answer(manifestType, "<html>Welcome</html>"), want: noManifest},
		"Nothing":     {reason: "An empty answer is none.", server: answer(manifestType, ""), want: noManifest},
		"NoConfig":    {reason: "An image has a configuration.", server: answer(manifestType, `{"schemaVersion":2}`), want: noManifest},
		"EmptyIndex":  {reason: "An index has manifests.", server: answer("application/vnd.oci.image.index.v1+json", `{"schemaVersion":2}`), want: noManifest},
		"Old":         {reason: "A manifest of the first version is signed over something else.", server: answer("application/vnd.docker.distribution.manifest.v1+prettyjws", `{"schemaVersion":1}`), want: noManifest},
		"Huge":        {reason: "An answer that does not end is not read to its end.", server: answer(manifestType, strings.Repeat(" ", maxAnswer)+valid), want: noAnswerNow},
		"Credentials": {reason: "Nobody has credentials.", server: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }, want: noEntry},
		"Forbidden":   {reason: "What is forbidden is not asked for again.", server: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }, want: noEntry},
		"Hidden": {
			reason: "A page that is not found says nothing about images.",
			server: func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/v2/" {
					w.WriteHeader(http.StatusNotFound)
				}
			},
			want: noAnswerNow,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(tc.server)
			defer server.Close()
			images, _ := newImages(t)
			ref := host(server) + "/app:1"
			if diff := cmp.Diff(map[string]rollout.Resolution{ref: {Message: tc.want}}, images.Resolve(t.Context(), []string{ref})); diff != "" {
				t.Errorf("\n%s\nResolve(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}

	t.Run("Parameter", func(t *testing.T) {
		server := httptest.NewServer(answer(manifestType+"; charset=utf-8", valid))
		defer server.Close()
		images, _ := newImages(t)
		if got := images.Resolve(t.Context(), []string{host(server) + "/app:1"}); got[host(server)+"/app:1"].Digest == "" {
			t.Errorf("a type may have parameters: got %v", got)
		}
	})
}

// TestResolveRedirected is a registry that sends whoever asks to this host's own services.
func TestResolveRedirected(t *testing.T) {
	asked := atomic.Int32{}
	secret := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer secret.Close()
	// Of the network there is only this transport: the first hop is answered, and all that
	// follows goes out the way it does in earnest.
	guarded := NewImages(testingclock.NewFakePassiveClock(time.Unix(1000, 0)), nil).transport
	images := NewImages(testingclock.NewFakePassiveClock(time.Unix(1000, 0)), hops(func(r *http.Request) (*http.Response, error) {
		if r.URL.Host != "registry.example.org" {
			return guarded.RoundTrip(r)
		}
		resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: r}
		if r.URL.Path != "/v2/" {
			resp.StatusCode = http.StatusTemporaryRedirect
			resp.Header.Set("Location", secret.URL+r.URL.Path)
		}
		return resp, nil
	}))
	ref := "registry.example.org/app:1"
	if diff := cmp.Diff(map[string]rollout.Resolution{ref: {Message: noAnswer}}, images.Resolve(t.Context(), []string{ref})); diff != "" {
		t.Errorf("Resolve(...): -want, +got:\n%s", diff)
	}
	if n := asked.Load(); n > 0 {
		t.Errorf("this host was asked %d times", n)
	}
}

type hops func(*http.Request) (*http.Response, error)

func (h hops) RoundTrip(r *http.Request) (*http.Response, error) { return h(r) }

// TestResolveSilent is a registry that lets everybody wait.
func TestResolveSilent(t *testing.T) {
	asked := atomic.Int32{}
	images := NewImages(testingclock.NewFakePassiveClock(time.Unix(1000, 0)), hops(func(*http.Request) (*http.Response, error) {
		asked.Add(1)
		return nil, context.DeadlineExceeded
	}))
	images.slots = make(chan struct{}, 1)
	var refs []string
	for i := range 100 {
		refs = append(refs, fmt.Sprintf("registry.example.org/app:%d", i))
	}
	got := images.Resolve(t.Context(), refs)
	if len(got) != 100 || got[refs[7]].Message != noAnswer {
		t.Errorf("Resolve(...): want an answer for all, got %d", len(got))
	}
	if n := asked.Load(); n > 8 {
		t.Errorf("a registry that gives no answer is left alone, and not asked %d times", n)
	}

	late, cancel := context.WithCancel(t.Context())
	cancel()
	images, _ = newImages(t)
	if got := images.Resolve(late, refs[:2]); len(got) > 0 {
		t.Errorf("Resolve(...): where there was no time there is no answer: got %v", got)
	}
	if _, ok := images.recall(refs[0], imageTTL); ok {
		t.Error("and none is remembered")
	}
}
