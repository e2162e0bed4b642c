package bundle

import (
	"bytes"
	"compress/gzip"
	"errors"
	"math/rand/v2"
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

func TestNew(t *testing.T) {
	got, err := New("app", small)
	if err != nil {
		t.Fatalf("New(...): %v", err)
	}
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
	again, err := New("app", small)
	if err != nil {
		t.Fatalf("New(...): %v", err)
	}
	if diff := cmp.Diff(got, again); diff != "" {
		t.Errorf("The same content must be the same Bundle: -first, +again:\n%s", diff)
	}
	content, err := Open(got)
	if err != nil {
		t.Fatalf("Open(...): %v", err)
	}
	if diff := cmp.Diff(small, content); diff != "" {
		t.Errorf("What is sealed is what is opened: -want, +got:\n%s", diff)
	}
}

func TestTooLarge(t *testing.T) {
	noise := make([]byte, 700<<10)
	r := rand.New(rand.NewPCG(1, 1))
	for i := range noise {
		noise[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[r.IntN(64)]
	}
	cases := map[string]struct {
		reason  string
		content Content
		want    *TooLargeError
	}{
		"Fits": {
			reason:  "What fits, fits.",
			content: Content{Components: []Component{{Name: "a", Objects: []unstructured.Unstructured{configMap("x", string(noise))}}}},
		},
		"Content": {
			reason: "Content is limited before compression: the largest component is named.",
			content: Content{Components: []Component{
				{Name: "a", Objects: []unstructured.Unstructured{configMap("x", strings.Repeat("a", 400<<10))}},
				{Name: "b", Objects: []unstructured.Unstructured{configMap("y", strings.Repeat("a", 700<<10))}},
			}},
			want: &TooLargeError{Component: "b", Bytes: 716880, Limit: v1alpha1.MaxBundleContentBytes, Total: 1126644},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := New("app", tc.content)
			var got *TooLargeError
			errors.As(err, &got)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Fatalf("\n%s\nNew(...): -want, +got:\n%s", tc.reason, diff)
			}
			if got == nil {
				return
			}
			for _, part := range []string{`component "b" alone has 716880`, "come to 1126644 bytes", "at most 1048576"} {
				if !strings.Contains(got.Error(), part) {
					t.Errorf("\n%s\nError(): want %q in it: %s", tc.reason, part, got.Error())
				}
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
			_, err := Open(tc.bundle())
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("\n%s\nOpen(...): want an error with %q, got %v", tc.reason, tc.want, err)
			}
		})
	}
}
