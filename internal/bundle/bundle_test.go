package bundle

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

func configMap(name, data string) unstructured.Unstructured {
	return unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": name}, "data": map[string]any{"a": data},
	}}
}

var small = Content{Components: []Component{
	{Name: "db", Type: "k8s-objects", Objects: []unstructured.Unstructured{configMap("x", "1"), configMap("y", "2")}},
	{Name: "web", Type: "k8s-objects", DependsOn: []string{"db"}, Objects: []unstructured.Unstructured{configMap("z", "3")}},
}}

// whole seals a content that fits into one object.
func whole(t *testing.T, c Content) *v1alpha1.Bundle {
	t.Helper()
	out, err := New("app", c)
	if err != nil || len(out) != 1 {
		t.Fatalf("New(...): want one Bundle, got %d: %v", len(out), err)
	}
	return out[0]
}

func TestNew(t *testing.T) {
	got := whole(t, small)
	const digest = "79b7d05fe926609a0a35733aea2a41c569682dc7215dc980fd1a9948774cef1a"
	want := &v1alpha1.Bundle{Spec: v1alpha1.BundleSpec{
		Application: "app",
		Digest:      digest,
		ObjectCount: 3,
		Components: []v1alpha1.BundleComponent{
			{Name: "db", Type: "k8s-objects", Objects: []string{"ConfigMap/x", "ConfigMap/y"}},
			{Name: "web", Type: "k8s-objects", DependsOn: []string{"db"}, Objects: []string{"ConfigMap/z"}},
		},
		Encoding: v1alpha1.EncodingGzip,
		Data:     got.Spec.Data,
	}}
	want.SetGroupVersionKind(v1alpha1.BundleGVK)
	want.SetName("app." + digest[:12])
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("New(...): -want, +got:\n%s", diff)
	}
	if diff := cmp.Diff(got, whole(t, small)); diff != "" {
		t.Errorf("The same content must be the same Bundle: -first, +again:\n%s", diff)
	}
	content, err := Open(got, nil)
	if err != nil {
		t.Fatalf("Open(...): %v", err)
	}
	if diff := cmp.Diff(small, content); diff != "" {
		t.Errorf("What is sealed is what is opened: -want, +got:\n%s", diff)
	}
}

// noise is text that hardly compresses.
func noise(n int) string {
	out, r := make([]byte, n), rand.New(rand.NewPCG(1, 1))
	for i := range out {
		out[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[r.IntN(64)]
	}
	return string(out)
}

func TestTooLarge(t *testing.T) {
	one := func(name, data string) Component {
		return Component{Name: name, Objects: []unstructured.Unstructured{configMap("x-"+name, data)}}
	}
	cases := map[string]struct {
		reason  string
		content Content
		want    *TooLargeError
		says    string
	}{
		"Fits": {
			reason:  "What fits, fits.",
			content: Content{Components: []Component{one("a", noise(700<<10))}},
		},
		"FitsInParts": {
			reason:  "So does what must be cut.",
			content: Content{Components: []Component{one("a", noise(1500<<10)), one("b", strings.Repeat("a", 6<<20))}},
		},
		"Content": {
			reason:  "Content is limited before compression: the largest component is named.",
			content: Content{Components: []Component{one("a", strings.Repeat("a", 2<<20)), one("b", strings.Repeat("a", 7<<20))}},
			want:    &TooLargeError{Component: "b", Bytes: 7340114, Limit: 8388608, Total: 9437432},
			says:    `manifests come to 9437432 bytes and at most 8388608 fit: component "b" alone has 7340114;`,
		},
		"Data": {
			reason:  "And after it.",
			content: Content{Components: []Component{one("a", noise(4<<20))}},
			want:    &TooLargeError{Component: "a", Bytes: 4194386, Limit: 2621440, Compressed: true},
			says:    `manifests come to 0 bytes after compression and at most 2621440 fit: component "a" alone has 4194386;`,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := New("app", tc.content)
			var got *TooLargeError
			if errors.As(err, &got) && got.Compressed {
				got.Total = 0 // Compressors change with their versions.
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Fatalf("\n%s\nNew(...): -want, +got:\n%s", tc.reason, diff)
			}
			if got != nil && !strings.HasPrefix(got.Error(), tc.says) {
				t.Errorf("\n%s\nError(): want %q, got %q", tc.reason, tc.says, got.Error())
			}
		})
	}
}

func TestParts(t *testing.T) {
	content := Content{Components: []Component{
		{Name: "a", Type: "k8s-objects", Objects: []unstructured.Unstructured{configMap("x", noise(1000<<10))}},
		{Name: "b", Type: "k8s-objects", Objects: []unstructured.Unstructured{configMap("y", strings.Repeat("a", 900<<10))}},
	}}
	sealed, err := New("app", content)
	if err != nil {
		t.Fatal(err)
	}
	index := sealed[0]
	if len(sealed) != 4 || len(index.Spec.Parts) != 3 || index.Spec.Data != nil || index.Spec.ObjectCount != 2 {
		t.Fatalf("a content past 1 MiB is an index and its parts: got %d Bundles, %d parts", len(sealed), len(index.Spec.Parts))
	}
	for _, b := range sealed {
		if raw, err := json.Marshal(b); err != nil || len(raw) > 1536<<10 {
			t.Errorf("each is small enough for etcd: got %d bytes, %v", len(raw), err)
		}
	}
	parts := func() map[string]*v1alpha1.Bundle {
		out := map[string]*v1alpha1.Bundle{}
		for _, b := range sealed[1:] {
			out[b.GetName()] = b.DeepCopy()
		}
		return out
	}
	first, second := Parts(index)[0], Parts(index)[1]

	cases := map[string]struct {
		reason string
		change func(index *v1alpha1.Bundle, parts map[string]*v1alpha1.Bundle)
		want   string
	}{
		"Whole":   {reason: "What is sealed is what is opened."},
		"Missing": {reason: "A part that is not there is named.", change: func(_ *v1alpha1.Bundle, p map[string]*v1alpha1.Bundle) { delete(p, second) }, want: "cannot get part 2 of 3 of bundle"},
		"Foreign": {
			reason: "A part that is not what its name says is refused.",
			change: func(_ *v1alpha1.Bundle, p map[string]*v1alpha1.Bundle) { p[first].Spec.Data = p[second].Spec.Data },
			want:   "it was tampered with",
		},
		"Exchanged": {
			reason: "So are parts in the wrong order: the whole has a digest too.",
			change: func(b *v1alpha1.Bundle, _ map[string]*v1alpha1.Bundle) { slices.Reverse(b.Spec.Parts) },
			want:   "it was tampered with",
		},
		"OtherApplication": {
			reason: "And a part of another application.",
			change: func(_ *v1alpha1.Bundle, p map[string]*v1alpha1.Bundle) { p[first].Spec.Application = "other" },
			want:   "is no part of bundle",
		},
		"TooMany": {
			reason: "The number of parts is bounded.",
			change: func(b *v1alpha1.Bundle, _ map[string]*v1alpha1.Bundle) {
				b.Spec.Parts = make([]v1alpha1.BundlePart, 17)
			},
			want: "has 17 parts, and at most 16 are possible",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			b, stored := index.DeepCopy(), parts()
			if tc.change != nil {
				tc.change(b, stored)
			}
			got, err := Open(b, func(name string) (*v1alpha1.Bundle, error) {
				if p := stored[name]; p != nil {
					return p, nil
				}
				return nil, errors.New("not there")
			})
			if tc.want != "" {
				if err == nil || !strings.Contains(err.Error(), tc.want) {
					t.Errorf("\n%s\nwant an error with %q, got %v", tc.reason, tc.want, err)
				}
				return
			}
			if err != nil {
				t.Fatalf("\n%s\nOpen(...): %v", tc.reason, err)
			}
			if diff := cmp.Diff(content, got); diff != "" {
				t.Errorf("\n%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestOpen(t *testing.T) {
	zip := func(s string) []byte {
		b := &bytes.Buffer{}
		w := gzip.NewWriter(b)
		if _, err := w.Write([]byte(s)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	sealed := func(content string) *v1alpha1.Bundle {
		b := &v1alpha1.Bundle{Spec: v1alpha1.BundleSpec{Application: "app", Digest: Digest([]byte(content)), Data: zip(content)}}
		b.SetName("app." + b.Spec.Digest[:12])
		return b
	}
	cases := map[string]struct {
		reason string
		bundle func() *v1alpha1.Bundle
		want   string
	}{
		"OtherName": {
			reason: "A Bundle that is not named by its digest is somebody's own.",
			bundle: func() *v1alpha1.Bundle { b := sealed("{}"); b.SetName("app.other"); return b },
			want:   `bundle "app.other" is not named by its content`,
		},
		"OtherContent": {
			reason: "A Bundle whose content is not what its digest says was tampered with.",
			bundle: func() *v1alpha1.Bundle { b := sealed("{}"); b.Spec.Data = zip(`{"components":[]}`); return b },
			want:   "it was tampered with, delete it and it is made anew",
		},
		"NoGzip": {
			reason: "Anybody can write a Bundle of garbage.",
			bundle: func() *v1alpha1.Bundle { b := sealed("{}"); b.Spec.Data = []byte("garbage"); return b },
			want:   "cannot decompress",
		},
		"Truncated": {
			reason: "Or of half a Bundle.",
			bundle: func() *v1alpha1.Bundle { b := sealed(`{"components":[]}`); b.Spec.Data = b.Spec.Data[:15]; return b },
			want:   "cannot decompress",
		},
		"Bomb": {
			reason: "Or one that becomes huge.",
			bundle: func() *v1alpha1.Bundle { return sealed(strings.Repeat(" ", 2<<20)) },
			want:   "content is larger than 1048576 bytes",
		},
		"NoJSON": {
			reason: "Or one that is sealed rightly and holds garbage.",
			bundle: func() *v1alpha1.Bundle { return sealed("garbage") },
			want:   "cannot decode content of bundle",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := Open(tc.bundle(), nil)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("\n%s\nOpen(...): want an error with %q, got %v", tc.reason, tc.want, err)
			}
		})
	}
}
