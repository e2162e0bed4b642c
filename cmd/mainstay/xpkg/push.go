package xpkg

import (
	"context"
	"fmt"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	rxpkg "github.com/crossplane/crossplane-runtime/v2/pkg/xpkg"
)

// Push pushes packages to a registry, with the credentials that the machine's
// container tools use for it, and returns their references. A package of several
// architectures becomes one index; the packages of an architecture are pushed
// before the index that names them, and the Configuration last.
func Push(ctx context.Context, registry string, all []Built) ([]string, error) {
	if err := CheckRegistry(registry); err != nil {
		return nil, err
	}
	images := map[string][]Built{}
	for _, b := range all {
		images[b.Package.Name] = append(images[b.Package.Name], b)
	}

	references := []string{}
	for _, p := range Packages() {
		if len(images[p.Name]) == 0 {
			continue
		}
		reference := p.Reference(registry, images[p.Name][0].Version)
		if err := push(ctx, reference, images[p.Name]); err != nil {
			return nil, fmt.Errorf("cannot push %s: %w", reference, err)
		}
		references = append(references, reference)
	}
	return references, nil
}

func push(ctx context.Context, reference string, all []Built) error {
	tag, err := name.NewTag(reference, name.StrictValidation)
	if err != nil {
		return err
	}
	opts := []remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)}

	if len(all) == 1 {
		img, err := rxpkg.AnnotateLayers(all[0].Image)
		if err != nil {
			return err
		}
		return remote.Write(tag, img, opts...)
	}

	index := v1.ImageIndex(empty.Index)
	for _, b := range all {
		img, err := rxpkg.AnnotateLayers(b.Image)
		if err != nil {
			return err
		}
		digest, err := img.Digest()
		if err != nil {
			return err
		}
		if err := remote.Write(tag.Context().Digest(digest.String()), img, opts...); err != nil {
			return err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add:        img,
			Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: b.Arch}},
		})
	}
	return remote.WriteIndex(tag, index, opts...)
}
