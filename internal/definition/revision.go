package definition

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"

	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/mainstay-dev/mainstay/apis/v1alpha1"
)

// Limits of a revision.
const (
	// MaxContentBytes is the most that a definition may be, with its chart.
	MaxContentBytes = 4 << 20
	// MaxSealedBytes is the most that it may be after compression.
	MaxSealedBytes = 850 << 10
)

// WithArchive returns the definition with the chart that its reference names.
func WithArchive(spec *v1alpha1.ComponentDefinitionSpec, archive []byte) *v1alpha1.ComponentDefinitionSpec {
	out := spec.DeepCopy()
	if out.Chart == nil {
		return out
	}
	sum := sha256.Sum256(archive)
	out.Chart.Archive, out.Chart.SHA256 = archive, hex.EncodeToString(sum[:])
	return out
}

// Seal makes a revision of a definition: spec is a ComponentDefinitionSpec or a
// TraitDefinitionSpec that was found to be right.
func Seal(name string, spec any) (*v1alpha1.DefinitionRevision, error) {
	r := &v1alpha1.DefinitionRevision{}
	r.Spec.Name = name
	switch s := spec.(type) {
	case *v1alpha1.ComponentDefinitionSpec:
		r.Spec.Of, r.Spec.Version = v1alpha1.ComponentDefinitionKind, s.Version
	case *v1alpha1.TraitDefinitionSpec:
		r.Spec.Of, r.Spec.Version = v1alpha1.TraitDefinitionKind, s.Version
	default:
		return nil, fmt.Errorf("cannot seal %T", spec)
	}
	raw, err := canonical(spec)
	if err != nil {
		return nil, fmt.Errorf("cannot encode definition: %w", err)
	}
	if len(raw) > MaxContentBytes {
		return nil, fmt.Errorf("definition comes to %d bytes and at most %d are possible: make its chart smaller", len(raw), MaxContentBytes)
	}
	buf := &bytes.Buffer{}
	w, err := gzip.NewWriterLevel(buf, gzip.BestCompression)
	if err != nil {
		return nil, fmt.Errorf("cannot compress definition: %w", err)
	}
	if _, err := w.Write(raw); err != nil {
		return nil, fmt.Errorf("cannot compress definition: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("cannot compress definition: %w", err)
	}
	if buf.Len() > MaxSealedBytes {
		return nil, fmt.Errorf("definition comes to %d compressed bytes and at most %d are possible: make its chart smaller", buf.Len(), MaxSealedBytes)
	}
	r.SetGroupVersionKind(v1alpha1.DefinitionRevisionGVK)
	r.SetName(RevisionName(r.Spec.Of, name, r.Spec.Version))
	r.SetLabels(map[string]string{v1alpha1.LabelDefinition: name})
	r.Spec.Content, r.Spec.Digest = buf.Bytes(), digest(raw)
	return r, nil
}

// canonical JSON of a definition: what people wrote as JSON of their own has its keys in
// order too.
func canonical(spec any) ([]byte, error) {
	raw, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	var v any
	if err := utiljson.Unmarshal(raw, &v); err != nil {
		return nil, err
	}
	return json.Marshal(v)
}

// open a revision: its content, decompressed, where that is what its digest and its name
// say.
func open(r *v1alpha1.DefinitionRevision) ([]byte, error) {
	if want := RevisionName(r.Spec.Of, r.Spec.Name, r.Spec.Version); r.GetName() != want {
		return nil, fmt.Errorf("revision %q is not named by its content: it should be %q", r.GetName(), want)
	}
	z, err := gzip.NewReader(bytes.NewReader(r.Spec.Content))
	if err != nil {
		return nil, fmt.Errorf("cannot read revision %q: %w", r.GetName(), err)
	}
	defer z.Close() //nolint:errcheck // Reading from memory.
	raw, err := io.ReadAll(io.LimitReader(z, MaxContentBytes+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read revision %q: %w", r.GetName(), err)
	}
	if len(raw) > MaxContentBytes {
		return nil, fmt.Errorf("revision %q is larger than %d bytes", r.GetName(), MaxContentBytes)
	}
	if got := digest(raw); got != r.Spec.Digest {
		return nil, fmt.Errorf("content of revision %q has digest %s and not %s: it was tampered with; delete it, and it is made anew", r.GetName(), got, r.Spec.Digest)
	}
	return raw, nil
}

func digest(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// compiled is what a revision holds: a component type or a trait type.
type compiled struct {
	component *Component
	trait     *Trait
}

func compileRevision(r *v1alpha1.DefinitionRevision) (compiled, error) {
	raw, err := open(r)
	if err != nil {
		return compiled{}, err
	}
	out := compiled{}
	if r.Spec.Of == v1alpha1.TraitDefinitionKind {
		spec := &v1alpha1.TraitDefinitionSpec{}
		if err := json.Unmarshal(raw, spec); err != nil {
			return out, fmt.Errorf("cannot decode revision %q: %w", r.GetName(), err)
		}
		out.trait, err = CompileTrait(r.Spec.Name, spec)
	} else {
		spec := &v1alpha1.ComponentDefinitionSpec{}
		if err := json.Unmarshal(raw, spec); err != nil {
			return out, fmt.Errorf("cannot decode revision %q: %w", r.GetName(), err)
		}
		out.component, err = CompileComponent(r.Spec.Name, spec)
	}
	if err != nil {
		return out, fmt.Errorf("cannot use revision %q: %w", r.GetName(), err)
	}
	return out, nil
}
