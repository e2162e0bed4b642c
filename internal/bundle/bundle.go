// Package bundle seals what one variant of an application puts on a cluster, and
// opens it again. The seal is the digest of the content's canonical form: the name
// of a Bundle says what is in it, so whoever holds the name can trust what is opened.
//
// The digest is over the uncompressed content. Compressors change with their
// versions; content does not, and must keep its name when a function is rebuilt.
//
// What is too large for one object is cut into parts, which are Bundles themselves,
// sealed by their own digests. The Bundle that lists them is the one to open: its digest
// is over the whole, so that a part that is missing, foreign or in the wrong place shows.
package bundle

import (
	"encoding/json"
	"fmt"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/names"
)

// partBytes is how much content a part has. Whatever it is, it fits into one object: what
// cannot be compressed grows by next to nothing.
const partBytes = 3 << 18

// New seals a content. The first Bundle is the one to name and to open. Those that
// follow are its parts, where it has any. It returns a TooLargeError where the content
// does not fit.
func New(application string, c Content) ([]*v1alpha1.Bundle, error) {
	raw, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("cannot encode content: %w", err)
	}
	if len(raw) > v1alpha1.MaxBundleContentBytes {
		return nil, tooLarge(c, len(raw), false)
	}
	data, err := compress(raw)
	if err != nil {
		return nil, err
	}
	b := sealed(application, raw, data)
	for _, comp := range c.Components {
		bc := v1alpha1.BundleComponent{Name: comp.Name, Type: comp.Type, Version: comp.Version, Traits: comp.Traits, DependsOn: comp.DependsOn}
		for i := range comp.Objects {
			bc.Objects = append(bc.Objects, comp.Objects[i].GetKind()+"/"+comp.Objects[i].GetName())
		}
		b.Spec.ObjectCount += int32(len(comp.Objects)) //nolint:gosec // Bounded by the size of the content.
		b.Spec.Components = append(b.Spec.Components, bc)
	}
	if len(raw) <= v1alpha1.MaxBundleObjectBytes && len(data) <= v1alpha1.MaxBundleObjectDataBytes {
		return []*v1alpha1.Bundle{b}, nil
	}
	return cut(b, raw, c)
}

// cut a Bundle into parts.
func cut(b *v1alpha1.Bundle, raw []byte, c Content) ([]*v1alpha1.Bundle, error) {
	b.Spec.Data = nil
	out, total := []*v1alpha1.Bundle{b}, 0
	for len(raw) > 0 {
		piece := raw[:min(partBytes, len(raw))]
		raw = raw[len(piece):]
		data, err := compress(piece)
		if err != nil {
			return nil, err
		}
		total += len(data)
		part := sealed(b.Spec.Application, piece, data)
		b.Spec.Parts = append(b.Spec.Parts, v1alpha1.BundlePart{Digest: part.Spec.Digest})
		out = append(out, part)
	}
	if total > v1alpha1.MaxBundleDataBytes {
		return nil, tooLarge(c, total, true)
	}
	return out, nil
}

func sealed(application string, raw, data []byte) *v1alpha1.Bundle {
	digest := Digest(raw)
	b := &v1alpha1.Bundle{}
	b.SetGroupVersionKind(v1alpha1.BundleGVK)
	b.SetName(names.Bundle(application, digest))
	b.Spec = v1alpha1.BundleSpec{Application: application, Digest: digest, Encoding: v1alpha1.EncodingGzip, Data: data}
	return b
}

// Parts names the Bundles that hold the parts of a Bundle. There are none where it
// holds its content itself.
func Parts(b *v1alpha1.Bundle) []string {
	out := make([]string, 0, len(b.Spec.Parts))
	for _, p := range b.Spec.Parts {
		out = append(out, names.Bundle(b.Spec.Application, p.Digest))
	}
	return out
}

// Open returns the content of a Bundle. Get returns a part by its name; it may be nil
// where there cannot be any. Open returns an error where the content is not what the
// Bundle's name and digest say, or is larger than a Bundle may be. Errors of get are
// wrapped.
func Open(b *v1alpha1.Bundle, get func(name string) (*v1alpha1.Bundle, error)) (Content, error) {
	raw, err := unseal(b, get)
	if err != nil {
		return Content{}, err
	}
	c := Content{}
	if err := json.Unmarshal(raw, &c); err != nil {
		return Content{}, fmt.Errorf("cannot decode content of bundle %q: %w", b.GetName(), err)
	}
	return c, nil
}

// unseal returns what a Bundle holds, once it is found to be what its name says.
func unseal(b *v1alpha1.Bundle, get func(name string) (*v1alpha1.Bundle, error)) ([]byte, error) {
	if want := names.Bundle(b.Spec.Application, b.Spec.Digest); b.GetName() != want {
		return nil, fmt.Errorf("bundle %q is not named by its content: its digest asks for the name %q", b.GetName(), want)
	}
	raw, err := joined(b, get)
	if err != nil {
		return nil, err
	}
	if got := Digest(raw); got != b.Spec.Digest {
		return nil, fmt.Errorf("content of bundle %q has digest %s and not %s: it was tampered with, delete it and it is made anew", b.GetName(), got, b.Spec.Digest)
	}
	return raw, nil
}

// joined returns what is in a Bundle, and in its parts.
func joined(b *v1alpha1.Bundle, get func(name string) (*v1alpha1.Bundle, error)) ([]byte, error) {
	if len(b.Spec.Parts) == 0 {
		raw, err := decompress(b.Spec.Data)
		if err != nil {
			return nil, fmt.Errorf("cannot read content of bundle %q: %w", b.GetName(), err)
		}
		return raw, nil
	}
	if len(b.Spec.Parts) > v1alpha1.MaxBundleParts || get == nil {
		return nil, fmt.Errorf("bundle %q has %d parts, and at most %d are possible", b.GetName(), len(b.Spec.Parts), v1alpha1.MaxBundleParts)
	}
	var raw []byte
	for i, name := range Parts(b) {
		part, err := get(name)
		if err != nil {
			return nil, fmt.Errorf("cannot get part %d of %d of bundle %q: %w", i+1, len(b.Spec.Parts), b.GetName(), err)
		}
		if len(part.Spec.Parts) > 0 || part.Spec.Application != b.Spec.Application {
			return nil, fmt.Errorf("bundle %q is no part of bundle %q", name, b.GetName())
		}
		piece, err := unseal(part, nil)
		if err != nil {
			return nil, err
		}
		if raw = append(raw, piece...); len(raw) > v1alpha1.MaxBundleContentBytes {
			return nil, fmt.Errorf("content of bundle %q is larger than %d bytes", b.GetName(), v1alpha1.MaxBundleContentBytes)
		}
	}
	return raw, nil
}
