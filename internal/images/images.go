// Package images pins what a content runs to digests.
//
// A tag can be moved; a digest cannot. So that all clusters of a revision run the same,
// however long it takes to get there, and that a pod which is made anew on its node runs
// what ran before, whatever names an image by its tag is given the digest as well:
// web:1.4.0 becomes web:1.4.0@sha256:… where it is applied. The tag stays for people to read.
//
// Only what makes pods is pinned, containers and init containers, in the objects of a
// component and in those that its upgrade procedure applies. An image that has a digest
// already is left alone, and so is one that waits for the output of another component:
// what it will be is not known when registries are asked.
//
// Deliberately absent: registries, patches of procedures, and fields of custom
// resources that happen to name an image.
package images

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/bundle"
)

// MaxLength of the name of an image that can be pinned.
const MaxLength = 512

// Names of the images that a bound content names by their tags, sorted.
func Names(c bundle.Content) []string {
	var out []string
	for i := range c.Components {
		bc := &c.Components[i]
		each(bc, func(u *unstructured.Unstructured) {
			for _, image := range imagesOf(u) {
				if byTag(image) {
					out = append(out, image)
				}
			}
		})
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Pin a bound content to digests. It shares with the source what has nothing to pin, and
// neither may be changed.
func Pin(c bundle.Content, pins []v1alpha1.ImageDigest) bundle.Content {
	if len(pins) == 0 {
		return c
	}
	to := make(map[string]string, len(pins))
	for _, p := range pins {
		if byTag(p.Image) && p.Digest != "" {
			to[p.Image] = p.Image + "@" + p.Digest
		}
	}
	c.Components = slices.Clone(c.Components)
	for i := range c.Components {
		bc := &c.Components[i]
		bc.Objects = pinAll(bc.Objects, to)
		bc.Procedure = slices.Clone(bc.Procedure)
		for s := range bc.Procedure {
			bc.Procedure[s].Apply = pinAll(bc.Procedure[s].Apply, to)
		}
	}
	return c
}

// identityDigits in hexadecimal. They tell revisions of one application apart.
const identityDigits = 16

// Identity of pins, whatever their order. It is empty where there are none.
func Identity(pins []v1alpha1.ImageDigest) string {
	if len(pins) == 0 {
		return ""
	}
	lines := make([]string, 0, len(pins))
	for _, p := range pins {
		lines = append(lines, p.Image+"@"+p.Digest)
	}
	slices.Sort(lines)
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	return hex.EncodeToString(sum[:])[:identityDigits]
}

// byTag is true for an image that is named by a tag, given or implied.
func byTag(image string) bool { return image != "" && !strings.ContainsAny(image, "@$") }

// each object of a component that may make pods.
func each(bc *bundle.Component, do func(*unstructured.Unstructured)) {
	for i := range bc.Objects {
		do(&bc.Objects[i])
	}
	for s := range bc.Procedure {
		for i := range bc.Procedure[s].Apply {
			do(&bc.Procedure[s].Apply[i])
		}
	}
}

// lists of a pod's containers that have an image.
var lists = []string{"initContainers", "containers"}

func imagesOf(u *unstructured.Unstructured) []string {
	spec := at(u.Object, podPath(u))
	var out []string
	for _, list := range lists {
		containers, _ := spec[list].([]any)
		for _, c := range containers {
			m, _ := c.(map[string]any)
			if image, ok := m["image"].(string); ok {
				out = append(out, image)
			}
		}
	}
	return out
}

func pinAll(in []unstructured.Unstructured, to map[string]string) []unstructured.Unstructured {
	out, cloned := in, false
	for i := range in {
		if !slices.ContainsFunc(imagesOf(&in[i]), func(image string) bool { return to[image] != "" }) {
			continue
		}
		if !cloned {
			out, cloned = slices.Clone(in), true
		}
		out[i] = *in[i].DeepCopy()
		pin(&out[i], to)
	}
	return out
}

// pin an object in place.
func pin(u *unstructured.Unstructured, to map[string]string) {
	spec := at(u.Object, podPath(u))
	for _, list := range lists {
		containers, _ := spec[list].([]any)
		for _, c := range containers {
			m, _ := c.(map[string]any)
			if image, ok := m["image"].(string); ok && to[image] != "" {
				m["image"] = to[image]
			}
		}
	}
}

// podPath is where an object has the specification of its pods, if it has one.
func podPath(u *unstructured.Unstructured) []string {
	if u.GetKind() == "Pod" && u.GetAPIVersion() == "v1" {
		return []string{"spec"}
	}
	for _, p := range [][]string{{"spec", "template", "spec"}, {"spec", "jobTemplate", "spec", "template", "spec"}} {
		if at(u.Object, p) != nil {
			return p
		}
	}
	return []string{"spec", "template", "spec"}
}

// at a path. It is nil where there is no object.
func at(o map[string]any, path []string) map[string]any {
	for _, p := range path {
		o, _ = o[p].(map[string]any)
	}
	return o
}
