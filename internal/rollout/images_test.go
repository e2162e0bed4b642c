package rollout

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
)

// A registry has images, and tags that can be moved.
type registry struct {
	// tags are digests by image. What is not in here is v1 of it.
	tags map[string]string
	// down says why nobody can be asked. none is true where this provider asks nobody.
	down  string
	none  bool
	asked []string
	known map[string]*ImageNames
	// blind is true where it is not known which images there are.
	blind bool
	// more images that everything has.
	more []string
}

func newRegistry() *registry {
	return &registry{tags: map[string]string{}, known: map[string]*ImageNames{}}
}

// names of a payload's images: the application's own, and one from the region's mirror.
func (r *registry) names(p Placed) *ImageNames {
	if r.blind || p.Payload.Bundle == "" {
		return nil
	}
	key := p.Payload.Bundle + " " + region(p.Target.Name)
	if r.known[key] == nil {
		r.known[key] = &ImageNames{Names: append([]string{"app:" + strings.TrimPrefix(p.Payload.Bundle, "shop."), region(p.Target.Name) + "/base"}, r.more...)}
	}
	return r.known[key]
}

func (r *registry) resolve(names []string) map[string]Resolution {
	out := map[string]Resolution{}
	for _, n := range names {
		r.asked = append(r.asked, n)
		switch {
		case r.none:
			out[n] = Resolution{Message: "this provider asks no registries"}
		case r.down != "":
			out[n] = Resolution{Message: r.down}
		default:
			out[n] = Resolution{Digest: r.digest(n)}
		}
	}
	return out
}

func (r *registry) digest(name string) string {
	if d := r.tags[name]; d != "" {
		return d
	}
	return "v1"
}

// takeAsked returns what was asked since the last time.
func (r *registry) takeAsked() []string {
	out := r.asked
	r.asked = nil
	return out
}

// imageTales are told of images that are named by tags.
func imageTales() map[string]tale {
	return map[string]tale{
		"images": {
			reason: "A tag is asked about once for each revision. Moved in the middle, all clusters run the same nonetheless, and a rollback brings back what ran.",
			play: func(s *story) {
				w := s.world(v1alpha1.RolloutStrategy{MaxConcurrent: number(1), FailureBudget: number(0), OnFailure: v1alpha1.FailureRollbackAll})
				w.registry = newRegistry()
				w.join("eu-1", "eu-2")
				s.turns(1)
				s.tell("The tags are moved.")
				w.registry.tags["app:1"], w.registry.tags["eu/base"] = "v2", "v2"
				s.untilDone()
				s.tell("A cluster joins in another region. It gets the application that the others have.")
				w.join("us-1")
				s.untilDone()
				s.tell("A new revision asks anew. It breaks its second cluster, and all go back to what they had.")
				w.want("shop.2", true)
				s.turns(2)
				w.broken[reference("eu-2")] = true
				s.turns(2)
				clear(w.broken)
				s.turns(4)
				s.tell("The application is as it was before. What its tags meant then, they mean now.")
				w.want("shop.1", true)
				s.untilDone()
			},
		},
		"images-required": {
			reason: "Where the strategy requires digests, nothing is started before all registries have said what they are.",
			play: func(s *story) {
				w := s.world(v1alpha1.RolloutStrategy{MaxConcurrent: number(2), Images: v1alpha1.ImagesRequire})
				w.registry = newRegistry()
				w.registry.down = "the registry does not answer"
				w.join("eu-1", "us-1")
				s.turns(2)
				s.tell("It answers.")
				w.registry.down = ""
				s.untilDone()
				s.tell("It is silent again, a new revision comes, and somebody says that tags will do.")
				w.registry.down = "the registry does not answer"
				w.want("shop.2", true)
				s.turns(1)
				w.spec.Strategy.Images = v1alpha1.ImagesResolve
				s.untilDone()
			},
		},
		"images-retried": {
			reason: "A bad image is mended under the same tag. A retry asks what the tag means now, and the canary runs it first.",
			play: func(s *story) {
				w := s.world(canaryThenRest(func(st *v1alpha1.RolloutStrategy) { st.FailureBudget = number(0) }))
				w.registry = newRegistry()
				w.join("eu-1", "eu-2", "eu-3")
				s.turns(3)
				w.broken[reference("eu-2")] = true
				s.turns(2)
				s.tell("The image is mended.")
				clear(w.broken)
				w.registry.tags["app:1"] = "v2"
				s.turns(1)
				s.control().Retry = 1
				s.untilDone()
			},
		},
	}
}

func TestImagesAsWritten(t *testing.T) {
	cases := map[string]struct {
		reason   string
		mode     v1alpha1.ImageMode
		registry func(*registry)
		want     *v1alpha1.RolloutImages
		message  string
	}{
		"AsWritten": {
			reason: "Who wants tags gets them, and nobody is asked.",
			mode:   v1alpha1.ImagesAsWritten,
		},
		"NoRegistries": {
			reason:   "Without registries nobody wants digests who does not say so.",
			registry: func(r *registry) { r.none = true },
		},
		"ResolveWithout": {
			reason:   "Who says so is told that they cannot be had, and the clusters are moved.",
			mode:     v1alpha1.ImagesResolve,
			registry: func(r *registry) { r.none = true },
			want: &v1alpha1.RolloutImages{Bundles: []string{"shop.1"}, Images: []v1alpha1.ResolvedImage{
				{Image: "app:1", Message: "this provider asks no registries"}, {Image: "eu/base", Message: "this provider asks no registries"},
			}},
			message: "; 2 images left as written: a registry gave no digest",
		},
		"Down": {
			reason:   "A registry that is down is not waited for, and what is said of it is not long.",
			registry: func(r *registry) { r.down = strings.Repeat("x", 1000) },
			want: &v1alpha1.RolloutImages{Bundles: []string{"shop.1"}, Images: []v1alpha1.ResolvedImage{
				{Image: "app:1", Message: strings.Repeat("x", 200)}, {Image: "eu/base", Message: strings.Repeat("x", 200)},
			}},
			message: "; 2 images left as written: a registry gave no digest",
		},
		"Blind": {
			reason:   "Where it is not known what the images are, the Release says why.",
			registry: func(r *registry) { r.blind = true },
			want:     &v1alpha1.RolloutImages{Bundles: []string{"shop.1"}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(v1alpha1.RolloutStrategy{Images: tc.mode})
			w.registry = newRegistry()
			if tc.registry != nil {
				tc.registry(w.registry)
			}
			w.join("eu-1")
			_, d := w.next()
			if len(d.Create) != 1 || d.Create[0].Images != nil || d.Create[0].Payload.Images != "" {
				t.Errorf("\n%s\nNext(...): want the cluster to be moved as written, got %+v", tc.reason, d.Create)
			}
			if diff := cmp.Diff(tc.want, d.Status.Images); diff != "" {
				t.Errorf("\n%s\nNext(...): -want, +got:\n%s", tc.reason, diff)
			}
			if want := "updated on 0 of 1 cluster, healthy on 0; 1 in motion" + tc.message; d.Status.Message != want {
				t.Errorf("\n%s\nNext(...): want message %q, got %q", tc.reason, want, d.Status.Message)
			}
			if !d.PersistFirst {
				t.Errorf("\n%s\nNext(...): what images are is not on record before the first write", tc.reason)
			}
		})
	}
}

// TestImagesOnRecord is a provider that is killed once what images are is on record.
func TestImagesOnRecord(t *testing.T) {
	w := newWorld(v1alpha1.RolloutStrategy{MaxConcurrent: number(1)})
	w.registry = newRegistry()
	w.join("eu-1", "eu-2")
	_, d := w.next()
	w.persist(d)
	w.registry.tags["app:1"] = "v2"
	w.registry.takeAsked()
	_, d = w.next()
	if asked := w.registry.takeAsked(); len(asked) > 0 {
		t.Errorf("what is on record is not asked for: got %v", asked)
	}
	want := []v1alpha1.ImageDigest{{Image: "app:1", Digest: "v1"}, {Image: "eu/base", Digest: "v1"}}
	if diff := cmp.Diff(want, d.Create[0].Images); diff != "" {
		t.Errorf("after a restart clusters get what is on record: -want, +got:\n%s", diff)
	}
	w.obey(d)
	for range 6 {
		w.turnAll()
		_, d = w.next()
		w.obey(d)
	}
	if !d.Done {
		t.Fatalf("want it to be done, got %q", d.Status.Message)
	}

	// The status is lost, and so is what can be said of images. What runs goes on.
	w.status = v1alpha1.RolloutObservation{}
	_, d = w.next()
	if len(d.Update) > 0 {
		t.Errorf("what runs is not moved because a status was lost: got %+v", d.Update)
	}
	w.obey(d)
	w.registry.blind = true
	if _, d = w.next(); len(d.Update) > 0 || !d.Done {
		t.Errorf("nor because nobody knows what images there are: got %+v", d.Update)
	}
	w.registry.blind = false
	w.registry.none, w.spec.Strategy.Images = true, v1alpha1.ImagesAsWritten
	if _, d = w.next(); len(d.Update) > 0 || !d.Done {
		t.Errorf("nor because images are not to be resolved any more: got %+v", d.Update)
	}
}

// TestImagesOfVariants is a revision that changes one of two variants.
func TestImagesOfVariants(t *testing.T) {
	w := newWorld(v1alpha1.RolloutStrategy{})
	w.registry = newRegistry()
	w.join("eu-1", "eu-2")
	target := w.targets["eu-2"]
	target.Overrides = []string{"big"}
	w.targets["eu-2"] = target
	w.spec.Variants = append(w.spec.Variants, v1alpha1.Variant{Overrides: []string{"big"}, Bundle: "shop.1big"})
	w.bundles["shop.1big"], w.bundles["shop.2"] = true, true
	for range 5 {
		_, d := w.next()
		w.obey(d)
		w.turnAll()
	}
	w.registry.tags["eu/base"] = "v2"
	w.spec.Variants = slices.Clone(w.spec.Variants)
	w.spec.Variants[0].Bundle = "shop.2"
	_, d := w.next()
	if len(d.Update) != 1 || d.Update[0].Target.Name != "eu-1" {
		t.Fatalf("who has another variant is not moved: got %+v", d.Update)
	}
	want := []v1alpha1.ResolvedImage{{Image: "eu/base", Digest: "v1"}, {Image: "app:1big", Digest: "v1"}, {Image: "app:2", Digest: "v1"}}
	less := func(a, b v1alpha1.ResolvedImage) int { return strings.Compare(a.Image, b.Image) }
	got := slices.Clone(d.Status.Images.Images)
	slices.SortFunc(got, less)
	slices.SortFunc(want, less)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("an image is the same one on all clusters of a revision, and what nobody has is forgotten: -want, +got:\n%s", diff)
	}
}

func TestManyImages(t *testing.T) {
	for mode, starts := range map[v1alpha1.ImageMode]int{v1alpha1.ImagesResolve: 1, v1alpha1.ImagesRequire: 0} {
		w := newWorld(v1alpha1.RolloutStrategy{Images: mode})
		w.registry = newRegistry()
		for i := range 300 {
			w.registry.more = append(w.registry.more, fmt.Sprintf("more:%03d", i))
		}
		w.registry.more = append(w.registry.more, strings.Repeat("x", 600))
		w.join("eu-1")
		_, d := w.next()
		if asked := w.registry.takeAsked(); len(asked) != maxImages || len(d.Status.Images.Images) != maxImages {
			t.Errorf("%s: want %d images on record, got %d, and %d were asked for", mode, maxImages, len(d.Status.Images.Images), len(asked))
		}
		if d.Status.Images.Left != 103 || len(d.Create) != starts {
			t.Errorf("%s: want 103 left and %d started, got %d and %d", mode, starts, d.Status.Images.Left, len(d.Create))
		}
		if starts == 0 && !strings.Contains(d.Status.Message, "there are more than 200") {
			t.Errorf("%s: got message %q", mode, d.Status.Message)
		}
	}
}

// anyRegistry for some histories.
func (h *history) anyRegistry() {
	if h.tags.Intn(2) == 0 {
		return
	}
	h.registry = newRegistry()
	h.spec.Strategy.Images = []v1alpha1.ImageMode{"", v1alpha1.ImagesResolve, v1alpha1.ImagesRequire}[h.tags.Intn(3)]
}

// moveTags at random, and let registries be silent for a while.
func (h *history) moveTags() {
	if h.registry == nil {
		return
	}
	switch h.tags.Intn(8) {
	case 0:
		for _, b := range []string{"app:1", "app:2", "app:3", "eu/base", "us/base"} {
			if h.tags.Intn(3) == 0 {
				h.registry.tags[b] = fmt.Sprintf("v%d", h.now.Unix()/int64(time.Minute/time.Second))
			}
		}
	case 1:
		h.registry.down = "the registry does not answer"
	case 2, 3:
		h.registry.down = ""
	}
}

// checkImages of a decision: what is on record stays so for as long as the revision lasts
// and nobody asks for another try, and clusters get nothing else.
func (h *history) checkImages(before v1alpha1.RolloutObservation, d Decision) {
	h.t.Helper()
	if d.Status.Images == nil {
		return
	}
	if before.Images != nil && before.Digest == d.Status.Digest && before.Retried == d.Status.Retried {
		for _, was := range before.Images.Images {
			i := slices.IndexFunc(d.Status.Images.Images, func(r v1alpha1.ResolvedImage) bool { return r.Image == was.Image })
			if was.Digest != "" && !was.Again && (i < 0 || d.Status.Images.Images[i].Digest != was.Digest) {
				h.t.Fatalf("image %s was %s and is something else now", was.Image, was.Digest)
			}
		}
	}
	back := d.Status.Failed != nil && d.Status.Failed.To != ""
	for _, p := range slices.Concat(d.Create, d.Update) {
		known := d.Status.Images.Images
		if back {
			i := slices.IndexFunc(Rollbacks(d.Status), func(r v1alpha1.RolloutRevision) bool { return r.Digest == d.Status.Failed.To })
			known = Rollbacks(d.Status)[i].Images
		}
		h.checkPins(p.Target.Label(), p.Images, known)
		required := h.spec.Strategy.Images == v1alpha1.ImagesRequire
		if names := h.registry.names(p).Names; required && !back && len(p.Images) != len(names) {
			h.t.Fatalf("%s is started with %v, and %v are required", p.Name, p.Images, names)
		}
	}
}

func (h *history) checkPins(cluster string, pins []v1alpha1.ImageDigest, known []v1alpha1.ResolvedImage) {
	h.t.Helper()
	for _, p := range pins {
		if !slices.ContainsFunc(known, func(r v1alpha1.ResolvedImage) bool { return r.Image == p.Image && r.Digest == p.Digest }) {
			h.t.Fatalf("%s is to run %s as %s, which is not on record: %v", cluster, p.Image, p.Digest, known)
		}
	}
}
