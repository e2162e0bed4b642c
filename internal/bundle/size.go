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
)

// A TooLargeError says that a content does not fit into a Bundle.
type TooLargeError struct {
	// Component that is the largest, and the number of bytes of its objects, before
	// compression.
	Component string
	Bytes     int
	// Limit in bytes for all components together, and what they come to.
	Limit, Total int
	// Compressed is true where limit and total are after compression.
	Compressed bool
}

// Error names the largest component.
func (e *TooLargeError) Error() string {
	how := ""
	if e.Compressed {
		how = " after compression"
	}
	return fmt.Sprintf("manifests come to %d bytes%s and at most %d fit: component %q alone has %d; split it over several applications, or move large data out of the manifests",
		e.Total, how, e.Limit, e.Component, e.Bytes)
}

func tooLarge(c Content, total int, compressed bool) error {
	e := &TooLargeError{Limit: v1alpha1.MaxBundleContentBytes, Total: total, Compressed: compressed}
	if compressed {
		e.Limit = v1alpha1.MaxBundleDataBytes
	}
	for _, comp := range c.Components {
		raw, err := json.Marshal(comp.Objects)
		if err == nil && len(raw) > e.Bytes {
			e.Component, e.Bytes = comp.Name, len(raw)
		}
	}
	return e
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

// decompress reads at most what one object may hold: a few bytes can claim to be
// gigabytes, and anybody in a tenant's namespace can write a Bundle.
func decompress(data []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("cannot decompress: %w", err)
	}
	defer r.Close() //nolint:errcheck // Reading from memory.
	raw, err := io.ReadAll(io.LimitReader(r, v1alpha1.MaxBundleObjectBytes+1))
	if err != nil {
		return nil, fmt.Errorf("cannot decompress: %w", err)
	}
	if len(raw) > v1alpha1.MaxBundleObjectBytes {
		return nil, fmt.Errorf("content is larger than %d bytes", v1alpha1.MaxBundleObjectBytes)
	}
	return raw, nil
}
