package release

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mainstay-dev/mainstay/apis/m/v1alpha1"
	"github.com/mainstay-dev/mainstay/internal/images"
)

// TestPins gives a Release digests, others, and none.
func TestPins(t *testing.T) {
	one, two := "sha256:"+strings.Repeat("1", 64), "sha256:"+strings.Repeat("2", 64)
	h := newHarness(t, newCluster(func(c *v1alpha1.Cluster) { c.Spec.ForProvider.Facts = map[string]string{"registry": "registry.eu"} }))
	name := h.bundle(component(t, "web", nil, deployment("web", "${cluster.registry}/web:1"), configMap("web", "x")))
	pinned := []v1alpha1.ImageDigest{{Image: "registry.eu/web:1", Digest: one}, {Image: "other:1", Digest: two}}
	h.must(h.hub.Create(h.ctx, newRelease(name, func(r *v1alpha1.Release) { r.Spec.ForProvider.Images = pinned })))

	runs := func() string {
		t.Helper()
		u := h.live(deploymentRef("web"))
		containers, _, _ := unstructured.NestedSlice(u.Object, "spec", "template", "spec", "containers")
		image, _ := containers[0].(map[string]any)["image"].(string)
		return image
	}
	h.reconcile()
	h.run("web")
	r := h.settle()
	if got, want := runs(), "registry.eu/web:1@"+one; got != want {
		t.Errorf("what is bound to the cluster is pinned: want %s, got %s", want, got)
	}
	if at := r.Status.AtProvider; at.Health != v1alpha1.Healthy || at.Images != images.Identity(pinned) {
		t.Errorf("and is on record: got %+v", at)
	}
	if h.hubWrites != 2 || h.farWrites != 2 {
		t.Errorf("for no more writes than without: got %d, %d", h.hubWrites, h.farWrites)
	}

	h.update(func(r *v1alpha1.Release) { r.Spec.ForProvider.Images[0].Digest = two })
	h.reconcile()
	if got, want := runs(), "registry.eu/web:1@"+two; got != want || h.farWrites != 3 {
		t.Errorf("another digest is another image, and nothing else: want %s, got %s after %d writes", want, got, h.farWrites)
	}
	h.run("web")
	if r = h.settle(); r.Status.AtProvider.Images == images.Identity(pinned) || r.Status.AtProvider.Applied == "" {
		t.Errorf("which is on record: got %+v", r.Status.AtProvider)
	}

	h.update(func(r *v1alpha1.Release) { r.Spec.ForProvider.Images = nil })
	h.reconcile()
	h.run("web")
	if r = h.settle(); runs() != "registry.eu/web:1" || r.Status.AtProvider.Images != "" {
		t.Errorf("without digests what is written counts: got %s, %q", runs(), r.Status.AtProvider.Images)
	}
}
