package plan

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	claimfiles "github.com/mainstay-dev/mainstay/internal/claims"
	"github.com/mainstay-dev/mainstay/internal/plan/claims"
	"github.com/mainstay-dev/mainstay/internal/tree"
)

// Chosen files are those that a Repository's patterns match, and what Kustomize builds of
// its folders.
type Chosen struct {
	// Namespace of the Repository. Claims that name none are in it.
	Namespace string

	reader *claimfiles.Reader
}

// Choose files as the Repository in a manifest does. Other documents may stand beside it.
func Choose(manifest string) (*Chosen, error) {
	raw, err := os.ReadFile(manifest)
	if err != nil {
		return nil, fmt.Errorf("cannot read Repository: %w", err)
	}
	r, err := repositoryIn(raw)
	if err != nil {
		return nil, fmt.Errorf("cannot read Repository in %s: %w", manifest, err)
	}
	c := &Chosen{Namespace: r.Namespace}
	if c.reader, err = claimfiles.NewReader(claimfiles.Rules{Paths: r.Spec.ForProvider.Claims}); err != nil {
		return nil, fmt.Errorf("cannot use Repository in %s: %w", manifest, err)
	}
	return c, nil
}

// repositoryIn documents: the only one.
func repositoryIn(raw []byte) (*v1alpha1.Repository, error) {
	var found *v1alpha1.Repository
	docs := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(raw)))
	for {
		doc, err := docs.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		kind := metav1.TypeMeta{}
		if err := yaml.Unmarshal(doc, &kind); err != nil {
			return nil, err
		}
		if kind.GroupVersionKind() != v1alpha1.GroupVersion.WithKind("Repository") {
			continue
		}
		if found != nil {
			return nil, errors.New("there are several: name a file with one")
		}
		found = &v1alpha1.Repository{}
		if err := yaml.UnmarshalStrict(doc, found); err != nil {
			return nil, err
		}
	}
	if found == nil {
		return nil, fmt.Errorf("there is none of %s: name the file that it is in", v1alpha1.GroupVersion)
	}
	return found, nil
}

// A whole tree, for patterns and builds to choose from. Its files are told apart by their names.
type whole struct {
	by      *Chosen
	entries tree.Files
	text    map[string][]byte
	sizes   map[string]int64
	total   int64
}

func newTree(by *Chosen) *whole {
	return &whole{by: by, entries: tree.Files{}, text: map[string][]byte{}, sizes: map[string]int64{}}
}

// entry of the tree. One that is too large to hold claims is refused only where it is chosen.
func (w *whole) entry(e entry) error {
	f, size := tree.File{Mode: tree.Regular, ID: e.name}, e.size
	switch {
	case e.link != "":
		f.Mode, size = tree.Symlink, int64(len(e.link))
		e.read = func() ([]byte, error) { return []byte(e.link), nil }
	case e.special:
		f.Mode = 0
	}
	w.entries[e.name], w.sizes[e.name] = f, size
	if f.Mode == 0 || size > claims.MaxFileBytes {
		return nil
	}
	if w.total += size; w.total > claimfiles.MaxBytes {
		return fmt.Errorf("files come to more than %d MiB: plan a smaller folder", claimfiles.MaxBytes>>20)
	}
	raw, err := e.read()
	w.text[e.name] = raw
	return err
}

func (w *whole) files() (map[string][]byte, error) { return w.by.reader.Text(w.entries, w) }

// Size of a file.
func (w *whole) Size(id string) (int64, error) { return w.sizes[id], nil }

// Read a file.
func (w *whole) Read(id string) ([]byte, error) {
	raw, ok := w.text[id]
	if !ok {
		return nil, errors.New("it was not read")
	}
	return raw, nil
}
