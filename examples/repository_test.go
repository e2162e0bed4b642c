package examples

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/change/grant"
	"github.com/mainstay-dev/mainstay/internal/claims"
	"github.com/mainstay-dev/mainstay/internal/freeze"
	planned "github.com/mainstay-dev/mainstay/internal/plan/claims"
	"github.com/mainstay-dev/mainstay/internal/tree"
	"github.com/mainstay-dev/mainstay/test/schema"
)

// folder of files, by their paths in it. Each is its own id.
type folder string

func (f folder) Size(id string) (int64, error) {
	info, err := os.Stat(filepath.Join(string(f), id))
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (f folder) Read(id string) ([]byte, error) { return os.ReadFile(filepath.Join(string(f), id)) }

func (f folder) files(t *testing.T) tree.Files {
	t.Helper()
	out := tree.Files{}
	err := fs.WalkDir(os.DirFS(string(f)), ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			out[path] = tree.File{Mode: tree.Regular, ID: path}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestRepository reads the repository of claims by the rules of the Repository beside it: what it
// holds are claims that the API server takes, in namespaces that agree.
func TestRepository(t *testing.T) {
	raw, err := os.ReadFile("repository/repository.yaml")
	if err != nil {
		t.Fatal(err)
	}
	r := &v1alpha1.Repository{}
	if err := yaml.UnmarshalStrict(raw, r); err != nil {
		t.Fatal(err)
	}
	spec := r.Spec.ForProvider
	if problems := freeze.Check(spec.Freezes); len(problems) > 0 {
		t.Errorf("freezes cannot be read: %v", problems)
	}

	reader, err := claims.NewReader(claims.Rules{Paths: spec.Claims, Namespace: r.Namespace, Namespaces: spec.TargetNamespaces})
	if err != nil {
		t.Fatal(err)
	}
	at := folder("repository/claims")
	set, err := reader.Read(at.files(t), at)
	if err != nil {
		t.Fatalf("the repository cannot be read:\n%v", err)
	}
	agree := agreed(t, "repository/namespaces.yaml", r.Namespace+"/"+r.Name)
	var got []string
	for ref, c := range set {
		got = append(got, fmt.Sprintf("%s in %s", ref, c.File))
		if _, wrong, err := planned.Complete(c.File, c.Object); err != nil || len(wrong) > 0 {
			t.Errorf("the API server would not take %s: %v %v", ref, wrong, err)
		}
		if ref.Namespace != r.Namespace && !slices.Contains(agree, ref.Namespace) {
			t.Errorf("namespace %s of %s does not agree", ref.Namespace, ref)
		}
	}
	slices.Sort(got)
	want := []string{
		"ClusterFleet platform/analytics in platform/fleet.yaml",
		"ProductApplication insight/pipeline in insight",
		"ProductApplication shop/cart in shop/cart.yaml",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("claims of the repository: -want, +got:\n%s", diff)
	}
}

// agreed namespaces of a file, to a Repository.
func agreed(t *testing.T, file, repository string) []string {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	objects, err := schema.Objects(raw)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, o := range objects {
		if grant.Agreed(o.GetAnnotations(), repository) {
			out = append(out, o.GetName())
		}
	}
	return out
}
