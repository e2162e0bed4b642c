package claims

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// claim that a document is. None where its kind is ignored.
func (r *Reader) claim(d document) (*Claim, error) {
	if d.known == nil {
		return r.asClaim(d)
	}
	d.known.once.Do(func() { d.known.claim, d.known.err = r.asClaim(d) })
	return d.known.claim, d.known.err
}

func (r *Reader) asClaim(d document) (*Claim, error) {
	apiVersion, kind, err := identity(d.object)
	if err != nil {
		return nil, err
	}
	switch r.rules.Kind(group(apiVersion), kind) {
	case Ignored:
		return nil, nil
	case Wanted:
	default:
		if group(apiVersion) == "kustomize.config.k8s.io" {
			return nil, errors.New("is a Kustomization: name its folder in spec.forProvider.claims.kustomize, or exclude the file")
		}
		return nil, fmt.Errorf("is a %s of %s, which is no claim: exclude the file in spec.forProvider.claims.exclude, or take it out", cut(kind), cut(apiVersion))
	}

	object := maps.Clone(d.object)
	meta, err := metadata(object)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", kind, err)
	}
	ref := v1alpha1.ClaimReference{APIVersion: apiVersion, Kind: kind}
	ref.Name, _ = meta["name"].(string)
	ref.Namespace, _ = meta["namespace"].(string)
	if ref.Namespace == "" {
		ref.Namespace = r.rules.Namespace
		meta["namespace"] = ref.Namespace
	}
	object["metadata"] = meta
	if problems := validation.IsDNS1123Subdomain(ref.Name); len(problems) > 0 {
		return nil, fmt.Errorf("%s: metadata.name %q is not a name: %s", kind, cut(ref.Name), problems[0])
	}
	if !slices.Contains(r.rules.Namespaces, ref.Namespace) {
		return nil, fmt.Errorf("%s %s: namespace %q is not one that this repository may write: it may %s; see spec.forProvider.targetNamespaces",
			kind, ref.Name, cut(ref.Namespace), strings.Join(r.rules.Namespaces, ", "))
	}
	if _, ok := object["spec"].(map[string]any); !ok {
		return nil, fmt.Errorf("%s: spec is missing or no object", ref)
	}
	sum, size, err := digest(object)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", ref, err)
	}
	if size > MaxClaimBytes {
		return nil, fmt.Errorf("%s: claim has %d bytes, and at most %d fit", ref, size, MaxClaimBytes)
	}
	return &Claim{Ref: ref, Object: object, Digest: sum, Source: d.Source}, nil
}

// identity of an object: what it is.
func identity(object map[string]any) (apiVersion, kind string, err error) {
	apiVersion, _ = object["apiVersion"].(string)
	kind, _ = object["kind"].(string)
	if apiVersion == "" || kind == "" {
		return "", "", errors.New("has no apiVersion and kind, so it is no claim: exclude the file in spec.forProvider.claims.exclude")
	}
	return apiVersion, kind, nil
}

// metadata of a claim, copied. What only the API server sets is refused: a claim that was read from
// a cluster says things that are not for a repository.
func metadata(object map[string]any) (map[string]any, error) {
	for _, field := range slices.Sorted(maps.Keys(object)) {
		if !slices.Contains([]string{"apiVersion", "kind", "metadata", "spec"}, field) {
			return nil, fmt.Errorf("%s is not for a repository: take it out", cut(field))
		}
	}
	in, ok := object["metadata"].(map[string]any)
	if !ok {
		return nil, errors.New("metadata is missing or no object")
	}
	meta := maps.Clone(in)
	for _, field := range slices.Sorted(maps.Keys(meta)) {
		switch {
		case meta[field] == nil:
			// Such as creationTimestamp: null, which programs write.
			delete(meta, field)
		case field == "name" || field == "namespace":
			if _, ok := meta[field].(string); !ok {
				return nil, fmt.Errorf("metadata.%s is not a string: put it in quotes", field)
			}
		case field == "labels" || field == "annotations":
			if err := stringMap(meta[field]); err != nil {
				return nil, fmt.Errorf("metadata.%s: %w", field, err)
			}
		default:
			return nil, fmt.Errorf("metadata.%s is not for a repository: take it out", cut(field))
		}
	}
	return meta, nil
}

// stringMap refuses what is not a map from strings to strings.
func stringMap(v any) error {
	m, ok := v.(map[string]any)
	if !ok {
		return errors.New("is no object")
	}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if _, ok := m[k].(string); !ok {
			return fmt.Errorf("%q is not a string: put it in quotes", cut(k))
		}
	}
	return nil
}
