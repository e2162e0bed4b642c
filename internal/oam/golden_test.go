package oam

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/bundle"
)

var update = flag.Bool("update", false, "write what is rendered to the golden files")

// TestGolden renders what KubeVela users write, for every combination of overrides
// that is tried, and compares it with what a reviewer found right.
func TestGolden(t *testing.T) {
	samples, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(samples) == 0 {
		t.Fatalf("cannot find samples: %v", err)
	}
	for _, sample := range samples {
		if strings.HasSuffix(sample, ".golden.yaml") {
			continue
		}
		t.Run(filepath.Base(sample), func(t *testing.T) {
			got := rendered(t, sample)
			golden := strings.TrimSuffix(sample, ".yaml") + ".golden.yaml"
			if *update {
				if err := os.WriteFile(golden, got, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("-want, +got:\n%s", diff)
			}
			if again := rendered(t, sample); !bytes.Equal(got, again) {
				t.Errorf("rendered again it is different:\n%s", cmp.Diff(string(got), string(again)))
			}
		})
	}
}

// rendered returns all variants of an application as YAML.
func rendered(t *testing.T, file string) []byte {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	app := struct {
		metav1.TypeMeta   `json:",inline"`
		metav1.ObjectMeta `json:"metadata"`

		Spec v1alpha1.ProductApplicationSpec `json:"spec"`
	}{}
	if err := yaml.UnmarshalStrict(raw, &app); err != nil {
		t.Fatal(err)
	}
	a, err := Compile(app.Name, &app.Spec)
	if err != nil {
		t.Fatalf("Compile(...): %v", err)
	}
	out := &bytes.Buffer{}
	for _, overrides := range a.samples() {
		b, err := a.Bundle(overrides)
		if err != nil {
			t.Fatalf("Bundle(...): %v", err)
		}
		c, err := bundle.Open(b, nil)
		if err != nil {
			t.Fatalf("Open(...): %v", err)
		}
		y, err := yaml.Marshal(struct {
			Bundle    string   `json:"bundle"`
			Overrides []string `json:"overrides"`
			bundle.Content
		}{b.GetName(), overrides, c})
		if err != nil {
			t.Fatal(err)
		}
		out.WriteString("---\n")
		out.Write(y)
	}
	return out.Bytes()
}
