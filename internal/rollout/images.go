package rollout

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/images"
)

const (
	// maxImages that a revision has on record. The others stay as they are written.
	maxImages = 200
	// maxImageMessage is the length of what is said about one of them.
	maxImageMessage = 200
)

// ImageNames are the images that a payload names by their tags on a cluster. Clusters
// that have the same should share them: what follows from them is worked out once.
type ImageNames struct{ Names []string }

// A Resolution is what a registry says of an image.
type Resolution struct {
	// Digest of the image. Empty where none can be had.
	Digest string
	// Message says why.
	Message string
}

// A record is what is known of images, and what names come to with it.
type record struct {
	known map[string]v1alpha1.ResolvedImage
	// require is true where what has no digest holds its cluster up.
	require bool
	pinned  map[*ImageNames]*pinned
}

// A pinned is what the images of a payload come to.
type pinned struct {
	pins     []v1alpha1.ImageDigest
	identity string
	// open images are to be asked for, and left ones find no room on record.
	open, left []string
	// held is true where a cluster has to wait for one of them.
	held bool
}

// imageMode that a revision begins with.
func (n *plan) imageMode() v1alpha1.ImageMode {
	switch mode := n.spec.Strategy.Images; {
	case n.spec.Fleet != "" || n.observed.Images == nil:
		return v1alpha1.ImagesAsWritten
	case mode != "":
		return mode
	case n.observed.Registries:
		return v1alpha1.ImagesResolve
	}
	return v1alpha1.ImagesAsWritten
}

// beginImages of a revision. Where it shares a Bundle with one that is remembered it goes
// on with what that one knew: what does not change is not moved, and an image is the
// same one on all clusters. Otherwise registries are asked anew.
func (n *plan) beginImages() {
	before := n.is.Images
	n.is.Images = nil
	if n.imageMode() == v1alpha1.ImagesAsWritten {
		return
	}
	now := &v1alpha1.RolloutImages{Bundles: bundlesOf(n.spec.Variants)}
	n.is.Images = now
	if before != nil && shares(before.Bundles, now.Bundles) {
		now.Images = slices.Clone(before.Images)
	} else if i := slices.IndexFunc(n.revisions(), func(r v1alpha1.RolloutRevision) bool { return shares(bundlesOf(r.Variants), now.Bundles) }); i >= 0 {
		now.Images = slices.Clone(n.revisions()[i].Images)
	} else {
		now.Images = n.running(now.Bundles)
	}
	n.forgetImages()
}

// running images of Releases that want one of these Bundles although no revision that is
// remembered had it: a status was lost.
func (n *plan) running(bundles []string) []v1alpha1.ResolvedImage {
	var out []v1alpha1.ResolvedImage
	releases := slices.Clone(n.observed.Releases)
	slices.SortFunc(releases, func(a, b Release) int { return cmp.Or(cmp.Compare(b.Epoch, a.Epoch), cmp.Compare(a.Name, b.Name)) })
	for _, r := range releases {
		if !slices.Contains(bundles, r.Wanted.Bundle) {
			continue
		}
		for _, p := range r.Images {
			if len(out) < maxImages && !slices.ContainsFunc(out, func(i v1alpha1.ResolvedImage) bool { return i.Image == p.Image }) {
				out = append(out, v1alpha1.ResolvedImage{Image: p.Image, Digest: p.Digest})
			}
		}
	}
	return out
}

// revisions that are remembered, the latest first.
func (n *plan) revisions() []v1alpha1.RolloutRevision {
	if n.is.Reached == nil {
		return n.is.History
	}
	return append([]v1alpha1.RolloutRevision{*n.is.Reached}, n.is.History...)
}

// forgetImages that no placed cluster has any more. Where that is not certain all are kept.
func (n *plan) forgetImages() {
	used := map[string]bool{}
	if n.observed.Blocked != "" {
		return
	}
	for _, t := range n.observed.Targets {
		p := n.placed(t)
		names := n.observed.Images(p)
		if names == nil {
			return
		}
		for _, name := range names.Names {
			used[name] = true
		}
	}
	n.is.Images.Images = slices.DeleteFunc(n.is.Images.Images, func(i v1alpha1.ResolvedImage) bool { return !used[i.Image] })
}

// askAgain what images mean, for another try of a revision that was never reached.
func (n *plan) askAgain() {
	if n.is.Images == nil || n.reached() {
		return
	}
	for i := range n.is.Images.Images {
		n.is.Images.Images[i].Again = true
	}
}

// absorb what registries say. Where a tag was moved between two tries, steps and waves
// begin anew: what is moved through them now is something else.
func (n *plan) absorb() {
	if n.is.Images == nil {
		return
	}
	if n.observed.Images != nil && len(n.is.Images.Images)+len(n.observed.Resolved) > maxImages {
		n.forgetImages()
	}
	moved := false
	for _, name := range slices.Sorted(maps.Keys(n.observed.Resolved)) {
		r := n.observed.Resolved[name]
		i := slices.IndexFunc(n.is.Images.Images, func(k v1alpha1.ResolvedImage) bool { return k.Image == name })
		if i < 0 {
			if len(n.is.Images.Images) < maxImages {
				n.is.Images.Images = append(n.is.Images.Images, resolved(name, r))
			}
			continue
		}
		known := &n.is.Images.Images[i]
		if known.Digest == "" || (known.Again && r.Digest != "") {
			moved = moved || (known.Again && known.Digest != r.Digest)
			*known = resolved(name, r)
		}
		// Whoever cannot be asked again leaves what was known.
		known.Again = false
	}
	if !moved {
		return
	}
	n.is.Steps = nil
	for i := range n.is.Waves {
		w := &n.is.Waves[i]
		if w.Phase == v1alpha1.WaveOver {
			w.Phase = v1alpha1.WavePending
		}
		w.HealthySince, w.Gates = nil, nil
	}
}

func resolved(name string, r Resolution) v1alpha1.ResolvedImage {
	out := v1alpha1.ResolvedImage{Image: name, Digest: r.Digest}
	if r.Digest == "" {
		out.Message = strings.ToValidUTF8(r.Message[:min(len(r.Message), maxImageMessage)], "")
	}
	return out
}

// recorded is what is on record of the revision, or of the one that clusters go back to.
func recorded(all []v1alpha1.ResolvedImage, require bool) *record {
	r := &record{known: make(map[string]v1alpha1.ResolvedImage, len(all)), require: require, pinned: map[*ImageNames]*pinned{}}
	for _, i := range all {
		r.known[i.Image] = i
	}
	return r
}

// pin what a member should have. Where its images are not known, and it has that Bundle
// already, it keeps its pins.
func (n *plan) pin(m *member, r *record) {
	m.images = pinned{}
	if r == nil || m.Payload.Bundle == "" {
		m.Images, m.Payload.Images = nil, ""
		return
	}
	if names := n.observed.names(m.Placed); names != nil {
		m.images = *r.pin(names)
	} else if has := m.release; has != nil && has.Wanted.Bundle == m.Payload.Bundle {
		m.images = pinned{pins: has.Images, identity: has.Wanted.Images}
	}
	m.Images, m.Payload.Images = m.images.pins, m.images.identity
}

// names of the images of a payload. Nil where they are not known.
func (o Observed) names(p Placed) *ImageNames {
	if o.Images == nil {
		return nil
	}
	return o.Images(p)
}

// pin names to what is known of them.
func (r *record) pin(names *ImageNames) *pinned {
	if p, ok := r.pinned[names]; ok {
		return p
	}
	p := &pinned{}
	for _, name := range names.Names {
		known, ok := r.known[name]
		switch {
		case !ok && (len(name) > images.MaxLength || len(r.known) >= maxImages):
			p.left = append(p.left, name)
			p.held = p.held || r.require
			continue
		case !ok, known.Again, r.require && known.Digest == "":
			p.open, p.held = append(p.open, name), true
		}
		if known.Digest != "" {
			p.pins = append(p.pins, v1alpha1.ImageDigest{Image: name, Digest: known.Digest})
		}
	}
	p.identity = images.Identity(p.pins)
	r.pinned[names] = p
	return p
}

// resolve lists the images whose registries have to be asked.
func (n *plan) resolve() {
	if !n.forward() || n.paused() || n.is.Images == nil {
		return
	}
	open, left := map[string]bool{}, map[string]bool{}
	for _, m := range n.members {
		for _, name := range m.images.open {
			open[name] = true
		}
		for _, name := range m.images.left {
			left[name] = true
		}
	}
	n.is.Images.Left = int32(len(left)) //nolint:gosec // There are not so many.
	all := slices.Sorted(maps.Keys(open))
	if len(all) > 0 {
		n.wakeAt(n.now.Add(checkAgain))
	}
	for _, name := range all[:min(len(all), maxImages)] {
		if _, answered := n.observed.Resolved[name]; !answered {
			n.decision.Resolve = append(n.decision.Resolve, name)
		}
	}
}

// imagesHold says why clusters wait for their images. It is empty where none does.
func (n *plan) imagesHold() string {
	count, open, left := 0, map[string]bool{}, 0
	for _, m := range n.members {
		if !m.outdated() || m.waits != waitImages {
			continue
		}
		count++
		left += len(m.images.left)
		for _, name := range m.images.open {
			open[name] = true
		}
	}
	if count == 0 {
		return ""
	}
	for _, i := range n.is.Images.Images {
		if open[i.Image] && i.Message != "" {
			return fmt.Sprintf("%s for image %q to be resolved, which the strategy requires: %s", waits(count), i.Image, i.Message)
		}
	}
	if len(open) == 0 && left > 0 {
		return fmt.Sprintf("%s for images to be resolved, which the strategy requires, and there are more than %d: use fewer, name them by digests, or let the rollout policy say images: Resolve", waits(count), maxImages)
	}
	return fmt.Sprintf("%s for %s to be resolved", waits(count), plural(len(open), "image"))
}

// asWritten counts the images that stay as they are written, of those that have a tag.
func (n *plan) asWritten() int {
	if n.is.Images == nil || n.is.Failed != nil {
		return 0
	}
	count := int(n.is.Images.Left)
	for _, i := range n.is.Images.Images {
		count += int(one(i.Digest == ""))
	}
	return count
}

func bundlesOf(variants []v1alpha1.Variant) []string {
	out := make([]string, 0, len(variants))
	for _, v := range variants {
		out = append(out, v.Bundle)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func shares(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

func waits(count int) string {
	if count == 1 {
		return "1 cluster waits"
	}
	return fmt.Sprintf("%d clusters wait", count)
}

func plural(count int, what string) string {
	if count == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", count, what)
}
