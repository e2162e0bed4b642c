// Package bundle seals what one variant of an application puts on a cluster, and
// opens it again. The seal is the digest of the content's canonical form: the name
// of a Bundle says what is in it, so whoever holds the name can trust what is opened.
//
// The digest is over the uncompressed content. Compressors change with their
// versions; content does not, and must keep its name when a function is rebuilt.
package bundle

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/names"
)

// A TooLargeError says that a content does not fit into a Bundle.
type TooLargeError struct {
	// Component that is the largest, and the number of bytes of its objects.
	Component string
	Bytes     int
	// Limit in bytes for all components together, and what they come to.
	Limit, Total int
}

// Error names the largest component.
func (e *TooLargeError) Error() string {
	return fmt.Sprintf("manifests come to %d bytes and at most %d fit: component %q alone has %d; split it over several applications, or move large data out of the manifests",
		e.Total, e.Limit, e.Component, e.Bytes)
}

// New seals a content. It returns a TooLargeError where the content does not fit.
func New(application string, c Content) (*v1alpha1.Bundle, error) {
	raw, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("cannot encode content: %w", err)
	}
	data, err := compress(raw)
	if err != nil {
		return nil, err
	}
	if len(raw) > v1alpha1.MaxBundleContentBytes {
		return nil, tooLarge(c, v1alpha1.MaxBundleContentBytes, len(raw))
	}
	if len(data) > v1alpha1.MaxBundleDataBytes {
		return nil, tooLarge(c, v1alpha1.MaxBundleDataBytes, len(data))
	}

	digest := Digest(raw)
	b := &v1alpha1.Bundle{}
	b.SetGroupVersionKind(v1alpha1.BundleGVK)
	b.SetName(names.Bundle(application, digest))
	b.Spec = v1alpha1.BundleSpec{
		Application: application,
		Digest:      digest,
		Encoding:    v1alpha1.EncodingGzip,
		Data:        data,
	}
	for _, comp := range c.Components {
		bc := v1alpha1.BundleComponent{Name: comp.Name, Type: comp.Type, Version: comp.Version, DependsOn: comp.DependsOn}
		for i := range comp.Objects {
			bc.Objects = append(bc.Objects, comp.Objects[i].GetKind()+"/"+comp.Objects[i].GetName())
		}
		b.Spec.ObjectCount += int32(len(comp.Objects)) //nolint:gosec // Bounded by the size of the content.
		b.Spec.Components = append(b.Spec.Components, bc)
	}
	return b, nil
}

// Open returns the content of a Bundle. It returns an error where the content is
// not what the Bundle's name and digest say, or is larger than a Bundle may be.
func Open(b *v1alpha1.Bundle) (Content, error) {
	if want := names.Bundle(b.Spec.Application, b.Spec.Digest); b.GetName() != want {
		return Content{}, fmt.Errorf("bundle %q is not named by its content: its digest asks for the name %q", b.GetName(), want)
	}
	raw, err := decompress(b.Spec.Data)
	if err != nil {
		return Content{}, fmt.Errorf("cannot read content of bundle %q: %w", b.GetName(), err)
	}
	if got := Digest(raw); got != b.Spec.Digest {
		return Content{}, fmt.Errorf("content of bundle %q has digest %s and not %s: it was tampered with, delete it and it is made anew", b.GetName(), got, b.Spec.Digest)
	}
	c := Content{}
	if err := json.Unmarshal(raw, &c); err != nil {
		return Content{}, fmt.Errorf("cannot decode content of bundle %q: %w", b.GetName(), err)
	}
	return c, nil
}

// Digest returns the hexadecimal SHA-256 of a content's canonical form.
func Digest(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

func compress(raw []byte) ([]byte, error) {
	buf := &bytes.Buffer{}
	w, err := gzip.NewWriterLevel(buf, gzip.BestCompression)
	if err != nil {
		return nil, fmt.Errorf("cannot compress content: %w", err)
	}
	if _, err := w.Write(raw); err != nil {
		return nil, fmt.Errorf("cannot compress content: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("cannot compress content: %w", err)
	}
	return buf.Bytes(), nil
}

// decompress reads at most what a Bundle may hold: a few bytes can claim to be
// gigabytes, and anybody in a tenant's namespace can write a Bundle.
func decompress(data []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("cannot decompress: %w", err)
	}
	defer r.Close() //nolint:errcheck // Reading from memory.
	raw, err := io.ReadAll(io.LimitReader(r, v1alpha1.MaxBundleContentBytes+1))
	if err != nil {
		return nil, fmt.Errorf("cannot decompress: %w", err)
	}
	if len(raw) > v1alpha1.MaxBundleContentBytes {
		return nil, fmt.Errorf("content is larger than %d bytes", v1alpha1.MaxBundleContentBytes)
	}
	return raw, nil
}

func tooLarge(c Content, limit, total int) error {
	e := &TooLargeError{Limit: limit, Total: total}
	for _, comp := range c.Components {
		raw, err := json.Marshal(comp.Objects)
		if err == nil && len(raw) > e.Bytes {
			e.Component, e.Bytes = comp.Name, len(raw)
		}
	}
	return e
}
