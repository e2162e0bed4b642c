package preflight

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	mv1alpha1 "github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/bundle"
	"github.com/mainstay-dev/mainstay/internal/oam"
)

var update = flag.Bool("update", false, "write what is generated")

// TestNothingIsRefusedThatStarts checks applications that do start on clusters as the
// demo has them. Warnings are fine.
func TestNothingIsRefusedThatStarts(t *testing.T) {
	files, err := filepath.Glob("testdata/starts/*.yaml")
	if err != nil || len(files) < 20 {
		t.Fatalf("want at least 20 applications, found %d: %v", len(files), err)
	}
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			raw, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			nothingRefused(t, contentOf(t, string(raw), nil))
		})
	}
	for name, content := range examples(t) {
		t.Run(name, func(t *testing.T) { nothingRefused(t, content) })
	}
}

func nothingRefused(t *testing.T, content bundle.Content) {
	t.Helper()
	s := Prepare(content, namespace, nil)
	// All that it does not bring is known not to be there, but for what pods need.
	snap := cluster(t, absentNames("nowhere"), func(snap *Snapshot) {
		n := s.Needs()
		for _, k := range n.Secrets {
			if _, known := snap.Secrets[k]; !known {
				snap.Secrets[k] = nil
			}
		}
		for _, ns := range n.Namespaces {
			if snap.Namespaces[ns] == nil {
				snap.Namespaces[ns] = nil
			}
		}
	})
	for _, f := range s.Check(snap) {
		if f.Severity == mv1alpha1.Blocking {
			t.Errorf("it is refused, and it starts: %+v", f)
		}
	}
	// Once it is there it is not refused either.
	for _, o := range s.objects {
		snap.Objects[o.key()] = o.Unstructured
		snap.ConfigMaps[types.NamespacedName{Namespace: o.namespace, Name: o.GetName()}] = &ConfigMap{Keys: keysOf(o.Unstructured)}
	}
	if got := s.Check(snap); Blocks(got) {
		t.Errorf("it is refused where it is already: %+v", got)
	}
}

// examples are the applications of the examples folder, with every override.
func examples(t *testing.T) map[string]bundle.Content {
	t.Helper()
	files, err := filepath.Glob("../../examples/*/application*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("cannot find examples: %v", err)
	}
	out := map[string]bundle.Content{}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, doc := range strings.Split(string(raw), "\n---\n") {
			app := struct {
				metav1.TypeMeta   `json:",inline"`
				metav1.ObjectMeta `json:"metadata"`

				Spec v1alpha1.ProductApplicationSpec `json:"spec"`
			}{}
			if err := yaml.Unmarshal([]byte(doc), &app); err != nil {
				t.Fatal(err)
			}
			if app.Kind != "ProductApplication" {
				continue
			}
			out[filepath.Base(filepath.Dir(f))+"/"+app.Name] = compiled(t, app.Name, &app.Spec)
		}
	}
	return out
}

func compiled(t *testing.T, name string, spec *v1alpha1.ProductApplicationSpec) bundle.Content {
	t.Helper()
	a, err := oam.Compile(name, spec)
	if err != nil {
		t.Fatal(err)
	}
	b, err := a.Bundle(nil)
	if err != nil {
		t.Fatal(err)
	}
	c, err := bundle.Open(b, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestDocs holds the page of causes to the table.
func TestDocs(t *testing.T) {
	const page, begin, end = "../../docs/preflight.md", "<!-- causes -->\n", "<!-- /causes -->\n"
	table := &bytes.Buffer{}
	table.WriteString("| cause | | severity | what is looked at |\n|---|---|---|---|\n")
	for _, c := range Causes() {
		fmt.Fprintf(table, "| %s | %s | %s | %s |\n", c.ID, c.Title, c.Severity, c.Doc)
	}
	raw, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(raw), begin)
	got, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no table between %q and %q", page, begin, end)
	}
	if *update {
		if err := os.WriteFile(page, []byte(before+begin+table.String()+end+after), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(table.String(), got); diff != "" {
		t.Errorf("%s is not as the table is (write it with -update): -want, +got:\n%s", page, diff)
	}
}
